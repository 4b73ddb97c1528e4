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
#include "names.h"
#include "push_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT 100
#define LIST_LIMIT_MAX 1000
#define CANCEL_SETTLE_S 2.0 /* for the workers to say what became of it */

static struct push *find(struct request *request)
{
	struct push *push = push_find(&request->controld->pushes, request->parameters[0]);

	if (!push)
		request_refuse(request, PROBLEM_NOT_FOUND, "push", NULL);
	return push;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static int read_page(const struct request *request, int64_t *ret_limit, struct list **ret_at,
		     struct problem *ret_problem)
{
	struct pushes *pushes = &request->controld->pushes;
	const char *cursor = query_get(&request->query, "cursor");
	const struct push *last = cursor ? push_find(pushes, cursor) : NULL;

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

/* Was this session meant? */
static bool is_about(const struct push *push, const char *session)
{
	if (push->session)
		return strcmp(push->session, session) == 0;
	return push_result(push, session);
}

/* `answer` without its warnings: they are with the push itself. */
static json_t *list_entry(const struct push *push)
{
	json_t *entry = push_json(push);

	if (!push->session)
		return entry;
	json_object_set_new(entry, "outcome", json_string(outcome_name(push_outcome(push))));
	json_object_set_new(entry, "reason", json_string(reason_name(push_reason(push))));
	return entry;
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

		if (push->problem || push->dry_run)
			continue;
		last = push->id;
		if (!session || is_about(push, session))
			json_array_append_new(list, list_entry(push));
	}
	request_reply_json(
		request, 200,
		json_pack("{s:o, s:s?}", "pushes", list, "next", at != head ? last : NULL));
}

void handle_push(struct request *request)
{
	struct push *push = find(request);
	struct problem problem;
	struct wait wait;

	if (!push)
		return;
	if (order_read_wait(request, &wait, &problem) < 0)
		request_reply_problem(request, &problem);
	else if (query_get(&request->query, "wait"))
		waiters_add(request, push, &wait);
	else
		request_reply_json(request, 200, push_answer(push, false));
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* A page of outcomes: from the part `part` on, in it after `number`. */
struct page {
	size_t part;
	uint64_t number;
	int64_t limit;
	json_t *list;
};

#define CURSOR_TEXT 64

static int read_cursor(const char *cursor, struct page *page)
{
	char plain[CURSOR_TEXT];
	unsigned long long part, number;
	long len = base64url_decode(cursor, strlen(cursor), plain, sizeof(plain) - 1);
	char rest;

	if (len < 0)
		return -1;
	plain[len] = 0;
	if (sscanf(plain, "%10llu/%20llu%c", &part, &number, &rest) != 2)
		return -1;
	page->part = (size_t)part;
	page->number = number;
	return 0;
}

static json_t *make_cursor(const struct page *page)
{
	char plain[CURSOR_TEXT], cursor[CURSOR_TEXT * 2];
	int len = snprintf(plain, sizeof(plain), "%zu/%llu", page->part,
			   (unsigned long long)page->number);

	base64url_encode(plain, (size_t)len, cursor);
	return json_string(cursor);
}

static void add_outcome(struct page *page, json_t *session, const struct result *result)
{
	json_t *one = json_pack("{s:o, s:s}", "session", session, "outcome",
				outcome_name(result->outcome));

	if (result->reason != REASON_NONE)
		json_object_set_new(one, "reason", json_string(reason_name(result->reason)));
	json_array_append_new(page->list, one);
}

/* Returns whether the page is full. */
static bool add_part(struct page *page, const struct push_part *part)
{
	for (size_t i = results_after(&part->results, page->number); i < part->results.count; i++) {
		const struct result *result = &part->results.list[i];

		if ((int64_t)json_array_size(page->list) >= page->limit)
			return true;
		page->number = result->number;
		add_outcome(page,
			    json_sprintf("%s-%llu", part->boot, (unsigned long long)result->number),
			    result);
	}
	return false;
}

static json_t *list_outcomes(const struct push *push, struct page *page)
{
	bool full = false, forgotten = false;
	json_t *answer;

	if (push->session) {
		const struct result only = {.outcome = (uint8_t)push_outcome(push),
					    .reason = (uint8_t)push_reason(push)};

		add_outcome(page, json_string(push->session), &only);
		return json_pack("{s:o, s:n}", "sessions", page->list, "next");
	}
	while (page->part < push->part_count) {
		full = add_part(page, &push->parts[page->part]);
		if (full)
			break;
		page->part++;
		page->number = 0;
	}
	for (size_t i = 0; i < push->part_count; i++)
		forgotten |= push->parts[i].forgotten;
	answer = json_pack("{s:o, s:o}", "sessions", page->list, "next",
			   full ? make_cursor(page) : json_null());
	if (forgotten) /* PUSH_RESULTS_MAX: not every session is listed */
		json_object_set_new(answer, "incomplete", json_true());
	return answer;
}

void handle_push_sessions(struct request *request)
{
	struct push *push = find(request);
	const char *cursor = query_get(&request->query, "cursor");
	struct page page = {.limit = LIST_LIMIT};
	struct problem problem;

	if (!push)
		return;
	if (query_integer(&request->query, "limit", 1, LIST_LIMIT_MAX, &page.limit, &problem) < 0) {
		request_reply_problem(request, &problem);
		return;
	}
	if (cursor && read_cursor(cursor, &page) < 0) {
		request_refuse(request, PROBLEM_CURSOR, "cursor", NULL);
		return;
	}
	page.list = json_array();
	request_reply_json(request, 200, list_outcomes(push, &page));
}

/* ---- cancel ---------------------------------------------------------------------------------- */

/* A cancel under way: it ends with the last worker's answer. */
struct cancel {
	struct request *request;
	struct push *push; /* held */
	size_t calls;
	int64_t cancelled;
	struct problem problem; /* of a worker that could not be asked; status 0: none */
};

static void finish_cancel(struct cancel *cancel)
{
	const struct wait wait = {.what = PUSH_WAIT_WRITTEN, .seconds = CANCEL_SETTLE_S};
	struct request *request = cancel->request;
	struct push *push = cancel->push;
	struct problem problem = cancel->problem;
	bool any = cancel->cancelled > 0;

	free(cancel);
	push->holds--;
	if (problem.status) {
		request_reply_problem(request, &problem);
		return;
	}
	if (any && push->session)
		push_settle_one(push->pushes, push, PUSH_NOT_SENT, "CANCELLED", true);
	waiters_add(request, push, &wait);
}

static void on_cancelled(const struct peer_answer *answer, void *user)
{
	struct cancel *cancel = user;
	struct problem problem;

	if (answer->outcome == PEER_RESULT) {
		cancel->cancelled +=
			json_integer_value(json_object_get(answer->result, "cancelled"));
	} else {
		problem = ask_problem(answer);
		if (problem.status != 404) /* it is over there */
			cancel->problem = problem_of(PROBLEM_WORKER_UNREACHABLE, NULL, NULL);
	}
	if (--cancel->calls == 0)
		finish_cancel(cancel);
}

static void ask_part(struct cancel *cancel, const struct push_part *part)
{
	const struct workers *workers = &cancel->request->controld->workers;
	const struct boot *boot = table_get(&workers->boots, part->boot);

	if (part->done)
		return;
	if (boot && boot->worker &&
	    peer_call(boot->worker->peer, RPC_PUSH_CANCEL,
		      json_pack("{s:s}", "push", cancel->push->id), ASK_MS, on_cancelled,
		      cancel) == 0)
		cancel->calls++;
	else
		cancel->problem = problem_of(PROBLEM_WORKER_UNREACHABLE, NULL, NULL);
}

static void cancel_push(struct request *request, struct push *push)
{
	struct cancel *cancel = malloc(sizeof(*cancel));

	if (!cancel) {
		request_refuse(request, PROBLEM_MEMORY, NULL, NULL);
		return;
	}
	*cancel = (struct cancel){.request = request, .push = push, .calls = 1};
	push->cancelled |= !push->session;
	push->holds++;
	request_wait(request);
	if (!push->starting && !push->counting)
		for (size_t i = 0; i < push->part_count; i++)
			ask_part(cancel, &push->parts[i]);
	if (--cancel->calls == 0)
		finish_cancel(cancel);
}

void handle_push_cancel(struct request *request)
{
	struct push *push = find(request);

	if (!push)
		return;
	if (push->kind >= PUSH_KIND_GOAWAY && request->role < ROLE_ADMIN) {
		request_refuse(request, PROBLEM_ROLE, NULL, role_name(ROLE_ADMIN));
		return;
	}
	push_take_connections(&request->controld->pushes, push);
	request_note(request, "push", push->id);
	if (push->state == PUSH_STATE_RUNNING)
		cancel_push(request, push);
	else
		request_reply_json(request, 200, push_answer(push, false));
}
