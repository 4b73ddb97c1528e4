/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_GLOB_H
#define API_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GLOB_MAX 255 /* octets of a glob */
#define GLOB_WORDS (GLOB_MAX / 64 + 1)

/* 8 KiB: not for the stack. */
struct glob {
	size_t n; /* octets that are no star */
	uint64_t star[GLOB_WORDS];
	uint64_t steps[256][GLOB_WORDS];
};

/*
 * text: at most GLOB_MAX octets of `*` (any octets, also none), `?` (one), and others, compared
 * without regard to case in ASCII.
 */
void glob_read(const char *text, struct glob *ret);
/* False for a NULL text. */
bool glob_matches(const struct glob *glob, const char *text);

#endif
