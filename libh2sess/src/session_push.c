/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ALTSVC and ORIGIN frames, and what becomes of them.
 *
 * Owns the pushes of one session, each in one of two lists: `pushes` (accepted; they can still be
 * taken back) and `receipts` (handed to nghttp2). Called by hosts, by session_flush() and by the
 * callbacks of nghttp2.
 *
 * Happy path: checks in Node's order -> queued -> the flush hands it to nghttp2, if the connection
 * takes bytes -> nghttp2 reports the frame in its output -> the write that held its last byte
 * returns: `written` -> nghttp2 has nothing more to say, so one PING for all frames of the flush
 * goes out behind them -> its answer: `received`. nghttp2 sends PING before what is queued, so the
 * barrier must not be submitted any earlier.
 *
 * Frames of these two types leave nghttp2 in the order in which they were submitted, so the first
 * push with a frame outstanding is the one that a callback speaks of.
 *
 * Failure modes: nghttp2 drops the frame (its stream or the session is closing), the peer does not
 * read (BACKLOGGED, DEADLINE), the host takes it back (CANCELLED), the session ends (SESSION_GONE;
 * what was written stays `written`). Outcomes are told by session_push_report() alone, outside of
 * nghttp2.
 */
#include "alt_value.h"
#include "lint.h"
#include "memory.h"
#include "origin.h"
#include "server.h"
#include "session.h"
#include "stream.h"

#include <openssl/rand.h>
#include <string.h>

#define FRAME_PAYLOAD_MAX 16384

struct push {
	struct list link; /* h2sess_session.pushes or .receipts */
	uint64_t id;
	enum h2sess_push_kind kind;
	char *alt;
	char *origin; /* serialised */
	int32_t stream_id;
	char **origins; /* serialised */
	size_t n_origins;
	enum h2sess_receipt receipt;
	h2sess_outcome_fn *fn;
	void *user;
	uint64_t deadline; /* loop_now(); 0: none */

	size_t frames;	     /* handed to nghttp2 */
	size_t frames_ended; /* sent or dropped */
	uint64_t end;	     /* conn.produced behind the last byte */
	uint64_t barrier;    /* number of the PING that covers it; 0: none yet */
	bool sent;	     /* all frames are in nghttp2's output */
	bool dropped;	     /* some were not sent: not_sent, with reason */
	int outcome;	     /* enum h2sess_outcome */
	int reason;
	int told; /* outcome as of the last call of fn */
};

/* ---- making one ------------------------------------------------------------------------------ */

static void push_free(struct push *p)
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

/* ---- handing over to nghttp2 ----------------------------------------------------------------- */

/* True when nothing more can become of it that anybody asked for. */
static bool is_final(const struct push *p)
{
	return p->outcome > H2SESS_OUTCOME_WRITTEN ||
	       (p->outcome == H2SESS_OUTCOME_WRITTEN && p->receipt == H2SESS_RECEIPT_WRITTEN);
}

static void settle(struct h2sess_session *s, struct push *p, int outcome, int reason)
{
	p->outcome = outcome;
	p->reason = reason;
	s->push_changed = true;
	session_pushed_outcome(s, p->id, outcome, reason);
}

/* How many entries from `from` on fit into one frame; 2 bytes of length each (RFC 8336 2.1). */
static size_t fitting_origins(const struct push *p, size_t from)
{
	size_t i, bytes = 0;

	for (i = from; i < p->n_origins; i++) {
		bytes += 2 + strlen(p->origins[i]);
		if (bytes > FRAME_PAYLOAD_MAX)
			break;
	}
	return i - from;
}

static int submit_one_origin_frame(struct h2sess_session *s, struct push *p, size_t from, size_t n)
{
	nghttp2_origin_entry *entries = mem_calloc(n + 1, sizeof(*entries));
	size_t i;
	int r;

	if (!entries)
		return H2SESS_ENOMEM;
	for (i = 0; i < n; i++) {
		entries[i].origin = (uint8_t *)p->origins[from + i];
		entries[i].origin_len = strlen(p->origins[from + i]);
	}
	r = nghttp2_submit_origin(s->ng, NGHTTP2_FLAG_NONE, entries, n);
	mem_free(entries);
	if (r != 0)
		return H2SESS_ENOMEM;
	p->frames++;
	return 0;
}

