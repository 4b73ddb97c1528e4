/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_SELECTOR_H
#define CONTROLD_SELECTOR_H

#include "request.h"

/*
 * The selector of a query: SELECTOR of rpc.md into *ret_select (a new reference), and the name of
 * the worker that it is about, or NULL (borrowed). Returns 0, or -1 and the problem.
 */
int selector_of_query(const struct request *request, json_t **ret_select, const char **ret_worker,
		      struct problem *ret_problem);

#endif
