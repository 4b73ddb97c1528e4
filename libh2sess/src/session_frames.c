/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nghttp2's callbacks: they record, and decide nothing else.
 *
 * Called by nghttp2 from within session_feed() and session_flush(). A callback may not call back
 * into nghttp2 and no listener may run inside one (a listener may destroy the session), so each
 * fact becomes a struct pending_event, and session_dispatch() acts on it once nghttp2 has returned.
 * The exception is what nghttp2 wants to know at once: whether a header field is too much, and body
 * bytes to send.
 *
 * A piece of a request's body stops nghttp2 (NGHTTP2_ERR_PAUSE), so that `data` is heard in its
 * place and without a copy.
 *
 * What can go wrong: no memory for a record (the callback fails, the session ends), and all that a
 * peer does on purpose, which guard.h judges.
 */
#include "memory.h"
#include "server.h"
#include "session.h"
#include "session_events.h"
#include "stream.h"

#include <string.h>

#define FAIL NGHTTP2_ERR_CALLBACK_FAILURE
#define FRAME_HEADER 9

/* Record an event; NULL when there is no memory. */
static struct pending_event *record(struct h2sess_session *s, enum pending_kind kind,
				    struct h2sess_stream *st)
{
	return loop_pending_add(s->loop, kind, st);
}

/* Record an event with a copy of data. Returns 0 or FAIL. */
static int record_copy(struct h2sess_session *s, enum pending_kind kind, uint32_t code,
		       int32_t stream_id, const void *data, size_t len)
{
	struct pending_event *p;
	void *copy = mem_alloc(len + 1);

	if (!copy)
		return FAIL;
	p = record(s, kind, NULL);
	if (!p) {
		mem_free(copy);
		return FAIL;
	}
	if (len)
		memcpy(copy, data, len);
	p->data = copy;
	p->len = len;
	p->code = code;
	p->stream_id = stream_id;
	return 0;
}

static int record_limit(struct h2sess_session *s, enum limit_id limit, uint32_t code)
{
	struct pending_event *p = record(s, PENDING_LIMIT, NULL);

	if (!p)
		return FAIL;
	p->len = limit;
	p->code = code;
	return 0;
}

/* What comes next is mostly of the stream that was spoken of last. */
static struct h2sess_stream *find(struct h2sess_session *s, int32_t id)
{
	struct h2sess_stream *st = s->recent;

	if (st && st->id == id)
		return st;
	st = nghttp2_session_get_stream_user_data(s->ng, id);
	if (st)
		s->recent = st;
	return st;
}

