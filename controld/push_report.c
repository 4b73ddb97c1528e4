/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What workers say of pushes: updates, the unfinished ones in hello, and by their silence.
 *
 *   - push.update has a part's whole counts, and what became of sessions since the last one;
 *   - hello lists what the worker goes on with, also when we were restarted: the counting goes on;
 *   - a part that we know and hello does not list: the worker is asked whether it knows it.
 *
 * Nothing is sent twice: a worker that was lost before it reported leaves `unknown`, and only what
 * it says itself when it returns changes that.
 *
 * Failure modes: an update of a push that is not the worker's: ignored. One that is not known, in
 * hello: adopted with what it says. Counts that do not sum up: their sum is what matched.
 */
#include "api_error.h"
#include "controld.h"
#include "log.h"
#include "pushes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one session ----------------------------------------------------------------------------- */

static uint64_t number_of(const char *session)
{
	const char *dash = strrchr(session, '-');

	return dash ? strtoull(dash + 1, NULL, 10) : 0;
}

static bool is_step_back(enum push_outcome from, enum push_outcome to)
{
	if (from == PUSH_RECEIVED || from == PUSH_NOT_SENT)
		return true;
	return to == PUSH_QUEUED && from == PUSH_WRITTEN;
}

/* It was given up, and its worker knows better. */
static void revive(struct pushes *pushes, struct push *push, struct push_part *part)
{
	part->done = false;
	if (push->state == PUSH_STATE_RUNNING)
		return;
	push->state = PUSH_STATE_RUNNING;
	push_totals_revive(push);
	list_append(&pushes->running, &push->running_link);
}

void push_settle_one(struct pushes *pushes, struct push *push, enum push_outcome outcome,
		     const char *reason, bool done)
{
	struct push_part *part = &push->parts[0];
	enum push_outcome before = push_outcome(push);
	uint64_t number = number_of(push->session);
	bool changed = false;

	if (!is_step_back(before, outcome) && outcome != before) {
		push_set_results(pushes, push, part, &number, 1, outcome, reason_by_name(reason));
		part->counts = (struct push_counts){.matched = 1};
		part->counts.of[outcome] = 1;
		changed = true;
	}
	outcome = push_outcome(push);
	done |= outcome >= PUSH_RECEIVED || (outcome == PUSH_WRITTEN && push->receipt_written);
	changed |= done != part->done;
	if (part->done && !done)
		revive(pushes, push, part);
	part->done = done;
	if (changed)
		push_changed(pushes, push);
}

static void take_one(struct pushes *pushes, struct push *push, const json_t *params, bool done)
{
	const json_t *one = json_array_get(json_object_get(params, "sessions"), 0);
	const char *outcome = json_string_value(json_object_get(one, "outcome"));
	int number = outcome ? outcome_by_name(outcome) : -1;

	if (number < 0)
		number = (int)push_outcome(push);
	push->at = json_object_get(one, "at");
	push_settle_one(pushes, push, (enum push_outcome)number,
			json_string_value(json_object_get(one, "reason")), done);
	push->at = NULL;
}

/* ---- many ------------------------------------------------------------------------------------ */

static uint64_t read_count(const json_t *params, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(params, name));

	return value > 0 ? (uint64_t)value : 0;
}

static void take_counts(struct push_part *part, const json_t *params)
{
	struct push_counts counts = {.ended = read_count(params, "ended")};

	for (int outcome = 0; outcome < PUSH_OUTCOMES; outcome++) {
		counts.of[outcome] = read_count(params, outcome_count_name(outcome));
		counts.matched += counts.of[outcome];
	}
	if (counts.matched != read_count(params, "matched"))
		log_limited("worker %s: counts of a push do not sum up", part->worker);
	part->counts = counts;
}

/* The numbers of one change, told singly and by runs; in one place, to be free()d. */
struct numbers {
	uint64_t *list;
	size_t count;
};

/* [first, step, length]. False: it is none. */
static bool read_run(const json_t *run, uint64_t *ret_first, uint64_t *ret_step, size_t *ret_length)
{
	json_int_t part[3] = {0};

	for (size_t i = 0; i < 3; i++)
		part[i] = json_integer_value(json_array_get(run, i));
	*ret_first = (uint64_t)part[0];
	*ret_step = (uint64_t)part[1];
	*ret_length = (size_t)part[2];
	return part[0] > 0 && part[1] > 0 && part[2] > 0;
}

