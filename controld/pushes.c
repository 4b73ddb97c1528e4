/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes: a record of each, from the request to the last that was heard of it.
 *
 * push_api.c makes a record before it asks the worker, so whatever the worker reports finds it.
 * Reports come as push.update, as the answer to the call, and in hello after either side was away.
 * push_settle() is the one place where an outcome changes: it tells whoever waits, the event log
 * and the counters.
 *
 * Nothing is sent twice: a worker that was lost before it reported leaves `unknown`, and only what
 * it says itself when it returns changes that.
 *
 * Failure modes: PUSHES_MAX records of which none is done: no new one. An update of a push that is
 * not the worker's: ignored. One that is not known, in hello: adopted with what it says.
 */
#include "pushes.h"

#include "controld.h"
#include "text.h"
#include "waiters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const outcome_names[] = {
#define X(name, value, wire, final, meaning) [value] = wire,
#include <h2sess/outcomes.def>
#undef X
};

const char *push_outcome_name(enum push_outcome outcome)
{
	return outcome_names[outcome];
}

int push_outcome_by_name(const char *name)
{
	for (int i = 0; i < PUSH_OUTCOMES; i++)
		if (strcmp(outcome_names[i], name) == 0)
			return i;
	return -1;
}

void pushes_init(struct pushes *pushes, struct controld *controld)
{
	pushes->controld = controld;
	list_init(&pushes->list);
	list_init(&pushes->totals_in_order);
	random_name(pushes->start, sizeof(pushes->start) - 1);
}

void push_drop_key(struct pushes *pushes, struct push *push)
{
	if (!push->key)
		return;
	table_remove(&pushes->by_key, push->key);
	free(push->key);
	push->key = NULL;
}

void push_free(struct pushes *pushes, struct push *push)
{
	push_drop_key(pushes, push);
	table_remove(&pushes->by_id, push->id);
	list_remove(&push->link);
	pushes->count--;
	free(push->session);
	free(push->by);
	free(push->fingerprint);
	json_decref(push->warnings);
	json_decref(push->problem);
	json_decref(push->answer);
	free(push);
}

void pushes_done(struct pushes *pushes)
{
	while (!list_empty(&pushes->list))
		push_free(pushes, container_of(pushes->list.next, struct push, link));
	list_for_each_safe(at, next, &pushes->totals_in_order) {
		struct push_total *total = container_of(at, struct push_total, link);

		free(total->labels);
		free(total);
	}
	table_done(&pushes->totals, NULL);
	table_done(&pushes->by_id, NULL);
	table_done(&pushes->by_key, NULL);
}

struct push *push_find(const struct pushes *pushes, const char *id)
{
	struct push *push = table_get(&pushes->by_id, id);

	return push && !push->problem ? push : NULL;
}

