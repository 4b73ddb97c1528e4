/* SPDX-License-Identifier: Apache-2.0 */
/* What one instance of the app serves: from "DIR", or from a file "NAME.ini". */
#ifndef STATIC_SITE_H
#define STATIC_SITE_H

#include "file.h"

#include <stdbool.h>
#include <stddef.h>

#define SITE_INDEXES_MAX 8
#define SITE_TYPES_MAX 64

struct site_type {
	char *extension;
	char *type;
};

struct site {
	int root;	   /* a descriptor of the directory; -1: none */
	size_t prefix_len; /* bytes of :path that lead to it */
	char *indexes[SITE_INDEXES_MAX];
	size_t n_indexes;
	struct site_type types[SITE_TYPES_MAX]; /* before those of types.c */
	size_t n_types;
	char *cache_control; /* NULL: no such field */
	bool precompressed;  /* files NAME.br and NAME.gz are sent in NAME's place */
	struct files *files[H2SESS_THREADS_MAX]; /* each thread's own; NULL before its first file */
};

/*
 * config: what stands behind "static:". prefix: the path that the app is put at. Returns 0, or an
 * error, and then one line of at most error_len bytes in error; site_done() is right after both.
 */
int site_init(struct site *site, const char *config, const char *prefix, char *error,
	      size_t error_len);
void site_done(struct site *site);

/* The media type of a file, by its name. */
const char *site_type_of(const struct site *site, const char *path);

#endif
