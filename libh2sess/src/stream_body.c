/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A response's body on its way to nghttp2.
 *
 * Owns what is written and not sent (the outbox), the host's pull source, the file. Called by nghttp2
 * when the peer's windows allow a piece (read_source), and by hosts: write, end, resume_source.
 *
 * Happy path: write() as much as it likes, waits for `drain`, and end() -> nghttp2 asks for pieces ->
 * the last one closes the half of the stream, or, where that was asked for, `wantTrailers` is
 * emitted. When there is nothing now, nghttp2 waits (DEFERRED) until there is.
 *
 * Failure modes: write after end, a host that does not heed backpressure (limits.max_write_buffer), a
 * source or a file that fails, or is shorter than was said (reset with INTERNAL_ERROR).
 */
#include "memory.h"
#include "server.h"
#include "session.h"
#include "session_events.h"
#include "stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- the body, as nghttp2 asks for it -------------------------------------------------------- */

static void record(struct h2sess_stream *st, enum pending_kind kind)
{
	/* without memory the listener waits in vain; the session's timers bound that */
	loop_pending_add(st->session->loop, kind, st);
}

static size_t take_chunk(struct h2sess_stream *st, uint8_t *buf, size_t len)
{
	struct chunk *chunk = container_of(st->outbox.next, struct chunk, link);
	size_t n = chunk->len - chunk->offset;

	if (n > len)
		n = len;
	memcpy(buf, chunk->data + chunk->offset, n);
	chunk->offset += n;
	st->buffered -= n;
	st->session->memory -= n;
	if (chunk->offset == chunk->len) {
		list_del(&chunk->link);
		chunk_free(st->session, chunk);
	}
	return n;
}

static ssize_t read_buffer(struct h2sess_stream *st, uint8_t *buf, size_t len, bool *ret_eof)
{
	size_t n = 0;

	while (n < len && !list_empty(&st->outbox))
		n += take_chunk(st, buf + n, len - n);
	if (st->want_drain && st->buffered < STREAM_LOW_WATER) {
		st->want_drain = false;
		record(st, PENDING_DRAIN);
	}
	*ret_eof = st->ended && list_empty(&st->outbox);
	return (ssize_t)n;
}

static ssize_t read_pull(struct h2sess_stream *st, uint8_t *buf, size_t len, bool *ret_eof)
{
	ssize_t n = st->pull(buf, len, ret_eof, st->pull_user);

	return n > (ssize_t)len ? H2SESS_EINVAL : n;
}

static ssize_t read_fd(struct h2sess_stream *st, uint8_t *buf, size_t len, bool *ret_eof)
{
	ssize_t n;

	if (st->fd_left >= 0 && (int64_t)len > st->fd_left)
		len = (size_t)st->fd_left;
	do {
		n = len ? pread(st->fd, buf, len, st->fd_offset) : 0;
	} while (n < 0 && errno == EINTR);
	if (n < 0 || (n == 0 && st->fd_left > 0))
		return H2SESS_EIO;
	st->fd_offset += n;
	if (st->fd_left >= 0)
		st->fd_left -= n;
	*ret_eof = st->fd_left == 0 || (st->fd_left < 0 && n == 0);
	return n;
}

/* The end of the body: trailers may follow, or the stream's half is closed. */
static void end_body(struct h2sess_stream *st, uint32_t *flags)
{
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	st->ended = true;
	if (!st->want_trailers)
		return;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	record(st, PENDING_WANT_TRAILERS);
}

