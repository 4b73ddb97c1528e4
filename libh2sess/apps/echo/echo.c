/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo: answers with what it received, for tests and for looking at clients.
 *
 *   - the response's fields: x-echo-method, x-echo-path, and each field NAME of the request, in
 *     order, as x-echo-NAME (pseudo-fields are not repeated)
 *   - a request with a body: the same body, streamed, as fast as the client takes it; the same
 *     content-type
 *   - then the request's trailers, as trailers
 *   - a request without a body: a JSON object {"method", "path", "authority", "headers": [[name,
 *     value], ...]}
 *
 * Backpressure: when the response's buffer is over its mark the request is paused, and `drain`
 * resumes it, so a client that sends without reading is stopped by its own window.
 *
 * Failures: what cannot be answered (no memory, a client that is gone) resets the stream.
 */
#include <h2sess/app.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "x-echo-"

/* One request with a body. Freed by its close event. */
struct echo {
	struct h2sess_header *trailers; /* copies; NULL: none came */
	size_t n_trailers;
};

/* ---- copies of fields ------------------------------------------------------------------------ */

static void free_fields(struct h2sess_header *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free((char *)fields[i].name);
		free((char *)fields[i].value);
	}
	free(fields);
}

static char *join(const char *prefix, const char *text, uint32_t len)
{
	size_t prefix_len = strlen(prefix);
	char *joined = malloc(prefix_len + len + 1);

	if (!joined)
		return NULL;
	memcpy(joined, prefix, prefix_len);
	memcpy(joined + prefix_len, text, len);
	joined[prefix_len + len] = '\0';
	return joined;
}

static bool copy_field(struct h2sess_header *to, const char *prefix, const char *name,
		       uint32_t name_len, const char *value, uint32_t value_len, uint32_t flags)
{
	*to = (struct h2sess_header){
		.name = join(prefix, name, name_len),
		.value = join("", value, value_len),
		.name_len = (uint32_t)strlen(prefix) + name_len,
		.value_len = value_len,
		.flags = flags,
	};
	return to->name && to->value;
}

/* Copies of n fields, pseudo-fields left out. Returns NULL when out of memory; free_fields(). */
static struct h2sess_header *copy_fields(const char *prefix, const struct h2sess_header *from,
					 size_t n, size_t *ret_n)
{
	struct h2sess_header *to = calloc(n + 1, sizeof(*to));
	size_t used = 0;

	if (!to)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (from[i].name[0] == ':')
			continue;
		if (!copy_field(&to[used++], prefix, from[i].name, from[i].name_len, from[i].value,
				from[i].value_len, from[i].flags)) {
			free_fields(to, used);
			return NULL;
		}
	}
	*ret_n = used;
	return to;
}

/* ---- the response's header block ------------------------------------------------------------- */

static struct h2sess_header field(const char *name, const char *value)
{
	return (struct h2sess_header){
		.name = name,
		.value = value,
		.name_len = (uint32_t)strlen(name),
		.value_len = (uint32_t)strlen(value),
	};
}

/* Respond with the echoed fields. type may be NULL. */
static int respond(const struct h2sess_event *ev, const char *type, uint32_t flags)
{
	const char *method = h2sess_stream_header(ev->stream, ":method");
	const char *path = h2sess_stream_header(ev->stream, ":path");
	struct h2sess_header *echoed, *all;
	size_t n_echoed, n = 0;
	int r;

	echoed = copy_fields(PREFIX, ev->headers, ev->n_headers, &n_echoed);
	if (!echoed)
		return H2SESS_ENOMEM;
	all = calloc(n_echoed + 4, sizeof(*all));
	if (!all) {
		r = H2SESS_ENOMEM;
		goto out;
	}
	all[n++] = field(":status", "200");
	if (type)
		all[n++] = field("content-type", type);
	if (method)
		all[n++] = field(PREFIX "method", method);
	if (path)
		all[n++] = field(PREFIX "path", path);
	memcpy(all + n, echoed, n_echoed * sizeof(*all));
	r = h2sess_stream_respond(ev->stream, all, n + n_echoed, flags);
out:
	free(all);
	free_fields(echoed, n_echoed);
	return r;
}

/* ---- a request without a body ---------------------------------------------------------------- */

/* Field values are bytes: what is not UTF-8 is taken as Latin-1. */
static json_t *json_text(const char *text, size_t len)
{
	json_t *string = json_stringn(text, len);
	char *utf8;
	size_t used = 0;

	if (string)
		return string;
	utf8 = malloc(2 * len + 1);
	if (!utf8)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x80)
			utf8[used++] = (char)(0xc0 | c >> 6);
		utf8[used++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
	}
	string = json_stringn(utf8, used);
	free(utf8);
	return string;
}

static json_t *json_field(const char *text)
{
	return text ? json_text(text, strlen(text)) : json_null();
}

static json_t *json_headers(const struct h2sess_event *ev)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ev->n_headers; i++) {
		const struct h2sess_header *h = &ev->headers[i];

		if (h->name[0] != ':')
			json_array_append_new(list,
					      json_pack("[o, o]", json_text(h->name, h->name_len),
							json_text(h->value, h->value_len)));
	}
	return list;
}

