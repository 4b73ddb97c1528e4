/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes as others see them: the object of the API, answers, and the events push.progress and
 * push.done.
 *
 * A push to one session tells each change, one to many at most every PUSH_PROGRESS_MS and at the
 * end. Failure mode: no memory: the object lacks what it could not hold, the reader gets a 503.
 */
#include "controld.h"
#include "policy_body.h"
#include "pushes.h"
#include "times.h"

#include <string.h>

static const char *state_name(const struct push *push, const struct push_counts *sum)
{
	static const char *const names[] = {"running", "done", "cancelled"};

	if (push->cancelled && sum->of[PUSH_QUEUED] == 0)
		return names[PUSH_STATE_CANCELLED]; /* what has left may still be counted */
	return names[push->state];
}

static void set_text(json_t *object, const char *key, const char *value)
{
	if (value)
		json_object_set_new(object, key, json_string(value));
}

/* The counts, in the order of the contract. */
static void set_counts(json_t *object, const struct push_counts *counts)
{
	json_object_set_new(object, "matched", json_integer((json_int_t)counts->matched));
	for (int outcome = 0; outcome < PUSH_OUTCOMES; outcome++)
		json_object_set_new(object, outcome_count_name(outcome),
				    json_integer((json_int_t)counts->of[outcome]));
}

json_t *push_json(const struct push *push)
{
	struct push_counts sum = push_sum(push);
	json_t *object = json_object();
	char created[TIME_TEXT];

	set_text(object, "id", push->id);
	set_text(object, "state", state_name(push, &sum));
	set_counts(object, &sum);
	if (push->kind == PUSH_KIND_DRAIN)
		json_object_set_new(object, "ended", json_integer((json_int_t)sum.ended));
	if (push->kind != PUSH_KIND_ANY)
		set_text(object, "kind", kind_name(push->kind));
	set_text(object, "session", push->session);
	if (push->request)
		json_object_set_new(object, "request", json_loads(push->request, 0, NULL));
	set_text(object, "by", push->by);
	time_text(push->created_ms, created);
	set_text(object, "createdAt", created);
	return object;
}

static json_t *warnings_of(const struct push *push)
{
	return push->warnings ? json_deep_copy(push->warnings) : json_array();
}

static void set_outcome(json_t *object, const struct push *push)
{
	if (!push->session)
		return;
	set_text(object, "outcome", outcome_name(push_outcome(push)));
	set_text(object, "reason", reason_name(push_reason(push)));
}

json_t *push_answer(const struct push *push, bool timed_out)
{
	json_t *answer = json_pack("{s:o}", "push", push_json(push));

	set_outcome(answer, push);
	json_object_set_new(answer, "warnings", warnings_of(push));
	if (timed_out)
		json_object_set_new(answer, "timedOut", json_true());
	return answer;
}

/* ---- dry runs -------------------------------------------------------------------------------- */

/* When the last client has forgotten a value that is sent now; null when it is none. */
static json_t *remembered_until(const struct push *push)
{
	json_t *request = push->request ? json_loads(push->request, 0, NULL) : NULL;
	int64_t age = policy_body_max_age(request);
	char text[TIME_TEXT];

	json_decref(request);
	if (!age)
		return json_null();
	time_text(time_now_ms() + age * 1000, text);
	return json_string(text);
}

json_t *push_dry_answer(const struct push *push)
{
	struct push_counts counts = {0};
	json_t *none;

	for (size_t i = 0; i < push->part_count; i++)
		counts.matched += push->parts[i].meant;
	counts.of[PUSH_NOT_SENT] = counts.matched; /* nothing is */
	none = json_pack("{s:n, s:s}", "id", "state", "done");
	set_counts(none, &counts);
	return json_pack("{s:b, s:I, s:o, s:o, s:o, s:o}", "dryRun", 1, "matched",
			 (json_int_t)counts.matched, "refused",
			 push->refused ? json_deep_copy(push->refused) : json_object(), "warnings",
			 warnings_of(push), "clientsRememberUntil", remembered_until(push), "push",
			 none);
}

/* ---- events ---------------------------------------------------------------------------------- */

void push_tell(struct pushes *pushes, struct push *push)
{
	bool running = push->state == PUSH_STATE_RUNNING;
	struct event_subject subject = {.session = push->session, .at = push->at};
	json_t *data = push_json(push);

	if (push->part_count == 1) {
		subject.worker = push->parts[0].worker;
		subject.boot = push->parts[0].boot;
	}
	push->changed = false;
	push->told_at = uv_now(pushes->tick.loop);
	json_object_del(data, "request");
	set_outcome(data, push);
	events_publish(&pushes->controld->events, running ? EVENT_PUSH_PROGRESS : EVENT_PUSH_DONE,
		       &subject, data);
}
