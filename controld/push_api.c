/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making pushes: POST /v1/sessions/{id}/altsvc and /origin; POST /v1/altsvc, /v1/origin, /v1/goaway
 * and /v1/drain.
 *
 *   1. the fields that are the daemon's are checked (push_order.c, selector.c);
 *   2. an Idempotency-Key that was used gives the push that it made, or 422 when the request is
 *      another;
 *   3. a record is made, with a part for each worker that has sessions which may be meant;
 *   4. it is written to the state file, with a key before, else while it is handed over;
 *   5. the answer comes when the push has got as far as `wait` says, or the time is up.
 *
 * Failure modes: the workers refuse: the first one's error is the answer, and the answer of the
 * key. The worker of the one session is not connected: 503, nothing was sent and the key stays
 * free. Of many, those that are not connected or lack the capability are left out, with a warning;
 * where that leaves none, the same refusals: 503 for a worker that is named and not there, 501, and
 * the frame is checked here (frame_body.c).
 * The state file cannot be written: 503, and nothing is handed over.
 */
#include "ask.h"
#include "controld.h"
#include "frame_body.h"
#include "handlers.h"
#include "keys.h"
#include "push_order.h"
#include "selector.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- whom ------------------------------------------------------------------------------------ */

/* Workers that were lost a moment ago go on serving, perhaps: they are not reached now. */
static void warn_of_lost(const struct controld *controld, struct push *push)
{
	list_for_each(at, &controld->workers.boots_by_age) {
		const struct boot *boot = container_of(at, struct boot, link);

		if (!boot->worker && !boot->superseded && boot->lost_at &&
		    uv_now(controld->loop) - boot->lost_at < PUSH_RETURN_MS)
			push_warn_of_worker(
				push, "unreachable",
				"worker %s cannot be reached: its sessions are left out",
				boot->name);
	}
}

static int add_parts(const struct controld *controld, struct push *push)
{
	list_for_each(at, &controld->workers.list) {
		const struct worker *worker = container_of(at, struct worker, link);

		if (!selector_means(push->selector, worker))
			continue;
		if (!worker_can(worker, "fanout"))
			push_warn_of_worker(push, "capability",
					    "worker %s does not have the capability fanout: its "
					    "sessions are left out",
					    worker_name(worker));
		else if (!push_add_part(push, worker_name(worker), worker->boot->boot))
			return -1;
	}
	if (!push->selector->worker[0] && !push->selector->ids)
		warn_of_lost(controld, push);
	return 0;
}

static bool is_named(const struct selector *selector, const struct boot *boot)
{
	return strcmp(selector->worker, boot->name) == 0 ||
	       strcmp(selector->worker, boot->boot) == 0;
}

/* The one that the selector names is known, and not there. */
static const struct boot *find_absent(const struct controld *controld,
				      const struct selector *selector)
{
	list_for_each(at, &controld->workers.boots_by_age) {
		const struct boot *boot = container_of(at, struct boot, link);

		if (selector->worker[0] && !boot->worker && !boot->superseded &&
		    is_named(selector, boot))
			return boot;
	}
	return NULL;
}

static const struct worker *find_unable(const struct controld *controld,
					const struct selector *selector)
{
	list_for_each(at, &controld->workers.list) {
		const struct worker *worker = container_of(at, struct worker, link);

		if (selector_means(selector, worker))
			return worker;
	}
	return NULL;
}

/* Nobody takes it. Was somebody meant? Then that is the answer, as it is for one session. */
static bool refuse_unreached(struct request *request, struct push *push)
{
	const struct controld *controld = request->controld;
	const struct worker *unable = find_unable(controld, push->selector);
	const struct boot *absent = find_absent(controld, push->selector);

	if (unable)
		return !ask_can(request, unable, "fanout");
	if (absent) {
		request_refuse(request, PROBLEM_WORKER_UNREACHABLE, "select.worker", absent->name);
		return true;
	}
	if (push->selector->worker[0])
		push_warn_of_worker(push, "unreachable", "no worker %s is connected",
				    push->selector->worker);
	else if (list_empty(&controld->workers.list))
		push_warn_of_worker(push, "unreachable", "no worker is connected");
	return false;
}

/* Takes what the selector holds. */
static int take_selector(struct push *push, struct selector *selector)
{
	push->selector = malloc(sizeof(*push->selector));
	if (!push->selector)
		return -1;
	*push->selector = *selector;
	*selector = (struct selector){0};
	return 0;
}

/* ---- the record ------------------------------------------------------------------------------ */

static struct push *make_push(struct request *request, const struct order *order,
			      const char *session)
{
	struct pushes *pushes = &request->controld->pushes;
	struct push *push = push_new(pushes, NULL, order->kind, session, request->by);

	if (!push)
		return NULL;
	push->starting = true;
	push->receipt_written = order->receipt_written;
	push->dry_run = order->dry_run;
	push->refusing = order->stop_accepting && !order->dry_run;
	push->request = order_request(request, order);
	if (push->dry_run)
		list_remove(&push->running_link);
	if (push->request)
		return push;
	push_free(pushes, push);
	return NULL;
}

