/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's deadlines, on one timer.
 *
 * Each deadline is a row: when it is due, as of what the session has noted, and what happens then.
 * The timer is armed for the nearest one and not touched by activity: when it fires early, because
 * things have moved on meanwhile, it is armed again. So a request costs no timer work.
 *
 * nghttp2 has no timers at all (half-open connections, header blocks that dribble, SETTINGS never
 * acknowledged, peers that stop reading): these are ours, with the names of limits.def.
 */
#include "memory.h"
#include "server.h"
#include "session.h"
#include "stream.h"

#define OFF UINT32_MAX
#define NEVER UINT64_MAX
#define REST_AFTER_MS 2000  /* without activity: the page of the table of streams goes back */
#define PROGRESS_BYTES 1024 /* fewer than this in limits.write_timeout_ms is no progress */

static uint64_t after(uint64_t since, uint32_t ms)
{
	return ms == OFF ? NEVER : since + ms;
}

/* ---- when
 * ---------------------------------------------------------------------------------------- */

static uint64_t preface_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	return s->preface ? NEVER : after(s->started_at, limits->handshake_timeout_ms);
}

static uint64_t header_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	return s->header_since ? after(s->header_since, limits->header_timeout_ms) : NEVER;
}

static uint64_t settings_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	struct session_settings *oldest;

	if (list_empty(&s->settings))
		return NEVER;
	oldest = container_of(s->settings.next, struct session_settings, link);
	return oldest->sent_ns ? after(oldest->sent_ms, limits->settings_timeout_ms) : NEVER;
}

static uint64_t idle_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	return s->n_streams ? NEVER : after(s->active_at, limits->idle_timeout_ms);
}

static uint64_t write_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	return s->stalled_since ? after(s->stalled_since, limits->write_timeout_ms) : NEVER;
}

static uint64_t timeout_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	(void)limits;
	return s->timeout_ms ? after(s->active_at, s->timeout_ms) : NEVER;
}

static uint64_t keepalive_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	if (limits->keepalive_ms == OFF || !s->open)
		return NEVER;
	return s->keepalive_sent_at ? after(s->keepalive_sent_at, limits->keepalive_timeout_ms)
				    : after(s->heard_at, limits->keepalive_ms);
}

static uint64_t drain_notice_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	(void)limits;
	return s->drain_close_at && !s->closed ? s->drain_close_at : NEVER;
}

static uint64_t drain_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	(void)limits;
	return s->drain_at ? s->drain_at : NEVER;
}

static uint64_t push_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	uint64_t left = session_push_expire(s);

	(void)limits;
	return left == NEVER ? NEVER : loop_now(s->loop) + left;
}

static uint64_t rest_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	(void)limits;
	if (!s->table_used || s->n_streams)
		return NEVER;
	return s->active_at + REST_AFTER_MS;
}

static uint64_t stream_due(const struct h2sess_stream *st)
{
	return st->timeout_ms && !st->closed ? st->active_at + st->timeout_ms : NEVER;
}

static uint64_t streams_due(struct h2sess_session *s, const struct h2sess_limits *limits)
{
	uint64_t nearest = NEVER;
	struct list *pos;

	(void)limits;
	if (!s->stream_timeouts)
		return NEVER;
	list_for_each(pos, &s->streams) {
		uint64_t due = stream_due(container_of(pos, struct h2sess_stream, link));

		if (due < nearest)
			nearest = due;
	}
	return nearest;
}

/* ---- what then
 * ----------------------------------------------------------------------------------- */

static void on_preface(struct h2sess_session *s)
{
	session_limit(s, LIMIT_handshake_timeout_ms, H2SESS_PROTOCOL_ERROR);
}

static void on_header(struct h2sess_session *s)
{
	session_limit(s, LIMIT_header_timeout_ms, H2SESS_PROTOCOL_ERROR);
}

static void on_settings(struct h2sess_session *s)
{
	session_limit(s, LIMIT_settings_timeout_ms, H2SESS_SETTINGS_TIMEOUT);
}

static void on_idle(struct h2sess_session *s)
{
	session_end_by(s, LIMIT_idle_timeout_ms, 0, H2SESS_NO_ERROR);
}

/* Bytes have moved since the stall was seen: the clock starts again. */
static void on_write(struct h2sess_session *s)
{
	if (s->progress_bytes >= PROGRESS_BYTES) {
		s->progress_bytes = 0;
		s->stalled_since = loop_now(s->loop);
		return;
	}
	session_limit(s, LIMIT_write_timeout_ms, H2SESS_ENHANCE_YOUR_CALM);
}

