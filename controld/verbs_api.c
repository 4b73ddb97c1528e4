/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of a session beside pushes: POST /v1/sessions/{id}/goaway, ping, settings, close,
 * destroy, timeout, window and emit, PATCH .../labels.
 *
 * Each is a call of its worker with the body's members as they are: their types, their ranges and
 * the order of the checks are the worker's (and Node's), as with pushes. The last segment of the
 * path names the row. What routes.c does not allow in the body never gets here.
 *
 * Failure modes: the worker lacks the verbs: 501. It refuses: its error, with the field. The peer
 * does not answer a PING or SETTINGS in time: 504, and it may have been sent.
 */
#include "api_error.h"
#include "ask.h"
#include "controld.h"
#include "handlers.h"
#include "route.h"
#include "waiters.h"

#include <assert.h>
#include <string.h>

static const struct verb {
	const char *name;
	enum rpc_method method;
	const char *whole_body; /* the param that the body is, or NULL: each member is one */
	bool peer_answers;
} verbs[] = {
	{"goaway", RPC_SESSION_GOAWAY, NULL, false},
	{"ping", RPC_SESSION_PING, NULL, true},
	{"settings", RPC_SESSION_SETTINGS, "settings", true},
	{"close", RPC_SESSION_CLOSE, NULL, false},
	{"destroy", RPC_SESSION_DESTROY, NULL, false},
	{"timeout", RPC_SESSION_SET_TIMEOUT, NULL, false},
	{"window", RPC_SESSION_SET_LOCAL_WINDOW_SIZE, NULL, false},
	{"emit", RPC_SESSION_EMIT, NULL, false},
	{"labels", RPC_SESSION_SET_LABELS, "labels", false},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* Settings may stand in the body or in its member `settings`, not in both. */
static int unwrap(struct request *request, const char *name, json_t **ret,
		  struct problem *ret_problem)
{
	struct body *body = &request->body;
	json_t *inner = json_object_get(body->object, name);

	*ret = body->object;
	if (!inner || strcmp(name, "settings") != 0)
		return 0;
	*ret = inner;
	if (json_object_size(body->object) > 1) {
		*ret_problem = problem_of(PROBLEM_VALUE, name, "it stands beside other members");
		return -1;
	}
	if (json_object_get(inner, name)) {
		*ret_problem = problem_of(PROBLEM_UNKNOWN_FIELD, name, NULL);
		return -1;
	}
	if (json_is_object(inner))
		return body_check_members(body, inner, request->route->body, ret_problem);
	return 0; /* of another type: the worker says so */
}

static int make_params(struct request *request, const struct verb *verb, json_t **ret,
		       struct problem *ret_problem)
{
	json_t *whole;

	if (!verb->whole_body) {
		*ret = json_copy(request->body.object);
		return 0;
	}
	if (unwrap(request, verb->whole_body, &whole, ret_problem) < 0)
		return -1;
	*ret = json_pack("{s:O}", verb->whole_body, whole);
	return 0;
}

static void on_answer(const struct peer_answer *answer, void *user)
{
	struct request *request = user;
	struct problem problem;

	if (answer->outcome != PEER_TIMEOUT) {
		ask_take_answer(answer, request);
		return;
	}
	problem = problem_of_error(API_ETIMEOUT, NULL, NULL, "the peer has not answered yet");
	request_reply_problem(request, &problem);
}

/* Readers of events who choose by label are to see it. */
static void on_labels(const struct peer_answer *answer, void *user)
{
	struct request *request = user;

	facts_set_labels(&request->controld->events.facts, request->parameters[0],
			 json_object_get(answer->result, "labels"));
	ask_take_answer(answer, request);
}

void handle_verb(struct request *request)
{
	const struct verb *verb = find_verb(request->segments[request->segment_count - 1]);
	double seconds = WAIT_TIMEOUT_DEFAULT;
	struct problem problem;
	json_t *params;

	assert(verb);
	if (query_number(&request->query, "timeout", 0.001, WAIT_TIMEOUT_MAX, &seconds, &problem) <
		    0 ||
	    make_params(request, verb, &params, &problem) < 0) {
		request_reply_problem(request, &problem);
		return;
	}
	if (verb->peer_answers)
		ask_session(request, "session", verb->method, params, (uint64_t)(seconds * 1000),
			    on_answer);
	else
		ask_session(request, "session", verb->method, params, ASK_MS,
			    verb->method == RPC_SESSION_SET_LABELS ? on_labels : ask_take_answer);
}
