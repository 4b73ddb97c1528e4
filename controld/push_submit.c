/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing a push over to the workers that have its sessions.
 *
 *   1. a paced push, and a dry run, first ask each worker how many sessions match;
 *   2. the pace is split in proportion, so that its sum is what was asked for;
 *   3. each worker is called: session.altsvc or session.origin for one session, push.start for
 *      many. It goes on by itself from there.
 *
 * Failure modes: what is wrong whatever the session is refused by every worker: there is no push
 * then, and the first error is the answer. Some refuse, others take it (versions differ): their
 * sessions are left out, with a warning. A worker is lost meanwhile: its part is unknown.
 */
#include "ask.h"
#include "controld.h"
#include "keys.h"
#include "selector.h"
#include "waiters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct call {
	struct pushes *pushes;
	char push[PUSH_ID_MAX + 1];
	char boot[WORKER_BOOT_MAX + 1];
};

static void ask_all(struct pushes *pushes, struct push *push);

/* ---- refusals -------------------------------------------------------------------------------- */

void push_refuse(struct pushes *pushes, struct push *push, json_t *problem, int status)
{
	struct keys *keys = &pushes->controld->keys;

	push->starting = false;
	push->problem = problem ? problem : json_object();
	push->problem_status = status;
	if (push->key && status < 500)
		key_set_answer(keys, push->key, (unsigned)status, push->problem);
	else if (push->key)
		key_forget(keys, push->key); /* worth another try */
	push->state = PUSH_STATE_DONE;
	list_remove(&push->running_link);
	push_forget(pushes, push);
	waiters_wake(pushes, push);
}

/* Keep the first error: it is the answer when nobody takes the push. */
static void take_error(struct pushes *pushes, struct push *push, struct push_part *part,
		       const struct peer_answer *answer)
{
	const struct history *history = &pushes->controld->history;
	const struct ended *ended = push->session ? history_find(history, push->session) : NULL;
	struct problem problem = ask_problem(answer);

	part->refused = part->answered = part->done = true;
	part->counts = (struct push_counts){0};
	push_warn_of_worker(push, "refused", "worker %s refuses it: %s", part->worker,
			    problem.code);
	if (push->first_problem)
		return;
	if (problem.status == 404 && ended)
		problem = problem_of(PROBLEM_SESSION_ENDED, "session", NULL);
	push->first_problem = problem_json(&problem);
	push->problem_status = problem.status;
	if (problem.status == 410 && ended)
		history_tell(ended, push->first_problem);
}

static bool is_refused(const struct push *push)
{
	for (size_t i = 0; i < push->part_count; i++)
		if (!push->parts[i].refused)
			return false;
	return push->first_problem;
}

/* Every call has ended. */
static void go_on(struct pushes *pushes, struct push *push)
{
	if (is_refused(push)) {
		push_refuse(pushes, push, json_incref(push->first_problem), push->problem_status);
		return;
	}
	if (!push->counting) {
		push->changed |= !push->session;
		if (!push->session && push->state == PUSH_STATE_RUNNING)
			push_save(pushes, push);
		push_look(pushes, push);
		return;
	}
	push->counting = false;
	if (push->dry_run) {
		waiters_wake(pushes, push);
		return;
	}
	/* How many are meant, should nobody live to say what became of them. */
	push_save(pushes, push);
	ask_all(pushes, push); /* now in earnest */
}

/* ---- answers --------------------------------------------------------------------------------- */

static void take_warnings(struct push *push, const json_t *result)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(result, "warnings"), i, one) {
		const char *rule = json_string_value(json_object_get(one, "rule"));
		const char *detail = json_string_value(json_object_get(one, "detail"));

		if (rule)
			push_warn(push, rule, detail ? detail : "",
				  json_integer_value(json_object_get(one, "sessions")));
	}
}

/* {RULE: sessions}, added up. */
static void take_refused(struct push *push, const json_t *result)
{
	const char *rule;
	json_t *value;

	if (!push->refused)
		push->refused = json_object();
	json_object_foreach(json_object_get(result, "refused"), rule, value) {
		json_int_t sum = json_integer_value(json_object_get(push->refused, rule)) +
				 json_integer_value(value);

		json_object_set_new(push->refused, rule, json_integer(sum));
	}
}

static void take_count(struct push *push, struct push_part *part, const json_t *result)
{
	json_int_t matched = json_integer_value(json_object_get(result, "matched"));

	part->meant = matched > 0 ? (uint64_t)matched : 0;
	part->counted = true;
	take_warnings(push, result);
	take_refused(push, result);
}

/* Updates may have come before; they know better. */
static void take_start(struct push *push, struct push_part *part, const json_t *result)
{
	json_int_t matched = json_integer_value(json_object_get(result, "matched"));

	part->answered = true;
	if (!part->counted)
		take_warnings(push, result);
	if (matched <= 0)
		part->done = true;
	else if (part->counts.matched == 0)
		part->counts = (struct push_counts){.matched = (uint64_t)matched,
						    .of = {[PUSH_QUEUED] = (uint64_t)matched}};
}

