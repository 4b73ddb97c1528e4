/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/sessions, /v1/sessions/{id} and its streams: asked of the workers, nothing is kept.
 *
 * A list walks the workers in the order of their names, and in each the order in which its sessions
 * began. A page may span workers. Its cursor holds the worker's name and boot id and the last
 * session's id, in base64url; when that worker is gone meanwhile, the list goes on behind its
 * place.
 *
 * Failure modes: a worker that does not answer in ASK_MS fails the whole page with 503 that names
 * it: a list that silently lacks a worker would lie. `worker=` asks for the others.
 */
#include "ask.h"
#include "controld.h"
#include "handlers.h"
#include "selector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT 100
#define LIST_LIMIT_MAX 1000
#define CURSOR_MAX 256

/* A list under way; it ends with its request's answer. */
struct listing {
	struct request *request;
	struct selector selector;
	json_t *sessions;
	size_t limit;
	char name[WORKER_NAME_MAX + 1]; /* where we are: "" at the start */
	char boot[WORKER_BOOT_MAX + 1];
	char after[128]; /* "" : from its first session on */
};

static void listing_free(struct listing *listing)
{
	selector_done(&listing->selector);
	json_decref(listing->sessions);
	free(listing);
}

static void finish(struct listing *listing, bool more)
{
	char plain[CURSOR_MAX], cursor[CURSOR_MAX * 2];
	json_t *next = json_null();

	if (more) {
		int len = snprintf(plain, sizeof(plain), "%s/%s/%s", listing->name, listing->boot,
				   listing->after);

		base64url_encode(plain, (size_t)len, cursor);
		next = json_string(cursor);
	}
	request_reply_json(listing->request, 200,
			   json_pack("{s:O, s:o}", "sessions", listing->sessions, "next", next));
	listing_free(listing);
}

static int read_cursor(struct listing *listing, const char *cursor)
{
	char plain[CURSOR_MAX];
	long len = base64url_decode(cursor, strlen(cursor), plain, sizeof(plain) - 1);
	char *name = plain, *boot, *after;

	if (len < 0)
		return -1;
	plain[len] = 0;
	boot = strchr(name, '/');
	after = boot ? strchr(boot + 1, '/') : NULL;
	if (!after || strlen(plain) != (size_t)len)
		return -1;
	*boot++ = 0;
	*after++ = 0;
	if (strlen(name) > WORKER_NAME_MAX || strlen(boot) > WORKER_BOOT_MAX ||
	    strlen(after) >= sizeof(listing->after))
		return -1;
	snprintf(listing->name, sizeof(listing->name), "%s", name);
	snprintf(listing->boot, sizeof(listing->boot), "%s", boot);
	snprintf(listing->after, sizeof(listing->after), "%s", after);
	return utf8_valid(after, strlen(after)) ? 0 : -1;
}

/* The worker where we are, or the first behind it. */
static struct worker *find_here(const struct listing *listing)
{
	const struct workers *workers = &listing->request->controld->workers;
	struct boot *boot = table_get(&workers->boots, listing->boot);

	if (boot && boot->worker)
		return boot->worker;
	list_for_each(at, &workers->list) {
		struct worker *worker = container_of(at, struct worker, link);

		if (strcmp(worker_name(worker), listing->name) >= 0 &&
		    selector_means(&listing->selector, worker))
			return worker;
	}
	return NULL;
}

static struct worker *find_next(const struct listing *listing, const struct worker *worker)
{
	const struct workers *workers = &listing->request->controld->workers;

	for (struct list *at = worker->link.next; at != &workers->list; at = at->next) {
		struct worker *next = container_of(at, struct worker, link);

		if (selector_means(&listing->selector, next))
			return next;
	}
	return NULL;
}

static void move_to(struct listing *listing, const struct worker *worker, const char *after)
{
	memcpy(listing->name, worker->boot->name, sizeof(listing->name));
	memcpy(listing->boot, worker->boot->boot, sizeof(listing->boot));
	snprintf(listing->after, sizeof(listing->after), "%s", after);
}

