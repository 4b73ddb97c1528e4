/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live HTTP/2 session: how it begins and how it ends.
 *
 * Owns the nghttp2 session and all that hangs from it; belongs to one loop. Called by the
 * connection below (readiness, bytes, the peer's leaving) and by the loop.
 *
 * Happy path: a connection is accepted -> TLS and ALPN are done: SETTINGS are queued, `session` and
 * `connect` are emitted -> bytes go both ways (session_io.c), the host calls verbs
 * (session_verbs.c) -> the end.
 *
 * The end has one door: session_fail(). It marks the session; session_finish(), called by the loop
 * between turns, sends the GOAWAY, settles pushes, pings and streams, emits `error` (if there is
 * one) and `close`, and lets the connection go. The memory goes when libuv has closed the timer.
 *
 * Failure modes: a peer that is gone, no memory (session_fail), limits (session_limit).
 */
#include "session.h"

#include "memory.h"
#include "policy.h"
#include "proxy_header.h"
#include "server.h"
#include "server_origins.h"
#include "stream.h"
#include "tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>

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

uint64_t session_last_number(void)
{
	return atomic_load(&last_number) << SESSION_LOOP_BITS | ((1u << SESSION_LOOP_BITS) - 1);
}

void h2sess_session_id_of(uint64_t number, char buf[H2SESS_SESSION_ID_MAX])
{
	snprintf(buf, H2SESS_SESSION_ID_MAX, "%s-%llu", h2sess_boot_id(),
		 (unsigned long long)number);
}

static int take_number(struct h2sess_session *s)
{
	uint64_t count = atomic_fetch_add(&last_number, 1) + 1;
	int r;

	s->number = count << SESSION_LOOP_BITS | s->loop->index;
	h2sess_session_id_of(s->number, s->id);
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

bool session_emit_custom(struct h2sess_session *s, const char *name, const void *data, size_t len)
{
	struct h2sess_event ev = {.size = sizeof(ev),
				  .name = name,
				  .server = s->loop->server,
				  .session = s,
				  .data = data,
				  .len = len};

	server_hook_event(s->loop, &ev);
	return emitter_emit(&s->emitter, EVENT_CUSTOM, &ev);
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

void session_end_by(struct h2sess_session *s, int limit, int error, uint32_t code)
{
	if (s->destroyed)
		return;
	server_count_limit(s->loop->server, (enum limit_id)limit);
	s->ended_by = (uint8_t)(limit + 1);
	session_fail(s, error, code);
}

void session_limit(struct h2sess_session *s, int limit, uint32_t code)
{
	session_end_by(s, limit, limit == LIMIT_flood_slack ? H2SESS_EFLOOD : H2SESS_ELIMIT, code);
}

void session_mark_pushing(struct h2sess_session *s)
{
	if (s->destroyed || !s->open || !list_empty(&s->dirty_link))
		return;
	list_add_tail(&s->loop->dirty, &s->dirty_link);
}

void session_mark_dirty(struct h2sess_session *s)
{
	s->drained = false;
	session_mark_pushing(s);
}

/* ---- what the connection tells --------------------------------------------------------------- */

static void on_conn_data(void *user, const uint8_t *data, size_t len)
{
	session_receive(user, data, len);
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
	s->unknown_protocol = true;
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
	struct origin_list *list = s->destroyed ? NULL : server_origins(s->loop->server);
	int r = 0;

	if (list)
		r = h2sess_session_origin(s, (const char *const *)list->origins, list->n);
	origin_list_unref(list);
	return r;
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
	if (s->loop->policies)
		session_policy_apply(s, false);
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
	if (s->encrypted)
		s->certificate = SSL_get_certificate(s->conn->ssl);
	r = open_session(s);
	if (r < 0)
		session_fail(s, r, H2SESS_INTERNAL_ERROR);
}

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

/* A balancer has said for whom it speaks: that is the peer from here on. */
static int on_conn_proxied(void *user, const struct proxy_addresses *addresses)
{
	struct h2sess_session *s = user;
	int r;

	if (addresses->known) {
		name_address(&addresses->source, s->peer_address, &s->peer_port);
		name_address(&addresses->destination, s->local_address, &s->local_port);
	}
	r = server_peer_named(s->loop->server, s->peer_address);
	s->peer_counted = r == 0;
	return r;
}

/*
 * What came is answered before the next connection is read, not at the end of the turn: its streams
 * are in the processor's cache, and their memory serves the next session's.
 */
static void on_conn_read(void *user)
{
	struct h2sess_session *s = user;

	if (list_empty(&s->dirty_link))
		return;
	list_del(&s->dirty_link);
	session_flush(s);
}

static const struct conn_handler conn_handler = {
	.proxied = on_conn_proxied,
	.ready = on_conn_ready,
	.data = on_conn_data,
	.read = on_conn_read,
	.writable = on_conn_writable,
	.gone = on_conn_gone,
};

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

/* The host has emitted `error` and nobody listens: Node would throw. */
static void on_unheard_error(struct h2sess_emitter *e)
{
	struct h2sess_session *s = container_of(e, struct h2sess_session, emitter);

	server_log(s->loop->server, LOG_WARNING, "session %s: nobody listens for its error", s->id);
	session_fail(s, H2SESS_ESESSIONERROR, H2SESS_INTERNAL_ERROR);
}

static void init(struct h2sess_session *s, struct loop *loop)
{
	s->loop = loop;
	emitter_init(&s->emitter, EMITTER_SESSION);
	s->emitter.unheard_error = on_unheard_error;
	s->emitter.forward = &loop->server->emitter;
	s->emitter.forwarded = 1u << EVENT_STREAM | 1u << EVENT_TIMEOUT;
	list_init(&s->dirty_link);
	list_init(&s->policy_link);
	list_init(&s->ended_link);
	list_init(&s->streams);
	list_init(&s->settings);
	list_init(&s->pings);
	session_push_init(s);
	session_info_init(s);
	s->local_settings.size = sizeof(s->local_settings);
	s->started_at = loop_now(loop);
	s->active_at = loop_now(loop);
	s->stream_at = loop_now(loop);
	s->heard_at = loop_now(loop);
	s->timeout_ms = atomic_load(&loop->server->session_timeout_ms);
	guard_init(&s->guard, server_limits(loop->server)->reset_burst, loop_now(loop));
}

/* Counted for its address, unless that is still to come. */
static const char *counted_address(const struct h2sess_session *s)
{
	return s->peer_counted ? s->peer_address : NULL;
}

/* A session of a connection that is not started yet. fd and ssl are taken on success only. */
static int make(struct loop *loop, int fd, SSL *ssl, bool accepted, struct h2sess_session **ret)
{
	struct h2sess_session *s = mem_calloc(1, sizeof(*s));
	bool proxied;
	int r;

	if (!s)
		return H2SESS_ENOMEM;
	init(s, loop);
	note_addresses(s, fd);
	proxied = accepted && server_expects_proxy(loop->server, s->peer_address);
	s->peer_counted = !proxied;
	r = server_peer_opened(loop->server, counted_address(s));
	if (r < 0) {
		mem_free(s);
		return r;
	}
	r = conn_new(loop, fd, ssl, &conn_handler, s, &s->conn);
	if (r < 0) {
		server_peer_closed(loop->server, counted_address(s));
		mem_free(s);
		return r;
	}
	list_add_tail(&loop->sessions, &s->link);
	session_timers_init(s);
	session_timers_update(s);
	if (proxied && conn_expect_proxy(s->conn) < 0)
		session_fail(s, H2SESS_ENOMEM, H2SESS_INTERNAL_ERROR);
	*ret = s;
	return 0;
}

static void start(struct h2sess_session *s)
{
	int r = s->destroyed ? 0 : conn_start(s->conn);

	if (r < 0)
		session_fail(s, r, H2SESS_INTERNAL_ERROR);
}

int session_new(struct loop *loop, int fd, SSL *ssl, const void *data, size_t len)
{
	struct h2sess_session *s;
	int r = make(loop, fd, ssl, false, &s);

	if (r < 0)
		return r;
	start(s);
	if (len && !s->destroyed)
		session_receive(s, data, len);
	return 0;
}

int session_accept(struct loop *loop, int fd, SSL *ssl)
{
	struct h2sess_session *s;
	int r = make(loop, fd, ssl, true, &s);

	if (r == 0)
		start(s);
	return r;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
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
	s->recent = NULL;
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
	if (s->announced && s->loop->server->session_end)
		s->loop->server->session_end(s, s->loop->server->end_user);
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
	if (s->unknown_protocol)
		conn_release_unknown(s->conn);
	else
		conn_release(s->conn);
	s->conn = NULL;
	s->certificate = NULL;
	session_info_done(s);
	emitter_done(&s->emitter);
	list_del(&s->link);
	server_peer_closed(loop->server, counted_address(s));
	s->timer_open = false;
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
	if (list_empty(&loop->sessions))
		server_look_for_end(loop->server);
}

void session_finish(struct h2sess_session *s)
{
	leave_table(s);
	session_send_goaway(s);
	session_forget(s->loop);
	list_del(&s->policy_link);
	session_push_done(s);
	session_policy_done(s);
	session_pings_done(s);
	session_settings_done(s);
	finish_streams(s);
	emit_end(s);
	release(s);
}
