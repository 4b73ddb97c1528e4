/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a push: requests that are answered when it has got as far as they asked for.
 *
 * push_api.c adds a waiter; pushes.c wakes those of a push when it changes; a timer ends the wait
 * with the state so far and "timedOut": true. The first answer that is not a time-out is kept with
 * the push, for the Idempotency-Key that it may have. Failure mode: no memory for a waiter:
 * answered at once, timed out.
 */
#include "waiters.h"

#include "controld.h"

#include <stdlib.h>

struct waiter {
	struct list link; /* push.waiters */
	struct request *request;
	struct push *push;
	enum push_wait wait;
	uv_timer_t timer;
};

json_t *push_answer(const struct push *push, bool timed_out)
{
	json_t *warnings = push->warnings ? json_incref(push->warnings) : json_array();
	json_t *answer = json_pack("{s:o, s:s, s:s, s:o}", "push", push_json(push), "outcome",
				   push_outcome_name(push->outcome), "reason", push->reason,
				   "warnings", warnings);

	if (timed_out)
		json_object_set_new(answer, "timedOut", json_true());
	return answer;
}

static bool is_far_enough(const struct push *push, enum push_wait wait)
{
	if (!push->answered)
		return false; /* its warnings or its refusal come with that */
	if (push->problem || push->state != PUSH_STATE_RUNNING)
		return true;
	return wait == PUSH_WAIT_WRITTEN && push->outcome >= PUSH_WRITTEN;
}

static void reply(struct request *request, struct push *push, bool timed_out)
{
	if (push->problem) {
		request_reply_problem_json(request, (unsigned)push->problem_status,
					   json_incref(push->problem));
		return;
	}
	if (push->key && !push->answer && !timed_out)
		push->answer = push_answer(push, false);
	request_reply_json(request, 200, push_answer(push, timed_out));
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct waiter, timer));
}

static void finish(struct waiter *waiter, bool timed_out)
{
	list_remove(&waiter->link);
	reply(waiter->request, waiter->push, timed_out);
	uv_close((uv_handle_t *)&waiter->timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer)
{
	finish(container_of(timer, struct waiter, timer), true);
}

void waiters_add(struct request *request, struct push *push, enum push_wait wait, double seconds)
{
	struct waiter *waiter;

	if (is_far_enough(push, wait)) {
		reply(request, push, false);
		return;
	}
	waiter = seconds > 0 && !request->controld->stopping ? malloc(sizeof(*waiter)) : NULL;
	if (!waiter) {
		reply(request, push, true);
		return;
	}
	waiter->request = request;
	waiter->push = push;
	waiter->wait = wait;
	uv_timer_init(request->controld->loop, &waiter->timer);
	uv_timer_start(&waiter->timer, on_timer, (uint64_t)(seconds * 1000), 0);
	list_append(&push->waiters, &waiter->link);
	request_wait(request);
}

void waiters_wake(struct push *push)
{
	list_for_each_safe(at, next, &push->waiters) {
		struct waiter *waiter = container_of(at, struct waiter, link);

		if (is_far_enough(push, waiter->wait))
			finish(waiter, false);
	}
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
