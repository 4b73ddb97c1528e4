/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_GLOB_H
#define H2SESS_GLOB_H

#include <stdbool.h>
#include <stdint.h>

#define GLOB_MAX 255 /* octets of a glob */
#define GLOB_WORDS (GLOB_MAX / 64 + 1)

struct glob;

/* text: at most GLOB_MAX octets of `*` (any octets, also none), `?` (one), and others, compared
 * without regard to case in ASCII. To be freed with mem_free(). NULL when out of memory. */
struct glob *glob_new(const char *text);
/* False for a NULL text. */
bool glob_matches(const struct glob *glob, const char *text);

#endif