struct push *push_find_by_key(const struct pushes *pushes, const char *key)
{
	return table_get(&pushes->by_key, key);
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Forget the oldest that nobody needs. Returns -1 when every one is needed. */
static int make_room(struct pushes *pushes)
{
	if (pushes->count < PUSHES_MAX)
		return 0;
	list_for_each(at, &pushes->list) {
		struct push *push = container_of(at, struct push, link);

		if (push->state == PUSH_STATE_RUNNING || !list_empty(&push->waiters))
			continue;
		push_free(pushes, push);
		return 0;
	}
	return -1;
}

static struct push *add(struct pushes *pushes, const char *id, const char *session,
			const char *boot)
{
	struct push *push = make_room(pushes) < 0 ? NULL : calloc(1, sizeof(*push));

	if (!push)
		return NULL;
	list_init(&push->waiters);
	list_append(&pushes->list, &push->link);
	pushes->count++;
	snprintf(push->id, sizeof(push->id), "%s", id);
	snprintf(push->boot, sizeof(push->boot), "%s", boot);
	push->kind = "";
	push->created_ms = time_now_ms();
	push->session = strdup(session);
	if (push->session && table_put(&pushes->by_id, push->id, push) == 0)
		return push;
	push_free(pushes, push);
	return NULL;
}

struct push *push_new(struct pushes *pushes, const char *kind, const char *session,
		      const struct boot *boot, const char *by)
{
	char id[PUSH_ID_MAX + 1];
	struct push *push;

	snprintf(id, sizeof(id), "p-%s-%llu", pushes->start, (unsigned long long)++pushes->last);
	push = add(pushes, id, session, boot->boot);
	if (!push)
		return NULL;
	push->kind = kind;
	push->by = strdup(by);
	return push;
}

int push_set_key(struct pushes *pushes, struct push *push, const char *key, const char *fingerprint)
{
	push->key = strdup(key);
	push->fingerprint = strdup(fingerprint);
	if (push->key && push->fingerprint && table_put(&pushes->by_key, key, push) == 0)
		return 0;
	free(push->key);
	push->key = NULL;
	return -1;
}

/* ---- showing --------------------------------------------------------------------------------- */

static const char *state_name(const struct push *push)
{
	static const char *const names[] = {"running", "done", "cancelled"};

	return names[push->state];
}

json_t *push_json(const struct push *push)
{
	static const char *const counts[PUSH_OUTCOMES] = {"queued", "written", "received",
							  "notSent", "unknown"};
	char created[TIME_TEXT];
	json_t *object = json_pack("{s:s, s:s, s:i}", "id", push->id, "state", state_name(push),
				   "matched", 1);

	for (int i = 0; i < PUSH_OUTCOMES; i++)
		json_object_set_new(object, counts[i], json_integer((int)push->outcome == i));
	if (push->kind[0])
		json_object_set_new(object, "kind", json_string(push->kind));
	json_object_set_new(object, "session", json_string(push->session));
	if (push->by)
		json_object_set_new(object, "by", json_string(push->by));
	time_text(push->created_ms, created);
	json_object_set_new(object, "createdAt", json_string(created));
	return object;
}

bool push_has_reached(const struct push *push)
{
	return push->outcome == PUSH_RECEIVED ||
	       (push->outcome == PUSH_WRITTEN && push->receipt_written);
}

/* ---- outcomes -------------------------------------------------------------------------------- */

static void count(struct pushes *pushes, const struct push *push)
{
	struct push_total *total;
	char labels[160];

	snprintf(labels, sizeof(labels), "kind=\"%s\",outcome=\"%s\",reason=\"%s\"",
		 push->kind[0] ? push->kind : "unknown", push_outcome_name(push->outcome),
		 push->reason);
	total = table_get(&pushes->totals, labels);
	if (!total) {
		total = calloc(1, sizeof(*total));
		if (!total)
			return;
		total->labels = strdup(labels);
		if (!total->labels || table_put(&pushes->totals, labels, total) < 0) {
			free(total->labels);
			free(total);
			return;
		}
		list_append(&pushes->totals_in_order, &total->link);
	}
	total->count++;
}

static void tell(struct pushes *pushes, const struct push *push)
{
	const struct boot *boot = table_get(&pushes->controld->workers.boots, push->boot);
	json_t *data = push_json(push);

	json_object_set_new(data, "outcome", json_string(push_outcome_name(push->outcome)));
	json_object_set_new(data, "reason", json_string(push->reason));
	events_publish(&pushes->controld->events,
		       push->state == PUSH_STATE_RUNNING ? EVENT_PUSH_PROGRESS : EVENT_PUSH_DONE,
		       boot ? boot->name : NULL, push->session, data);
}

static bool is_step_back(const struct push *push, enum push_outcome outcome)
{
	if (push->outcome == PUSH_RECEIVED || push->outcome == PUSH_NOT_SENT)
		return true;
	return outcome == PUSH_QUEUED && push->outcome == PUSH_WRITTEN;
}

/* Reasons come from workers and go into labels: letters, digits, - and _ alone. */
static void set_reason(struct push *push, const char *reason)
{
	size_t n = 0;

	for (; reason && *reason && n + 1 < sizeof(push->reason); reason++)
		if ((*reason >= 'a' && *reason <= 'z') || (*reason >= 'A' && *reason <= 'Z') ||
		    (*reason >= '0' && *reason <= '9') || *reason == '-' || *reason == '_')
			push->reason[n++] = *reason;
	push->reason[n] = 0;
}

void push_settle(struct pushes *pushes, struct push *push, enum push_outcome outcome,
		 const char *reason, bool done)
{
	bool was_running = push->state == PUSH_STATE_RUNNING, changed = false;

	if (!is_step_back(push, outcome) && outcome != push->outcome) {
		push->outcome = outcome;
		set_reason(push, reason);
		changed = true;
	}
	done |= push->outcome >= PUSH_RECEIVED || push_has_reached(push);
	if (done && was_running) {
		push->state = strcmp(push->reason, "CANCELLED") == 0 ? PUSH_STATE_CANCELLED
								     : PUSH_STATE_DONE;
		changed = true;
	}
	if (!changed)
		return;
	if (done && was_running)
		count(pushes, push);
	tell(pushes, push);
	waiters_wake(push);
}

/* The element of an update that is about our session. */
static void take_report(struct pushes *pushes, struct push *push, const json_t *params)
{
	const char *state = json_string_value(json_object_get(params, "state"));
	const json_t *one = json_array_get(json_object_get(params, "sessions"), 0);
	const char *outcome = json_string_value(json_object_get(one, "outcome"));
	int number = outcome ? push_outcome_by_name(outcome) : -1;
	bool done = state && strcmp(state, "done") == 0;

	if (number >= 0)
		push_settle(pushes, push, (enum push_outcome)number,
			    json_string_value(json_object_get(one, "reason")), done);
	else if (done)
		push_settle(pushes, push, push->outcome, push->reason, true);
}

void pushes_take_update(struct pushes *pushes, struct worker *worker, json_t *params)
{
	const char *id = json_string_value(json_object_get(params, "push"));
	struct push *push = id ? push_find(pushes, id) : NULL;

	if (push && strcmp(push->boot, worker->boot->boot) == 0)
		take_report(pushes, push, params);
}

static void adopt(struct pushes *pushes, const struct worker *worker, const json_t *params)
{
	const char *id = json_string_value(json_object_get(params, "push"));
	const json_t *one = json_array_get(json_object_get(params, "sessions"), 0);
	const char *session = json_string_value(json_object_get(one, "session"));
	struct push *push;

	if (!id || !*id || strlen(id) > PUSH_ID_MAX)
		return;
	push = table_get(&pushes->by_id, id);
	if (!push)
		push = add(pushes, id, session ? session : "", worker->boot->boot);
	if (push)
		push->answered = true;
	if (push && strcmp(push->boot, worker->boot->boot) == 0)
		take_report(pushes, push, params);
}

void pushes_adopt(struct pushes *pushes, struct worker *worker, json_t *list)
{
	const json_t *params;
	size_t i;

	json_array_foreach(list, i, params) {
		adopt(pushes, worker, params);
	}
}

void pushes_worker_lost(struct pushes *pushes, const struct boot *boot)
{
	list_for_each_safe(at, next, &pushes->list) {
		struct push *push = container_of(at, struct push, link);

		if (push->state == PUSH_STATE_RUNNING && strcmp(push->boot, boot->boot) == 0)
			push_settle(pushes, push, PUSH_UNKNOWN, "WORKER_LOST", true);
	}
}
