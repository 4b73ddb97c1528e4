/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's bytes: what nghttp2 has to say goes out, what came in goes to nghttp2.
 *
 * Called by the connection below (session.c hands its calls on) and by the loop, which flushes what
 * is dirty before it waits. nghttp2 is never called from one of its own callbacks, and listeners
 * never run inside one: what it recorded is dispatched here, after it has returned.
 *
 * Happy path: bytes come -> nghttp2 eats them -> what it recorded goes to the listeners -> verbs
 * queue frames and mark the session dirty -> the flush gathers them into the loop's buffer and
 * writes it, a few buffers a turn.
 *
 * Failure modes: nghttp2 refuses the bytes (session_fail, with a GOAWAY of ours where it queues
 * none), the write fails (session_fail), a flood or a backlog (session_limit).
 */
#include "memory.h"
#include "server.h"
#include "session.h"

#include <arpa/inet.h>
#include <string.h>

#define FRAME_MAX (16384 + 9)
#define FLUSH_ROUNDS 4 /* writes of LOOP_WRITE_MAX in one turn, for the other sessions' sake */

/* ---- sending --------------------------------------------------------------------------------- */

/*
 * Collect frames into the loop's buffer, behind those that are there, and behind the last one the
 * PING that pushes wait for: it leaves in the same write. Returns how many bytes, or a negative
 * error.
 */
static ssize_t gather(struct h2sess_session *s)
{
	size_t failures = s->loop->memory.failures;
	uint8_t *buf = s->loop->write_buf;
	const uint8_t *data;
	ssize_t n;

	while (s->gathered + FRAME_MAX <= LOOP_WRITE_MAX) {
		n = s->drained ? 0 : nghttp2_session_mem_send(s->ng, &data);
		if (s->loop->memory.failures != failures)
			n = NGHTTP2_ERR_NOMEM;
		if (n < 0)
			return n == NGHTTP2_ERR_NOMEM ? H2SESS_ENOMEM : H2SESS_EPROTOCOL;
		if (n == 0 && session_push_barrier(s))
			continue;
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
	ssize_t n;
	int r;

	session_push_barrier(s);
	n = gather(s);
	s->gathered = 0;
	if (n <= 0)
		return (int)n;
	r = conn_write(s->conn, s->loop->write_buf, (size_t)n);
	if (r < 0)
		return r;
	session_push_written(s);
	return (size_t)n + FRAME_MAX > LOOP_WRITE_MAX; /* else nghttp2 has said all */
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

static void count_requests(struct h2sess_session *s, uint64_t n)
{
	if (n)
		atomic_fetch_add_explicit(&s->loop->server->counters.streams_total, n,
					  memory_order_relaxed);
}

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

/* nghttp2 is in no state to be asked again, or the peer is gone. */
static void on_send_error(struct h2sess_session *s, int error)
{
	s->quiet = true;
	if (error == H2SESS_ENOMEM)
		write_goaway(s, H2SESS_INTERNAL_ERROR);
	session_fail(s, error, H2SESS_INTERNAL_ERROR);
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
	session_push_flush(s);
	while (r > 0 && rounds-- > 0 && !conn_blocked(s->conn))
		r = write_round(s);
	s->drained = r == 0 && (s->drained || nghttp2_session_want_read(s->ng));
	session_dispatch(s);
	if (r < 0) {
		on_send_error(s, r);
		return;
	}
	if (r > 0 && !conn_blocked(s->conn))
		session_mark_dirty(s); /* its rounds are spent: the others first */
	note_stall(s);
	count_bytes(s);
	look_for_end(s);
	session_timers_update(s);
}

/* The last GOAWAY; a peer that was never a session gets none. */
void session_send_goaway(struct h2sess_session *s)
{
	int rounds = FLUSH_ROUNDS;

	if (!s->open || s->quiet || (s->draining && s->closed && s->code == H2SESS_NO_ERROR))
		return; /* a drain has said it all by its two */
	nghttp2_session_terminate_session(s->ng, s->code);
	s->drained = false;
	while (rounds-- > 0 && !conn_blocked(s->conn) && write_round(s) > 0)
		;
	count_bytes(s);
}

/* ---- receiving ------------------------------------------------------------------------------- */

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

void session_receive(struct h2sess_session *s, const uint8_t *data, size_t len)
{
	size_t failures = s->loop->memory.failures;
	uint64_t requests;
	ssize_t n;

	if (!s->open)
		return;
	guard_received(&s->guard, len, loop_now(s->loop));
	s->heard_at = loop_now(s->loop);
	s->keepalive_sent_at = 0;
	s->loop->read_ns = 0;
	do {
		s->paused = false;
		requests = s->streams_total;
		n = nghttp2_session_mem_recv(s->ng, data, len);
		count_requests(s, s->streams_total - requests);
		if (s->loop->memory.failures != failures)
			n = NGHTTP2_ERR_NOMEM; /* nghttp2 may go on, deaf, with no GOAWAY */
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
