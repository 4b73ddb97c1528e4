/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes back to the peer on a stream: informational responses, the response's head, trailers;
 * stream_body.c is what stands between.
 *
 * Happy path: additional_headers() any number of times -> respond(), with the body from memory, a
 * source or a file -> where asked for, `wantTrailers` -> send_trailers().
 *
 * Failure modes: header fields that HTTP/2 forbids (refused before anything is sent), a second
 * respond, a stream that has ended.
 */
#include "policy.h"
#include "response_fields.h"
#include "server.h"
#include "session.h"
#include "stream.h"

#include <string.h>
#include <unistd.h>

/* ---- respond --------------------------------------------------------------------------------- */

bool stream_is_over(const struct h2sess_stream *st)
{
	return st->closed || st->destroyed || st->session->destroyed;
}

/* RFC 9110 6.4.1: these responses have no content. */
static bool has_no_body(const struct h2sess_stream *st, int status, uint32_t flags)
{
	return flags & H2SESS_RESPOND_END_STREAM || status == 204 || status == 205 ||
	       status == 304 || st->head_request;
}

static int submit_response(struct h2sess_stream *st, const struct h2sess_header *headers, size_t n,
			   bool body)
{
	nghttp2_data_provider provider = {.source.ptr = st, .read_callback = stream_read_source};
	struct h2sess_session *s = st->session;
	struct response_fields fields;
	int r;

	r = response_fields_init(&fields, headers, n);
	if (r == 0) {
		if (s->policies)
			response_fields_add_alt_svc(&fields, session_policy_header(st));
		session_push_submit(s); /* ORIGIN and ALTSVC stand before the response */
		r = nghttp2_submit_response(s->ng, st->id, fields.nva, fields.n,
					    body ? &provider : NULL) != 0
			    ? H2SESS_ENOMEM
			    : 0;
	}
	response_fields_done(&fields);
	return r;
}

/* The common part of all forms of respond; source is what the body comes from. */
static int respond(struct h2sess_stream *st, const struct h2sess_header *headers, size_t n,
		   uint32_t flags, enum stream_source source)
{
	struct h2sess_session *s = st->session;
	int r, status;
	bool body;

	if (stream_is_over(st))
		return H2SESS_ESTREAM;
	if (st->responded)
		return H2SESS_EHEADERSSENT;
	if (n && !headers)
		return H2SESS_EARGTYPE;
	status = response_status(headers, n);
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
	st->status = (uint16_t)status;
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
	struct response_fields fields;
	int r, status;

	if (stream_is_over(st))
		return H2SESS_ESTREAM;
	if (st->responded)
		return H2SESS_EHEADERSSENT;
	if (n && !headers)
		return H2SESS_EARGTYPE;
	status = response_status(headers, n);
	if (status < 100 || status > 199 || status == 101)
		return H2SESS_EINFOSTATUS;
	r = response_fields_init(&fields, headers, n);
	if (r == 0) {
		session_push_submit(s);
		r = nghttp2_submit_headers(s->ng, NGHTTP2_FLAG_NONE, st->id, NULL, fields.nva,
					   fields.n, NULL) != 0
			    ? H2SESS_ENOMEM
			    : 0;
	}
	response_fields_done(&fields);
	session_mark_dirty(s);
	return r;
}

/* ---- trailers -------------------------------------------------------------------------------- */

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
	struct response_fields fields;
	int r = response_fields_init_trailers(&fields, headers, n);

	if (r == 0 && nghttp2_submit_trailer(st->session->ng, st->id, fields.nva, fields.n) != 0)
		r = H2SESS_ENOMEM;
	response_fields_done(&fields);
	return r;
}

int h2sess_stream_send_trailers(struct h2sess_stream *st, const struct h2sess_header *headers,
				size_t n)
{
	int r;

	if (stream_is_over(st))
		return H2SESS_ESTREAM;
	if (st->trailers_sent)
		return H2SESS_ETRAILERSSENT;
	if (!st->trailers_ready)
		return H2SESS_ETRAILERSNOTREADY;
	if (n && !headers)
		return H2SESS_EARGTYPE;
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
