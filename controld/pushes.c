/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes: a record of each, from the request to the last that was heard of it.
 *
 * A push to one session and one to many are the same thing: a record with a part for each worker
 * that does some of it. push_api.c makes it, push_submit.c hands the parts over, push_report.c
 * takes what the workers say; push_changed() is the one place that follows from that: whoever waits
 * is answered, the event log told, the state file written, and the push is done when all its parts
 * are.
 *
 * What becomes of each session is kept too, in PUSH_RESULTS_MAX over all pushes. The counts stay
 * when that is full.
 *
 * Failure modes: PUSHES_MAX records of which none is done: no new one. More sessions than are kept:
 * the oldest push that is done loses its list, at last the newest one has none; GET .../sessions
 * says so.
 */
#include "pushes.h"

#include "controld.h"
#include "keys.h"
#include "names.h"
#include "selector.h"
#include "times.h"
#include "waiters.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- finding and freeing --------------------------------------------------------------------- */

struct push *push_find(const struct pushes *pushes, const char *id)
{
	struct push *push = table_get(&pushes->by_id, id);

	return push && !push->problem && !push->dry_run ? push : NULL;
}

struct push_part *push_find_part(const struct push *push, const char *boot)
{
	for (size_t i = 0; i < push->part_count; i++)
		if (strcmp(push->parts[i].boot, boot) == 0)
			return &push->parts[i];
	return NULL;
}

static void drop_results(struct pushes *pushes, struct push_part *part)
{
	pushes->result_count -= part->results.count;
	results_done(&part->results);
}

void push_free(struct pushes *pushes, struct push *push)
{
	push_totals_forget(pushes, push);
	table_remove(&pushes->by_id, push->id);
	list_remove(&push->link);
	list_remove(&push->running_link);
	pushes->count--;
	for (size_t i = 0; i < push->part_count; i++)
		drop_results(pushes, &push->parts[i]);
	free(push->parts);
	free(push->session);
	free(push->by);
	free(push->request);
	if (push->selector)
		selector_done(push->selector);
	free(push->selector);
	json_decref(push->warnings);
	json_decref(push->refused);
	json_decref(push->first_problem);
	json_decref(push->problem);
	free(push);
}

void pushes_done(struct pushes *pushes)
{
	while (!list_empty(&pushes->list))
		push_free(pushes, container_of(pushes->list.next, struct push, link));
	table_done(&pushes->by_id, NULL);
}

/* ---- making ---------------------------------------------------------------------------------- */

/* May it be forgotten? */
static bool is_over(const struct push *push)
{
	return push->state != PUSH_STATE_RUNNING && list_empty(&push->waiters) &&
	       push->calls == 0 && push->holds == 0 && !push->refusing;
}

/* Forget the oldest that nobody needs. Returns -1 when every one is needed. */
static int make_room(struct pushes *pushes)
{
	if (pushes->count < PUSHES_MAX)
		return 0;
	list_for_each(at, &pushes->list) {
		struct push *push = container_of(at, struct push, link);

		if (!is_over(push))
			continue;
		keys_forget_push(&pushes->controld->keys, push);
		push_forget(pushes, push);
		push_free(pushes, push);
		pushes->controld->metrics.forgotten[FORGOTTEN_PUSHES]++;
		return 0;
	}
	pushes->controld->metrics.limits[LIMIT_PUSHES]++;
	return -1;
}

static int set_texts(struct push *push, const char *session, const char *by)
{
	push->session = session ? strdup(session) : NULL;
	push->by = by ? strdup(by) : NULL;
	return (session && !push->session) || (by && !push->by) ? -1 : 0;
}

static void start_ticking(struct pushes *pushes);

struct push *push_new(struct pushes *pushes, const char *id, enum push_kind kind,
		      const char *session, const char *by)
{
	struct push *push = make_room(pushes) < 0 ? NULL : calloc(1, sizeof(*push));

	if (!push)
		return NULL;
	push->pushes = pushes;
	list_init(&push->waiters);
	list_append(&pushes->list, &push->link);
	list_append(&pushes->running, &push->running_link);
	pushes->count++;
	if (id)
		snprintf(push->id, sizeof(push->id), "%s", id);
	else
		snprintf(push->id, sizeof(push->id), "p-%s-%llu", pushes->start,
			 (unsigned long long)++pushes->last);
	push->kind = kind;
	push->seq = ++pushes->seq;
	push->created_ms = time_now_ms();
	if (set_texts(push, session, by) < 0 || table_put(&pushes->by_id, push->id, push) < 0) {
		push_free(pushes, push);
		return NULL;
	}
	start_ticking(pushes);
	return push;
}

