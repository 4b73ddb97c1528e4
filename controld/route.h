/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_ROUTE_H
#define CONTROLD_ROUTE_H

#include "request.h"

/* Make an answer, or call request_wait(). */
typedef void route_handler_fn(struct request *request);

struct route {
	const char *method;
	const char *path; /* {name} stands for one segment */
	enum role role;
	route_handler_fn *handler;
	const char *const *query; /* NULL-terminated; a * at the end: may be repeated */
	const char *const *body;  /* members of the body; NULL: takes none */
	bool metrics;		  /* on the --metrics listener too */
	const char *link;	  /* its name in the index; NULL: not a start */
};

/* Every call; the last row has no path. */
extern const struct route routes[];

/*
 * Cut request->target into segments and find its route. Returns 0, or -1 and the problem; for
 * OPTIONS the answer is made here. Sets Allow where it belongs.
 */
int route_request(struct request *request, struct problem *ret_problem);

/* Cut and decode; -1: malformed. Separate for tests. */
int route_cut_target(struct request *request);

#endif