static void ask_page(struct listing *listing, struct worker *worker);

/* The worker at hand has no more sessions. */
static void go_on(struct listing *listing, const struct worker *worker)
{
	struct worker *next = worker ? find_next(listing, worker) : find_here(listing);

	if (!next) {
		finish(listing, false);
		return;
	}
	move_to(listing, next, "");
	if (json_array_size(listing->sessions) >= listing->limit)
		finish(listing, true);
	else
		ask_page(listing, next);
}

static void refuse_unreachable(struct listing *listing, const struct peer_answer *answer)
{
	struct problem problem = ask_problem(answer);

	if (problem.status == 503)
		problem.detail = listing->name;
	request_reply_problem(listing->request, &problem);
	listing_free(listing);
}

static void on_page(const struct peer_answer *answer, void *user)
{
	struct listing *listing = user;
	const struct boot *boot;
	const char *next;

	if (answer->outcome != PEER_RESULT) {
		refuse_unreachable(listing, answer);
		return;
	}
	json_array_extend(listing->sessions, json_object_get(answer->result, "sessions"));
	next = json_string_value(json_object_get(answer->result, "next"));
	boot = table_get(&listing->request->controld->workers.boots, listing->boot);
	if (!next || strlen(next) >= sizeof(listing->after) || !boot || !boot->worker) {
		go_on(listing, boot ? boot->worker : NULL);
		return;
	}
	snprintf(listing->after, sizeof(listing->after), "%s", next);
	if (json_array_size(listing->sessions) >= listing->limit)
		finish(listing, true);
	else
		ask_page(listing, boot->worker);
}

static void ask_page(struct listing *listing, struct worker *worker)
{
	const struct peer_answer lost = {.outcome = PEER_LOST};
	json_t *after = listing->after[0] ? json_string(listing->after) : json_null();
	json_t *params = json_pack(
		"{s:o, s:i, s:o}", "select", selector_for(&listing->selector, worker), "limit",
		(int)(listing->limit - json_array_size(listing->sessions)), "after", after);

	if (peer_call(worker->peer, RPC_SESSIONS_LIST, params, ASK_MS, on_page, listing) < 0)
		refuse_unreachable(listing, &lost);
}

static int read_page(struct request *request, struct listing *listing, struct problem *ret_problem)
{
	const char *cursor = query_get(&request->query, "cursor");
	int64_t limit = LIST_LIMIT;

	if (query_integer(&request->query, "limit", 1, LIST_LIMIT_MAX, &limit, ret_problem) < 0)
		return -1;
	listing->limit = (size_t)limit;
	if (cursor && read_cursor(listing, cursor) < 0) {
		*ret_problem = problem_of(PROBLEM_CURSOR, "cursor", NULL);
		return -1;
	}
	return selector_of_query(request, &listing->selector, ret_problem);
}

void handle_sessions(struct request *request)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	struct problem problem = problem_of(PROBLEM_MEMORY, NULL, NULL);
	struct worker *worker;

	if (listing) {
		listing->request = request;
		listing->sessions = json_array();
	}
	if (!listing || read_page(request, listing, &problem) < 0) {
		request_reply_problem(request, &problem);
		if (listing)
			listing_free(listing);
		return;
	}
	request_wait(request);
	worker = find_here(listing);
	if (worker && strcmp(worker->boot->boot, listing->boot) != 0)
		move_to(listing, worker, "");
	if (worker)
		ask_page(listing, worker);
	else
		finish(listing, false);
}

/* ---- one session ----------------------------------------------------------------------------- */

void handle_session(struct request *request)
{
	ask_session(request, NULL, RPC_SESSION_GET, json_object(), ASK_MS, ask_take_answer);
}

void handle_session_streams(struct request *request)
{
	ask_session(request, NULL, RPC_SESSION_STREAMS, json_object(), ASK_MS, ask_take_answer);
}