/* A stream was reset, by the peer or through its fault. */
static int charge_reset(struct h2sess_session *s)
{
	const struct h2sess_limits *limits = server_limits(s->loop->server);

	if (guard_reset(&s->guard, limits->reset_burst, limits->reset_rate, loop_now(s->loop)))
		return 0;
	return record_limit(s, LIMIT_reset_burst, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Remember the ids between the last stream and this one: the peer may not use them any more. */
static void note_skipped(struct h2sess_session *s, int32_t id)
{
	if (id <= s->last_stream_id + 2 || s->n_skipped == SESSION_SKIPPED_MAX)
		return;
	s->skipped[s->n_skipped].low = s->last_stream_id + 1;
	s->skipped[s->n_skipped].high = id - 1;
	s->n_skipped++;
}

/* RFC 9113 5.1.1: a new stream below the last one is a connection error, which nghttp2 lets pass.
 */
static bool is_skipped(const struct h2sess_session *s, int32_t id)
{
	size_t i;

	for (i = 0; i < s->n_skipped; i++) {
		if (id >= s->skipped[i].low && id <= s->skipped[i].high)
			return true;
	}
	return false;
}

/* The answer to a PING or SETTINGS of ours; those that nobody asked for are no better than noise.
 */
static bool is_awaited_ack(struct h2sess_session *s, const nghttp2_frame_hd *hd)
{
	if (!(hd->flags & NGHTTP2_FLAG_ACK) || !s->awaited_acks)
		return false;
	if (hd->type != NGHTTP2_PING && hd->type != NGHTTP2_SETTINGS)
		return false;
	s->awaited_acks--;
	return true;
}

/* Octets of a frame that are worth something to us; DATA is counted as it comes. */
static uint64_t useful_octets(struct h2sess_session *s, const nghttp2_frame_hd *hd)
{
	if (hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION ||
	    is_awaited_ack(s, hd))
		return hd->length + FRAME_HEADER;
	return 0;
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user)
{
	struct h2sess_session *s = user;

	(void)ng;
	guard_useful(&s->guard, useful_octets(s, hd));
	if (hd->type != NGHTTP2_HEADERS)
		return 0;
	if (!s->header_since)
		s->header_since = loop_now(s->loop);
	if (is_skipped(s, hd->stream_id)) {
		struct pending_event *p = record(s, PENDING_FATAL, NULL);

		if (!p)
			return FAIL;
		p->code = NGHTTP2_PROTOCOL_ERROR;
	}
	return 0;
}

static int begin_request(struct h2sess_session *s, int32_t id)
{
	struct h2sess_stream *st = stream_new(s, id);

	if (!st)
		return FAIL;
	note_skipped(s, id);
	s->last_stream_id = id;
	s->n_streams++;
	nghttp2_session_set_stream_user_data(s->ng, id, st);
	s->recent = st;
	s->header_stream = st;
	s->table_used = true;
	return 0;
}

static int begin_trailers(struct h2sess_session *s, struct h2sess_stream *st)
{
	s->header_stream = st;
	if (!st || st->trailers)
		return 0;
	st->trailers = mem_calloc(1, sizeof(*st->trailers));
	if (!st->trailers)
		return FAIL;
	header_list_init(st->trailers);
	return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
	struct h2sess_session *s = user;

	(void)ng;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		return begin_request(s, frame->hd.stream_id);
	return begin_trailers(s, find(s, frame->hd.stream_id));
}

static int note_user_agent(struct h2sess_session *s, const struct h2sess_header *field)
{
	if (s->user_agent_known)
		return 0;
	s->user_agent_known = true;
	s->user_agent = mem_strndup(field->value, field->value_len);
	return s->user_agent ? 0 : FAIL;
}

/* What we want to know of a request, as its fields pass by. */
static int note_field(struct h2sess_session *s, struct h2sess_stream *st,
		      const struct h2sess_header *field)
{
	switch (field->name_len) {
	case 7:
		if (memcmp(field->name, ":method", 7) == 0)
			st->head_request =
				field->value_len == 4 && memcmp(field->value, "HEAD", 4) == 0;
		return 0;
	case 8:
		if (memcmp(field->name, "alt-used", 8) == 0) {
			s->alt_used++;
			atomic_fetch_add(&s->loop->server->counters.alt_used, 1);
		}
		return 0;
	case 10:
		return memcmp(field->name, "user-agent", 10) == 0 ? note_user_agent(s, field) : 0;
	default:
		return 0;
	}
}

static int refuse_field(struct h2sess_session *s, enum limit_id limit)
{
	server_count_limit(s->loop->server, limit);
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
		     nghttp2_rcbuf *value, uint8_t flags, void *user)
{
	struct h2sess_session *s = user;
	const struct h2sess_limits *limits = server_limits(s->loop->server);
	struct h2sess_stream *st = s->header_stream;
	struct header_list *list;
	const struct h2sess_header *field;

	(void)ng;
	if (!st || st->id != frame->hd.stream_id)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	list = st->trailers ? st->trailers : &st->request;
	if (list->n >= limits->max_header_pairs)
		return refuse_field(s, LIMIT_max_header_pairs);
	field = header_list_add(list, name, value, flags);
	if (!field)
		return FAIL;
	if (list->bytes > limits->max_header_list_size)
		return refuse_field(s, LIMIT_max_header_list_size);
	return st->trailers ? 0 : note_field(s, st, field);
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
			 size_t len, void *user)
{
	struct h2sess_session *s = user;
	struct h2sess_stream *st = find(s, id);
	struct pending_event *p;

	(void)flags;
	guard_useful(&s->guard, len);
	if (!st || st->destroyed)
		return nghttp2_session_consume(ng, id, len) < 0 ? FAIL : 0;
	p = record(s, PENDING_DATA, st);
	if (!p)
		return FAIL;
	p->data = data;
	p->len = len;
	s->paused = true;
	return NGHTTP2_ERR_PAUSE;
}

static int record_request(struct h2sess_session *s, const nghttp2_frame *frame,
			  struct h2sess_stream *st)
{
	struct pending_event *p = record(s, PENDING_STREAM, st);

	if (!p)
		return FAIL;
	p->flags = frame->hd.flags; /* END_STREAM: the end, too */
	s->user_agent_known = true;
	s->streams_total++;
	s->memory += st->request.bytes;
	st->announced = true;
	st->end_after_headers = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	return 0;
}

static int on_headers_end(struct h2sess_session *s, const nghttp2_frame *frame,
			  struct h2sess_stream *st)
{
	s->header_since = 0;
	if (!st)
		return 0;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		return record_request(s, frame, st);
	return record(s, PENDING_TRAILERS, st) ? 0 : FAIL;
}

static int on_settings(struct h2sess_session *s, const nghttp2_settings *frame)
{
	struct h2sess_settings settings;

	if (frame->hd.flags & NGHTTP2_FLAG_ACK)
		return record(s, PENDING_SETTINGS_ACK, NULL) ? 0 : FAIL;
	session_settings_from_nghttp2(frame->iv, frame->niv, &settings);
	return record_copy(s, PENDING_REMOTE_SETTINGS, 0, 0, &settings, sizeof(settings));
}

static int on_ping(struct h2sess_session *s, const nghttp2_ping *frame)
{
	bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK;

	return record_copy(s, ack ? PENDING_PING_ACK : PENDING_PING, 0, 0, frame->opaque_data,
			   sizeof(frame->opaque_data));
}

static int on_frame(struct h2sess_session *s, const nghttp2_frame *frame, struct h2sess_stream *st)
{
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		return on_headers_end(s, frame, st);
	case NGHTTP2_SETTINGS:
		return on_settings(s, &frame->settings);
	case NGHTTP2_PING:
		return on_ping(s, &frame->ping);
	case NGHTTP2_GOAWAY:
		return record_copy(s, PENDING_GOAWAY, frame->goaway.error_code,
				   frame->goaway.last_stream_id, frame->goaway.opaque_data,
				   frame->goaway.opaque_data_len);
	case NGHTTP2_RST_STREAM:
		return charge_reset(s);
	default:
		return 0;
	}
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
	struct h2sess_session *s = user;
	struct h2sess_stream *st = frame->hd.stream_id ? find(s, frame->hd.stream_id) : NULL;

	(void)ng;
	if (on_frame(s, frame, st) < 0)
		return FAIL;
	if (!st || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
	    (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS))
		return 0;
	st->remote_end = true;
	if (st->end_after_headers)
		return 0; /* its `stream` and its `end` are one record */
	return record(s, PENDING_END, st) ? 0 : FAIL;
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
	(void)ng;
	(void)error;
	if (frame->hd.type == NGHTTP2_HEADERS)
		((struct h2sess_session *)user)->header_since = 0;
	return charge_reset(user);
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
	struct h2sess_session *s = user;
	struct h2sess_stream *st = find(s, id);
	struct pending_event *p;

	if (!st)
		return 0;
	nghttp2_session_set_stream_user_data(ng, id, NULL);
	s->recent = NULL;
	st->closed = true;
	s->n_streams--;
	stream_source_done(st);
	if (code == NGHTTP2_NO_ERROR && st->local_end)
		guard_completed(&s->guard, server_limits(s->loop->server)->reset_burst);
	p = record(s, PENDING_STREAM_CLOSE, st);
	if (!p)
		return FAIL;
	p->code = code;
	return 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

static int on_rst_sent(struct h2sess_session *s, int32_t id)
{
	struct h2sess_stream *st = find(s, id);

	return st && st->our_reset ? 0 : charge_reset(s);
}

static void on_settings_sent(struct h2sess_session *s)
{
	struct list *pos;

	list_for_each(pos, &s->settings) {
		struct session_settings *p = container_of(pos, struct session_settings, link);

		if (p->sent_ns)
			continue;
		p->sent_ns = uv_hrtime();
		p->sent_ms = loop_now(s->loop);
		return;
	}
}

/* nghttp2 says GOAWAY by itself where the peer broke a rule: it will not go on after that. */
static void on_goaway_sent(struct h2sess_session *s, const nghttp2_goaway *frame)
{
	s->sent_goaway_code = frame->error_code;
	if (!s->own_goaways) {
		s->ended_by_nghttp2 = true;
		return;
	}
	s->own_goaways--;
	session_push_goaway_sent(s, s->goaways - s->own_goaways);
}

/* A piece of a response has left: activity, and the end of our half of the stream, or not. */
static void note_response(struct h2sess_session *s, const nghttp2_frame_hd *hd)
{
	struct h2sess_stream *st;

	session_active(s);
	if (!(hd->flags & NGHTTP2_FLAG_END_STREAM) && !s->stream_timeouts)
		return;
	st = find(s, hd->stream_id);
	if (!st)
		return;
	stream_active(st);
	if (!(hd->flags & NGHTTP2_FLAG_END_STREAM))
		return;
	st->local_end = true;
	if (st->reset_at_end)
		nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, hd->stream_id,
					  NGHTTP2_NO_ERROR);
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
	struct h2sess_session *s = user;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_DATA:
		guard_useful(&s->guard, frame->hd.length);
		s->progress_bytes += frame->hd.length;
		note_response(s, &frame->hd);
		return 0;
	case NGHTTP2_HEADERS:
		note_response(s, &frame->hd);
		return 0;
	case NGHTTP2_RST_STREAM:
		return on_rst_sent(s, frame->hd.stream_id);
	case NGHTTP2_SETTINGS:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			on_settings_sent(s);
		s->awaited_acks += !(frame->hd.flags & NGHTTP2_FLAG_ACK);
		return 0;
	case NGHTTP2_PING:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			session_ping_sent(s, frame->ping.opaque_data);
		s->awaited_acks += !(frame->hd.flags & NGHTTP2_FLAG_ACK);
		return 0;
	case NGHTTP2_GOAWAY:
		on_goaway_sent(s, &frame->goaway);
		return 0;
	case NGHTTP2_ALTSVC:
	case NGHTTP2_ORIGIN:
		session_push_sent(s);
		return 0;
	default:
		return 0;
	}
}

