/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request from its first line to the end of its answer, as libmicrohttpd calls.
 *
 *   1. the target: the request object is made, with the raw target;
 *   2. the head: framing, access, route, query and media type are checked; a refusal is kept as the
 *      answer;
 *   3. the body: collected up to REQUEST_BODY_MAX, or dropped when there is a refusal already;
 *   4. the end of the body: parsed, the handler runs; it answers or waits, suspended. What may
 *      change something is not begun while the state file cannot be written, and is answered when
 *      the audit has it on disk;
 *   5. after the answer: the object is released.
 *
 * An answer queued in the head call closes the connection, so refusals wait for the end of the body
 * unless it is too long to drop, or the client waits for 100 Continue, or the framing is in doubt.
 *
 * Failure modes: no memory for the object: the connection ends. A client that leaves while the
 * request waits: seen when the answer is written, nothing to undo.
 */
#include "request.h"

#include "controld.h"
#include "guard.h"
#include "route.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

void *request_on_target(void *user, const char *target, struct MHD_Connection *connection)
{
	struct request *request = calloc(1, sizeof(*request));

	(void)connection;
	if (!request)
		return NULL;
	request->server = user;
	request->controld = request->server->controld;
	request->target = strdup(target);
	return request;
}

void request_on_completed(void *user, struct MHD_Connection *connection, void **context,
			  enum MHD_RequestTerminationCode code)
{
	struct request *request = *context;

	(void)user;
	(void)connection;
	(void)code;
	if (!request)
		return;
	*context = NULL;
	if (request->from) {
		request->from->deadline = uv_now(request->controld->loop) + HTTP_HEAD_MS;
		request->from->half_closed = false;
	}
	if (request->response)
		MHD_destroy_response(request->response);
	for (size_t i = 0; i < request->header_count; i++)
		free(request->header_values[i]);
	json_decref(request->notes);
	query_done(&request->query);
	body_done(&request->body);
	text_done(&request->input);
	free(request->target);
	free(request);
}

static enum MHD_Result send_answer(struct request *request)
{
	enum MHD_Result r;

	if (!request->response)
		return MHD_NO;
	if (request->closing)
		MHD_add_response_header(request->response, "Connection", "close");
	r = MHD_queue_response(request->connection, request->status, request->response);
	MHD_destroy_response(request->response);
	request->response = NULL;
	return r;
}

static int check_head(struct request *request, uint64_t length, struct problem *ret_problem)
{
	bool cut = strcmp(request->target, "*") == 0 || route_cut_target(request) == 0;

	if (guard_access(request, ret_problem) < 0)
		return -1;
	if (!cut) {
		*ret_problem = problem_of(PROBLEM_TARGET, NULL, NULL);
		return -1;
	}
	if (route_request(request, ret_problem) < 0)
		return -1;
	if (!request->route)
		return 0; /* OPTIONS */
	if (query_parse(&request->query, request->raw_query, request->route->query, ret_problem) <
	    0)
		return -1;
	if (!request->has_body)
		return 0;
	if (!request->route->body) {
		*ret_problem = problem_of(PROBLEM_UNEXPECTED_BODY, NULL, NULL);
		return -1;
	}
	if (guard_media_type(request, ret_problem) < 0)
		return -1;
	if (length <= REQUEST_BODY_MAX)
		return 0;
	request->controld->metrics.limits[LIMIT_BODY]++;
	*ret_problem = problem_of(PROBLEM_BODY_TOO_LARGE, NULL, NULL);
	return -1;
}

static void find_connection(struct request *request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	request->from = info ? info->socket_context : NULL;
	if (request->from)
		request->from->deadline = uv_now(request->controld->loop) + HTTP_BODY_MS;
}

/* The head is complete. */
static enum MHD_Result begin(struct request *request, struct MHD_Connection *connection,
			     const char *method, const char *version)
{
	struct problem problem;
	uint64_t length = 0;

	request->begun = true;
	request->connection = connection;
	snprintf(request->method, sizeof(request->method), "%s", method);
	request->head = strcmp(method, "HEAD") == 0;
	find_connection(request);
	if (!request->from || !request->target)
		return MHD_NO;
	if (guard_framing(request, version, &length, &problem) < 0) {
		request->closing = true;
		request_reply_problem(request, &problem);
		return send_answer(request);
	}
	if (check_head(request, length, &problem) < 0) {
		request_reply_problem(request, &problem);
		request->closing = length > REQUEST_DRAIN_MAX ||
				   (request->has_body && request_header(request, "Expect"));
		if (request->closing && audit_wants(request))
			audit_write(request, NULL); /* the answer does not wait: the framing ends */
		if (request->closing)
			return send_answer(request);
	}
	return MHD_YES;
}

static enum MHD_Result take_body(struct request *request, const char *data, size_t *len)
{
	request->input_seen += *len;
	if (request->input_seen > REQUEST_DRAIN_MAX)
		return MHD_NO; /* a chunked body without end: no answer is possible here */
	if (!request->response && request->input_seen > REQUEST_BODY_MAX) {
		text_done(&request->input);
		request->controld->metrics.limits[LIMIT_BODY]++;
		request_refuse(request, PROBLEM_BODY_TOO_LARGE, NULL, NULL);
	}
	if (!request->response)
		text_append(&request->input, data, *len);
	*len = 0;
	return MHD_YES;
}

/* The body is complete: parse it and let the handler answer. */
static void handle(struct request *request)
{
	struct problem problem;

	request->handled = true;
	if (request->from)
		request->from->deadline = 0;
	if (request->response)
		return;
	if (request->input.failed) {
		request_refuse(request, PROBLEM_MEMORY, NULL, NULL);
		return;
	}
	if (request->route->body &&
	    body_parse(&request->body, request->input.data, request->input.len,
		       request->route->body, &problem) < 0) {
		request_reply_problem(request, &problem);
		return;
	}
	if (audit_wants(request) && store_error(request->controld->store))
		request_refuse(request, PROBLEM_STATE, NULL, store_error(request->controld->store));
	else
		request->route->handler(request);
}

enum MHD_Result request_on_call(void *user, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *data,
				size_t *data_len, void **context)
{
	struct request *request = *context;

	(void)user;
	(void)url;
	if (!request)
		return MHD_NO;
	if (!request->begun)
		return begin(request, connection, method, version);
	if (*data_len)
		return take_body(request, data, data_len);
	if (!request->handled)
		handle(request);
	if (request->response ? request_audit(request) : request->waiting) {
		request->suspended = true;
		MHD_suspend_connection(connection);
		return MHD_YES;
	}
	return send_answer(request);
}