/* 0: there are none, or a run is none, or they stand for more than `left` numbers. */
static size_t count_numbers(const json_t *change, size_t left)
{
	const json_t *runs = json_object_get(change, "runs"), *run;
	size_t count = 0, length, i;
	uint64_t first, step;

	json_array_foreach(runs, i, run) {
		if (!read_run(run, &first, &step, &length) || length > left - count)
			return 0;
		count += length;
	}
	return count + json_array_size(json_object_get(change, "numbers"));
}

/* *left: how many numbers the runs of the update may yet stand for. */
static struct numbers read_numbers(const json_t *change, size_t *left)
{
	const json_t *numbers = json_object_get(change, "numbers"), *one;
	const json_t *runs = json_object_get(change, "runs"), *run;
	size_t count = count_numbers(change, *left), length, i;
	struct numbers ret = {.list = count ? malloc(count * sizeof(*ret.list)) : NULL};
	uint64_t first, step;

	if (!ret.list)
		return ret;
	json_array_foreach(runs, i, run) {
		read_run(run, &first, &step, &length);
		for (size_t n = 0; n < length; n++)
			ret.list[ret.count++] = first + n * step;
	}
	*left -= ret.count;
	json_array_foreach(numbers, i, one) {
		ret.list[ret.count++] = (uint64_t)json_integer_value(one);
	}
	return ret;
}

/* {"outcome", "reason", "numbers": [...], "runs": [...]} */
static void take_change(struct pushes *pushes, struct push *push, struct push_part *part,
			const json_t *change, size_t *left)
{
	const char *outcome = json_string_value(json_object_get(change, "outcome"));
	const char *reason = json_string_value(json_object_get(change, "reason"));
	int known = outcome ? outcome_by_name(outcome) : -1;
	struct numbers numbers = read_numbers(change, left);

	if (known >= 0 && numbers.list)
		push_set_results(pushes, push, part, numbers.list, numbers.count,
				 (enum push_outcome)known, reason_by_name(reason));
	else
		log_limited("worker %s: a change of a push is not one", part->worker);
	free(numbers.list);
}

static void take_many(struct pushes *pushes, struct push *push, struct push_part *part,
		      const json_t *params, bool done)
{
	const json_t *changes = json_object_get(params, "changes"), *change;
	size_t left = PUSH_RUNS_MAX, i;

	take_counts(part, params);
	json_array_foreach(changes, i, change) {
		take_change(pushes, push, part, change, &left);
	}
	if (part->done && !done)
		revive(pushes, push, part);
	part->done = done;
	push_changed(pushes, push);
}

static void take_report(struct pushes *pushes, struct push *push, struct push_part *part,
			const json_t *params)
{
	const char *state = json_string_value(json_object_get(params, "state"));
	bool done = state && (strcmp(state, "done") == 0 || strcmp(state, "cancelled") == 0);

	part->give_up_at = 0;
	if (push->session)
		take_one(pushes, push, params, done);
	else
		take_many(pushes, push, part, params, done);
}

void pushes_take_update(struct pushes *pushes, struct worker *worker, json_t *params)
{
	const char *id = json_string_value(json_object_get(params, "push"));
	struct push *push = id ? push_find(pushes, id) : NULL;
	struct push_part *part = push ? push_find_part(push, worker->boot->boot) : NULL;

	if (part)
		take_report(pushes, push, part, params);
}

/* ---- hello ----------------------------------------------------------------------------------- */

/* A push that we have no record of: we were restarted without a state file. */
static struct push *adopt_unknown(struct pushes *pushes, const char *id, const json_t *params)
{
	const json_t *sessions = json_object_get(params, "sessions");
	const char *kind = json_string_value(json_object_get(params, "kind"));
	const char *session =
		json_string_value(json_object_get(json_array_get(sessions, 0), "session"));

	if (!*id || strlen(id) > PUSH_ID_MAX || table_get(&pushes->by_id, id))
		return NULL;
	return push_new(pushes, id, kind_by_name(kind),
			json_array_size(sessions) == 1 ? session : NULL, NULL);
}

static void adopt(struct pushes *pushes, const struct worker *worker, const json_t *params)
{
	const char *id = json_string_value(json_object_get(params, "push"));
	struct push *push = id ? push_find(pushes, id) : NULL;
	struct push_part *part;

	if (!push && id)
		push = adopt_unknown(pushes, id, params);
	if (!push)
		return;
	part = push_find_part(push, worker->boot->boot);
	if (!part && push->session && push->part_count)
		return; /* it is another worker's */
	if (!part)
		part = push_add_part(push, worker->boot->name, worker->boot->boot);
	if (!part)
		return;
	part->answered = true;
	take_report(pushes, push, part, params);
}