/* Node: no listener, here or on the server, and the session is destroyed. */
static void on_timeout(struct h2sess_session *s)
{
	struct h2sess_event ev = {0};

	session_active(s); /* the next one comes a whole period later */
	if (!session_emit(s, EVENT_TIMEOUT, &ev))
		session_fail(s, 0, H2SESS_NO_ERROR);
}

/* A PING goes out, and whatever comes back is a sign of life; nothing is the end. */
static void on_keepalive(struct h2sess_session *s)
{
	static const uint8_t payload[H2SESS_PING_LENGTH] = "h2sess?";

	if (s->keepalive_sent_at) {
		session_end_by(s, LIMIT_keepalive_timeout_ms, H2SESS_ETIMEOUT, H2SESS_NO_ERROR);
		return;
	}
	server_count_limit(s->loop->server, LIMIT_keepalive_ms);
	s->keepalive_sent_at = loop_now(s->loop);
	if (nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, payload) != 0)
		session_fail(s, H2SESS_ENOMEM, H2SESS_INTERNAL_ERROR);
}

static void on_drain_notice(struct h2sess_session *s)
{
	h2sess_session_close(s);
}

static void on_drain(struct h2sess_session *s)
{
	session_fail(s, 0, H2SESS_NO_ERROR);
}

static void on_rest(struct h2sess_session *s)
{
	s->table_used = false;
	session_memory_rest(&s->loop->memory, s->table);
}

static void on_push(struct h2sess_session *s)
{
	session_push_report(s);
}

static void on_streams(struct h2sess_session *s)
{
	struct h2sess_event ev = {0};
	struct list *pos, *following;

	list_for_each_safe(pos, following, &s->streams) {
		struct h2sess_stream *st = container_of(pos, struct h2sess_stream, link);

		if (stream_due(st) > loop_now(s->loop))
			continue;
		stream_active(st);
		if (!stream_emit(st, EVENT_TIMEOUT, &ev))
			h2sess_stream_close(st, H2SESS_CANCEL);
		if (s->destroyed)
			return;
	}
}

static const struct {
	uint64_t (*due)(struct h2sess_session *s, const struct h2sess_limits *limits);
	void (*act)(struct h2sess_session *s);
} rows[] = {
	{preface_due, on_preface},     {header_due, on_header},
	{settings_due, on_settings},   {idle_due, on_idle},
	{write_due, on_write},	       {timeout_due, on_timeout},
	{keepalive_due, on_keepalive}, {drain_notice_due, on_drain_notice},
	{drain_due, on_drain},	       {push_due, on_push},
	{streams_due, on_streams},     {rest_due, on_rest},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* ---- the timer
 * ----------------------------------------------------------------------------------- */

static uint64_t nearest_due(struct h2sess_session *s)
{
	const struct h2sess_limits *limits = server_limits(s->loop->server);
	uint64_t nearest = NEVER;
	size_t i;

	for (i = 0; i < ROWS; i++) {
		uint64_t due = rows[i].due(s, limits);

		if (due < nearest)
			nearest = due;
	}
	return nearest;
}

static void on_timer(uv_timer_t *timer)
{
	struct h2sess_session *s = timer->data;
	const struct h2sess_limits *limits = server_limits(s->loop->server);
	size_t i;

	s->timer_due = NEVER;
	for (i = 0; i < ROWS && !s->destroyed; i++) {
		if (rows[i].due(s, limits) <= loop_now(s->loop))
			rows[i].act(s);
	}
	session_push_report(s);
	session_mark_dirty(s); /* the flush arms the timer again */
}

void session_timers_update(struct h2sess_session *s)
{
	uint64_t due, now = loop_now(s->loop);

	if (s->destroyed || !s->timer_open)
		return;
	due = nearest_due(s);
	if (due >= s->timer_due)
		return;
	s->timer_due = due;
	uv_timer_start(&s->timer, on_timer, due > now ? due - now : 0, 0);
}

void session_timers_init(struct h2sess_session *s)
{
	uv_timer_init(&s->loop->uv, &s->timer);
	s->timer.data = s;
	s->timer_open = true;
	s->timer_due = NEVER;
}

int h2sess_session_set_timeout(struct h2sess_session *s, uint32_t ms)
{
	if (s->destroyed)
		return H2SESS_EDESTROYED;
	s->timeout_ms = ms == OFF ? 0 : ms;
	session_active(s);
	session_timers_update(s);
	return 0;
}