static void take_outcome(struct pushes *pushes, struct push *push, struct push_part *part,
			 const json_t *result)
{
	const char *outcome = json_string_value(json_object_get(result, "outcome"));
	int number = outcome ? outcome_by_name(outcome) : -1;

	part->answered = true;
	take_warnings(push, result);
	if (number >= 0)
		push_settle_one(pushes, push, (enum push_outcome)number,
				json_string_value(json_object_get(result, "reason")), false);
}

static void on_answer(const struct peer_answer *answer, void *user)
{
	struct call *call = user;
	struct pushes *pushes = call->pushes;
	struct push *push = table_get(&pushes->by_id, call->push);
	struct push_part *part = push_find_part(push, call->boot);

	free(call);
	if (answer->outcome == PEER_ERROR)
		take_error(pushes, push, part, answer);
	else if (answer->outcome != PEER_RESULT)
		part->answered = true; /* and unknown, since the worker was lost */
	else if (push->counting)
		take_count(push, part, answer->result);
	else if (push->session)
		take_outcome(pushes, push, part, answer->result);
	else
		take_start(push, part, answer->result);
	if (--push->calls == 0)
		go_on(pushes, push);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static uint64_t sum_meant(const struct push *push)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < push->part_count; i++)
		sum += push->parts[i].meant;
	return sum;
}

/* What this worker is to do of it. */
static json_t *make_params(const struct push *push, const struct push_part *part,
			   const struct worker *worker)
{
	json_t *params = json_loads(push->request, 0, NULL);
	double pace = json_number_value(json_object_get(params, "perSecond"));

	json_object_set_new(params, "push", json_string(push->id));
	json_object_set_new(params, "by", json_string(push->by));
	if (push->session) {
		json_object_del(params, "kind");
		json_object_set_new(params, "session", json_string(push->session));
		return params;
	}
	json_object_del(params, "stopAccepting");
	json_object_set_new(params, "select", selector_for(push->selector, worker));
	if (push->counting)
		json_object_set_new(params, "dryRun", json_true());
	if (pace > 0 && part->counted)
		json_object_set_new(
			params, "perSecond",
			json_real(pace * (double)part->meant / (double)sum_meant(push)));
	return params;
}

static enum rpc_method method_of(const struct push *push)
{
	if (!push->session)
		return RPC_PUSH_START;
	return push->kind == PUSH_KIND_ALTSVC ? RPC_SESSION_ALTSVC : RPC_SESSION_ORIGIN;
}

static int ask(struct pushes *pushes, struct push *push, const struct push_part *part)
{
	const struct boot *boot = table_get(&pushes->controld->workers.boots, part->boot);
	struct call *call = boot && boot->worker ? malloc(sizeof(*call)) : NULL;

	if (!call)
		return -1;
	call->pushes = pushes;
	memcpy(call->push, push->id, sizeof(call->push));
	memcpy(call->boot, part->boot, sizeof(call->boot));
	if (peer_call(boot->worker->peer, method_of(push), make_params(push, part, boot->worker), 0,
		      on_answer, call) == 0) {
		push->calls++;
		return 0;
	}
	free(call);
	return -1;
}

/* Its sessions were not reached, and nothing was sent to them. */
static void take_unreachable(struct push *push, struct push_part *part)
{
	struct problem problem = problem_of(PROBLEM_WORKER_UNREACHABLE, NULL, part->worker);

	part->refused = part->answered = part->done = true;
	part->counts = (struct push_counts){0};
	push_warn_of_worker(push, "unreachable",
			    "worker %s cannot be reached: its sessions are left out", part->worker);
	if (push->first_problem)
		return;
	push->first_problem = problem_json(&problem);
	push->problem_status = problem.status;
}

/* It was cancelled before it was handed over. */
static void take_cancel(struct push_part *part)
{
	part->answered = part->done = true;
	part->counts =
		(struct push_counts){.matched = part->meant, .of = {[PUSH_NOT_SENT] = part->meant}};
}

static void ask_all(struct pushes *pushes, struct push *push)
{
	push->calls++; /* ours, so that no answer is the last one before all are asked */
	for (size_t i = 0; i < push->part_count; i++) {
		struct push_part *part = &push->parts[i];

		if (part->done)
			continue;
		if (push->cancelled)
			take_cancel(part);
		else if (!push->counting && part->counted && part->meant == 0)
			part->answered = part->done = true;
		else if (ask(pushes, push, part) < 0)
			take_unreachable(push, part);
	}
	if (--push->calls == 0)
		go_on(pushes, push);
}

void push_submit(struct pushes *pushes, struct push *push)
{
	json_t *request = json_loads(push->request, 0, NULL);

	push->starting = false;
	if (push->refusing)
		push_refuse_connections(pushes, push);
	push->counting = push->dry_run || json_object_get(request, "perSecond");
	json_decref(request);
	ask_all(pushes, push);
}
