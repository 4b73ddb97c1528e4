/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes of ALTSVC and ORIGIN, from the call until they are handed to nghttp2.
 *
 * Owns the first of a session's two lists of pushes, `pushes`: accepted, and still to be taken back.
 * Called by hosts; session_receipts.c takes over from there.
 *
 * Happy path: checks in Node's order (push_value.c) -> the lint, where it was asked for -> room ->
 * queued.
 *
 * Failure modes: what may not be sent (errors of the call, in Node's order), the peer does not read
 * (H2SESS_EBACKLOGGED from the call, DEADLINE for what waits), the host takes it back (CANCELLED).
 */
#include "lint.h"
#include "memory.h"
#include "open_struct.h"
#include "push.h"
#include "server.h"
#include "stream.h"

#include <string.h>

void push_free(struct h2sess_session *s, struct push *p)
{
	push_value_unref(p->value);
	block_free(&s->loop->memory.blocks, p);
}

/* ---- waiting --------------------------------------------------------------------------------- */

uint64_t session_push_expire(struct h2sess_session *s)
{
	uint64_t now = loop_now(s->loop), nearest = UINT64_MAX;
	struct list *pos;

	list_for_each(pos, &s->pushes) {
		struct push *p = container_of(pos, struct push, link);

		if (!p->order.deadline || push_is_final(p))
			continue;
		if (p->order.deadline <= now)
			push_settle(s, p, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_DEADLINE);
		else if (p->order.deadline - now < nearest)
			nearest = p->order.deadline - now;
	}
	return nearest;
}

static int cancel(struct h2sess_session *s, struct push *p)
{
	if (push_is_final(p))
		return H2SESS_ENOTFOUND;
	push_settle(s, p, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_CANCELLED);
	session_mark_dirty(s);
	return 0;
}

int h2sess_session_cancel_push(struct h2sess_session *s, uint64_t push_id)
{
	struct list *pos;

	list_for_each(pos, &s->pushes) {
		struct push *p = container_of(pos, struct push, link);

		if (p->id == push_id)
			return cancel(s, p);
	}
	return H2SESS_ENOTFOUND;
}

int session_push_cancel(struct h2sess_session *s, push_sink_fn *sink, const void *user,
			uint32_t index)
{
	struct list *pos;

	list_for_each(pos, &s->pushes) {
		struct push *p = container_of(pos, struct push, link);

		if (p->order.sink == sink && p->order.user == user && p->order.index == index)
			return cancel(s, p);
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

static uint32_t lint(struct h2sess_session *s, const struct h2sess_push *push)
{
	struct lint_subject subject = {.any = !s};

	if (s)
		fill_subject(s, push, &subject);
	return lint_push(push, &subject);
}

static int read_push(struct h2sess_push *into, const struct h2sess_push *from)
{
	if (!from)
		return H2SESS_EARGTYPE;
	return open_struct_read(into, sizeof(*into), from);
}

int h2sess_lint(struct h2sess_session *s, const struct h2sess_push *push, uint32_t *ret_rules)
{
	struct h2sess_push own;
	uint32_t rules;
	int r = read_push(&own, push);

	if (r < 0)
		return r;
	rules = lint(s, &own);
	if (ret_rules)
		*ret_rules = rules;
	return lint_first_error(rules);
}

static int check_room(struct h2sess_session *s)
{
	const struct h2sess_limits *limits = server_limits(s->loop->server);

	if (!s->drained &&
	    nghttp2_session_get_outbound_queue_size(s->ng) >= limits->max_outbound_queue) {
		server_count_limit(s->loop->server, LIMIT_max_outbound_queue);
		return H2SESS_EBACKLOGGED;
	}
	if (s->n_pushes < limits->max_pushes)
		return 0;
	server_count_limit(s->loop->server, LIMIT_max_pushes);
	return H2SESS_EBACKLOGGED;
}

int session_push_value(struct h2sess_session *s, struct push_value *value,
		       const struct push_order *order, uint64_t *ret_id)
{
	struct push *p;
	int r = check_room(s);

	if (r < 0)
		return r;
	p = block_calloc(&s->loop->memory.blocks, 1, sizeof(*p));
	if (!p)
		return H2SESS_ENOMEM;
	p->value = push_value_ref(value);
	p->order = *order;
	p->id = ++s->last_push_id;
	list_add_tail(&s->pushes, &p->link);
	s->n_pushes++;
	if (value->alt)
		session_pushed_add(s, value, p->id);
	session_active(s);
	if (ret_id)
		*ret_id = p->id;
	session_mark_pushing(s); /* the flush submits it, or the verb whose frame must follow it */
	return 0;
}

int h2sess_session_push(struct h2sess_session *s, const struct h2sess_push *push,
			uint64_t *ret_push_id)
{
	struct push_order order = {0};
	struct push_value *value;
	struct h2sess_push own;
	int r;

	if (s->destroyed)
		return H2SESS_EDESTROYED;
	if (!s->open)
		return H2SESS_ESTATE;
	r = read_push(&own, push);
	if (r == 0)
		r = push_value_new(&own, &value);
	if (r < 0)
		return r;
	order.receipt = own.receipt;
	order.fn = own.fn;
	order.user = own.user;
	if (own.deadline_ms)
		order.deadline = loop_now(s->loop) + own.deadline_ms;
	r = own.lint ? lint_first_error(lint(s, &own)) : 0;
	if (r == 0)
		r = session_push_value(s, value, &order, ret_push_id);
	push_value_unref(value);
	return r;
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