/* For want of memory, or, where there is no record at all, of a place for one. */
static void give_up(struct request *request, struct push *push)
{
	struct pushes *pushes = &request->controld->pushes;

	if (!push && pushes->count >= PUSHES_MAX) {
		request_refuse(request, PROBLEM_BUSY, NULL, "too many pushes are running");
		return;
	}
	if (push)
		push_free(pushes, push);
	request_refuse(request, PROBLEM_MEMORY, NULL, NULL);
}

static void refuse_unkept(struct pushes *pushes, struct push *push, const char *why)
{
	struct problem problem = problem_of(PROBLEM_STATE, NULL, why);

	push_refuse(pushes, push, problem_json(&problem), problem.status);
}

/* Record and key are on disk, or cannot be: then nobody is asked. */
static void on_saved(void *user, const char *error)
{
	struct push *push = user;

	if (error)
		refuse_unkept(push->pushes, push, error);
	else
		push_submit(push->pushes, push);
}

/* With a key it is on disk before anybody is asked; else at the latest before the answer is. */
static void start(struct pushes *pushes, struct push *push)
{
	int r = 0;

	if (push->key)
		r = push_save_first(pushes, push, on_saved);
	else if (!push->dry_run)
		r = push_save(pushes, push);
	if (r < 0)
		refuse_unkept(pushes, push, NULL);
	else if (!push->key)
		push_submit(pushes, push);
}

static void begin(struct request *request, struct push *push, const struct order *order,
		  const char *key)
{
	struct controld *controld = request->controld;

	if (key && !push->dry_run) {
		push->key = key_new(&controld->keys, request, key, push->id);
		if (!push->key) {
			give_up(request, push);
			return;
		}
	}
	waiters_add(request, push, &order->wait);
	start(&controld->pushes, push);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Was the request made before? Then it gets what it made, and the answer is under way. */
static bool is_repeated(struct request *request, const char *name, const struct wait *wait)
{
	struct controld *controld = request->controld;
	bool same = false;
	struct key *key = name ? key_find(&controld->keys, request, name, &same) : NULL;
	struct push *push = key ? table_get(&controld->pushes.by_id, key->push) : NULL;

	if (!key)
		return false;
	if (!same)
		request_refuse(request, PROBLEM_KEY_REUSED, "Idempotency-Key", NULL);
	else if (key->status)
		waiters_repeat(request, key);
	else if (push)
		waiters_add(request, push, wait);
	else
		request_refuse(request, PROBLEM_MEMORY, NULL, NULL); /* its answer was not kept */
	return true;
}

/* ---- the calls ------------------------------------------------------------------------------- */

static int read_request(struct request *request, enum push_kind kind, bool many,
			struct order *order, const char **ret_key)
{
	struct problem problem;

	if (order_read(request, kind, many, order, &problem) == 0 &&
	    key_read(request, ret_key, &problem) >= 0)
		return 0;
	request_reply_problem(request, &problem);
	return -1;
}

void handle_push_one(struct request *request)
{
	const char *name = request->segments[request->segment_count - 1];
	const char *session = request->parameters[0], *key;
	struct worker *worker;
	struct order order;
	struct push *push;

	if (read_request(request, kind_by_name(name), false, &order, &key) < 0 ||
	    is_repeated(request, key, &order.wait))
		return;
	worker = ask_find_worker(request, session);
	if (!worker || !ask_can(request, worker, name))
		return;
	push = make_push(request, &order, session);
	if (!push || !push_add_part(push, worker_name(worker), worker->boot->boot))
		give_up(request, push);
	else
		begin(request, push, &order, key);
}

/* No worker looks at the frame: a mistake in it is one all the same. */
static bool refuse_unchecked(struct request *request, const struct order *order)
{
	const json_t *body = request->body.object;
	bool altsvc = order->kind == PUSH_KIND_ALTSVC || json_object_get(body, "alt") ||
		      json_object_get(body, "origin");
	struct problem problem;
	int r;

	if (order->kind == PUSH_KIND_ORIGIN)
		r = frame_check_origins(body, &problem);
	else
		r = altsvc ? frame_check_altsvc(body, &problem)
			   : frame_check_goaway(body, &problem);
	if (r == 0 && altsvc)
		r = frame_lint(json_string_value(json_object_get(body, "alt")), order->lint,
			       &problem);
	if (r < 0)
		request_reply_problem(request, &problem);
	return r < 0;
}

static void push_to_many(struct request *request, const struct order *order, const char *key,
			 struct selector *selector)
{
	struct push *push = make_push(request, order, NULL);

	if (!push || take_selector(push, selector) < 0 || add_parts(request->controld, push) < 0)
		give_up(request, push);
	else if (push->part_count == 0 &&
		 (refuse_unchecked(request, order) || refuse_unreached(request, push)))
		push_free(&request->controld->pushes, push);
	else
		begin(request, push, order, key);
}

void handle_push_many(struct request *request)
{
	enum push_kind kind = kind_by_name(request->segments[request->segment_count - 1]);
	const json_t *select = json_object_get(request->body.object, "select");
	struct selector selector = {0};
	struct problem problem;
	struct order order;
	const char *key;

	if (read_request(request, kind, true, &order, &key) < 0 ||
	    is_repeated(request, key, &order.wait))
		return;
	if (selector_of_body(request, select, &selector, &problem) < 0)
		request_reply_problem(request, &problem);
	else
		push_to_many(request, &order, key, &selector);
	selector_done(&selector);
}
