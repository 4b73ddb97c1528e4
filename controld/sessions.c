/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/sessions, /v1/sessions/{id} and its streams: asked of the workers, nothing is kept.
 *
 * A list walks the workers in the order of their names, and in each the order in which its sessions
 * began. A page may span workers. Its cursor holds the worker's name and boot id and the last
 * session's id, in base64url; when that worker is gone meanwhile, the list goes on behind its
 * place. The session objects are passed on as the text that the workers wrote: a page is read once,
 * and nothing is built of it.
 *
 * Failure modes: a worker that does not answer in ASK_MS fails the whole page with 503 that names
 * it: a list that silently lacks a worker would lie. `worker=` asks for the others. So does one that
 * answers with what is no page, with 502.
 */
#include "ask.h"
#include "controld.h"
#include "handlers.h"
#include "log.h"
#include "names.h"
#include "selector.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT 100
#define LIST_LIMIT_MAX 1000
#define LIST_BYTES (16u << 20) /* octets of a page: where they are reached, it ends, too */
#define CURSOR_MAX 256

/* A list under way; it ends with its request's answer. */
struct listing {
	struct request *request;
	struct selector selector;
	struct text answer; /* its head, and the sessions so far */
	size_t count;	    /* of these */
	size_t limit;
	char name[WORKER_NAME_MAX + 1]; /* where we are: "" at the start */
	char boot[WORKER_BOOT_MAX + 1];
	char after[128]; /* "" : from its first session on */
};

static bool is_full(const struct listing *listing)
{
	return listing->count >= listing->limit || listing->answer.len >= LIST_BYTES;
}

static void listing_free(struct listing *listing)
{
	selector_done(&listing->selector);
	text_done(&listing->answer);
	free(listing);
}

static void finish(struct listing *listing, bool more)
{
	char plain[CURSOR_MAX], cursor[CURSOR_MAX * 2];

	text_add(&listing->answer, "],\"next\":");
	if (more) {
		int len = snprintf(plain, sizeof(plain), "%s/%s/%s", listing->name, listing->boot,
				   listing->after);

		base64url_encode(plain, (size_t)len, cursor);
		text_format(&listing->answer, "\"%s\"}\n", cursor);
	} else {
		text_add(&listing->answer, "null}\n");
	}
	request_reply_text(listing->request, 200, "application/json", &listing->answer);
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
	if (is_full(listing))
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

static void add_comma(struct listing *listing)
{
	if (listing->count > 0)
		text_add(&listing->answer, ",");
}

/* *ret_next is a new reference. False: it is no page, and nothing was added. */
static bool add_text(struct listing *listing, const struct json_span *result, json_t **ret_next)
{
	enum { SESSIONS, NEXT, MEMBERS };
	struct json_member members[MEMBERS] = {
		[SESSIONS] = {.key = "sessions"}, [NEXT] = {.key = "next"}};
	const struct json_span *sessions = &members[SESSIONS].value;
	const struct json_span *next = &members[NEXT].value;

	if (!json_text_object(result->data, result->len, members, MEMBERS) || !sessions->data ||
	    sessions->data[0] != '[' || !next->data)
		return false;
	if (sessions->count > 0) {
		add_comma(listing);
		text_append(&listing->answer, sessions->data + 1, sessions->len - 2);
		listing->count += sessions->count;
	}
	*ret_next = json_loadb(next->data, next->len, JSON_DECODE_ANY, NULL);
	return true;
}

static bool add_values(struct listing *listing, const json_t *result, json_t **ret_next)
{
	const json_t *sessions = json_object_get(result, "sessions"), *session;
	size_t i;

	if (!json_is_array(sessions))
		return false;
	json_array_foreach(sessions, i, session) {
		add_comma(listing);
		reply_add_json(&listing->answer, session);
		listing->count++;
	}
	*ret_next = json_incref(json_object_get(result, "next"));
	return true;
}

/* What the worker goes on after: another id than before, or null where it has no more. */
static bool take_next(struct listing *listing, const json_t *next)
{
	const char *after = json_is_null(next) ? "" : json_string_value(next);
	size_t len = after ? strlen(after) : 0;

	if (!after || len >= sizeof(listing->after) ||
	    (!json_is_null(next) && (len == 0 || strcmp(after, listing->after) == 0)))
		return false;
	memcpy(listing->after, after, len + 1);
	return true;
}

/* False: it is no page of rpc.md. */
static bool take_page(struct listing *listing, const struct peer_answer *answer)
{
	json_t *next = NULL;
	bool ok = answer->text ? add_text(listing, answer->text, &next)
			       : add_values(listing, answer->result, &next);

	ok = ok && take_next(listing, next);
	json_decref(next);
	return ok;
}

static void refuse_nonsense(struct listing *listing)
{
	char detail[WORKER_NAME_MAX + 64];
	const struct problem problem = problem_of(PROBLEM_WORKER_FAILED, NULL, detail);

	snprintf(detail, sizeof(detail), "%s: its `sessions` or `next` is none", listing->name);
	log_limited("worker %s: a page of sessions is not one", listing->name);
	request_reply_problem(listing->request, &problem);
	listing_free(listing);
}

static void on_page(const struct peer_answer *answer, void *user)
{
	struct listing *listing = user;
	const struct boot *boot;

	if (answer->outcome != PEER_RESULT) {
		refuse_unreachable(listing, answer);
		return;
	}
	if (!take_page(listing, answer)) {
		refuse_nonsense(listing);
		return;
	}
	boot = table_get(&listing->request->controld->workers.boots, listing->boot);
	if (!listing->after[0] || !boot || !boot->worker) {
		go_on(listing, boot ? boot->worker : NULL);
		return;
	}
	if (is_full(listing))
		finish(listing, true);
	else
		ask_page(listing, boot->worker);
}

static void ask_page(struct listing *listing, struct worker *worker)
{
	const struct peer_answer lost = {.outcome = PEER_LOST};
	json_t *after = listing->after[0] ? json_string(listing->after) : json_null();
	json_t *params =
		json_pack("{s:o, s:i, s:o}", "select", selector_for(&listing->selector, worker),
			  "limit", (int)(listing->limit - listing->count), "after", after);

	if (peer_call_text(worker->peer, RPC_SESSIONS_LIST, params, ASK_MS, on_page, listing) < 0)
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
		text_add(&listing->answer, "{\"sessions\":[");
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