static char *describe(const struct h2sess_event *ev)
{
	json_t *object =
		json_pack("{s:o, s:o, s:o, s:o}", "method",
			  json_field(h2sess_stream_header(ev->stream, ":method")), "path",
			  json_field(h2sess_stream_header(ev->stream, ":path")), "authority",
			  json_field(h2sess_stream_header(ev->stream, ":authority")), "headers",
			  json_headers(ev));
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return text;
}

static int answer_with_description(const struct h2sess_event *ev)
{
	const char *method = h2sess_stream_header(ev->stream, ":method");
	bool head = method && !strcmp(method, "HEAD");
	char *text = NULL;
	int r;

	r = respond(ev, "application/json", head ? H2SESS_RESPOND_END_STREAM : 0);
	if (r < 0 || head)
		return r;
	text = describe(ev);
	r = text ? h2sess_stream_end(ev->stream, text, strlen(text)) : H2SESS_ENOMEM;
	free(text);
	return r;
}

/* ---- a request with a body ------------------------------------------------------------------- */

static void give_up(struct h2sess_stream *st)
{
	h2sess_stream_close(st, H2SESS_INTERNAL_ERROR);
}

static void on_data(const struct h2sess_event *ev, void *user)
{
	int r = h2sess_stream_write(ev->stream, ev->data, ev->len);

	(void)user;
	if (r < 0)
		give_up(ev->stream);
	else if (r == 0)
		h2sess_stream_pause(ev->stream);
}

static void on_drain(const struct h2sess_event *ev, void *user)
{
	(void)user;
	h2sess_stream_resume(ev->stream);
}

static void on_end(const struct h2sess_event *ev, void *user)
{
	(void)user;
	if (h2sess_stream_end(ev->stream, NULL, 0) < 0)
		give_up(ev->stream);
}

static void on_trailers(const struct h2sess_event *ev, void *user)
{
	struct echo *echo = user;

	free_fields(echo->trailers, echo->n_trailers);
	echo->n_trailers = 0;
	echo->trailers = copy_fields("", ev->headers, ev->n_headers, &echo->n_trailers);
	if (!echo->trailers)
		give_up(ev->stream);
}

static void on_want_trailers(const struct h2sess_event *ev, void *user)
{
	const struct echo *echo = user;

	if (h2sess_stream_send_trailers(ev->stream, echo->trailers, echo->n_trailers) < 0)
		give_up(ev->stream);
}

static void on_close(const struct h2sess_event *ev, void *user)
{
	struct echo *echo = user;

	(void)ev;
	free_fields(echo->trailers, echo->n_trailers);
	free(echo);
}

/* On failure echo is freed by nobody but the caller: close comes last, and only then is it the
 * stream's. */
static int listen_to(struct h2sess_stream *st, struct echo *echo)
{
	static const struct {
		const char *name;
		h2sess_listener_fn *fn;
	} LISTENERS[] = {
		{H2SESS_EVENT_DATA, on_data},
		{H2SESS_EVENT_DRAIN, on_drain},
		{H2SESS_EVENT_END, on_end},
		{H2SESS_EVENT_TRAILERS, on_trailers},
		{H2SESS_EVENT_WANT_TRAILERS, on_want_trailers},
		{H2SESS_EVENT_CLOSE, on_close},
	};
	struct h2sess_emitter *emitter = h2sess_stream_emitter(st);

	for (size_t i = 0; i < sizeof(LISTENERS) / sizeof(*LISTENERS); i++) {
		int r = h2sess_on(emitter, LISTENERS[i].name, LISTENERS[i].fn, echo, NULL);

		if (r < 0) {
			h2sess_off_all(emitter, NULL);
			return r;
		}
	}
	return 0;
}

static int answer_with_body(const struct h2sess_event *ev)
{
	struct echo *echo = calloc(1, sizeof(*echo));
	int r;

	if (!echo)
		return H2SESS_ENOMEM;
	r = listen_to(ev->stream, echo);
	if (r < 0) {
		free(echo);
		return r;
	}
	return respond(ev, h2sess_stream_header(ev->stream, "content-type"),
		       H2SESS_RESPOND_WAIT_FOR_TRAILERS);
}

/* ---- the app --------------------------------------------------------------------------------- */

static void on_stream(const struct h2sess_event *ev, void *user)
{
	int r = h2sess_stream_end_after_headers(ev->stream) ? answer_with_description(ev)
							    : answer_with_body(ev);

	(void)user;
	if (r < 0)
		give_up(ev->stream);
}

static int init(const struct h2sess_app_context *context, void **ret_state, char *error,
		size_t error_len)
{
	(void)error;
	(void)error_len;
	*ret_state = NULL;
	return h2sess_on(context->emitter, H2SESS_EVENT_STREAM, on_stream, NULL, NULL);
}

H2SESS_API const struct h2sess_app h2sess_app;
const struct h2sess_app h2sess_app = {
	.size = sizeof(struct h2sess_app),
	.abi = H2SESS_APP_ABI,
	.name = "echo",
	.init = init,
};