/* An empty list is the meaningful empty frame; a long one becomes several frames, in order. */
static int submit_origin(struct h2sess_session *s, struct push *p)
{
	size_t from = 0, n;
	int r;

	do {
		n = fitting_origins(p, from);
		r = submit_one_origin_frame(s, p, from, n);
		from += n;
	} while (r == 0 && from < p->n_origins);
	return r;
}

static int submit_altsvc(struct h2sess_session *s, struct push *p)
{
	const char *origin = p->origin ? p->origin : "";

	if (nghttp2_submit_altsvc(s->ng, NGHTTP2_FLAG_NONE, p->stream_id, (const uint8_t *)origin,
				  strlen(origin), (const uint8_t *)p->alt, strlen(p->alt)) != 0)
		return H2SESS_ENOMEM;
	p->frames++;
	return 0;
}

/* Nothing is sent on a session that ends as soon as what is queued has left (row 29 of Node's). */
static bool is_closing(const struct h2sess_session *s)
{
	if (s->n_streams)
		return false;
	return s->closed || !nghttp2_session_want_read(s->ng);
}

static void submit(struct h2sess_session *s, struct push *p)
{
	int r;

	list_del(&p->link);
	list_add_tail(&s->receipts, &p->link);
	if (is_final(p))
		return; /* taken back, or too late, and not told yet */
	if (is_closing(s)) {
		settle(s, p, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_SESSION_CLOSING);
		return;
	}
	r = p->kind == H2SESS_PUSH_ORIGIN ? submit_origin(s, p) : submit_altsvc(s, p);
	if (r == 0)
		return;
	p->dropped = true;
	p->reason = H2SESS_REASON_NO_MEMORY;
	if (!p->frames)
		settle(s, p, H2SESS_OUTCOME_NOT_SENT, p->reason);
}

void session_push_submit(struct h2sess_session *s)
{
	if (!s->ng || s->destroyed || conn_blocked(s->conn))
		return;
	while (!list_empty(&s->pushes))
		submit(s, container_of(s->pushes.next, struct push, link));
}

/* ---- what nghttp2 and the connection report -------------------------------------------------- */

/* The push whose frame nghttp2 speaks of. */
static struct push *in_turn(struct h2sess_session *s)
{
	struct list *pos;

	list_for_each(pos, &s->receipts) {
		struct push *p = container_of(pos, struct push, link);

		if (p->frames_ended < p->frames)
			return p;
	}
	return NULL;
}

static void add_to_origin_set(struct h2sess_session *s, const struct push *p)
{
	size_t i;

	for (i = 0; i < p->n_origins; i++)
		session_origin_set_add(s, p->origins[i], strlen(p->origins[i]));
}

static void frame_ended(struct h2sess_session *s, struct push *p)
{
	if (++p->frames_ended < p->frames)
		return;
	if (p->dropped) {
		settle(s, p, H2SESS_OUTCOME_NOT_SENT, p->reason);
		return;
	}
	p->sent = true;
	p->end = s->conn->produced + s->gathered;
	if (p->kind == H2SESS_PUSH_ORIGIN)
		add_to_origin_set(s, p);
}

void session_push_sent(struct h2sess_session *s)
{
	struct push *p = in_turn(s);

	if (p)
		frame_ended(s, p);
}

void session_push_not_sent(struct h2sess_session *s, int reason)
{
	struct push *p = in_turn(s);

	if (!p)
		return;
	p->dropped = true;
	p->reason = s->destroyed ? H2SESS_REASON_SESSION_GONE : reason;
	frame_ended(s, p);
}

void session_push_written(struct h2sess_session *s)
{
	struct list *pos;

	list_for_each(pos, &s->receipts) {
		struct push *p = container_of(pos, struct push, link);

		if (p->sent && p->outcome == H2SESS_OUTCOME_QUEUED && p->end <= s->conn->written)
			settle(s, p, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE);
	}
}

/* ---- the barrier ----------------------------------------------------------------------------- */

static uint64_t secret;

static void draw_secret(void)
{
	if (RAND_bytes((unsigned char *)&secret, sizeof(secret)) != 1)
		secret = uv_hrtime();
}

/* A barrier's payload: unlike any of the host's, and not to be guessed by a peer. */
static void barrier_payload(const struct h2sess_session *s, uint8_t payload[8])
{
	static uv_once_t once = UV_ONCE_INIT;
	uint64_t value;

	uv_once(&once, draw_secret);
	value = (s->barrier * 0x9e3779b97f4a7c15u + s->number) ^ secret;
	memcpy(payload, &value, sizeof(value));
}

