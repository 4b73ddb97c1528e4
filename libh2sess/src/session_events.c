/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nghttp2's callbacks recorded, acted upon: the session's state moves, listeners hear.
 *
 * Called by session.c after each return of nghttp2, never from within it and never from a listener.
 * The records belong to the loop, since only one session is fed or flushed at a time.
 *
 * Failure mode: a listener destroys the session. What was recorded behind that is let go; streams
 * hear their close from session_finish().
 */
#include "session_events.h"

#include "memory.h"
#include "policy.h"
#include "server.h"
#include "session.h"
#include "stream.h"

/* It has had its share: the two-phase GOAWAY sends the client to a new connection. */
static void look_at_requests(struct h2sess_session *s)
{
	if (s->streams_total < server_limits(s->loop->server)->max_requests || s->draining ||
	    s->closed || s->destroyed)
		return;
	server_count_limit(s->loop->server, LIMIT_max_requests);
	h2sess_session_drain(s, UINT32_MAX);
}

/* When the bytes at hand were read: one look at the clock for all the requests in them. */
static uint64_t read_time(struct loop *loop)
{
	if (!loop->read_ns)
		loop->read_ns = uv_hrtime();
	return loop->read_ns;
}

static void on_stream(struct h2sess_session *s, const struct pending_event *p)
{
	struct h2sess_stream *st = p->stream;
	struct h2sess_event ev = {
		.flags = p->flags, .headers = st->request.fields, .n_headers = st->request.n};

	if (s->memory > server_limits(s->loop->server)->max_session_memory) {
		server_count_limit(s->loop->server, LIMIT_max_session_memory);
		h2sess_stream_close(st, H2SESS_ENHANCE_YOUR_CALM);
		return;
	}
	session_active(s);
	s->stream_at = loop_now(s->loop);
	if (s->loop->server->stream_end)
		st->began_ns = read_time(s->loop);
	if (s->policies)
		session_policy_request(s);
	stream_emit(st, EVENT_STREAM, &ev);
	look_at_requests(s);
	if (st->end_after_headers && !s->destroyed)
		stream_receive_end(st);
}

static void on_data(struct h2sess_session *s, const struct pending_event *p)
{
	session_active(s);
	if (stream_receive(p->stream, p->data, p->len) < 0)
		h2sess_stream_close(p->stream, H2SESS_INTERNAL_ERROR);
}

static void on_trailers(struct h2sess_session *s, const struct pending_event *p)
{
	session_active(s);
	stream_receive_trailers(p->stream);
}

static void on_end(struct h2sess_session *s, const struct pending_event *p)
{
	(void)s;
	stream_receive_end(p->stream);
}

static void on_stream_close(struct h2sess_session *s, const struct pending_event *p)
{
	p->stream->rst_code = p->stream->rst_code ? p->stream->rst_code : p->code;
	session_active(s);
	stream_finish(p->stream);
}

static void on_drain(struct h2sess_session *s, const struct pending_event *p)
{
	struct h2sess_event ev = {0};

	(void)s;
	stream_emit(p->stream, EVENT_DRAIN, &ev);
}

static void on_want_trailers(struct h2sess_session *s, const struct pending_event *p)
{
	struct h2sess_event ev = {0};

	(void)s;
	p->stream->trailers_ready = true;
	if (!stream_emit(p->stream, EVENT_WANT_TRAILERS, &ev) && !p->stream->trailers_sent)
		h2sess_stream_send_trailers(p->stream, NULL, 0);
}

static void on_remote_settings(struct h2sess_session *s, const struct pending_event *p)
{
	struct h2sess_event ev = {.settings = p->data};

	s->preface = true;
	session_active(s);
	if (session_settings_received(s, p->data) < 0)
		session_fail(s, H2SESS_ENOMEM, H2SESS_INTERNAL_ERROR);
	else
		session_emit(s, EVENT_REMOTE_SETTINGS, &ev);
}

static void on_settings_ack(struct h2sess_session *s, const struct pending_event *p)
{
	(void)p;
	session_active(s);
	session_settings_acked(s);
}