struct push_part *push_add_part(struct push *push, const char *worker, const char *boot)
{
	struct push_part *parts =
		realloc(push->parts, (push->part_count + 1) * sizeof(*push->parts));
	struct push_part *part;

	if (!parts)
		return NULL;
	push->parts = parts;
	part = &parts[push->part_count++];
	*part = (struct push_part){0};
	snprintf(part->worker, sizeof(part->worker), "%s", worker);
	snprintf(part->boot, sizeof(part->boot), "%s", boot);
	if (push->session)
		part->counts = (struct push_counts){.matched = 1, .of = {[PUSH_QUEUED] = 1}};
	return part;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct push_counts push_sum(const struct push *push)
{
	struct push_counts sum = {0};

	for (size_t i = 0; i < push->part_count; i++) {
		const struct push_counts *counts = &push->parts[i].counts;

		sum.matched += counts->matched;
		sum.ended += counts->ended;
		for (int outcome = 0; outcome < PUSH_OUTCOMES; outcome++)
			sum.of[outcome] += counts->of[outcome];
	}
	return sum;
}

bool push_is_none(const struct push *push)
{
	return !push->starting && push->calls == 0 &&
	       (push->problem || (push->dry_run && !push->counting));
}

bool push_is_answered(const struct push *push)
{
	if (push->starting || push->counting)
		return false;
	for (size_t i = 0; i < push->part_count; i++)
		if (!push->parts[i].answered)
			return false;
	return true;
}

bool push_has_reached(const struct push *push, const struct result *result)
{
	return result->outcome == PUSH_RECEIVED ||
	       (result->outcome == PUSH_WRITTEN && push->receipt_written);
}

static const struct result *only_result(const struct push *push)
{
	static const struct result queued = {.outcome = PUSH_QUEUED};

	return push->part_count && push->parts[0].results.count ? push->parts[0].results.list
								: &queued;
}

enum push_outcome push_outcome(const struct push *push)
{
	return only_result(push)->outcome;
}

enum push_reason push_reason(const struct push *push)
{
	return only_result(push)->reason;
}

json_t *push_reached(const struct push *push)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < push->part_count; i++) {
		const struct push_part *part = &push->parts[i];

		for (size_t k = 0; k < part->results.count; k++) {
			const struct result *result = &part->results.list[k];

			if (push_has_reached(push, result))
				json_array_append_new(
					ids, json_sprintf("%s-%llu", part->boot,
							  (unsigned long long)result->number));
		}
	}
	return ids;
}

const struct result *push_result(const struct push *push, const char *session)
{
	const char *dash = strrchr(session, '-');
	char boot[WORKER_BOOT_MAX + 1];
	const struct push_part *part;

	if (!dash || (size_t)(dash - session) >= sizeof(boot))
		return NULL;
	memcpy(boot, session, (size_t)(dash - session));
	boot[dash - session] = 0;
	part = push_find_part(push, boot);
	return part ? results_find(&part->results, strtoull(dash + 1, NULL, 10)) : NULL;
}

/* ---- changing -------------------------------------------------------------------------------- */

static void forget_results(struct pushes *pushes, struct push *push)
{
	uint64_t *forgotten = &pushes->controld->metrics.forgotten[FORGOTTEN_PUSH_RESULTS];

	for (size_t i = 0; i < push->part_count; i++) {
		struct push_part *part = &push->parts[i];

		part->forgotten |= part->results.count > 0;
		*forgotten += part->results.count;
		drop_results(pushes, part);
	}
}

/* Take the lists of sessions of the oldest pushes that are done, until there is room. */
static size_t make_room_for_results(struct pushes *pushes, size_t count)
{
	list_for_each(at, &pushes->list) {
		struct push *push = container_of(at, struct push, link);

		if (pushes->result_count + count <= PUSH_RESULTS_MAX)
			break;
		if (!is_over(push) || push->session)
			continue;
		forget_results(pushes, push);
	}
	return PUSH_RESULTS_MAX > pushes->result_count ? PUSH_RESULTS_MAX - pushes->result_count
						       : 0;
}

void push_set_results(struct pushes *pushes, struct push *push, struct push_part *part,
		      uint64_t *numbers, size_t count, enum push_outcome outcome,
		      enum push_reason reason)
{
	size_t room = make_room_for_results(pushes, count);
	long added = results_set(&part->results, numbers, count, outcome, reason,
				 push->session ? 1 : room);

