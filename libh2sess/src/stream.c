/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request and the life of its stream; stream_response.c is the way back.
 *
 * Owns the request's header list, its trailers and the body bytes that came while the host had
 * paused. Called by session_events.c with what came, and by hosts.
 *
 * Happy path: stream_new() at the first octet of a header block -> `stream` -> `data`, whose bytes
 * are given back to the peer's window once the listeners have returned -> `trailers`, `end` ->
 * stream_finish(): `close`, freed.
 *
 * Failure modes: a reset while the response was not complete (`aborted`, `error`, `close`), no
 * memory (reset with INTERNAL_ERROR), a paused stream: what arrives is kept, which the stream's
 * window bounds, and the connection's window goes on moving, so that other streams do not stall.
 */
#include "stream.h"

#include "memory.h"
#include "open_struct.h"
#include "server.h"
#include "session.h"

#include <string.h>

/* The host has emitted `error` and nobody listens: Node would throw. */
static void on_unheard_error(struct h2sess_emitter *e)
{
	struct h2sess_stream *st = container_of(e, struct h2sess_stream, emitter);

	h2sess_stream_destroy(st, H2SESS_INTERNAL_ERROR);
}

struct chunk *chunk_new(struct h2sess_session *s, const void *data, size_t len)
{
	struct chunk *chunk = block_alloc(&s->loop->memory.blocks, sizeof(*chunk) + len);

	if (!chunk)
		return NULL;
	chunk->len = len;
	chunk->offset = 0;
	memcpy(chunk->data, data, len);
	return chunk;
}

void chunk_free(struct h2sess_session *s, struct chunk *chunk)
{
	block_free(&s->loop->memory.blocks, chunk);
}

struct h2sess_stream *stream_new(struct h2sess_session *s, int32_t id)
{
	struct h2sess_stream *st = block_alloc(&s->loop->memory.blocks, sizeof(*st));

	if (!st)
		return NULL;
	memset(st, 0, offsetof(struct h2sess_stream, request));
	header_list_init(&st->request);
	emitter_init(&st->emitter, EMITTER_STREAM);
	st->emitter.unheard_error = on_unheard_error;
	list_init(&st->outbox);
	list_init(&st->inbox);
	st->session = s;
	st->id = id;
	st->fd = -1;
	list_add_tail(&s->streams, &st->link);
	return st;
}

/* `stream` is the session's event and the server's; all others are the stream's own. */
bool stream_emit(struct h2sess_stream *st, enum event_id id, struct h2sess_event *ev)
{
	struct h2sess_session *s = st->session;

	stream_active(st);
	ev->stream = st;
	ev->stream_id = st->id;
	if (id == EVENT_STREAM)
		return session_emit(s, id, ev);
	if (emitter_deaf(&st->emitter, id))
		return false;
	ev->size = sizeof(*ev);
	ev->name = event_name(id);
	ev->server = s->loop->server;
	ev->session = s;
	return emitter_emit(&st->emitter, id, ev);
}

/* An event that says no more than how the stream ended, if at all. */
static void emit_code(struct h2sess_stream *st, enum event_id id, int error)
{
	struct h2sess_event ev;

	stream_active(st);
	if (emitter_deaf(&st->emitter, id))
		return;
	ev = (struct h2sess_event){.error = error, .code = st->rst_code};
	stream_emit(st, id, &ev);
}

/* ---- the body comes in ----------------------------------------------------------------------- */

/* Give the peer its window back. */
static void consume(struct h2sess_stream *st, size_t len)
{
	struct h2sess_session *s = st->session;

	if (!s->ng || s->destroyed || !len)
		return;
	nghttp2_session_consume_stream(s->ng, st->id, len);
	session_mark_dirty(s);
}

static void emit_data(struct h2sess_stream *st, const void *data, size_t len)
{
	struct h2sess_event ev = {.data = data, .len = len};

	stream_emit(st, EVENT_DATA, &ev);
	if (!st->closed)
		consume(st, len);
}

static int keep(struct h2sess_stream *st, const uint8_t *data, size_t len)
{
	struct chunk *chunk = chunk_new(st->session, data, len);

	if (!chunk)
		return H2SESS_ENOMEM;
	list_add_tail(&st->inbox, &chunk->link);
	st->inbox_bytes += len;
	st->session->memory += len;
	return 0;
}

