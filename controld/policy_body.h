/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_POLICY_BODY_H
#define CONTROLD_POLICY_BODY_H

#include "request.h"

/*
 * Check what a policy is to be, and fill in what it does not say: *ret_definition (a new reference)
 * has every member. Returns 0, or -1 and the problem, whose strings live as long as the request.
 */
int policy_body_read(struct request *request, const json_t *body, json_t **ret_definition,
		     struct problem *ret_problem);

/* A JSON merge patch (RFC 7396): the patched document, a new reference; NULL: out of memory. */
json_t *policy_body_merge(const json_t *target, const json_t *patch);

/* The value's own rules (lint), where no worker is there to be asked. */
int policy_body_lint(const json_t *definition, struct problem *ret_problem);

/* Seconds that clients remember what the policy sends: 0 for `clear`, and for ORIGIN. */
int64_t policy_body_max_age(const json_t *definition);

bool policy_body_is_origin(const json_t *definition);

#endif