/* Node says nothing of a frame that was dropped because its stream or session was closing. */
static bool is_quiet_error(int error)
{
	return error == NGHTTP2_ERR_SESSION_CLOSING || error == NGHTTP2_ERR_STREAM_CLOSED ||
	       error == NGHTTP2_ERR_STREAM_CLOSING;
}

/* Node's translation of nghttp2's own errors to codes of HTTP/2. */
static uint32_t code_of(int error)
{
	switch (error) {
	case NGHTTP2_ERR_FRAME_SIZE_ERROR:
		return H2SESS_FRAME_SIZE_ERROR;
	case NGHTTP2_ERR_HEADER_COMP:
		return H2SESS_COMPRESSION_ERROR;
	case NGHTTP2_ERR_FLOW_CONTROL:
		return H2SESS_FLOW_CONTROL_ERROR;
	case NGHTTP2_ERR_REFUSED_STREAM:
		return H2SESS_REFUSED_STREAM;
	case NGHTTP2_ERR_PROTO:
	case NGHTTP2_ERR_HTTP_HEADER:
	case NGHTTP2_ERR_HTTP_MESSAGING:
		return H2SESS_PROTOCOL_ERROR;
	default:
		return H2SESS_INTERNAL_ERROR;
	}
}

static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
	struct h2sess_session *s = user;
	struct pending_event *p;

	(void)ng;
	if (frame->hd.type == NGHTTP2_ALTSVC || frame->hd.type == NGHTTP2_ORIGIN)
		session_push_not_sent(s, session_reason_of(error));
	if (is_quiet_error(error))
		return 0;
	p = record(s, PENDING_FRAME_ERROR, NULL);
	if (!p)
		return FAIL;
	p->frame_type = frame->hd.type;
	p->stream_id = frame->hd.stream_id;
	p->code = code_of(error);
	return 0;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static int make_callbacks(nghttp2_session_callbacks **ret)
{
	nghttp2_session_callbacks *cbs;

	if (nghttp2_session_callbacks_new(&cbs) != 0)
		return H2SESS_ENOMEM;
	nghttp2_session_callbacks_set_on_begin_frame_callback(cbs, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cbs, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(cbs, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cbs, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cbs, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cbs, on_frame_not_send);
	*ret = cbs;
	return 0;
}

static int make_option(const struct h2sess_limits *limits, nghttp2_option **ret)
{
	nghttp2_option *option;

	if (nghttp2_option_new(&option) != 0)
		return H2SESS_ENOMEM;
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_max_settings(option, limits->max_received_settings);
	nghttp2_option_set_max_deflate_dynamic_table_size(option, 4096);
	*ret = option;
	return 0;
}

int session_frames_init(struct h2sess_session *s)
{
	nghttp2_session_callbacks *cbs = NULL;
	nghttp2_option *option = NULL;
	int r;

	r = make_callbacks(&cbs);
	if (r == 0)
		r = make_option(server_limits(s->loop->server), &option);
	if (r == 0)
		r = session_memory_make(&s->loop->memory, cbs, option, s, &s->ng, &s->table);
	s->table_used = s->table != NULL; /* nghttp2 touches it when it begins */
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cbs);
	return r;
}
