/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_API_TEXT_H
#define H2SESS_API_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A growing string; all zero is the empty one. When memory or `max` runs out it keeps what it has,
 * `failed` is set and every further call does nothing: who sends it checks once, at the end.
 */
struct text {
	char *data; /* NULL: nothing was ever added; else a NUL stands behind len octets */
	size_t len;
	size_t cap;
	size_t max; /* octets that it may have; 0: any number */
	bool failed;
};

void text_append(struct text *text, const void *data, size_t len);
void text_add(struct text *text, const char *string);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_json(struct text *text, const json_t *value); /* as json_write(); NULL fails */
void text_consume(struct text *text, size_t len);	    /* drop len octets from the front */
void text_done(struct text *text);

#endif
