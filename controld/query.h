/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_QUERY_H
#define CONTROLD_QUERY_H

#include "problem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUERY_PAIRS_MAX 64

struct query_pair {
	const char *name;
	const char *value;
};

/* A parsed query; pairs point into `buffer`. */
struct query {
	struct query_pair pairs[QUERY_PAIRS_MAX];
	size_t count;
	char *buffer;
	char wrong[64]; /* the name that a problem speaks of */
};

/*
 * Parse `raw` (after the ?, may be NULL). `allowed` is a NULL-terminated list of names; one that
 * ends in * may be repeated. Returns 0, or -1 and the problem, whose strings live as long as the
 * query.
 */
int query_parse(struct query *query, const char *raw, const char *const *allowed,
		struct problem *ret_problem);
void query_done(struct query *query);

const char *query_get(const struct query *query, const char *name); /* NULL: not there */

/* Typed values. Return 1 when there (and set ret), 0 when not, -1 and the problem when malformed.
 */
int query_integer(const struct query *query, const char *name, int64_t min, int64_t max,
		  int64_t *ret, struct problem *ret_problem);
int query_number(const struct query *query, const char *name, double min, double max, double *ret,
		 struct problem *ret_problem);
int query_boolean(const struct query *query, const char *name, bool *ret,
		  struct problem *ret_problem);

/* Decode %XX (and + when form) in place. Returns -1 for a malformed one, %00 and bad UTF-8. */
int percent_decode(char *string, bool form);

#endif
