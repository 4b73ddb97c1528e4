/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a push: requests that are answered when it has got as far as they asked for.
 *
 * push_api.c adds a waiter; pushes.c wakes those of a push when it changes; a timer ends the wait
 * with the state so far and "timedOut": true. The first answer that is not a time-out is kept with
 * the Idempotency-Key, and whoever repeats the request gets that one.
 *
 * Failure mode: no memory for a waiter: answered at once, timed out.
 */
#include "waiters.h"

#include "controld.h"
#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct waiter {
	struct list link; /* push.waiters */
	struct request *request;
	struct push *push;
	struct wait wait;
	uv_timer_t timer;
};

int wait_by_name(const char *word, bool done)
{
	if (strcmp(word, "written") == 0)
		return PUSH_WAIT_WRITTEN;
	if (strcmp(word, "received") == 0)
		return PUSH_WAIT_RECEIVED;
	return done && strcmp(word, "done") == 0 ? PUSH_WAIT_DONE : -1;
}

static bool is_far_enough(const struct push *push, enum push_wait what)
{
	struct push_counts sum;

	if (push->problem)
		return true;
	if (push->dry_run)
		return push_is_none(push);
	if (!push_is_answered(push))
		return false; /* its warnings or its refusal come with that */
	if (what == PUSH_WAIT_ANSWERED || push->state != PUSH_STATE_RUNNING)
		return true;
	sum = push_sum(push);
	return what == PUSH_WAIT_WRITTEN && sum.of[PUSH_QUEUED] == 0;
}

/* ---- answering ------------------------------------------------------------------------------- */

/* The answer is taken. */
static void send_answer(struct request *request, const char *push, unsigned status, json_t *answer)
{
	char path[PUSH_ID_MAX + 16];

	if (status < 400)
		request_note(request, "push", push);
	if (status == 202) {
		snprintf(path, sizeof(path), "/v1/pushes/%s", push);
		request_add_header(request, "Location", path);
	}
	if (status >= 400)
		request_reply_problem_json(request, status, answer);
	else
		request_reply_json(request, status, answer);
}

void waiters_repeat(struct request *request, const struct key *key)
{
	send_answer(request, key->push, key->status, json_loads(key->answer, 0, NULL));
}

static json_t *make_answer(const struct push *push, bool timed_out)
{
	if (push->problem)
		return json_incref(push->problem);
	return push->dry_run ? push_dry_answer(push) : push_answer(push, timed_out);
}

static void reply(struct request *request, const struct push *push, const struct wait *wait,
		  bool timed_out)
{
	bool asked_to_wait = push->session || wait->what != PUSH_WAIT_ANSWERED;
	struct key *key = wait->made_it ? push->key : NULL;
	unsigned status = asked_to_wait || push->dry_run ? 200 : 202;
	json_t *answer;

	if (key && key->status) {
		waiters_repeat(request, key);
		return;
	}
	if (push->problem)
		status = (unsigned)push->problem_status;
	answer = make_answer(push, timed_out && asked_to_wait);
	if (key && answer && !timed_out)
		key_set_answer(&request->controld->keys, key, status, answer);
	send_answer(request, push->dry_run ? NULL : push->id, status, answer);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct waiter, timer));
}

static void finish(struct waiter *waiter, bool timed_out)
{
	list_remove(&waiter->link);
	reply(waiter->request, waiter->push, &waiter->wait, timed_out);
	uv_close((uv_handle_t *)&waiter->timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer)
{
	finish(container_of(timer, struct waiter, timer), true);
}

/* A push that is none has no other end than its answer. */
static void free_if_none(struct pushes *pushes, struct push *push)
{
	if (list_empty(&push->waiters) && push_is_none(push))
		push_free(pushes, push);
}

void waiters_add(struct request *request, struct push *push, const struct wait *wait)
{
	struct controld *controld = request->controld;
	struct waiter *waiter = NULL;

	if (is_far_enough(push, wait->what)) {
		reply(request, push, wait, false);
		free_if_none(&controld->pushes, push);
		return;
	}
	if (wait->seconds > 0 && !controld->stopping)
		waiter = malloc(sizeof(*waiter));
	if (!waiter) {
		reply(request, push, wait, true);
		return;
	}
	waiter->request = request;
	waiter->push = push;
	waiter->wait = *wait;
	uv_timer_init(controld->loop, &waiter->timer);
	uv_timer_start(&waiter->timer, on_timer, (uint64_t)(wait->seconds * 1000), 0);
	list_append(&push->waiters, &waiter->link);
	request_wait(request);
}

void waiters_wake(struct pushes *pushes, struct push *push)
{
	list_for_each_safe(at, next, &push->waiters) {
		struct waiter *waiter = container_of(at, struct waiter, link);

		if (is_far_enough(push, waiter->wait.what))
			finish(waiter, false);
	}
	free_if_none(pushes, push);
}

void waiters_stop(struct pushes *pushes)
{
	list_for_each(at, &pushes->list) {
		struct push *push = container_of(at, struct push, link);

		list_for_each_safe(one, next, &push->waiters) {
			finish(container_of(one, struct waiter, link), true);
		}
	}
}
