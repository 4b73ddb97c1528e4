/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_PROBLEM_H
#define CONTROLD_PROBLEM_H

#include <jansson.h>

enum problem_kind {
#define X(name, http, code, title) PROBLEM_##name,
#include <h2sess/problems.def>
#undef X
	PROBLEMS,
};

/* What went wrong with a request: all but status, code and title may be NULL (borrowed). */
struct problem {
	int status;
	const char *code;
	const char *title;
	const char *field;
	const char *rule;
	const char *detail;
	double min, max; /* of what is out of range, where max is over 0 */
};

struct problem problem_of(enum problem_kind kind, const char *field, const char *detail);

/* A number that is not from min to max. */
struct problem problem_of_range(const char *field, double min, double max);

/* Of a row of h2sess/errors.def, by the value that an RPC error carries. */
struct problem problem_of_error(int error, const char *field, const char *rule, const char *detail);

/* The problem+json document, a new reference; NULL when out of memory. */
json_t *problem_json(const struct problem *problem);

#endif
