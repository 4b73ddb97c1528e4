/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_FRAME_BODY_H
#define CONTROLD_FRAME_BODY_H

#include "problem.h"

#include <stdbool.h>

/* Members of bodies that become frames. Each returns 0, or -1 and the problem. */

/* `origin`, then that `alt` is a string, as in Node. */
int frame_check_altsvc(const json_t *body, struct problem *ret_problem);
/* `origins`. */
int frame_check_origins(const json_t *body, struct problem *ret_problem);
/* `code` and `lastStreamID`. */
int frame_check_goaway(const json_t *body, struct problem *ret_problem);
/* The characters of an alt, and with lint its grammar. */
int frame_lint(const char *alt, bool lint, struct problem *ret_problem);

#endif
