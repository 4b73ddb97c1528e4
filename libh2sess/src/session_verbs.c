/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host can do to a session as a whole: say GOAWAY, close it, drain it, destroy it, set its
 * windows.
 *
 * Happy path of an end: close (Node's single GOAWAY) or drain (RFC 9113 6.8's two phases: a notice,
 * a round trip or DRAIN_NOTICE_MS, then as close) -> streams end -> session_io.c sees that nothing is
 * open any more -> session_fail().
 *
 * Failure modes: a session that has ended (H2SESS_EDESTROYED), is not open yet (H2SESS_ESTATE), values
 * that RFC 9113 forbids (H2SESS_ERANGE), no memory.
 */
#include "server.h"
#include "session.h"

int h2sess_session_destroy(struct h2sess_session *s, uint32_t code)
{
	session_fail(s, code ? H2SESS_ESESSIONERROR : 0, code);
	return 0;
}

int session_goaway_submit(struct h2sess_session *s, uint32_t code, int32_t last, const void *data,
			  size_t len)
{
	switch (nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, last, code, data, len)) {
	case 0:
		s->goaways++;
		s->own_goaways++;
		s->sent_last_stream_id = last;
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
	session_push_submit(s); /* what was pushed before stands before it on the wire */
	return session_goaway_submit(s, code, last_stream_id, data, len);
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
	if (error)
		return;
	if (s->barrier_flying)
		s->close_at_barrier = true; /* somebody wants to know that the notice was read */
	else
		h2sess_session_close(s);
}

#define DRAIN_NOTICE_MS 1000 /* at most this long between the two GOAWAYs of a drain */

int session_drain_begin(struct h2sess_session *s)
{
	if (nghttp2_submit_shutdown_notice(s->ng) != 0)
		return H2SESS_ENOMEM;
	s->draining = true;
	s->goaways++;
	s->own_goaways++;
	s->drain_close_at = loop_now(s->loop) + DRAIN_NOTICE_MS;
	if (h2sess_session_ping(s, NULL, 0, on_drain_ping, NULL) < 0)
		h2sess_session_close(s);
	session_mark_dirty(s);
	session_timers_update(s);
	return 0;
}

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
	session_push_submit(s); /* what was pushed before stands before it on the wire */
	return session_drain_begin(s);
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

void session_drain_quiet(struct loop *loop, uint32_t quiet_ms, uint32_t deadline_ms)
{
	struct list *pos;

	list_for_each(pos, &loop->sessions) {
		struct h2sess_session *s = container_of(pos, struct h2sess_session, link);

		if (s->open && !s->draining && loop_now(loop) - s->stream_at >= quiet_ms)
			h2sess_session_drain(s, deadline_ms);
	}
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
