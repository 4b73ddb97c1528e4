/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v1/sessions/{id}/altsvc and /origin: one push to one session.
 *
 *   1. the fields that are the daemon's are checked; alt, origin, stream and origins go through as
 *      they are, of any type, since the order of their checks and their errors are the worker's
 *      (and Node's);
 *   2. an Idempotency-Key that was used gives the push that it made, or 422 when the request is
 *      another;
 *   3. the worker is found, a record made, the call sent;
 *   4. the answer comes when the frame has got as far as `wait` says, or the time is up.
 *
 * Failure modes: the worker refuses: its error is the answer, and the answer of the key. It is not
 * connected, or its queue is full: 503, nothing was sent and the key stays free. It is lost later:
 * `unknown`, WORKER_LOST.
 */
#include "ask.h"
#include "controld.h"
#include "handlers.h"
#include "waiters.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 255		   /* characters of an Idempotency-Key */
#define DEADLINE_MAX (7 * 86400.0) /* seconds */
#define FINGERPRINT_SIZE (2 * SHA256_DIGEST_LENGTH + 1)

struct order {
	enum push_wait wait;
	double timeout;
	double deadline; /* 0: none */
	bool lint;
	bool receipt_written;
};

/* One of `names` by the word in the body; -1 and the problem. Absent: the first. */
static int read_word(const struct body *body, const char *field, const char *const names[2],
		     struct problem *ret_problem)
{
	const char *word = names[0];

	if (body_string(body, field, &word, ret_problem) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	*ret_problem = problem_of(PROBLEM_VALUE, field, NULL);
	return -1;
}

/* `wait` and `timeout` stand in the query or in the body, not in both. */
static int check_once(const struct request *request, struct problem *ret_problem)
{
	static const char *const names[] = {"wait", "timeout"};

	for (size_t i = 0; i < 2; i++) {
		if (!query_get(&request->query, names[i]) ||
		    !json_object_get(request->body.object, names[i]))
			continue;
		*ret_problem = problem_of(PROBLEM_DUPLICATE_PARAMETER, names[i],
					  "in the query and in the body");
		return -1;
	}
	return 0;
}

static int read_wait(const struct request *request, struct order *order,
		     struct problem *ret_problem)
{
	static const char *const names[] = {"written", "received"};
	const char *word = query_get(&request->query, "wait");
	int r;

	if (check_once(request, ret_problem) < 0)
		return -1;
	if (word && strcmp(word, names[0]) != 0 && strcmp(word, names[1]) != 0) {
		*ret_problem = problem_of(PROBLEM_VALUE, "wait", "written or received");
		return -1;
	}
	r = word ? strcmp(word, names[1]) == 0
		 : read_word(&request->body, "wait", names, ret_problem);
	if (r < 0)
		return -1;
	order->wait = r ? PUSH_WAIT_RECEIVED : PUSH_WAIT_WRITTEN;
	order->timeout = WAIT_TIMEOUT_DEFAULT;
	if (query_number(&request->query, "timeout", 0, WAIT_TIMEOUT_MAX, &order->timeout,
			 ret_problem) < 0)
		return -1;
	return body_number(&request->body, "timeout", 0, WAIT_TIMEOUT_MAX, &order->timeout,
			   ret_problem);
}

static int read_order(const struct request *request, struct order *order,
		      struct problem *ret_problem)
{
	static const char *const on_off[] = {"on", "off"};
	static const char *const receipts[] = {"received", "written"};
	int lint, receipt;

	*order = (struct order){0};
	if (read_wait(request, order, ret_problem) < 0)
		return -1;
	lint = read_word(&request->body, "lint", on_off, ret_problem);
	receipt = lint < 0 ? -1 : read_word(&request->body, "receipt", receipts, ret_problem);
	if (receipt < 0 || body_number(&request->body, "deadline", 0.001, DEADLINE_MAX,
				       &order->deadline, ret_problem) < 0)
		return -1;
	order->lint = lint == 0;
	order->receipt_written = receipt == 1;
	if (!order->receipt_written || order->wait != PUSH_WAIT_RECEIVED)
		return 0;
	*ret_problem = problem_of(PROBLEM_VALUE, "wait", "receipt is written: none will come");
	return -1;
}

/* ---- idempotency ----------------------------------------------------------------------------- */

static int read_key(const struct request *request, const char **ret, struct problem *ret_problem)
{
	const char *key = request_header(request, "Idempotency-Key");

	*ret = key;
	if (!key)
		return 0;
	if (*key && strlen(key) <= KEY_MAX && utf8_valid(key, strlen(key)))
		return 1;
	*ret_problem = problem_of(PROBLEM_VALUE, "Idempotency-Key", "1 to 255 characters");
	return -1;
}

static void fingerprint(const struct request *request, const char *kind, char ret[FINGERPRINT_SIZE])
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	struct text text = {0};

	text_format(&text, "%s\n%s\n", kind, request->parameters[0]);
	text_append(&text, request->input.data ? request->input.data : "", request->input.len);
	SHA256((const unsigned char *)(text.failed ? "" : text.data), text.len, hash);
	for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(ret + 2 * i, 3, "%02x", hash[i]);
	text_done(&text);
}

static void scope_key(const struct request *request, const char *key, char *ret, size_t room)
{
	snprintf(ret, room, "%s\n%s", request->by, key);
}

/* The request was made before: give it what it made. */
static void replay(struct request *request, struct push *push, const char *print,
		   const struct order *order)
{
	if (strcmp(push->fingerprint, print) != 0)
		request_refuse(request, PROBLEM_KEY_REUSED, "Idempotency-Key", NULL);
	else if (push->answer)
		request_reply_json(request, 200, json_incref(push->answer));
	else
		waiters_add(request, push, order->wait, order->timeout);
}

/* ---- the call -------------------------------------------------------------------------------- */

struct call_context {
	struct controld *controld;
	char push[PUSH_ID_MAX + 1];
};

/* The worker refused: there is no push, but whoever has the key gets the same answer. */
static void take_refusal(struct controld *controld, struct push *push,
			 const struct peer_answer *answer)
{
	struct problem problem = ask_problem(answer);
	const struct ended *ended = history_find(&controld->history, push->session);

	if (problem.status == 404 && ended)
		problem = problem_of(PROBLEM_SESSION_ENDED, "session", NULL);
	push->problem = problem_json(&problem);
	push->problem_status = problem.status;
	if (problem.status == 410 && ended) {
		json_object_set_new(push->problem, "closedAt", json_string(ended->closed_at));
		json_object_set_new(push->problem, "reason", json_string(ended->reason));
	}
	push->state = PUSH_STATE_DONE;
	if (problem.status >= 500)
		push_drop_key(&controld->pushes, push); /* worth another try */
	waiters_wake(push);
}

static void on_answer(const struct peer_answer *answer, void *user)
{
	struct call_context *context = user;
	struct controld *controld = context->controld;
	struct push *push = push_find(&controld->pushes, context->push);
	const char *outcome = json_string_value(json_object_get(answer->result, "outcome"));
	json_t *warnings = json_object_get(answer->result, "warnings");
	int number = outcome ? push_outcome_by_name(outcome) : -1;

	free(context);
	if (!push)
		return;
	push->answered = true;
	if (answer->outcome == PEER_ERROR) {
		take_refusal(controld, push, answer);
		return;
	}
	if (json_is_array(warnings) && !push->warnings)
		push->warnings = json_incref(warnings);
	if (number >= 0)
		push_settle(&controld->pushes, push, (enum push_outcome)number,
			    json_string_value(json_object_get(answer->result, "reason")), false);
	waiters_wake(push); /* what was lost was settled by pushes_worker_lost() */
}

static json_t *make_params(const struct request *request, const struct push *push,
			   const struct order *order)
{
	static const char *const through[] = {"alt", "origin", "stream", "origins"};
	json_t *params =
		json_pack("{s:s, s:s, s:b, s:s, s:s}", "push", push->id, "session", push->session,
			  "lint", order->lint, "receipt",
			  order->receipt_written ? "written" : "received", "by", request->by);

	if (order->deadline > 0)
		json_object_set_new(params, "deadlineMs",
				    json_integer((json_int_t)(order->deadline * 1000)));
	for (size_t i = 0; i < sizeof(through) / sizeof(through[0]); i++) {
		json_t *value = json_object_get(request->body.object, through[i]);

		if (value)
			json_object_set(params, through[i], value);
	}
	return params;
}

static int submit(struct request *request, struct worker *worker, struct push *push,
		  const struct order *order, enum rpc_method method)
{
	struct call_context *context = malloc(sizeof(*context));

	if (!context)
		return -1;
	context->controld = request->controld;
	memcpy(context->push, push->id, sizeof(context->push));
	if (peer_call(worker->peer, method, make_params(request, push, order), 0, on_answer,
		      context) == 0)
		return 0;
	free(context);
	return -1;
}

static void begin(struct request *request, const char *kind, enum rpc_method method,
		  const struct order *order, const char *key, const char *print)
{
	struct pushes *pushes = &request->controld->pushes;
	struct worker *worker = ask_find_worker(request, request->parameters[0]);
	struct push *push;

	if (!worker)
		return;
	push = push_new(pushes, kind, request->parameters[0], worker->boot, request->by);
	if (!push) {
		request_refuse(request, PROBLEM_BUSY, NULL, "too many pushes are running");
		return;
	}
	push->receipt_written = order->receipt_written;
	if ((key && push_set_key(pushes, push, key, print) < 0) ||
	    submit(request, worker, push, order, method) < 0) {
		push_free(pushes, push);
		request_refuse(request, PROBLEM_WORKER_UNREACHABLE, NULL, worker_name(worker));
		return;
	}
	waiters_add(request, push, order->wait, order->timeout);
}

static void push_to_session(struct request *request, const char *kind, enum rpc_method method)
{
	char scoped[TOKEN_NAME_MAX + KEY_MAX + 3], print[FINGERPRINT_SIZE];
	struct push *before = NULL;
	struct problem problem;
	struct order order;
	const char *key;

	if (read_order(request, &order, &problem) < 0 || read_key(request, &key, &problem) < 0) {
		request_reply_problem(request, &problem);
		return;
	}
	if (key) {
		scope_key(request, key, scoped, sizeof(scoped));
		fingerprint(request, kind, print);
		before = push_find_by_key(&request->controld->pushes, scoped);
	}
	if (before)
		replay(request, before, print, &order);
	else
		begin(request, kind, method, &order, key ? scoped : NULL, key ? print : NULL);
}

void handle_push_altsvc(struct request *request)
{
	push_to_session(request, "altsvc", RPC_SESSION_ALTSVC);
}

void handle_push_origin(struct request *request)
{
	push_to_session(request, "origin", RPC_SESSION_ORIGIN);
}