int stream_receive(struct h2sess_stream *st, const uint8_t *data, size_t len)
{
	struct h2sess_session *s = st->session;

	st->bytes_received += len;
	nghttp2_session_consume_connection(s->ng, len);
	session_mark_dirty(s);
	if (st->destroyed) {
		consume(st, len);
		return 0;
	}
	if (st->paused || !list_empty(&st->inbox))
		return keep(st, data, len);
	emit_data(st, data, len);
	return 0;
}

static void emit_trailers(struct h2sess_stream *st)
{
	struct h2sess_event ev = {.headers = st->trailers->fields, .n_headers = st->trailers->n};

	st->trailers_queued = false;
	stream_emit(st, EVENT_TRAILERS, &ev);
}

static void emit_request_end(struct h2sess_stream *st)
{
	st->end_queued = false;
	emit_code(st, EVENT_END, 0);
}

void stream_receive_trailers(struct h2sess_stream *st)
{
	if (!st->trailers || st->destroyed)
		return;
	st->trailers_queued = true;
	if (!st->paused && list_empty(&st->inbox))
		emit_trailers(st);
}

void stream_receive_end(struct h2sess_stream *st)
{
	if (st->destroyed)
		return;
	st->end_queued = true;
	if (!st->paused && list_empty(&st->inbox))
		emit_request_end(st);
}

static void emit_kept(struct h2sess_stream *st)
{
	struct chunk *chunk = container_of(list_pop(&st->inbox), struct chunk, link);

	st->inbox_bytes -= chunk->len;
	st->session->memory -= chunk->len;
	emit_data(st, chunk->data, chunk->len);
	chunk_free(st->session, chunk);
}

int h2sess_stream_pause(struct h2sess_stream *st)
{
	st->paused = true;
	return 0;
}

/* What was kept is heard before resume returns, as far as no listener pauses again. */
int h2sess_stream_resume(struct h2sess_stream *st)
{
	if (!st->paused)
		return 0;
	st->paused = false;
	while (!st->paused && !st->destroyed && !list_empty(&st->inbox))
		emit_kept(st);
	if (st->trailers_queued && !st->paused && !st->destroyed)
		emit_trailers(st);
	if (st->end_queued && !st->paused && !st->destroyed)
		emit_request_end(st);
	return 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void drop_inbox(struct h2sess_stream *st)
{
	struct list *link;

	while ((link = list_pop(&st->inbox)))
		chunk_free(st->session, container_of(link, struct chunk, link));
	st->session->memory -= st->inbox_bytes;
	st->inbox_bytes = 0;
}

void stream_finish(struct h2sess_stream *st)
{
	struct h2sess_server *srv = st->session->loop->server;

	st->closed = true;
	if (!st->local_end && st->announced) {
		st->aborted = true;
		emit_code(st, EVENT_ABORTED, 0);
	}
	st->destroyed = true;
	if (st->rst_code != H2SESS_NO_ERROR && st->rst_code != H2SESS_CANCEL)
		emit_code(st, EVENT_ERROR, H2SESS_ESTREAMERROR);
	emit_code(st, EVENT_CLOSE, 0);
	if (st->announced && srv->stream_end)
		srv->stream_end(st, srv->end_user);
	stream_source_done(st);
	drop_inbox(st);
	if (st->announced)
		st->session->memory -= st->request.bytes;
	header_list_done(&st->request);
	if (st->trailers) {
		header_list_done(st->trailers);
		mem_free(st->trailers);
	}
	emitter_done(&st->emitter);
	list_del(&st->link);
	if (st->session->header_stream == st)
		st->session->header_stream = NULL;
	block_free(&st->session->loop->memory.blocks, st);
}

int h2sess_stream_close(struct h2sess_stream *st, uint32_t code)
{
	struct h2sess_session *s = st->session;

	if (st->closed || st->destroyed || s->destroyed)
		return 0;
	st->our_reset = true;
	if (code == H2SESS_NO_ERROR && st->ended && !st->local_end) {
		st->reset_at_end = true; /* RFC 9113 8.1: behind the complete response */
		return 0;
	}
	st->destroyed = true;
	st->rst_code = code;
	session_push_submit(s);
	nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, st->id, code);
	session_mark_dirty(s);
	return 0;
}

int h2sess_stream_destroy(struct h2sess_stream *st, uint32_t code)
{
	return h2sess_stream_close(st, code);
}

