/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of pushes: what is the daemon's in them is read and checked, the rest goes through.
 *
 * alt, origin, stream, origins, code, lastStreamID and opaqueData reach the worker as they are, of
 * any type, since the order of their checks and their errors are the worker's (and Node's). `wait`
 * and `timeout` may stand in the query instead.
 *
 * Failure modes: each refusal is a 400 that names the field.
 */
#include "push_order.h"

#include "controld.h"

#include <string.h>

/* One of two words in the body; -1 and the problem. Absent: the first. */
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

static int read_flag(const struct body *body, const char *field, bool *ret,
		     struct problem *ret_problem)
{
	const json_t *value = json_object_get(body->object, field);

	if (value && !json_is_boolean(value)) {
		*ret_problem = problem_of(PROBLEM_TYPE, field, "must be true or false");
		return -1;
	}
	*ret = json_is_true(value);
	return 0;
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

static int read_timeout(const struct request *request, double *ret, struct problem *ret_problem)
{
	*ret = WAIT_TIMEOUT_DEFAULT;
	if (query_number(&request->query, "timeout", 0, WAIT_TIMEOUT_MAX, ret, ret_problem) < 0)
		return -1;
	return body_number(&request->body, "timeout", 0, WAIT_TIMEOUT_MAX, ret, ret_problem);
}

static int read_wait(const struct request *request, struct order *order,
		     struct problem *ret_problem)
{
	const char *word = query_get(&request->query, "wait");
	int what;

	order->wait.made_it = true;
	if (check_once(request, ret_problem) < 0 ||
	    read_timeout(request, &order->wait.seconds, ret_problem) < 0 ||
	    body_string(&request->body, "wait", &word, ret_problem) < 0)
		return -1;
	if (!word) {
		order->wait.what = order->many ? PUSH_WAIT_ANSWERED : PUSH_WAIT_WRITTEN;
		return 0;
	}
	what = wait_by_name(word, order->many);
	if (what < 0) {
		*ret_problem = problem_of(PROBLEM_VALUE, "wait",
					  order->many ? "written, received or done"
						      : "written or received");
		return -1;
	}
	order->wait.what = (enum push_wait)what;
	return 0;
}

int order_read_wait(const struct request *request, struct wait *ret, struct problem *ret_problem)
{
	const char *word = query_get(&request->query, "wait");
	int what = word ? wait_by_name(word, true) : PUSH_WAIT_DONE;

	*ret = (struct wait){0};
	if (what < 0) {
		*ret_problem = problem_of(PROBLEM_VALUE, "wait", "done, received or written");
		return -1;
	}
	ret->what = (enum push_wait)what;
	if (read_timeout(request, &ret->seconds, ret_problem) < 0)
		return -1;
	if (!word)
		ret->seconds = 0;
	return 0;
}

static int read_words(const struct request *request, struct order *order,
		      struct problem *ret_problem)
{
	static const char *const on_off[] = {"on", "off"};
	static const char *const receipts[] = {"received", "written"};
	int lint = read_word(&request->body, "lint", on_off, ret_problem);
	int receipt = lint < 0 ? -1 : read_word(&request->body, "receipt", receipts, ret_problem);

	if (receipt < 0)
		return -1;
	order->lint = lint == 0;
	order->receipt_written = receipt == 1;
	if (!order->receipt_written || order->wait.what != PUSH_WAIT_RECEIVED)
		return 0;
	*ret_problem = problem_of(PROBLEM_VALUE, "wait", "receipt is written: none will come");
	return -1;
}

static int read_numbers(const struct request *request, struct order *order,
			struct problem *ret_problem)
{
	const struct body *body = &request->body;
	int r = body_number(body, "deadline", 0.001, DEADLINE_MAX, &order->deadline, ret_problem);

	if (r < 0 ||
	    body_number(body, "perSecond", 0.001, PACE_MAX, &order->per_second, ret_problem) < 0)
		return -1;
	if (r > 0 || order->kind != PUSH_KIND_DRAIN)
		return 0;
	*ret_problem = problem_of(PROBLEM_TYPE, "deadline", "a drain needs one");
	return -1;
}

int order_read(const struct request *request, enum push_kind kind, bool many, struct order *ret,
	       struct problem *ret_problem)
{
	*ret = (struct order){.kind = kind, .many = many};
	if (read_wait(request, ret, ret_problem) < 0 || read_words(request, ret, ret_problem) < 0 ||
	    read_numbers(request, ret, ret_problem) < 0 ||
	    read_flag(&request->body, "dryRun", &ret->dry_run, ret_problem) < 0)
		return -1;
	return read_flag(&request->body, "stopAccepting", &ret->stop_accepting, ret_problem);
}

char *order_request(const struct request *request, const struct order *order)
{
	static const char *const through[] = {"select",	 "alt",	 "origin",	 "stream",
					      "origins", "code", "lastStreamID", "opaqueData"};
	json_t *params =
		json_pack("{s:s, s:b, s:s}", "kind", kind_name(order->kind), "lint", order->lint,
			  "receipt", order->receipt_written ? "written" : "received");
	char *text;

	for (size_t i = 0; i < sizeof(through) / sizeof(through[0]); i++) {
		json_t *value = json_object_get(request->body.object, through[i]);

		if (value)
			json_object_set(params, through[i], value);
	}
	if (order->deadline > 0)
		json_object_set_new(params, "deadlineMs",
				    json_integer((json_int_t)(order->deadline * 1000)));
	if (order->per_second > 0)
		json_object_set_new(params, "perSecond", json_real(order->per_second));
	if (order->stop_accepting)
		json_object_set_new(params, "stopAccepting", json_true());
	text = params ? json_dumps(params, JSON_COMPACT) : NULL;
	json_decref(params);
	return text;
}
