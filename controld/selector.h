/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_SELECTOR_H
#define CONTROLD_SELECTOR_H

#include "request.h"

struct worker;

/* Which sessions are meant; checked. All zero: empty. */
struct selector {
	json_t *select;	 /* SELECTOR of rpc.md, without ids */
	json_t *ids;	 /* strings, or NULL: any */
	char worker[64]; /* a name or a boot id; "": any */
};

/*
 * The selector of a query, and of a member `select` of a body. Return 0, or -1 and the problem,
 * whose strings live as long as the request. selector_done() in each case.
 */
int selector_of_query(const struct request *request, struct selector *ret,
		      struct problem *ret_problem);
int selector_of_body(struct request *request, const json_t *select, struct selector *ret,
		     struct problem *ret_problem);
void selector_done(struct selector *selector);

/* Is this worker asked? */
bool selector_means(const struct selector *selector, const struct worker *worker);

/* What it is asked, a new reference, never {}. */
json_t *selector_for(const struct selector *selector, const struct worker *worker);

#endif
