/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back: header blocks, body, trailers.
 *
 * Owns what the response still has to send: bytes from memory, a pull source, or a file. Called by
 * hosts, and by nghttp2 when the peer's windows and the connection have room (read_source): a body
 * is read as fast as the peer takes it, never ahead.
 *
 * Happy path: respond() -> write() until it says wait -> `drain` -> ... -> end() -> where asked
 * for, `wantTrailers` -> send_trailers().
 *
 * Failure modes: header fields that HTTP/2 forbids (refused before anything is sent), a second
 * respond, write after end, a host that does not heed backpressure (limits.max_write_buffer), a
 * source or a file that fails (reset with INTERNAL_ERROR), a file that is shorter than was said
 * (the same).
 */
#include "memory.h"
#include "server.h"
#include "session.h"
#include "session_events.h"
#include "stream.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FIELDS_ON_STACK 32

/* ---- header fields --------------------------------------------------------------------------- */

/* RFC 9113 8.2.2: these speak of an HTTP/1 connection. */
static bool is_connection_specific(const struct h2sess_header *h)
{
	static const char *const names[] = {"connection",	 "keep-alive", "proxy-connection",
					    "transfer-encoding", "upgrade",    "http2-settings"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == h->name_len && memcmp(names[i], h->name, h->name_len) == 0)
			return true;
	}
	return h->name_len == 2 && memcmp(h->name, "te", 2) == 0 &&
	       !(h->value_len == 8 && memcmp(h->value, "trailers", 8) == 0);
}

static int check_field(const struct h2sess_header *h)
{
	if (!h->name || !h->value || h->name_len == 0 || h->name[0] == ':')
		return H2SESS_EHEADER;
	if (!nghttp2_check_header_name((const uint8_t *)h->name, h->name_len) ||
	    !nghttp2_check_header_value_rfc9113((const uint8_t *)h->value, h->value_len) ||
	    is_connection_specific(h))
		return H2SESS_EHEADER;
	return 0;
}

static void to_nv(const struct h2sess_header *h, nghttp2_nv *nv)
{
	nv->name = (uint8_t *)(uintptr_t)h->name;
	nv->namelen = h->name_len;
	nv->value = (uint8_t *)(uintptr_t)h->value;
	nv->valuelen = h->value_len;
	nv->flags = h->flags & H2SESS_HEADER_SENSITIVE ? NGHTTP2_NV_FLAG_NO_INDEX
						       : NGHTTP2_NV_FLAG_NONE;
}

/* Check and convert n fields that are not pseudo-header fields. */
static int convert(const struct h2sess_header *headers, size_t n, nghttp2_nv *nva)
{
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		r = check_field(&headers[i]);
		if (r < 0)
			return r;
		to_nv(&headers[i], &nva[i]);
	}
	return 0;
}

static bool has_status(const struct h2sess_header *headers, size_t n)
{
	return n && headers[0].name && headers[0].name_len == 7 &&
	       memcmp(headers[0].name, ":status", 7) == 0;
}

/* The status, 200 where none is given, or H2SESS_ESTATUS. */
static int status_of(const struct h2sess_header *headers, size_t n)
{
	const char *v;
	int i, status = 0;

	if (!has_status(headers, n))
		return 200;
	v = headers[0].value;
	if (!v || headers[0].value_len != 3)
		return H2SESS_ESTATUS;
	for (i = 0; i < 3; i++) {
		if (v[i] < '0' || v[i] > '9')
			return H2SESS_ESTATUS;
		status = status * 10 + (v[i] - '0');
	}
	return status >= 100 && status <= 599 ? status : H2SESS_ESTATUS;
}

struct fields {
	nghttp2_nv stack[FIELDS_ON_STACK];
	nghttp2_nv *nva;
	size_t n;
};

/* :status first, then the rest. fields_done() afterwards, in any case. */
static int fields_init(struct fields *f, const struct h2sess_header *headers, size_t n)
{
	static const struct h2sess_header ok = H2SESS_HEADER(":status", "200");
	size_t skip = has_status(headers, n) ? 1 : 0;

	f->nva = f->stack;
	if (n + 1 > FIELDS_ON_STACK)
		f->nva = mem_alloc((n + 1) * sizeof(*f->nva));
	if (!f->nva)
		return H2SESS_ENOMEM;
	to_nv(skip ? &headers[0] : &ok, &f->nva[0]);
	f->n = n - skip + 1;
	return convert(headers + skip, n - skip, f->nva + 1);
}

