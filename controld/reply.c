/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to requests: JSON, text, problems and streams, with the headers that all of them have.
 *
 * Handlers call one of these once, at once or later. A later one resumes the suspended connection,
 * and request.c hands the answer to libmicrohttpd in the next call.
 *
 * Answers of calls that may change something wait until the audit has them on disk.
 *
 * Failure modes: no memory for an answer: a short static one goes out instead, and if even that
 * fails the connection ends. The audit cannot be written: a success becomes 503.
 */
#include "controld.h"
#include "request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* 15 digits bring every decimal number back as it was written: 4.16, not 4.1600000000000001. */
#define REPLY_FORM (JSON_COMPACT | JSON_REAL_PRECISION(15))

static const char media_json[] = "application/json";
static const char media_problem[] = "application/problem+json";
static const char no_memory[] =
	"{\"type\":\"about:blank\",\"title\":\"Out of memory\",\"status\":503,"
	"\"code\":\"ERR_OUT_OF_MEMORY\"}\n";

void request_add_header(struct request *request, const char *name, const char *value)
{
	char *copy = request->header_count < REQUEST_HEADERS_MAX ? strdup(value) : NULL;

	if (!copy)
		return;
	request->header_names[request->header_count] = name;
	request->header_values[request->header_count++] = copy;
}

void request_note(struct request *request, const char *name, const char *value)
{
	if (!value)
		return;
	if (!request->notes)
		request->notes = json_object();
	json_object_set_new(request->notes, name, json_string(value));
}

static void resume(struct request *request)
{
	request->suspended = false;
	MHD_resume_connection(request->connection);
	http_mark_dirty(request->server);
}

static void finish(struct request *request, unsigned status, const char *type,
		   struct MHD_Response *response)
{
	assert(!request->response);
	if (type && response)
		MHD_add_response_header(response, "Content-Type", type);
	if (response) {
		MHD_add_response_header(response, "Cache-Control", "no-store");
		MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	}
	for (size_t i = 0; response && i < request->header_count; i++)
		MHD_add_response_header(response, request->header_names[i],
					request->header_values[i]);
	request->status = status;
	request->response = response;
	request->closing |= !response;
	if (request->suspended && !request_audit(request))
		resume(request);
}

/* ---- the audit ------------------------------------------------------------------------------- */

/* A success that cannot be written down is none. */
static void take_back(struct request *request)
{
	MHD_destroy_response(request->response);
	request->response = NULL;
	request_refuse(request, PROBLEM_STATE, NULL,
		       "it may have been done, but it could not be written down");
}

static void on_audited(struct request *request, const char *error)
{
	if (error && request->status < 400)
		take_back(request);
	else
		resume(request);
}

bool request_audit(struct request *request)
{
	bool waits;

	if (request->audited || !audit_wants(request))
		return false;
	request->audited = true;
	if (audit_write(request, on_audited) == 0)
		return true;
	waits = request->suspended && request->status < 400;
	if (request->status < 400)
		take_back(request);
	return waits; /* it has been sent on, then */
}

void request_reply_static(struct request *request, unsigned status, const char *type,
			  const void *data, size_t len)
{
	finish(request, status, type,
	       MHD_create_response_from_buffer(len, (void *)data, MHD_RESPMEM_PERSISTENT));
}

void request_reply_text(struct request *request, unsigned status, const char *type,
			struct text *text)
{
	struct MHD_Response *response = NULL;

	if (!text->failed)
		response = MHD_create_response_from_buffer(text->len, text->data,
							   MHD_RESPMEM_MUST_FREE);
	if (!response) {
		text_done(text);
		request_reply_static(request, 503, media_problem, no_memory, sizeof(no_memory) - 1);
		return;
	}
	*text = (struct text){0}; /* the response owns it now */
	finish(request, status, type, response);
}

static int append(const char *data, size_t len, void *user)
{
	struct text *text = user;

	text_append(text, data, len);
	return text->failed ? -1 : 0;
}

void reply_add_json(struct text *text, const json_t *value)
{
	if (!value || json_dump_callback(value, append, text, REPLY_FORM | JSON_ENCODE_ANY) < 0)
		text->failed = true;
}

static void reply_object(struct request *request, unsigned status, const char *type, json_t *object)
{
	struct text text = {0};

	reply_add_json(&text, object);
	text_append(&text, "\n", 1);
	json_decref(object);
	request_reply_text(request, status, type, &text);
}

void request_reply_json(struct request *request, unsigned status, json_t *object)
{
	reply_object(request, status, media_json, object);
}

void request_reply_stream(struct request *request, const char *type, struct MHD_Response *stream)
{
	finish(request, 200, type, stream);
}

void request_reply_problem(struct request *request, const struct problem *problem)
{
	if (problem->status == 401)
		request_add_header(request, "WWW-Authenticate", "Bearer realm=\"h2sess\"");
	if (problem->status == 503)
		request_add_header(request, "Retry-After", "1");
	request_reply_problem_json(request, (unsigned)problem->status, problem_json(problem));
}

void request_reply_problem_json(struct request *request, unsigned status, json_t *object)
{
	request_note(request, "code", json_string_value(json_object_get(object, "code")));
	reply_object(request, status, media_problem, object);
}

void request_refuse(struct request *request, enum problem_kind kind, const char *field,
		    const char *detail)
{
	struct problem problem = problem_of(kind, field, detail);

	request_reply_problem(request, &problem);
}

void request_wait(struct request *request)
{
	request->waiting = true;
}
