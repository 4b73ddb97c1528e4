/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/pushes, /v1/pushes/{id} and its sessions, DELETE /v1/pushes/{id}: what became of pushes.
 *
 * Answers come from the records in pushes.c; only a cancel asks the worker. Lists are newest first,
 * and a cursor is the id of the last one seen. Failure modes: a push that is not known (any more):
 * 404. A cancel whose worker is not connected: 503. One that comes too late: 200 with what became
 * of it.
 */
#include "ask.h"
#include "controld.h"
#include "handlers.h"
#include "waiters.h"

#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT 100
#define LIST_LIMIT_MAX 1000

static struct push *find(struct request *request)
{
	struct push *push = push_find(&request->controld->pushes, request->parameters[0]);

	if (!push)
		request_refuse(request, PROBLEM_NOT_FOUND, "push", NULL);
	return push;
}

static json_t *list_entry(const struct push *push)
{
	json_t *entry = push_json(push);

	json_object_set_new(entry, "outcome", json_string(push_outcome_name(push->outcome)));
	json_object_set_new(entry, "reason", json_string(push->reason));
	return entry;
}

static int read_page(const struct request *request, int64_t *ret_limit, struct list **ret_at,
		     struct problem *ret_problem)
{
	struct pushes *pushes = &request->controld->pushes;
	const char *cursor = query_get(&request->query, "cursor");
	const struct push *last = cursor ? table_get(&pushes->by_id, cursor) : NULL;

	*ret_limit = LIST_LIMIT;
	if (query_integer(&request->query, "limit", 1, LIST_LIMIT_MAX, ret_limit, ret_problem) < 0)
		return -1;
	if (cursor && !last) {
		*ret_problem = problem_of(PROBLEM_CURSOR, "cursor", NULL);
		return -1;
	}
	*ret_at = last ? last->link.prev : pushes->list.prev;
	return 0;
}

void handle_pushes(struct request *request)
{
	const struct list *head = &request->controld->pushes.list;
	const char *session = query_get(&request->query, "session"), *last = NULL;
	struct problem problem;
	json_t *list;
	struct list *at;
	int64_t limit;

	if (read_page(request, &limit, &at, &problem) < 0) {
		request_reply_problem(request, &problem);
		return;
	}
	list = json_array();
	for (; at != head && (int64_t)json_array_size(list) < limit; at = at->prev) {
		const struct push *push = container_of(at, struct push, link);

		last = push->id;
		if (!push->problem && (!session || strcmp(session, push->session) == 0))
			json_array_append_new(list, list_entry(push));
	}
	request_reply_json(
		request, 200,
		json_pack("{s:o, s:s?}", "pushes", list, "next", at != head ? last : NULL));
}

void handle_push(struct request *request)
{
	static const char *const names[] = {"written", "received", "done"};
	const char *word = query_get(&request->query, "wait");
	double timeout = WAIT_TIMEOUT_DEFAULT;
	struct push *push = find(request);
	struct problem problem;

	if (!push)
		return;
	if (query_number(&request->query, "timeout", 0, WAIT_TIMEOUT_MAX, &timeout, &problem) < 0) {
		request_reply_problem(request, &problem);
		return;
	}
	if (!word) {
		request_reply_json(request, 200, push_answer(push, false));
		return;
	}
	for (int i = 0; i < 3; i++) {
		if (strcmp(word, names[i]) != 0)
			continue;
		waiters_add(request, push, (enum push_wait)i, timeout);
		return;
	}
	request_refuse(request, PROBLEM_VALUE, "wait", "done, received or written");
}

void handle_push_sessions(struct request *request)
{
	struct push *push = find(request);
	json_t *one;

	if (!push)
		return;
	one = json_pack("{s:s, s:s}", "session", push->session, "outcome",
			push_outcome_name(push->outcome));
	if (push->reason[0])
		json_object_set_new(one, "reason", json_string(push->reason));
	request_reply_json(request, 200, json_pack("{s:[o], s:n}", "sessions", one, "next"));
}

/* ---- cancel ---------------------------------------------------------------------------------- */

static void on_cancelled(const struct peer_answer *answer, void *user)
{
	struct request *request = user;
	struct pushes *pushes = &request->controld->pushes;
	struct push *push = push_find(pushes, request->parameters[0]);
	json_int_t cancelled = json_integer_value(json_object_get(answer->result, "cancelled"));
	struct problem problem;

	if (!push) {
		request_refuse(request, PROBLEM_NOT_FOUND, "push", NULL);
		return;
	}
	problem = answer->outcome == PEER_RESULT ? (struct problem){0} : ask_problem(answer);
	if (answer->outcome != PEER_RESULT && problem.status != 404) {
		request_reply_problem(request, &problem);
		return;
	}
	if (cancelled > 0)
		push_settle(pushes, push, PUSH_NOT_SENT, "CANCELLED", true);
	request_reply_json(request, 200, push_answer(push, false));
}

void handle_push_cancel(struct request *request)
{
	struct push *push = find(request);
	struct boot *boot;

	if (!push)
		return;
	if (push->state != PUSH_STATE_RUNNING) {
		request_reply_json(request, 200, push_answer(push, false));
		return;
	}
	boot = table_get(&request->controld->workers.boots, push->boot);
	if (!boot || !boot->worker ||
	    peer_call(boot->worker->peer, RPC_PUSH_CANCEL, json_pack("{s:s}", "push", push->id),
		      ASK_MS, on_cancelled, request) < 0)
		request_refuse(request, PROBLEM_WORKER_UNREACHABLE, NULL, NULL);
	else
		request_wait(request);
}