ssize_t stream_read_source(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t len,
			   uint32_t *flags, nghttp2_data_source *source, void *user)
{
	static ssize_t (*const readers[])(struct h2sess_stream *, uint8_t *, size_t, bool *) = {
		[SOURCE_BUFFER] = read_buffer, [SOURCE_PULL] = read_pull, [SOURCE_FD] = read_fd};
	struct h2sess_stream *st = source->ptr;
	bool eof = false;
	ssize_t n;

	(void)ng;
	(void)id;
	(void)user;
	if (st->destroyed)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	st->session->recent = st; /* the DATA frame's callbacks follow */
	n = readers[st->source](st, buf, len, &eof);
	if (n < 0) {
		st->our_reset = true;
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* INTERNAL_ERROR */
	}
	if (eof) {
		end_body(st, flags);
		stream_source_done(st);
	} else if (n == 0) {
		st->deferred = true;
		st->session->n_sources--;
		return NGHTTP2_ERR_DEFERRED;
	}
	st->bytes_sent += (uint64_t)n;
	return n;
}

void stream_source_done(struct h2sess_stream *st)
{
	struct list *link;

	if (st->source == SOURCE_NONE)
		return;
	if (!st->deferred)
		st->session->n_sources--;
	while ((link = list_pop(&st->outbox)))
		chunk_free(st->session, container_of(link, struct chunk, link));
	st->session->memory -= st->buffered;
	st->buffered = 0;
	if (st->source == SOURCE_PULL && st->pull_free)
		st->pull_free(st->pull_user);
	if (st->fd >= 0)
		close(st->fd);
	st->fd = -1;
	st->source = SOURCE_NONE;
}

/* There is more to send: wake nghttp2 if it waits. */
static int resume(struct h2sess_stream *st)
{
	struct h2sess_session *s = st->session;

	if (st->deferred) {
		st->deferred = false;
		s->n_sources++;
		if (nghttp2_session_resume_data(s->ng, st->id) != 0)
			return H2SESS_ENOMEM;
	}
	session_mark_dirty(s);
	return 0;
}

/* ---- write and end --------------------------------------------------------------------------- */

static int append(struct h2sess_stream *st, const void *data, size_t len)
{
	struct h2sess_session *s = st->session;
	struct chunk *chunk;

	if (st->buffered + len > server_limits(s->loop->server)->max_write_buffer) {
		server_count_limit(s->loop->server, LIMIT_max_write_buffer);
		return H2SESS_ELIMIT;
	}
	chunk = chunk_new(s, data, len);
	if (!chunk)
		return H2SESS_ENOMEM;
	list_add_tail(&st->outbox, &chunk->link);
	st->buffered += len;
	s->memory += len;
	return 0;
}

/* Checks that write and end share. */
static int check_writable(struct h2sess_stream *st)
{
	int r;

	if (stream_is_over(st))
		return H2SESS_ESTREAM;
	if (!st->responded) {
		r = h2sess_stream_respond(st, NULL, 0, 0);
		if (r < 0)
			return r;
	}
	if (st->ended)
		return H2SESS_EWRITEAFTEREND;
	return st->source == SOURCE_BUFFER ? 0 : H2SESS_ESTATE;
}

int h2sess_stream_write(struct h2sess_stream *st, const void *data, size_t len)
{
	int r = check_writable(st);

	if (r < 0)
		return r;
	if (len && !data)
		return H2SESS_EARGTYPE;
	r = len ? append(st, data, len) : 0;
	if (r == 0)
		r = resume(st);
	if (r < 0)
		return r;
	st->want_drain = st->buffered >= STREAM_HIGH_WATER;
	return !st->want_drain;
}

int h2sess_stream_end(struct h2sess_stream *st, const void *data, size_t len)
{
	int r = check_writable(st);

	if (r == H2SESS_EWRITEAFTEREND && st->head) {
		st->head = false; /* a response without a body may be ended once, as in Node */
		return 1;
	}
	if (r < 0)
		return r;
	if (len && !data)
		return H2SESS_EARGTYPE;
	r = len ? append(st, data, len) : 0;
	if (r < 0)
		return r;
	st->ended = true;
	r = resume(st);
	return r < 0 ? r : 1;
}

int h2sess_stream_resume_source(struct h2sess_stream *st)
{
	if (stream_is_over(st))
		return H2SESS_ESTREAM;
	return st->source == SOURCE_PULL ? resume(st) : H2SESS_ESTATE;
}