int h2sess_stream_set_timeout(struct h2sess_stream *st, uint32_t ms)
{
	if (st->closed || st->session->destroyed)
		return H2SESS_ESTREAM;
	st->timeout_ms = ms == UINT32_MAX ? 0 : ms;
	st->active_at = loop_now(st->session->loop);
	st->session->stream_timeouts = true;
	session_timers_update(st->session);
	return 0;
}

/* ---- properties ------------------------------------------------------------------------------ */

struct h2sess_emitter *h2sess_stream_emitter(struct h2sess_stream *st)
{
	return &st->emitter;
}

struct h2sess_emitter *h2sess_session_emitter(struct h2sess_session *s)
{
	return &s->emitter;
}

int32_t h2sess_stream_id(const struct h2sess_stream *st)
{
	return st->id;
}

struct h2sess_session *h2sess_stream_session(const struct h2sess_stream *st)
{
	return st->session;
}

uint64_t h2sess_stream_turn(const struct h2sess_stream *st, uint32_t *ret_thread)
{
	const struct loop *loop = st->session ? st->session->loop : NULL;

	if (ret_thread)
		*ret_thread = loop ? (uint32_t)loop->index : 0;
	return loop ? loop->turn : 0;
}

const struct h2sess_header *h2sess_stream_headers(const struct h2sess_stream *st, size_t *ret_n)
{
	if (ret_n)
		*ret_n = st->request.n;
	return st->request.fields;
}

const char *h2sess_stream_header(const struct h2sess_stream *st, const char *name)
{
	const struct h2sess_header *field =
		name ? header_list_find(&st->request, name, strlen(name)) : NULL;

	return field ? field->value : NULL;
}

uint32_t h2sess_stream_rst_code(const struct h2sess_stream *st)
{
	return st->rst_code;
}

bool h2sess_stream_headers_sent(const struct h2sess_stream *st)
{
	return st->responded;
}

bool h2sess_stream_aborted(const struct h2sess_stream *st)
{
	return st->aborted;
}

bool h2sess_stream_closed(const struct h2sess_stream *st)
{
	return st->closed;
}

bool h2sess_stream_destroyed(const struct h2sess_stream *st)
{
	return st->destroyed || st->session->destroyed;
}

bool h2sess_stream_end_after_headers(const struct h2sess_stream *st)
{
	return st->end_after_headers;
}

size_t h2sess_stream_buffered(const struct h2sess_stream *st)
{
	return st->buffered;
}

void h2sess_stream_set_host(struct h2sess_stream *st, void *host)
{
	st->host = host;
}

void *h2sess_stream_host(const struct h2sess_stream *st)
{
	return st->host;
}

uint64_t h2sess_stream_age_us(const struct h2sess_stream *st)
{
	return st->began_ns ? (uv_hrtime() - st->began_ns) / 1000 : 0;
}

int h2sess_stream_status(const struct h2sess_stream *st)
{
	return st->status;
}

uint64_t h2sess_stream_bytes_sent(const struct h2sess_stream *st)
{
	return st->bytes_sent;
}

uint64_t h2sess_stream_bytes_received(const struct h2sess_stream *st)
{
	return st->bytes_received;
}

void h2sess_stream_set_user(struct h2sess_stream *st, void *user)
{
	st->user = user;
}

void *h2sess_stream_user(const struct h2sess_stream *st)
{
	return st->user;
}

int h2sess_stream_state(const struct h2sess_stream *st, struct h2sess_stream_state *ret)
{
	struct h2sess_stream_state state = {.size = sizeof(state)};
	nghttp2_session *ng = st->session->ng;
	nghttp2_stream *stream;

	stream = ng && !st->closed ? nghttp2_session_find_stream(ng, st->id) : NULL;
	if (!stream)
		return H2SESS_ESTREAM;
	state.state = nghttp2_stream_get_state(stream);
	state.local_window_size =
		nghttp2_session_get_stream_effective_local_window_size(ng, st->id);
	state.remote_window_size = nghttp2_session_get_stream_remote_window_size(ng, st->id);
	state.local_close = nghttp2_session_get_stream_local_close(ng, st->id) == 1;
	state.remote_close = nghttp2_session_get_stream_remote_close(ng, st->id) == 1;
	return open_struct_write(ret, &state, sizeof(state));
}