static void on_ping(struct h2sess_session *s, const struct pending_event *p)
{
	struct h2sess_event ev = {.data = p->data, .len = p->len};

	session_active(s);
	session_emit(s, EVENT_PING, &ev);
}

static void on_ping_ack(struct h2sess_session *s, const struct pending_event *p)
{
	if (!session_push_acked(s, p->data))
		session_ping_acked(s, p->data);
}

/* Node: code 0 closes the session gently, another one destroys it. */
static void on_goaway(struct h2sess_session *s, const struct pending_event *p)
{
	struct h2sess_event ev = {
		.code = p->code, .last_stream_id = p->stream_id, .data = p->data, .len = p->len};

	session_active(s);
	s->goaway_code = p->code;
	s->goaway_last_stream_id = p->stream_id;
	session_emit(s, EVENT_GOAWAY, &ev);
	if (s->destroyed)
		return;
	if (p->code == H2SESS_NO_ERROR)
		h2sess_session_close(s);
	else
		session_fail(s, H2SESS_ESESSIONERROR, p->code);
}

/* Node: the stream that the frame was of is closed then, or the session where it was of none. */
static void on_frame_error(struct h2sess_session *s, const struct pending_event *p)
{
	struct h2sess_stream *st = p->stream_id ? h2sess_session_stream(s, p->stream_id) : NULL;
	struct h2sess_event ev = {.frame_type = p->frame_type,
				  .stream_id = p->stream_id,
				  .code = p->code,
				  .error = H2SESS_EFRAME};

	session_active(s);
	if (!st) {
		session_emit(s, EVENT_FRAME_ERROR, &ev);
		h2sess_session_close(s);
		return;
	}
	stream_emit(st, EVENT_FRAME_ERROR, &ev);
	h2sess_stream_close(st, p->code);
}

static void on_limit(struct h2sess_session *s, const struct pending_event *p)
{
	session_limit(s, (int)p->len, p->code);
}

static void on_fatal(struct h2sess_session *s, const struct pending_event *p)
{
	session_fail(s, H2SESS_EPROTOCOL, p->code);
}

/* Rows in the order of enum pending_kind; owned: data is freed afterwards. */
static const struct {
	void (*act)(struct h2sess_session *s, const struct pending_event *p);
	bool owned;
} kinds[] = {
	[PENDING_STREAM] = {on_stream, false},
	[PENDING_DATA] = {on_data, false},
	[PENDING_TRAILERS] = {on_trailers, false},
	[PENDING_END] = {on_end, false},
	[PENDING_STREAM_CLOSE] = {on_stream_close, false},
	[PENDING_DRAIN] = {on_drain, false},
	[PENDING_WANT_TRAILERS] = {on_want_trailers, false},
	[PENDING_REMOTE_SETTINGS] = {on_remote_settings, true},
	[PENDING_SETTINGS_ACK] = {on_settings_ack, false},
	[PENDING_PING] = {on_ping, true},
	[PENDING_PING_ACK] = {on_ping_ack, true},
	[PENDING_GOAWAY] = {on_goaway, true},
	[PENDING_FRAME_ERROR] = {on_frame_error, false},
	[PENDING_LIMIT] = {on_limit, false},
	[PENDING_FATAL] = {on_fatal, false},
};

void session_forget(struct loop *loop)
{
	size_t i;

	for (i = 0; i < loop->n_pending; i++) {
		if (kinds[loop->pending[i].kind].owned)
			mem_free((void *)(uintptr_t)loop->pending[i].data);
	}
	loop->n_pending = 0;
}

void session_dispatch(struct h2sess_session *s)
{
	struct loop *loop = s->loop;
	size_t i;

	for (i = 0; i < loop->n_pending; i++) {
		struct pending_event p = loop->pending[i];

		if (!s->destroyed)
			kinds[p.kind].act(s, &p);
		if (kinds[p.kind].owned)
			mem_free((void *)(uintptr_t)p.data);
	}
	loop->n_pending = 0;
	session_push_report(s);
}
