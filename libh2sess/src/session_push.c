/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes of ALTSVC and ORIGIN, from the call until they are handed to nghttp2.
 *
 * Owns the first of a session's two lists of pushes, `pushes`: accepted, and still to be taken back.
 * Called by hosts; session_receipts.c takes over from there.
 *
 * Happy path: checks in Node's order -> the lint, where it was asked for -> room -> queued.
 *
 * Failure modes: what may not be sent (errors of the call, in Node's order), the peer does not read
 * (H2SESS_EBACKLOGGED from the call, DEADLINE for what waits), the host takes it back (CANCELLED).
 */
#include "alt_value.h"
#include "lint.h"
#include "memory.h"
#include "origin.h"
#include "push.h"
#include "server.h"
#include "stream.h"

#include <string.h>

/* ---- making one ------------------------------------------------------------------------------ */

void push_free(struct push *p)
{
	size_t i;

	if (!p)
		return;
	for (i = 0; i < p->n_origins; i++)
		mem_free(p->origins[i]);
	mem_free(p->origins);
	mem_free(p->origin);
	mem_free(p->alt);
	mem_free(p);
}

static int copy_origin(const char *url, int opaque_error, char **ret)
{
	char buf[H2SESS_PUSH_BYTES_MAX + 8];
	int len = h2sess_origin_of(url, buf, sizeof(buf));

	if (len == H2SESS_EORIGIN)
		return opaque_error;
	if (len < 0)
		return len;
	*ret = mem_strndup(buf, (size_t)len);
	return *ret ? 0 : H2SESS_ENOMEM;
}

static int copy_alt(struct push *p, const char *alt)
{
	int r;

	if (!alt)
		return H2SESS_EARGTYPE;
	r = alt_check_chars(alt, strlen(alt));
	if (r < 0)
		return r;
	if (strlen(alt) + (p->origin ? strlen(p->origin) : 0) > H2SESS_PUSH_BYTES_MAX)
		return H2SESS_EALTSVCLENGTH;
	p->alt = mem_strdup(alt);
	return p->alt ? 0 : H2SESS_ENOMEM;
}

/* Node's order: the origin first, then alt's type, characters and length. */
static int fill_altsvc(struct push *p, const struct h2sess_push *push)
{
	int r;

	if (!push->origin)
		return H2SESS_EALTSVCORIGIN;
	r = copy_origin(push->origin, H2SESS_EALTSVCORIGIN, &p->origin);
	if (r == H2SESS_ERANGE)
		return H2SESS_EALTSVCLENGTH;
	return r < 0 ? r : copy_alt(p, push->alt);
}

static int fill_altsvc_stream(struct push *p, const struct h2sess_push *push)
{
	if (push->stream_id == 0 || push->stream_id > H2SESS_STREAM_ID_MAX)
		return H2SESS_ERANGE;
	p->stream_id = (int32_t)push->stream_id;
	return copy_alt(p, push->alt);
}

static int fill_origin(struct push *p, const struct h2sess_push *push)
{
	size_t i;
	int r;

	if (push->n_origins && !push->origins)
		return H2SESS_EARGTYPE;
	p->origins = mem_calloc(push->n_origins + 1, sizeof(*p->origins));
	if (!p->origins)
		return H2SESS_ENOMEM;
	for (i = 0; i < push->n_origins; i++) {
		if (!push->origins[i])
			return H2SESS_EARGTYPE;
		r = copy_origin(push->origins[i], H2SESS_EORIGIN, &p->origins[i]);
		if (r == H2SESS_ERANGE)
			return H2SESS_EORIGINLENGTH;
		if (r < 0)
			return r;
		p->n_origins = i + 1;
		if (strlen(p->origins[i]) > H2SESS_PUSH_BYTES_MAX)
			return H2SESS_EORIGINLENGTH;
	}
	return 0;
}

static int push_new(const struct h2sess_push *push, struct push **ret)
{
	static int (*const fill[])(struct push *, const struct h2sess_push *) = {
		[H2SESS_PUSH_ALTSVC] = fill_altsvc,
		[H2SESS_PUSH_ALTSVC_STREAM] = fill_altsvc_stream,
		[H2SESS_PUSH_ORIGIN] = fill_origin,
	};
	struct push *p;
	int r;

	if (push->size < sizeof(*push) || push->kind > H2SESS_PUSH_ORIGIN)
		return H2SESS_EINVAL;
	p = mem_calloc(1, sizeof(*p));
	if (!p)
		return H2SESS_ENOMEM;
	list_init(&p->link);
	p->kind = push->kind;
	p->receipt = push->receipt;
	p->fn = push->fn;
	p->user = push->user;
	r = fill[push->kind](p, push);
	if (r < 0) {
		push_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

/* ---- waiting --------------------------------------------------------------------------------- */

uint64_t session_push_expire(struct h2sess_session *s)
{
	uint64_t now = loop_now(s->loop), nearest = UINT64_MAX;
	struct list *pos;

	list_for_each(pos, &s->pushes) {
		struct push *p = container_of(pos, struct push, link);

		if (!p->deadline || push_is_final(p))
			continue;
		if (p->deadline <= now)
			push_settle(s, p, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_DEADLINE);
		else if (p->deadline - now < nearest)
			nearest = p->deadline - now;
	}
	return nearest;
}

int h2sess_session_cancel_push(struct h2sess_session *s, uint64_t push_id)
{
	struct list *pos;

	list_for_each(pos, &s->pushes) {
		struct push *p = container_of(pos, struct push, link);

		if (p->id != push_id || push_is_final(p))
			continue;
		push_settle(s, p, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_CANCELLED);
		session_mark_dirty(s);
		return 0;
	}
	return H2SESS_ENOTFOUND;
}

/* ---- public ---------------------------------------------------------------------------------- */

static void fill_subject(struct h2sess_session *s, const struct h2sess_push *push,
			 struct lint_subject *subject)
{
	struct h2sess_stream *st;

	subject->encrypted = s->encrypted;
	subject->origin_set = (const char *const *)s->origin_set;
	subject->n_origin_set = s->n_origin_set;
	subject->certificate = session_certificate(s);
	st = push->kind == H2SESS_PUSH_ALTSVC_STREAM
		     ? h2sess_session_stream(s, (int32_t)push->stream_id)
		     : NULL;
	subject->stream_authority = st ? h2sess_stream_header(st, ":authority") : NULL;
}

int h2sess_lint(struct h2sess_session *s, const struct h2sess_push *push, uint32_t *ret_rules)
{
	struct lint_subject subject = {.any = !s};
	uint32_t rules;

	if (!push || push->size < sizeof(*push))
		return H2SESS_EINVAL;
	if (s)
		fill_subject(s, push, &subject);
	rules = lint_push(push, &subject);
	if (ret_rules)
		*ret_rules = rules;
	return lint_first_error(rules);
}

static int check_room(struct h2sess_session *s)
{
	const struct h2sess_limits *limits = server_limits(s->loop->server);

	if (nghttp2_session_get_outbound_queue_size(s->ng) >= limits->max_outbound_queue) {
		server_count_limit(s->loop->server, LIMIT_max_outbound_queue);
		return H2SESS_EBACKLOGGED;
	}
	if (s->n_pushes < limits->max_pushes)
		return 0;
	server_count_limit(s->loop->server, LIMIT_max_pushes);
	return H2SESS_EBACKLOGGED;
}

static void remember(struct h2sess_session *s, const struct push *p, const char *by)
{
	if (p->kind != H2SESS_PUSH_ORIGIN)
		session_pushed_add(s, p->origin, p->stream_id, p->alt, by, p->id);
}

int h2sess_session_push(struct h2sess_session *s, const struct h2sess_push *push,
			uint64_t *ret_push_id)
{
	struct push *p;
	int r;

	if (s->destroyed)
		return H2SESS_EDESTROYED;
	if (!s->open)
		return H2SESS_ESTATE;
	r = push_new(push, &p);
	if (r < 0)
		return r;
	r = push->lint ? h2sess_lint(s, push, NULL) : 0;
	if (r == 0)
		r = check_room(s);
	if (r < 0) {
		push_free(p);
		return r;
	}
	p->id = ++s->last_push_id;
	if (push->deadline_ms)
		p->deadline = loop_now(s->loop) + push->deadline_ms;
	list_add_tail(&s->pushes, &p->link);
	s->n_pushes++;
	remember(s, p, push->by);
	session_active(s);
	if (ret_push_id)
		*ret_push_id = p->id;
	session_mark_dirty(s); /* the flush submits it, or the verb whose frame must follow it */
	return 0;
}

int h2sess_session_altsvc(struct h2sess_session *s, const char *alt, const char *origin)
{
	struct h2sess_push push = {.size = sizeof(push),
				   .kind = H2SESS_PUSH_ALTSVC,
				   .alt = alt,
				   .origin = origin,
				   .receipt = H2SESS_RECEIPT_WRITTEN};

	return h2sess_session_push(s, &push, NULL);
}

int h2sess_session_altsvc_stream(struct h2sess_session *s, const char *alt, uint32_t stream_id)
{
	struct h2sess_push push = {.size = sizeof(push),
				   .kind = H2SESS_PUSH_ALTSVC_STREAM,
				   .alt = alt,
				   .stream_id = stream_id,
				   .receipt = H2SESS_RECEIPT_WRITTEN};

	return h2sess_session_push(s, &push, NULL);
}

int h2sess_session_origin(struct h2sess_session *s, const char *const *origins, size_t n)
{
	struct h2sess_push push = {.size = sizeof(push),
				   .kind = H2SESS_PUSH_ORIGIN,
				   .origins = origins,
				   .n_origins = n,
				   .receipt = H2SESS_RECEIPT_WRITTEN};

	return h2sess_session_push(s, &push, NULL);
}