struct probe {
	struct pushes *pushes;
	char push[PUSH_ID_MAX + 1];
	char boot[WORKER_BOOT_MAX + 1];
};

/* A worker that does not know it was never handed it, or has forgotten it. */
static void on_probed(const struct peer_answer *answer, void *user)
{
	struct probe *probe = user;
	struct pushes *pushes = probe->pushes;
	struct push *push = push_find(pushes, probe->push);
	struct push_part *part = push ? push_find_part(push, probe->boot) : NULL;

	free(probe);
	if (!part || part->done || !part->give_up_at || answer->outcome == PEER_LOST)
		return;
	if (answer->outcome != PEER_ERROR) {
		part->give_up_at = uv_now(pushes->tick.loop) + PUSH_RETURN_MS; /* it will tell */
		return;
	}
	if (!part->answered && !push->session) {
		part->counts = (struct push_counts){.matched = part->meant,
						    .of = {[PUSH_NOT_SENT] = part->meant}};
		push_warn_of_worker(push, "CONTROLD_RESTART",
				    "worker %s was not asked before the daemon restarted",
				    part->worker);
	}
	push_part_lost(pushes, push, part, REASON_CONTROLD_RESTART);
	push_changed(pushes, push);
}

/* Nothing is running there under this name, so a cancel only asks. */
static void ask_whether_known(struct pushes *pushes, const struct push *push,
			      const struct worker *worker)
{
	struct probe *probe = malloc(sizeof(*probe));

	if (!probe)
		return;
	probe->pushes = pushes;
	memcpy(probe->push, push->id, sizeof(probe->push));
	memcpy(probe->boot, worker->boot->boot, sizeof(probe->boot));
	if (peer_call(worker->peer, RPC_PUSH_CANCEL, json_pack("{s:s}", "push", push->id), 0,
		      on_probed, probe) < 0)
		free(probe);
}

void pushes_adopt(struct pushes *pushes, struct worker *worker, json_t *list)
{
	const json_t *params;
	size_t i;

	json_array_foreach(list, i, params) {
		adopt(pushes, worker, params);
	}
	list_for_each_safe(at, next, &pushes->running) {
		struct push *push = container_of(at, struct push, running_link);
		const struct push_part *part = push_find_part(push, worker->boot->boot);

		if (part && !part->done && part->give_up_at)
			ask_whether_known(pushes, push, worker);
	}
}

/* ---- silence --------------------------------------------------------------------------------- */

void push_part_lost(struct pushes *pushes, struct push *push, struct push_part *part,
		    enum push_reason reason)
{
	struct push_counts *counts = &part->counts;
	uint64_t number = push->session ? number_of(push->session) : 0;

	if (!part->answered && !push->session && counts->matched == 0)
		*counts = (struct push_counts){.matched = part->meant,
					       .of = {[PUSH_QUEUED] = part->meant}};
	part->done = true;
	part->answered = true;
	part->give_up_at = 0;
	part->lost = reason;
	if (push->session && part->results.count == 0)
		push_set_results(pushes, push, part, &number, 1, PUSH_QUEUED, REASON_NONE);
	for (int outcome = PUSH_QUEUED; outcome <= PUSH_WRITTEN; outcome++) {
		if (outcome == PUSH_WRITTEN && push->receipt_written)
			continue;
		counts->of[PUSH_UNKNOWN] += counts->of[outcome];
		counts->of[outcome] = 0;
		results_turn(&part->results, outcome, PUSH_UNKNOWN, reason);
	}
	if (!push->session && reason == REASON_WORKER_LOST)
		push_warn_of_worker(push, "WORKER_LOST",
				    "worker %s was lost: what it had not reported is unknown",
				    part->worker);
}

void pushes_worker_lost(struct pushes *pushes, const struct boot *boot)
{
	list_for_each_safe(at, next, &pushes->running) {
		struct push *push = container_of(at, struct push, running_link);
		struct push_part *part = push_find_part(push, boot->boot);

		if (!part || part->done)
			continue;
		push_part_lost(pushes, push, part, REASON_WORKER_LOST);
		push_changed(pushes, push);
	}
}
