/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking workers on behalf of a request: which one has a session, and what its errors are over
 * HTTP.
 *
 * A session's id begins with the boot id of its worker. Not connected but known, and its name not
 * taken over: 503, since the worker goes on serving. An error of the worker is a row of errors.def,
 * or is its own: 502.
 */
#include "ask.h"

#include "api_error.h"
#include "controld.h"

#include <stdio.h>
#include <string.h>

void ask_refuse_session(struct request *request, const char *session)
{
	const struct ended *ended = history_find(&request->controld->history, session);
	struct problem problem = problem_of(PROBLEM_SESSION_ENDED, "session", NULL);
	json_t *object;

	if (!ended) {
		request_refuse(request, PROBLEM_NOT_FOUND, "session", NULL);
		return;
	}
	object = problem_json(&problem);
	history_tell(ended, object);
	request_reply_problem_json(request, 410, object);
}

struct worker *ask_find_worker(struct request *request, const char *session)
{
	const struct boot *boot = worker_boot_of_session(&request->controld->workers, session);

	if (boot && boot->worker)
		return boot->worker;
	if (boot && !boot->superseded && !history_find(&request->controld->history, session))
		request_refuse(request, PROBLEM_WORKER_UNREACHABLE, "session", boot->name);
	else
		ask_refuse_session(request, session);
	return NULL;
}

struct problem ask_problem(const struct peer_answer *answer)
{
	const struct rpc_message *error = answer->error;
	const char *name, *text;
	int number;

	if (answer->outcome != PEER_ERROR)
		return problem_of(PROBLEM_WORKER_UNREACHABLE, NULL,
				  answer->outcome == PEER_LOST ? "the connection broke"
							       : "it did not answer in time");
	name = json_string_value(json_object_get(error->error_data, "code"));
	number = name ? api_error_by_name(name) : 0;
	number = number ? number : error->error;
	if (number == RPC_INVALID_PARAMS)
		return problem_of(PROBLEM_VALUE,
				  json_string_value(json_object_get(error->error_data, "field")),
				  error->error_message);
	text = api_error_text(number);
	return problem_of_error(
		number, json_string_value(json_object_get(error->error_data, "field")),
		json_string_value(json_object_get(error->error_data, "rule")),
		text && strcmp(text, error->error_message) == 0 ? NULL : error->error_message);
}

void ask_refuse(struct request *request, const char *session, const struct peer_answer *answer)
{
	struct problem problem = ask_problem(answer);

	if (problem.status == 404)
		ask_refuse_session(request, session);
	else
		request_reply_problem(request, &problem);
}

bool ask_can(struct request *request, const struct worker *worker, const char *capability)
{
	char detail[128];
	struct problem problem;

	if (worker_can(worker, capability))
		return true;
	snprintf(detail, sizeof(detail), "worker %s does not have the capability %s",
		 worker_name(worker), capability);
	problem = problem_of_error(API_EUNSUPPORTED, NULL, NULL, detail);
	request_reply_problem(request, &problem);
	return false;
}

void ask_take_answer(const struct peer_answer *answer, void *user)
{
	struct request *request = user;

	if (answer->outcome == PEER_RESULT)
		request_reply_json(request, 200, json_incref(answer->result));
	else
		ask_refuse(request, request->parameters[0], answer);
}

void ask_session(struct request *request, const char *capability, enum rpc_method method,
		 json_t *params, uint64_t timeout_ms, peer_answer_fn *fn)
{
	const char *session = request->parameters[0];
	struct worker *worker = ask_find_worker(request, session);

	json_object_set_new(params, "session", json_string(session));
	if (!worker || (capability && !ask_can(request, worker, capability)))
		json_decref(params);
	else if (peer_call(worker->peer, method, params, timeout_ms, fn, request) < 0)
		request_refuse(request, PROBLEM_WORKER_UNREACHABLE, NULL, worker_name(worker));
	else
		request_wait(request);
}