bool session_push_barrier(struct h2sess_session *s)
{
	bool wanted = false;
	uint8_t payload[8];
	struct list *pos;

	if (s->barrier_flying || s->destroyed || list_empty(&s->receipts))
		return false;
	list_for_each(pos, &s->receipts) {
		struct push *p = container_of(pos, struct push, link);

		if (!p->sent || p->barrier || p->receipt != H2SESS_RECEIPT_RECEIVED)
			continue;
		p->barrier = s->barrier + 1;
		wanted = true;
	}
	if (!wanted)
		return false;
	s->barrier++;
	barrier_payload(s, payload);
	s->barrier_flying = nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, payload) == 0;
	return s->barrier_flying;
}

bool session_push_acked(struct h2sess_session *s, const uint8_t *payload)
{
	uint8_t expected[8];
	struct list *pos;

	barrier_payload(s, expected);
	if (!s->barrier_flying || memcmp(payload, expected, sizeof(expected)) != 0)
		return false;
	s->barrier_flying = false;
	list_for_each(pos, &s->receipts) {
		struct push *p = container_of(pos, struct push, link);

		if (p->barrier && p->barrier <= s->barrier && p->outcome < H2SESS_OUTCOME_RECEIVED)
			settle(s, p, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	}
	session_mark_dirty(s); /* frames that left meanwhile want a barrier of their own */
	return true;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell(struct h2sess_session *s, struct push *p)
{
	if (p->outcome == p->told)
		return;
	p->told = p->outcome;
	if (p->fn)
		p->fn(s, (enum h2sess_outcome)p->outcome, p->reason, p->user);
}

static void report_list(struct h2sess_session *s, struct list *head)
{
	struct list *pos, *following;

	list_for_each_safe(pos, following, head) {
		struct push *p = container_of(pos, struct push, link);

		tell(s, p);
		following = pos->next; /* the listener may have pushed */
		if (!is_final(p))
			continue;
		list_del(&p->link);
		s->n_pushes--;
		push_free(p);
	}
}

void session_push_report(struct h2sess_session *s)
{
	while (s->push_changed) {
		s->push_changed = false;
		report_list(s, &s->receipts);
		report_list(s, &s->pushes);
	}
}

uint64_t session_push_expire(struct h2sess_session *s)
{
	uint64_t now = loop_now(s->loop), nearest = UINT64_MAX;
	struct list *pos;

	list_for_each(pos, &s->pushes) {
		struct push *p = container_of(pos, struct push, link);

		if (!p->deadline || is_final(p))
			continue;
		if (p->deadline <= now)
			settle(s, p, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_DEADLINE);
		else if (p->deadline - now < nearest)
			nearest = p->deadline - now;
	}
	return nearest;
}

/* What was written before the end was written; whether it was read, nobody will know. */
static void settle_all(struct h2sess_session *s, struct list *head)
{
	struct list *pos;

	list_for_each(pos, head) {
		struct push *p = container_of(pos, struct push, link);

		if (p->outcome == H2SESS_OUTCOME_QUEUED)
			settle(s, p, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_SESSION_GONE);
	}
}

void session_push_init(struct h2sess_session *s)
{
	list_init(&s->pushes);
	list_init(&s->receipts);
}

void session_push_done(struct h2sess_session *s)
{
	struct list *link;

	settle_all(s, &s->receipts);
	settle_all(s, &s->pushes);
	session_push_report(s);
	list_splice(&s->receipts, &s->pushes);
	while ((link = list_pop(&s->receipts))) {
		struct push *p = container_of(link, struct push, link);

		if (p->fn) /* `written` was the last word, and the session is gone */
			p->fn(NULL, (enum h2sess_outcome)p->outcome, H2SESS_REASON_SESSION_GONE,
			      p->user);
		push_free(p);
	}
	s->n_pushes = 0;
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

int h2sess_session_cancel_push(struct h2sess_session *s, uint64_t push_id)
{
	struct list *pos;

	list_for_each(pos, &s->pushes) {
		struct push *p = container_of(pos, struct push, link);

		if (p->id != push_id || is_final(p))
			continue;
		settle(s, p, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_CANCELLED);
		session_mark_dirty(s);
		return 0;
	}
	return H2SESS_ENOTFOUND;
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
