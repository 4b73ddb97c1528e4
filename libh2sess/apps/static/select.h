/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which part of a file a request gets, if any: conditional requests (RFC 9110 13) and single ranges
 * (RFC 9110 14). Pure.
 */
#ifndef STATIC_SELECT_H
#define STATIC_SELECT_H

#include <stdint.h>
#include <time.h>

#define HTTP_DATE_SIZE 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" with its NUL */
#define ETAG_SIZE 64

/* A file's validators. */
struct version {
	int64_t size; /* bytes */
	struct timespec modified;
	char etag[ETAG_SIZE];
	char last_modified[HTTP_DATE_SIZE];
};

/* What the request says; NULL where it does not. */
struct condition {
	const char *if_match;
	const char *if_unmodified_since;
	const char *if_none_match;
	const char *if_modified_since;
	const char *range;
	const char *if_range;
};

enum selection {
	SELECT_ALL,		/* 200 */
	SELECT_PART,		/* 206 */
	SELECT_NOT_MODIFIED,	/* 304 */
	SELECT_NOT_SATISFIABLE, /* 416 */
	SELECT_FAILED,		/* 412 */
};

/* encoding: a name that tells encodings of one file apart, or NULL. */
void version_init(struct version *version, int64_t size, struct timespec modified,
		  const char *encoding);

/* ret_offset and ret_length: of what is to be sent, for the first two. */
enum selection select_part(const struct version *version, const struct condition *condition,
			   int64_t *ret_offset, int64_t *ret_length);

void http_date(time_t when, char ret[HTTP_DATE_SIZE]);

#endif
