/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's requests: it owns each one from its message to its answer, and answers the small
 * ones. Lists and pushes have files of their own. The control thread calls it; loops hand requests
 * back.
 *
 * The happy path:
 *   - control_dispatch() finds the method, checks that params has no member too many, starts it;
 *   - what needs a session goes to its thread, which builds the result and hands the request back;
 *   - the answer is made into a line on the control thread.
 * What can go wrong:
 *   - no such method, unknown or ill-typed members, no such session: an error that names the field;
 *   - CONTROL_REQUESTS_MAX are under way: ERR_LIMIT;
 *   - the connection has broken meanwhile: the answer is dropped, nobody waits for it.
 */
#include "control.h"
#include "memory.h"
#include "session_json.h"

#include <stdlib.h>

/* ---- a request's life ------------------------------------------------------------------------ */

struct control_request *control_request_new(struct h2sess_control *control)
{
	struct control_request *request = mem_calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	list_init(&request->link);
	list_init(&request->waiting_link);
	request->control = control;
	control->requests++;
	return request;
}

static struct control_request *request_of(struct h2sess_control *control,
					  const struct rpc_message *message)
{
	struct control_request *request = control_request_new(control);

	if (!request)
		return NULL;
	request->id = message->id;
	request->generation = control->link.generation;
	request->method = message->method;
	request->params = json_incref(message->params);
	return request;
}

/* NULL where there is no result for want of memory: the connection ends, and the next hello tells.
 */
static char *answer_line(struct control_request *request, size_t *ret_len)
{
	json_t *result = request->result;

	if (request->error)
		return rpc_error(request->id, request->error, request->field, request->rule, NULL,
				 ret_len);
	if (request->line.data) {
		char *line = request->line.data;

		request->line.data = NULL; /* the caller owns it now */
		*ret_len = request->line.len;
		return line;
	}
	request->result = NULL; /* the line takes it */
	return result ? rpc_result(request->id, result, ret_len) : NULL;
}

void control_request_finish(struct control_request *request)
{
	struct h2sess_control *control = request->control;
	size_t len = 0;

	if (control->link.up && control->link.generation == request->generation) {
		char *line = answer_line(request, &len);

		link_send(&control->link, line, len);
	}
	control->requests--;
	json_decref(request->result);
	free(request->line.data);
	json_decref(request->params);
	mem_free(request);
}

void control_request_fail(struct control_request *request, int error, const char *field)
{
	request->error = error;
	request->field = field;
	control_request_finish(request);
}

void control_request_return(struct control_request *request, request_fn *next)
{
	struct h2sess_control *control = request->control;

	request->next = next;
	uv_mutex_lock(&control->lock);
	list_add_tail(&control->returned, &request->link);
	control_wake(control);
	uv_mutex_unlock(&control->lock);
}

void control_take_returned(struct h2sess_control *control)
{
	struct list taken;
	struct list *at;

	list_init(&taken);
	uv_mutex_lock(&control->lock);
	list_splice(&taken, &control->returned);
	uv_mutex_unlock(&control->lock);
	while ((at = list_pop(&taken))) {
		struct control_request *request = container_of(at, struct control_request, link);

		request->next(request);
	}
}

bool control_server_started(struct h2sess_control *control)
{
	struct h2sess_server *srv = control->server;
	bool started;

	uv_mutex_lock(&srv->lock);
	started = srv->started;
	uv_mutex_unlock(&srv->lock);
	return started;
}

int control_request_post(struct control_request *request, const char *session, h2sess_post_fn *fn,
			 void *user)
{
	struct h2sess_control *control = request->control;

	if (!control_server_started(control))
		return H2SESS_ENOTFOUND;
	return h2sess_post(control->server, session, fn, user);
}

/* ---- small methods --------------------------------------------------------------------------- */

static void worker_stats(struct control_request *request)
{
	request->result = control_stats(request->control);
	control_request_finish(request);
}

/* The session's thread: its result, or why there is none. */
static void give_back(struct control_request *request, struct h2sess_session *s, json_t *result)
{
	if (!s) {
		request->error = H2SESS_ENOTFOUND;
		request->field = "session";
	} else if (!result) {
		request->error = H2SESS_ENOMEM;
	}
	request->result = result;
	control_request_return(request, control_request_finish);
}

/* To the session that params names. */
static void ask_session(struct control_request *request, h2sess_post_fn *fn)
{
	const char *id = json_string_value(json_object_get(request->params, "session"));
	int r = id ? control_request_post(request, id, fn, request) : H2SESS_EARGTYPE;

	if (r < 0)
		control_request_fail(request, r, r == H2SESS_ENOMEM ? NULL : "session");
}

static void get_on_loop(struct h2sess_session *s, void *user)
{
	struct control_request *request = user;

	give_back(request, s, s ? session_json(s, request->control->name) : NULL);
}

static void session_get(struct control_request *request)
{
	ask_session(request, get_on_loop);
}

