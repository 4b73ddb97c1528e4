/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_BODY_H
#define CONTROLD_BODY_H

#include "problem.h"

#include <stdbool.h>
#include <stddef.h>

#define BODY_DETAIL_MAX 160

#define BODY_ANY_MEMBER "*" /* alone in a list of members: any name */

/* A parsed body. `wrong` and `detail` hold what a problem speaks of. */
struct body {
	json_t *object; /* NULL until parsed */
	char wrong[64];
	char detail[BODY_DETAIL_MAX];
};

/*
 * Parse len bytes, none being {}: one JSON object without duplicate keys, whose members are all in
 * the NULL-terminated `allowed`. Returns 0, or -1 and the problem, whose strings live as long as
 * the body.
 */
int body_parse(struct body *body, const char *data, size_t len, const char *const *allowed,
	       struct problem *ret_problem);
/* The members of an object inside the body: 0, or -1 and the problem. */
int body_check_members(struct body *body, const json_t *object, const char *const *allowed,
		       struct problem *ret_problem);
void body_done(struct body *body);

/* Typed members. Return 1 when there (and set ret), 0 when not, -1 and the problem when of another
 * type. */
int body_string(const struct body *body, const char *name, const char **ret,
		struct problem *ret_problem);
int body_number(const struct body *body, const char *name, double min, double max, double *ret,
		struct problem *ret_problem);

#endif