static void fields_done(struct fields *f)
{
	if (f->nva != f->stack)
		mem_free(f->nva);
}

/* ---- the body, as nghttp2 asks for it -------------------------------------------------------- */

static void record(struct h2sess_stream *st, enum pending_kind kind)
{
	struct pending_event *p = loop_pending_add(st->session->loop);

	if (!p)
		return; /* the listener waits in vain; the session's timers bound that */
	p->kind = (uint8_t)kind;
	p->stream = st;
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
		mem_free(chunk);
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

static ssize_t read_source(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t len,
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
		mem_free(container_of(link, struct chunk, link));
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

/* ---- respond --------------------------------------------------------------------------------- */

static bool is_over(const struct h2sess_stream *st)
{
	return st->closed || st->destroyed || st->session->destroyed;
}

static bool is_head(const struct h2sess_stream *st)
{
	const struct h2sess_header *method = header_list_find(&st->request, ":method", 7);

	return method && method->value_len == 4 && memcmp(method->value, "HEAD", 4) == 0;
}

/* RFC 9110 6.4.1: these responses have no content. */
static bool has_no_body(const struct h2sess_stream *st, int status, uint32_t flags)
{
	return flags & H2SESS_RESPOND_END_STREAM || status == 204 || status == 205 ||
	       status == 304 || is_head(st);
}

static int submit_response(struct h2sess_stream *st, const struct h2sess_header *headers, size_t n,
			   bool body)
{
	nghttp2_data_provider provider = {.source.ptr = st, .read_callback = read_source};
	struct h2sess_session *s = st->session;
	struct fields fields;
	int r;

	r = fields_init(&fields, headers, n);
	if (r == 0) {
		session_push_submit(s); /* ORIGIN and ALTSVC stand before the response */
		r = nghttp2_submit_response(s->ng, st->id, fields.nva, fields.n,
					    body ? &provider : NULL) != 0
			    ? H2SESS_ENOMEM
			    : 0;
	}
	fields_done(&fields);
	return r;
}

/* The common part of all forms of respond; source is what the body comes from. */
static int respond(struct h2sess_stream *st, const struct h2sess_header *headers, size_t n,
		   uint32_t flags, enum stream_source source)
{
	struct h2sess_session *s = st->session;
	int r, status;
	bool body;

	if (is_over(st))
		return H2SESS_ESTREAM;
	if (st->responded)
		return H2SESS_EHEADERSSENT;
	status = status_of(headers, n);
	if (status < 200)
		return H2SESS_ESTATUS;
	body = !has_no_body(st, status, flags);
	r = submit_response(st, headers, n, body);
	if (r < 0)
		return r;
	st->responded = true;
	st->ended = !body;
	st->head = !body;
	st->want_trailers = body && flags & H2SESS_RESPOND_WAIT_FOR_TRAILERS;
	if (body) {
		st->source = source;
		s->n_sources++;
	}
	if (status == 421)
		h2sess_session_count_misdirected(s);
	session_active(s);
	session_mark_dirty(s);
	return 0;
}

int h2sess_stream_respond(struct h2sess_stream *st, const struct h2sess_header *headers, size_t n,
			  uint32_t flags)
{
	return respond(st, headers, n, flags, SOURCE_BUFFER);
}

int h2sess_stream_respond_with_source(struct h2sess_stream *st, const struct h2sess_header *headers,
				      size_t n, uint32_t flags, h2sess_source_fn *fn,
				      h2sess_source_free_fn *free_fn, void *user)
{
	int r;

	if (!fn)
		return H2SESS_EARGTYPE;
	r = respond(st, headers, n, flags, SOURCE_PULL);
	if (r < 0)
		return r;
	if (st->source == SOURCE_NONE) {
		if (free_fn)
			free_fn(user); /* a response without a body */
		return 0;
	}
	st->pull = fn;
	st->pull_free = free_fn;
	st->pull_user = user;
	return 0;
}

int h2sess_stream_resume_source(struct h2sess_stream *st)
{
	if (is_over(st))
		return H2SESS_ESTREAM;
	return st->source == SOURCE_PULL ? resume(st) : H2SESS_ESTATE;
}

int h2sess_stream_respond_with_fd(struct h2sess_stream *st, const struct h2sess_header *headers,
				  size_t n, uint32_t flags, int fd, int64_t offset, int64_t length)
{
	int r;

	if (fd < 0 || offset < 0 || length < -1)
		return H2SESS_ERANGE;
	r = respond(st, headers, n, flags, SOURCE_FD);
	if (r < 0)
		return r;
	if (st->source == SOURCE_NONE) {
		close(fd);
		return 0;
	}
	st->fd = fd;
	st->fd_offset = offset;
	st->fd_left = length;
	return 0;
}

int h2sess_stream_additional_headers(struct h2sess_stream *st, const struct h2sess_header *headers,
				     size_t n)
{
	struct h2sess_session *s = st->session;
	struct fields fields;
	int r, status;

	if (is_over(st))
		return H2SESS_ESTREAM;
	if (st->responded)
		return H2SESS_EHEADERSSENT;
	status = status_of(headers, n);
	if (status < 100 || status > 199 || status == 101)
		return H2SESS_EINFOSTATUS;
	r = fields_init(&fields, headers, n);
	if (r == 0) {
		session_push_submit(s);
		r = nghttp2_submit_headers(s->ng, NGHTTP2_FLAG_NONE, st->id, NULL, fields.nva,
					   fields.n, NULL) != 0
			    ? H2SESS_ENOMEM
			    : 0;
	}
	fields_done(&fields);
	session_mark_dirty(s);
	return r;
}

/* ---- write, end, trailers
 * ------------------------------------------------------------------------ */

static int append(struct h2sess_stream *st, const void *data, size_t len)
{
	struct h2sess_session *s = st->session;
	struct chunk *chunk;

	if (st->buffered + len > server_limits(s->loop->server)->max_write_buffer) {
		server_count_limit(s->loop->server, LIMIT_max_write_buffer);
		return H2SESS_ELIMIT;
	}
	chunk = mem_alloc(sizeof(*chunk) + len);
	if (!chunk)
		return H2SESS_ENOMEM;
	chunk->len = len;
	chunk->offset = 0;
	memcpy(chunk->data, data, len);
	list_add_tail(&st->outbox, &chunk->link);
	st->buffered += len;
	s->memory += len;
	return 0;
}

/* Checks that write and end share. */
static int check_writable(struct h2sess_stream *st)
{
	int r;

	if (is_over(st))
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

static ssize_t read_nothing(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t len,
			    uint32_t *flags, nghttp2_data_source *source, void *user)
{
	(void)ng;
	(void)id;
	(void)buf;
	(void)len;
	(void)source;
	(void)user;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return 0;
}

/* No trailers after all: an empty DATA frame ends the stream, as in Node. */
static int submit_end(struct h2sess_stream *st)
{
	nghttp2_data_provider provider = {.read_callback = read_nothing};

	return nghttp2_submit_data(st->session->ng, NGHTTP2_FLAG_END_STREAM, st->id, &provider);
}

static int submit_trailers(struct h2sess_stream *st, const struct h2sess_header *headers, size_t n)
{
	nghttp2_nv *nva = mem_alloc(n * sizeof(*nva));
	int r;

	if (!nva)
		return H2SESS_ENOMEM;
	r = convert(headers, n, nva);
	if (r == 0 && nghttp2_submit_trailer(st->session->ng, st->id, nva, n) != 0)
		r = H2SESS_ENOMEM;
	mem_free(nva);
	return r;
}

int h2sess_stream_send_trailers(struct h2sess_stream *st, const struct h2sess_header *headers,
				size_t n)
{
	int r;

	if (is_over(st))
		return H2SESS_ESTREAM;
	if (st->trailers_sent)
		return H2SESS_ETRAILERSSENT;
	if (!st->trailers_ready)
		return H2SESS_ETRAILERSNOTREADY;
	if (n)
		r = submit_trailers(st, headers, n);
	else
		r = submit_end(st) != 0 ? H2SESS_ENOMEM : 0;
	if (r < 0)
		return r;
	st->trailers_sent = true;
	session_mark_dirty(st->session);
	return 0;
}