	if (added > 0)
		pushes->result_count += (size_t)added;
	if (added < 0) {
		part->forgotten = true;
		pushes->controld->metrics.limits[LIMIT_PUSH_RESULTS]++;
	}
}

void push_warn(struct push *push, const char *rule, const char *detail, json_int_t sessions)
{
	json_t *one;
	size_t i;

	if (!push->warnings)
		push->warnings = json_array();
	json_array_foreach(push->warnings, i, one) {
		json_t *sum = json_object_get(one, "sessions");

		if (strcmp(json_string_value(json_object_get(one, "rule")), rule) != 0 ||
		    strcmp(json_string_value(json_object_get(one, "detail")), detail) != 0)
			continue;
		json_integer_set(sum, json_integer_value(sum) + sessions);
		return;
	}
	if (json_array_size(push->warnings) >= PUSH_WARNINGS_MAX) {
		push->pushes->controld->metrics.limits[LIMIT_PUSH_WARNINGS]++;
		return;
	}
	one = json_pack("{s:s, s:s}", "rule", rule, "detail", detail);
	if (one && sessions)
		json_object_set_new(one, "sessions", json_integer(sessions));
	json_array_append_new(push->warnings, one);
}

void push_warn_of_worker(struct push *push, const char *rule, const char *format, ...)
{
	char detail[192];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(detail, sizeof(detail), format, arguments);
	va_end(arguments);
	push_warn(push, rule, detail, 0);
}

static bool is_done(const struct push *push)
{
	for (size_t i = 0; i < push->part_count; i++)
		if (!push->parts[i].done)
			return false;
	return true;
}

static void end(struct pushes *pushes, struct push *push)
{
	bool cancelled =
		push->cancelled || (push->session && push_reason(push) == REASON_CANCELLED);

	push->state = cancelled ? PUSH_STATE_CANCELLED : PUSH_STATE_DONE;
	list_remove(&push->running_link);
	push_totals_end(pushes, push, uv_now(pushes->tick.loop));
	start_ticking(pushes);
	push_save(pushes, push);
	push_tell(pushes, push);
}

void push_look(struct pushes *pushes, struct push *push)
{
	if (push->state == PUSH_STATE_RUNNING && push_is_answered(push) && is_done(push)) {
		end(pushes, push);
	} else if (push->state == PUSH_STATE_RUNNING && push->session && push->changed) {
		push_tell(pushes, push);
	} else if (push->state == PUSH_STATE_RUNNING) {
		start_ticking(pushes);
	} else if (push->changed) {
		push->changed = false;
		push_save(pushes, push); /* a worker that was lost knew better */
	}
	waiters_wake(pushes, push);
}

void push_changed(struct pushes *pushes, struct push *push)
{
	push->changed = true;
	push_look(pushes, push);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void give_up(struct pushes *pushes, struct push *push, uint64_t now)
{
	for (size_t i = 0; i < push->part_count; i++) {
		struct push_part *part = &push->parts[i];
		const struct boot *boot = table_get(&pushes->controld->workers.boots, part->boot);

		if (!part->give_up_at || now < part->give_up_at || part->done)
			continue;
		push_part_lost(pushes, push, part,
			       boot && boot->worker ? REASON_CONTROLD_RESTART : REASON_WORKER_LOST);
		push_changed(pushes, push);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct pushes *pushes = container_of(timer, struct pushes, tick);
	uint64_t now = uv_now(timer->loop);

	list_for_each_safe(at, next, &pushes->running) {
		struct push *push = container_of(at, struct push, running_link);

		if (push->changed && now - push->told_at >= PUSH_PROGRESS_MS)
			push_tell(pushes, push);
		give_up(pushes, push, now);
	}
	push_totals_tick(pushes, now);
	if (list_empty(&pushes->running) && list_empty(&pushes->settling)) {
		uv_timer_stop(timer);
		pushes->ticking = false;
	}
}

static void start_ticking(struct pushes *pushes)
{
	if (pushes->ticking || pushes->controld->stopping)
		return;
	uv_timer_start(&pushes->tick, on_tick, PUSH_TICK_MS, PUSH_TICK_MS);
	pushes->ticking = true;
}

void pushes_init(struct pushes *pushes, struct controld *controld)
{
	pushes->controld = controld;
	list_init(&pushes->list);
	list_init(&pushes->running);
	list_init(&pushes->settling);
	random_name(pushes->start, sizeof(pushes->start) - 1);
	uv_timer_init(controld->loop, &pushes->tick);
}

void pushes_stop(struct pushes *pushes)
{
	uv_close((uv_handle_t *)&pushes->tick, NULL);
}
