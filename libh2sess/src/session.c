/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live HTTP/2 session: how it begins, turns, and ends.
 *
 * Owns the nghttp2 session and all that hangs from it; belongs to one loop. Called by the
 * connection below (bytes, readiness, the peer's leaving) and by hosts (verbs).
 *
 * Happy path: a connection is accepted -> TLS and ALPN are done: SETTINGS are queued, `session` and
 * `connect` are emitted -> bytes come: nghttp2 eats them, what it recorded is dispatched to
 * listeners -> verbs queue frames and mark the session dirty -> before the loop waits again,
 * session_flush() writes. nghttp2 is never called from one of its own callbacks, and listeners
 * never run inside one.
 *
 * The end has one door: session_fail(). It marks the session; session_finish(), called by the loop
 * between turns, sends the GOAWAY, settles pushes, pings and streams, emits `error` (if there is
 * one) and `close`, and lets the connection go. The memory goes when libuv has closed the timer.
 *
 * Failure modes: a peer that is gone (session_fail), nghttp2 refusing bytes (session_fail with a
 * GOAWAY of ours where nghttp2 queues none), no memory (session_fail), limits (session_limit).
 */
#include "session.h"

#include "memory.h"
#include "server.h"
#include "stream.h"
#include "tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define FRAME_MAX (16384 + 9)
#define FLUSH_ROUNDS 4 /* writes of LOOP_WRITE_MAX in one turn, for the other sessions' sake */
#define UNKNOWN_PROTOCOL_ANSWER                                      \
	"HTTP/1.0 403 Forbidden\r\nContent-Type: text/plain\r\n\r\n" \
	"Unknown ALPN protocol: h2 is expected.\n"

/* Counts up over all servers of the process: the N of a session's id. */
static atomic_uint_fast64_t last_number;

/* ---- identity -------------------------------------------------------------------------------- */

uint64_t session_number(const struct h2sess_session *s)
{
	return s->number;
}

int session_id_parse(const char *id, uint64_t *ret_number)
{
	const char *boot = h2sess_boot_id();
	size_t len = strlen(boot);
	uint64_t number = 0;
	const char *p;

	if (!id || strncmp(id, boot, len) != 0 || id[len] != '-' || id[len + 1] == '0')
		return -1;
	for (p = id + len + 1; *p >= '0' && *p <= '9'; p++) {
		if (number > UINT64_MAX / 10 - 1)
			return -1;
		number = number * 10 + (uint64_t)(*p - '0');
	}
	if (*p || p == id + len + 1)
		return -1;
	*ret_number = number;
	return 0;
}

static int take_number(struct h2sess_session *s)
{
	uint64_t count = atomic_fetch_add(&last_number, 1) + 1;
	int r;

	s->number = count << SESSION_LOOP_BITS | s->loop->index;
	snprintf(s->id, sizeof(s->id), "%s-%llu", h2sess_boot_id(), (unsigned long long)s->number);
	r = session_table_add(&s->loop->table, s->number, s);
	if (r < 0) {
		s->number = 0;
		return r;
	}
	atomic_fetch_add(&s->loop->server->counters.sessions, 1);
	atomic_fetch_add(&s->loop->server->counters.sessions_total, 1);
	return 0;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* Does the control link want to hear of it? */
static bool is_demanded(const struct h2sess_session *s, enum event_id id)
{
	static const uint32_t demands[EVENT_CUSTOM] = {
		[EVENT_STREAM] = SERVER_DEMAND_STREAM,
		[EVENT_PING] = SERVER_DEMAND_PING,
		[EVENT_LOCAL_SETTINGS] = SERVER_DEMAND_LOCAL_SETTINGS,
		[EVENT_REMOTE_SETTINGS] = SERVER_DEMAND_REMOTE_SETTINGS,
	};

	if (!s->loop->hooks)
		return false;
	return !demands[id] || server_demands(s->loop->server, demands[id]);
}

bool session_emit(struct h2sess_session *s, enum event_id id, struct h2sess_event *ev)
{
	bool demanded = is_demanded(s, id);

	if (!demanded && emitter_deaf(&s->emitter, id))
		return false;
	ev->size = sizeof(*ev);
	ev->name = event_name(id);
	ev->server = s->loop->server;
	ev->session = s;
	if (demanded)
		server_hook_event(s->loop, ev);
	return emitter_emit(&s->emitter, id, ev);
}

static void emit_on_server(struct h2sess_session *s, enum event_id id, struct h2sess_event *ev)
{
	ev->size = sizeof(*ev);
	ev->name = event_name(id);
	ev->server = s->loop->server;
	ev->session = s;
	emitter_emit(&s->loop->server->emitter, id, ev);
}

/* ---- ending ---------------------------------------------------------------------------------- */

void session_fail(struct h2sess_session *s, int error, uint32_t code)
{
	if (s->destroyed)
		return;
	s->destroyed = true;
	s->error = error;
	s->code = code;
	list_del(&s->dirty_link);
	list_add_tail(&s->loop->ended, &s->ended_link);
	loop_go_again(s->loop);
}

void session_limit(struct h2sess_session *s, int limit, uint32_t code)
{
	if (s->destroyed)
		return;
	server_count_limit(s->loop->server, (enum limit_id)limit);
	session_fail(s, limit == LIMIT_flood_slack ? H2SESS_EFLOOD : H2SESS_ELIMIT, code);
}

void session_mark_dirty(struct h2sess_session *s)
{
	if (s->destroyed || !s->open || !list_empty(&s->dirty_link))
		return;
	list_add_tail(&s->loop->dirty, &s->dirty_link);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Collect frames into the loop's buffer. Returns how many bytes, or a negative error. */
static ssize_t gather(struct h2sess_session *s)
{
	uint8_t *buf = s->loop->write_buf;
	const uint8_t *data;
	ssize_t n;

	s->gathered = 0;
	while (s->gathered + FRAME_MAX <= LOOP_WRITE_MAX) {
		n = nghttp2_session_mem_send(s->ng, &data);
		if (n < 0)
			return n == NGHTTP2_ERR_NOMEM ? H2SESS_ENOMEM : H2SESS_EPROTOCOL;
		if (n == 0)
			break;
		memcpy(buf + s->gathered, data, (size_t)n);
		s->gathered += (size_t)n;
	}
	return (ssize_t)s->gathered;
}

/* One buffer's worth. Returns 1 when there may be more, 0 when not, or a negative error. */
static int write_round(struct h2sess_session *s)
{
	ssize_t n = gather(s);
	int r;

	if (n < 0)
		return (int)n;
	if (n == 0)
		return session_push_barrier(s) ? 1 : 0;
	s->gathered = 0;
	r = conn_write(s->conn, s->loop->write_buf, (size_t)n);
	if (r < 0)
		return r;
	session_push_written(s);
	return 1;
}

/* Note whether there is data that the peer does not take: session_timers.c gives it some time. */
static void note_stall(struct h2sess_session *s)
{
	bool stalled = conn_blocked(s->conn) || s->n_sources;

	if (!stalled) {
		s->stalled_since = 0;
		return;
	}
	if (s->stalled_since)
		return;
	s->stalled_since = loop_now(s->loop);
	s->progress_bytes = 0;
}

static void count_bytes(struct h2sess_session *s)
{
	struct server_counters *counters = &s->loop->server->counters;

	atomic_fetch_add_explicit(&counters->bytes_received,
				  s->conn->bytes_in - s->bytes_counted_in, memory_order_relaxed);
	atomic_fetch_add_explicit(&counters->bytes_sent, s->conn->produced - s->bytes_counted_out,
				  memory_order_relaxed);
	s->bytes_counted_in = s->conn->bytes_in;
	s->bytes_counted_out = s->conn->produced;
}

/* After a flush: has the session come to its end? */
static void look_for_end(struct h2sess_session *s)
{
	if (s->destroyed)
		return;
	if (s->ended_by_nghttp2 && !nghttp2_session_want_write(s->ng) &&
	    !nghttp2_session_want_read(s->ng))
		session_fail(s, H2SESS_EPROTOCOL, s->sent_goaway_code);
	else if (s->closed && !s->n_streams && !nghttp2_session_want_write(s->ng) &&
		 !conn_blocked(s->conn))
		session_fail(s, 0, H2SESS_NO_ERROR);
}

void session_flush(struct h2sess_session *s)
{
	int rounds = FLUSH_ROUNDS, r = 1;

	if (s->destroyed)
		return;
	session_push_submit(s);
	while (r > 0 && rounds-- > 0 && !conn_blocked(s->conn))
		r = write_round(s);
	session_dispatch(s);
	if (r < 0) {
		session_fail(s, r, H2SESS_INTERNAL_ERROR);
		return;
	}
	if (r > 0 && !conn_blocked(s->conn))
		session_mark_dirty(s); /* its rounds are spent: the others first */
	note_stall(s);
	count_bytes(s);
	look_for_end(s);
	session_timers_update(s);
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* A GOAWAY by hand, for errors at which nghttp2 just stops. */
static void write_goaway(struct h2sess_session *s, uint32_t code)
{
	uint8_t frame[17] = {0, 0, 8, NGHTTP2_GOAWAY, 0, 0, 0, 0, 0};
	uint32_t last = htonl((uint32_t)s->last_stream_id), code_be = htonl(code);

	memcpy(frame + 9, &last, 4);
	memcpy(frame + 13, &code_be, 4);
	if (!conn_blocked(s->conn))
		conn_write(s->conn, frame, sizeof(frame));
}

static void on_receive_error(struct h2sess_session *s, ssize_t error)
{
	static const struct {
		int lib;
		int error;
		uint32_t code;
	} rows[] = {
		{NGHTTP2_ERR_FLOODED, H2SESS_EFLOOD, H2SESS_ENHANCE_YOUR_CALM},
		{NGHTTP2_ERR_TOO_MANY_CONTINUATIONS, H2SESS_EFLOOD, H2SESS_ENHANCE_YOUR_CALM},
		{NGHTTP2_ERR_BAD_CLIENT_MAGIC, H2SESS_EPROTOCOL, H2SESS_PROTOCOL_ERROR},
		{NGHTTP2_ERR_NOMEM, H2SESS_ENOMEM, H2SESS_INTERNAL_ERROR},
		{NGHTTP2_ERR_CALLBACK_FAILURE, H2SESS_ENOMEM, H2SESS_INTERNAL_ERROR},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]) - 1 && rows[i].lib != error; i++)
		;
	if (rows[i].error == H2SESS_EFLOOD)
		server_count_limit(s->loop->server, LIMIT_flood_slack);
	write_goaway(s, rows[i].code);
	s->quiet = true;
	session_fail(s, rows[i].error, rows[i].code);
}

static void check_ledgers(struct h2sess_session *s)
{
	const struct h2sess_limits *limits = server_limits(s->loop->server);

	if (!guard_calm(&s->guard, limits->flood_slack))
		session_limit(s, LIMIT_flood_slack, H2SESS_ENHANCE_YOUR_CALM);
	else if (nghttp2_session_get_outbound_queue_size(s->ng) >
		 limits->max_outbound_queue + 2 * (size_t)limits->max_concurrent_streams)
		session_limit(s, LIMIT_max_outbound_queue, H2SESS_ENHANCE_YOUR_CALM);
}

static void on_conn_data(void *user, const uint8_t *data, size_t len)
{
	struct h2sess_session *s = user;
	ssize_t n;

	if (!s->open)
		return;
	guard_bytes(&s->guard, len, 0, loop_now(s->loop));
	do {
		s->paused = false;
		n = nghttp2_session_mem_recv(s->ng, data, len);
		session_dispatch(s);
		if (n < 0) {
			on_receive_error(s, n);
			return;
		}
		data += n;
		len -= (size_t)n;
	} while (!s->destroyed && (s->paused || (len && n)));
	if (!s->destroyed)
		check_ledgers(s);
	session_mark_dirty(s);
}

static void on_conn_writable(void *user)
{
	struct h2sess_session *s = user;

	session_push_written(s);
	s->stalled_since = 0;
	session_mark_dirty(s);
}

static void on_conn_gone(void *user, int error)
{
	struct h2sess_session *s = user;

	s->quiet = true;
	if (s->open || error != H2SESS_ETLS)
		session_fail(s, error, error ? H2SESS_INTERNAL_ERROR : H2SESS_NO_ERROR);
	else
		session_fail(s, 0, H2SESS_NO_ERROR); /* the handshake failed: never a session */
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void refuse_protocol(struct h2sess_session *s)
{
	struct h2sess_event ev = {0};
	static const char answer[] = UNKNOWN_PROTOCOL_ANSWER;

	emit_on_server(s, EVENT_UNKNOWN_PROTOCOL, &ev);
	server_count_limit(s->loop->server, LIMIT_unknown_protocol_timeout_ms);
	conn_write(s->conn, (const uint8_t *)answer, sizeof(answer) - 1);
	s->quiet = true;
	session_fail(s, 0, H2SESS_NO_ERROR);
}

static int announce_settings(struct h2sess_session *s)
{
	struct h2sess_settings settings;

	server_settings(s->loop->server, &settings);
	return session_settings_submit(s, &settings, NULL, NULL);
}

static int announce_origins(struct h2sess_session *s)
{
	const struct h2sess_server *srv = s->loop->server;

	if (!srv->n_origins || s->destroyed)
		return 0;
	return h2sess_session_origin(s, (const char *const *)srv->origins, srv->n_origins);
}

/* TLS and ALPN are done: it is an HTTP/2 session now. */
static int open_session(struct h2sess_session *s)
{
	struct h2sess_event ev = {0};
	int r;

	r = session_frames_init(s);
	if (r == 0)
		r = session_info_opened(s);
	if (r == 0)
		r = take_number(s);
	if (r < 0)
		return r;
	s->open = true;
	r = announce_settings(s);
	if (r < 0)
		return r;
	s->announced = true;
	emit_on_server(s, EVENT_SESSION, &ev);
	r = announce_origins(s);
	if (r < 0)
		return r;
	if (!s->destroyed)
		session_emit(s, EVENT_CONNECT, &ev);
	session_mark_dirty(s);
	session_timers_update(s);
	return 0;
}

static void on_conn_ready(void *user)
{
	struct h2sess_session *s = user;
	int r;

	s->encrypted = s->conn->ssl != NULL;
	if (s->encrypted && tls_protocol_of(s->conn->ssl) != TLS_PROTOCOL_H2) {
		refuse_protocol(s);
		return;
	}
	r = open_session(s);
	if (r < 0)
		session_fail(s, r, H2SESS_INTERNAL_ERROR);
}

static const struct conn_handler conn_handler = {
	.ready = on_conn_ready,
	.data = on_conn_data,
	.writable = on_conn_writable,
	.gone = on_conn_gone,
};

static void name_address(const struct sockaddr_storage *ss, char text[64], uint16_t *port)
{
	const struct sockaddr_in *v4 = (const void *)ss;
	const struct sockaddr_in6 *v6 = (const void *)ss;

	*port = 0;
	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text, 64);
		*port = ntohs(v4->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		*port = ntohs(v6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
			inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, 64);
		else
			inet_ntop(AF_INET6, &v6->sin6_addr, text, 64);
	} else {
		memcpy(text, "unix", sizeof("unix"));
	}
}

static void note_addresses(struct h2sess_session *s, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	memset(&ss, 0, sizeof(ss));
	getpeername(fd, (struct sockaddr *)&ss, &len);
	name_address(&ss, s->peer_address, &s->peer_port);
	len = sizeof(ss);
	memset(&ss, 0, sizeof(ss));
	getsockname(fd, (struct sockaddr *)&ss, &len);
	name_address(&ss, s->local_address, &s->local_port);
}

static void init(struct h2sess_session *s, struct loop *loop)
{
	s->loop = loop;
	emitter_init(&s->emitter, EMITTER_SESSION);
	s->emitter.forward = &loop->server->emitter;
	s->emitter.forwarded = 1u << EVENT_STREAM | 1u << EVENT_TIMEOUT;
	list_init(&s->dirty_link);
	list_init(&s->ended_link);
	list_init(&s->streams);
	list_init(&s->settings);
	list_init(&s->pings);
	session_push_init(s);
	session_info_init(s);
	s->local_settings.size = sizeof(s->local_settings);
	s->started_at = loop_now(loop);
	s->active_at = loop_now(loop);
	s->timeout_ms = atomic_load(&loop->server->session_timeout_ms);
	guard_init(&s->guard, server_limits(loop->server)->reset_burst, loop_now(loop));
}

int session_new(struct loop *loop, int fd, SSL *ssl, const void *data, size_t len)
{
	struct h2sess_session *s = mem_calloc(1, sizeof(*s));
	int r;

	if (!s)
		return H2SESS_ENOMEM;
	init(s, loop);
	note_addresses(s, fd);
	r = server_peer_opened(loop->server, s->peer_address);
	if (r < 0) {
		mem_free(s);
		return r;
	}
	r = conn_new(loop, fd, ssl, &conn_handler, s, &s->conn);
	if (r < 0) {
		server_peer_closed(loop->server, s->peer_address);
		mem_free(s);
		return r;
	}
	list_add_tail(&loop->sessions, &s->link);
	session_timers_init(s);
	session_timers_update(s);
	r = conn_start(s->conn);
	if (r < 0)
		session_fail(s, r, H2SESS_INTERNAL_ERROR);
	else if (len && !s->destroyed)
		on_conn_data(s, data, len);
	return 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

/* The last GOAWAY; a peer that was never a session gets none. */
static void say_goaway(struct h2sess_session *s)
{
	int rounds = FLUSH_ROUNDS;

	if (!s->open || s->quiet || (s->draining && s->closed && s->code == H2SESS_NO_ERROR))
		return; /* a drain has said it all by its two */
	nghttp2_session_terminate_session(s->ng, s->code);
	while (rounds-- > 0 && !conn_blocked(s->conn) && write_round(s) > 0)
		;
	count_bytes(s);
}

static void finish_streams(struct h2sess_session *s)
{
	uint32_t code = s->code ? s->code : H2SESS_CANCEL;

	while (!list_empty(&s->streams)) {
		struct h2sess_stream *st =
			container_of(s->streams.next, struct h2sess_stream, link);

		if (!st->closed) {
			st->closed = true;
			st->rst_code = st->rst_code ? st->rst_code : code;
			stream_source_done(st);
		}
		stream_finish(st);
	}
	s->n_streams = 0;
}

static void emit_end(struct h2sess_session *s)
{
	struct h2sess_event error = {.error = s->error, .code = s->code};
	struct h2sess_event server_error = error, end = error;

	if (!s->open)
		return;
	if (s->error) {
		emit_on_server(s, EVENT_SESSION_ERROR, &server_error); /* first, as in Node */
		session_emit(s, EVENT_ERROR, &error);
	}
	session_emit(s, EVENT_CLOSE, &end);
}

/* Nobody finds it any more. */
static void leave_table(struct h2sess_session *s)
{
	if (!s->number)
		return;
	session_table_remove(&s->loop->table, s->number);
	atomic_fetch_sub(&s->loop->server->counters.sessions, 1);
}

static void release(struct h2sess_session *s)
{
	struct loop *loop = s->loop;

	nghttp2_session_del(s->ng);
	s->ng = NULL;
	conn_release(s->conn);
	s->conn = NULL;
	session_info_done(s);
	emitter_done(&s->emitter);
	list_del(&s->link);
	server_peer_closed(loop->server, s->peer_address);
	s->timer_open = false;
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
	if (list_empty(&loop->sessions))
		server_look_for_end(loop->server);
}

void session_finish(struct h2sess_session *s)
{
	leave_table(s);
	say_goaway(s);
	session_forget(s->loop);
	session_push_done(s);
	session_pings_done(s);
	session_settings_done(s);
	finish_streams(s);
	emit_end(s);
	release(s);
}

/* ---- verbs ----------------------------------------------------------------------------------- */

int h2sess_session_destroy(struct h2sess_session *s, uint32_t code)
{
	session_fail(s, code ? H2SESS_ESESSIONERROR : 0, code);
	return 0;
}

static int submit_goaway(struct h2sess_session *s, uint32_t code, int32_t last, const void *data,
			 size_t len)
{
	session_push_submit(s); /* what was pushed before stands before it on the wire */
	switch (nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, last, code, data, len)) {
	case 0:
		s->own_goaways++;
		session_mark_dirty(s);
		return 0;
	case NGHTTP2_ERR_NOMEM:
		return H2SESS_ENOMEM;
	default:
		return H2SESS_EINVAL;
	}
}

int h2sess_session_goaway(struct h2sess_session *s, uint32_t code, int32_t last_stream_id,
			  const void *data, size_t len)
{
	int r;

	if (s->destroyed)
		return H2SESS_EDESTROYED;
	if (!s->open)
		return H2SESS_ESTATE;
	if (len > H2SESS_GOAWAY_DATA_MAX || (len && !data))
		return H2SESS_EINVAL;
	if (last_stream_id <= 0)
		last_stream_id = nghttp2_session_get_last_proc_stream_id(s->ng);
	if ((last_stream_id && last_stream_id % 2 == 0) || last_stream_id > s->sent_last_stream_id)
		return H2SESS_ERANGE;
	r = submit_goaway(s, code, last_stream_id, data, len);
	if (r == 0)
		s->sent_last_stream_id = last_stream_id;
	return r;
}

int h2sess_session_close(struct h2sess_session *s)
{
	if (s->destroyed || s->closed)
		return 0;
	session_push_submit(s); /* what was pushed before is sent (row 31 of Node's) */
	s->closed = true;
	if (!s->open)
		session_fail(s, 0, H2SESS_NO_ERROR);
	else if (h2sess_session_goaway(s, H2SESS_NO_ERROR, 0, NULL, 0) == H2SESS_ENOMEM)
		session_fail(s, H2SESS_ENOMEM, H2SESS_INTERNAL_ERROR);
	session_mark_dirty(s);
	return 0;
}

static void on_drain_ping(struct h2sess_session *s, int error, uint64_t us, const uint8_t *payload,
			  void *user)
{
	(void)us;
	(void)payload;
	(void)user;
	if (!error)
		h2sess_session_close(s);
}

#define DRAIN_NOTICE_MS 1000 /* at most this long between the two GOAWAYs of a drain */

int h2sess_session_drain(struct h2sess_session *s, uint32_t deadline_ms)
{
	if (s->destroyed)
		return H2SESS_EDESTROYED;
	if (deadline_ms != UINT32_MAX)
		s->drain_at = loop_now(s->loop) + deadline_ms;
	if (s->draining || s->closed || !s->open) {
		session_timers_update(s);
		return s->open ? 0 : h2sess_session_close(s);
	}
	s->draining = true;
	session_push_submit(s);
	if (nghttp2_submit_shutdown_notice(s->ng) != 0)
		return H2SESS_ENOMEM;
	s->own_goaways++;
	s->drain_close_at = loop_now(s->loop) + DRAIN_NOTICE_MS;
	if (h2sess_session_ping(s, NULL, 0, on_drain_ping, NULL) < 0)
		h2sess_session_close(s);
	session_mark_dirty(s);
	session_timers_update(s);
	return 0;
}

int h2sess_session_set_local_window_size(struct h2sess_session *s, int32_t bytes)
{
	if (s->destroyed || !s->open)
		return H2SESS_EDESTROYED;
	if (bytes < 0)
		return H2SESS_ERANGE;
	if (nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0, bytes) != 0)
		return H2SESS_ENOMEM;
	session_mark_dirty(s);
	return 0;
}

int h2sess_session_set_next_stream_id(struct h2sess_session *s, uint32_t id)
{
	if (s->destroyed || !s->open)
		return H2SESS_EDESTROYED;
	if (id == 0 || id % 2 || id > H2SESS_STREAM_ID_MAX ||
	    id <= nghttp2_session_get_next_stream_id(s->ng))
		return H2SESS_ERANGE;
	return nghttp2_session_set_next_stream_id(s->ng, (int32_t)id) != 0 ? H2SESS_ERANGE : 0;
}

void session_drain_all(struct loop *loop, uint32_t deadline_ms)
{
	struct list *pos;

	list_for_each(pos, &loop->sessions)
		h2sess_session_drain(container_of(pos, struct h2sess_session, link), deadline_ms);
}

void session_destroy_all(struct loop *loop)
{
	struct list *pos;

	list_for_each(pos, &loop->sessions)
		session_fail(container_of(pos, struct h2sess_session, link), 0, H2SESS_NO_ERROR);
}