static void streams_on_loop(struct h2sess_session *s, void *user)
{
	give_back(user, s, s ? session_json_streams(s) : NULL);
}

static void session_streams(struct control_request *request)
{
	ask_session(request, streams_on_loop);
}

static void worker_accept(struct control_request *request)
{
	const json_t *accepting = json_object_get(request->params, "accepting");

	if (!json_is_boolean(accepting)) {
		control_request_fail(request, H2SESS_EARGTYPE, "accepting");
		return;
	}
	h2sess_server_set_accepting(request->control->server, json_is_true(accepting));
	request->result = json_object();
	control_request_finish(request);
}

static void events_filter(struct h2sess_control *control, const json_t *params)
{
	if (json_is_array(json_object_get(params, "types")))
		server_set_demand(control->server, control_demand(params));
}

/* ---- dispatch -------------------------------------------------------------------------------- */

#define MEMBERS_MAX 16

static const struct method {
	request_fn *run;
	const char *members[MEMBERS_MAX];
} methods[RPC_METHODS] = {
	[RPC_WORKER_STATS] = {worker_stats, {NULL}},
	[RPC_SESSIONS_LIST] = {control_list, {"select", "limit", "after"}},
	[RPC_SESSION_GET] = {session_get, {"session"}},
	[RPC_SESSION_STREAMS] = {session_streams, {"session"}},
	[RPC_SESSION_ALTSVC] = {control_push,
				{"push", "session", "alt", "origin", "stream", "lint", "receipt",
				 "deadlineMs", "by"}},
	[RPC_SESSION_ORIGIN] = {control_push,
				{"push", "session", "origins", "lint", "receipt", "deadlineMs",
				 "by"}},
	[RPC_PUSH_START] = {control_push_start,
			    {"push", "kind", "select", "alt", "origin", "origins", "code",
			     "lastStreamID", "opaqueData", "lint", "receipt", "perSecond",
			     "deadlineMs", "by", "dryRun"}},
	[RPC_PUSH_CANCEL] = {control_push_cancel, {"push"}},
	[RPC_SESSION_GOAWAY] = {control_verb, {"session", "code", "lastStreamID", "opaqueData"}},
	[RPC_SESSION_PING] = {control_verb, {"session", "payload"}},
	[RPC_SESSION_SETTINGS] = {control_verb, {"session", "settings"}},
	[RPC_SESSION_CLOSE] = {control_verb, {"session"}},
	[RPC_SESSION_DESTROY] = {control_verb, {"session", "code"}},
	[RPC_SESSION_SET_TIMEOUT] = {control_verb, {"session", "msecs"}},
	[RPC_SESSION_SET_LOCAL_WINDOW_SIZE] = {control_verb, {"session", "windowSize"}},
	[RPC_SESSION_EMIT] = {control_verb, {"session", "event", "data"}},
	[RPC_SESSION_SET_LABELS] = {control_verb, {"session", "labels"}},
	[RPC_POLICY_PUT] = {control_policy_put, {"policy"}},
	[RPC_POLICY_REMOVE] = {control_policy_remove, {"name"}},
	[RPC_WORKER_ACCEPT] = {worker_accept, {"accepting"}},
};

static bool is_member(const struct method *method, const char *key)
{
	for (size_t i = 0; i < MEMBERS_MAX && method->members[i]; i++)
		if (strcmp(method->members[i], key) == 0)
			return true;
	return false;
}

/* The first member of params that the method does not have, or NULL. */
static const char *unknown_member(const struct method *method, json_t *params)
{
	void *at = json_object_iter(params);

	while (at && is_member(method, json_object_iter_key(at)))
		at = json_object_iter_next(params, at);
	return at ? json_object_iter_key(at) : NULL;
}

static void run(struct control_request *request)
{
	const struct method *method = &methods[request->method];
	const char *unknown = unknown_member(method, request->params);

	if (unknown)
		control_request_fail(request, RPC_INVALID_PARAMS, unknown);
	else
		method->run(request);
}

/* Answer without having taken the request on. */
static void refuse(struct h2sess_control *control, const struct rpc_message *message, int error)
{
	size_t len = 0;
	char *line = rpc_error(message->id, error, NULL, NULL, NULL, &len);

	link_send(&control->link, line, len);
}

static void start(struct h2sess_control *control, const struct rpc_message *message)
{
	struct control_request *request;

	if (control->requests >= CONTROL_REQUESTS_MAX) {
		refuse(control, message, H2SESS_ELIMIT);
		return;
	}
	request = request_of(control, message);
	if (request)
		run(request);
	else
		refuse(control, message, H2SESS_ENOMEM);
}

void control_dispatch(struct h2sess_control *control, const struct rpc_message *message)
{
	if (message->kind == RPC_NOTIFICATION) {
		if (message->method == RPC_EVENTS_FILTER)
			events_filter(control, message->params);
		return;
	}
	if (message->method == RPC_METHODS || !methods[message->method].run)
		refuse(control, message, RPC_METHOD_NOT_FOUND);
	else
		start(control, message);
}
