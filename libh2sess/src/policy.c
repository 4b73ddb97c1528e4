/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy is, the set of those that a worker holds, and which one wins on a session. It owns
 * policies and sets by their references; the decision is pure, and this file knows no session.
 *
 * The rule: of the policies for one origin that mean a session, the first one in rank wins: the
 * highest priority, then the first name in byte order. Its value is sent where the session has
 * another one. Where none is left, the session is sent `clear` if it has a value of a policy that the
 * worker still knows, and if it began since a policy was removed that would have meant it. A policy
 * that is paused still wins, but nothing is sent for it. One that cannot be decided yet, because it
 * asks for the user-agent, keeps those behind it waiting.
 */
#include "policy.h"

#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ------------------------------------------------------------------------------------ */

struct policy *policy_ref(struct policy *policy)
{
	atomic_fetch_add(&policy->references, 1);
	return policy;
}

void policy_unref(struct policy *policy)
{
	if (!policy || atomic_fetch_sub(&policy->references, 1) != 1)
		return;
	h2sess_selector_free(policy->selector);
	push_value_unref(policy->value);
	push_value_unref(policy->clear);
	mem_free(policy);
}

struct policy_set *policy_set_ref(struct policy_set *set)
{
	atomic_fetch_add(&set->references, 1);
	return set;
}

void policy_set_unref(struct policy_set *set)
{
	if (!set || atomic_fetch_sub(&set->references, 1) != 1)
		return;
	while (set->n)
		policy_unref(set->policies[--set->n]);
	mem_free(set);
}

static int compare(const void *a, const void *b)
{
	const struct policy *x = *(struct policy *const *)a;
	const struct policy *y = *(struct policy *const *)b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Policies for one origin are decided together. */
static void note_first(struct policy_set *set)
{
	size_t i, k;

	for (i = 0; i < set->n; i++) {
		for (k = 0; k < i; k++) {
			if (push_value_same_subject(set->policies[k]->value,
						    set->policies[i]->value))
				break;
		}
		set->first_of[i] = (uint16_t)k;
	}
}

struct policy_set *policy_set_new(struct policy *const *policies, size_t n, const char *worker)
{
	struct policy_set *set = mem_calloc(1, sizeof(*set) + n * sizeof(set->policies[0]));

	if (!set)
		return NULL;
	atomic_init(&set->references, 1);
	snprintf(set->worker, sizeof(set->worker), "%s", worker);
	for (; set->n < n; set->n++) {
		struct policy *policy = policy_ref(policies[set->n]);

		set->policies[set->n] = policy;
		set->any_header |= policy->via & POLICY_VIA_HEADER;
		set->any_user_agent |= policy->selector->parsed.user_agent != NULL;
		set->any_label |= policy->selector->parsed.n_labels > 0;
		set->any_expires |= policy->expires_ms != POLICY_NEVER;
	}
	qsort(set->policies, n, sizeof(set->policies[0]), compare);
	note_first(set);
	return set;
}

uint64_t policy_set_next_end(const struct policy_set *set, uint64_t now_ms)
{
	uint64_t next = POLICY_NEVER;
	size_t i;

	for (i = 0; i < set->n; i++) {
		uint64_t end = set->policies[i]->expires_ms;

		if (end > now_ms && end < next)
			next = end;
	}
	return next;
}

size_t policy_set_expired(const struct policy_set *set, uint64_t now_ms)
{
	size_t i, expired = 0;

	for (i = 0; i < set->n; i++)
		expired += set->policies[i]->expires_ms <= now_ms;
	return expired;
}

/* ---- which one wins -------------------------------------------------------------------------- */

/* Why a policy is out of the question, or NULL. */
static const char *out(const struct policy_case *c)
{
	if (c->retracting)
		return "retracting";
	if (c->expired)
		return "expired";
	return c->refusal;
}

/* The winner; *ret_waits when it depends on the first request. */
static size_t find_winner(const struct policy_case *cases, size_t n, const char **whys,
			  bool *ret_waits)
{
	size_t i, winner = n;

	*ret_waits = false;
	for (i = 0; i < n; i++) {
		whys[i] = out(&cases[i]);
		if (whys[i])
			continue;
		whys[i] = winner < n || *ret_waits ? "priority" : "";
		if (winner < n || *ret_waits)
			continue;
		if (cases[i].unknown) {
			*ret_waits = true;
			whys[i] = "userAgent";
		} else {
			winner = i;
		}
	}
	return winner;
}

/* Nobody wins: is there something to take back, and who does it? */
static size_t find_clearer(const struct policy_case *cases, size_t n, const char *held,
			   size_t held_by)
{
	size_t i;

	if (held && strcmp(held, "clear") == 0)
		return n;
	if (held)
		return held_by < n && cases[held_by].paused && !out(&cases[held_by]) ? n : held_by;
	for (i = 0; i < n; i++) {
		if (cases[i].returns && cases[i].by_frame && !cases[i].refusal && !cases[i].unknown)
			return i;
	}
	return n;
}

struct policy_decision policy_decide(const struct policy_case *cases, size_t n, const char *held,
				     size_t held_by, const char **whys)
{
	struct policy_decision d = {POLICY_NOTHING, n, n};
	bool waits;

	d.winner = find_winner(cases, n, whys, &waits);
	if (waits) {
		d.action = POLICY_WAIT;
	} else if (d.winner == n) {
		d.cleared_by = find_clearer(cases, n, held, held_by);
		d.action = d.cleared_by < n ? POLICY_CLEAR : POLICY_NOTHING;
	} else if (cases[d.winner].by_frame &&
		   (!held || strcmp(held, cases[d.winner].value) != 0)) {
		if (cases[d.winner].paused)
			whys[d.winner] = "paused";
		else
			d.action = POLICY_SEND;
	}
	return d;
}
