/* SPDX-License-Identifier: Apache-2.0 */
/* The line that the access log has for a request. Pure. */
#ifndef WORKER_ACCESS_FORMAT_H
#define WORKER_ACCESS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum access_format { ACCESS_JSON, ACCESS_COMMON, ACCESS_COMBINED };

#define ACCESS_LINE_MAX 8192  /* bytes, with the newline */
#define ACCESS_FIELD_MAX 1024 /* bytes of a value that a client chose, before it is escaped */

/* What is known of a request when its stream has ended. Text may be NULL; bytes are any. */
struct access_entry {
	uint64_t when_ms; /* Unix time: it began */
	uint64_t duration_us;
	const char *session;
	const char *peer;
	const char *method;
	const char *scheme;
	const char *authority;
	const char *path;
	const char *referer;
	const char *user_agent;
	uint64_t bytes_sent; /* of the bodies */
	uint64_t bytes_received;
	int32_t stream;
	int status;    /* 0: no response */
	uint32_t code; /* HTTP/2 error that the stream ended with */
};

bool access_format_by_name(const char *name, enum access_format *ret);

/*
 * Write the entry with its newline. What is no plain ASCII is escaped, so a client cannot write
 * lines of its own, nor commands to a terminal. Returns the length.
 */
size_t access_format_entry(enum access_format format, const struct access_entry *entry,
			   char ret[ACCESS_LINE_MAX]);

#endif
