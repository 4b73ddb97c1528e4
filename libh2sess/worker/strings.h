/* SPDX-License-Identifier: Apache-2.0 */
/* A list of strings that it owns, in order. */
#ifndef WORKER_STRINGS_H
#define WORKER_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

struct strings {
	char **items;
	size_t n;
};

/* Add a copy of len bytes. False: out of memory. */
bool strings_add(struct strings *list, const char *text, size_t len);
void strings_done(struct strings *list);
bool strings_equal(const struct strings *a, const struct strings *b);

#endif
