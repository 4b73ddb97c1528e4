/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ALTSVC and ORIGIN frames on their way, and GOAWAYs that somebody wants to know of, and what
 * becomes of each.
 *
 * Owns the second of a session's two lists of pushes, `receipts`: those that were handed to nghttp2.
 * Called by session_flush(), by the callbacks of nghttp2 and by verbs whose frames must follow.
 *
 * Happy path: the flush hands a push to nghttp2, if the connection takes bytes (or puts the frame in
 * front of what nghttp2 says, where that is nothing yet) -> nghttp2 reports the frame in its output
 * -> the write that held its last byte returns: `written` -> no frame of a push is left in nghttp2,
 * so one PING for all of the flush goes out behind them, before any more of a body -> its answer:
 * `received`. nghttp2 sends PING before what is queued, so the barrier must not be submitted any
 * earlier.
 *
 * Frames of the first two types leave nghttp2 in the order in which they were submitted, so the first
 * push with a frame outstanding is the one that a callback speaks of. GOAWAYs are numbered, since
 * there are others than those of pushes.
 *
 * Failure modes: nghttp2 drops the frame (its stream or the session is closing), no memory, the
 * session ends (SESSION_GONE; what was written stays `written`). Outcomes are told by
 * session_push_report() alone, outside of nghttp2.
 */
#include "memory.h"
#include "push.h"
#include "stream.h"

#include <openssl/rand.h>
#include <string.h>

#define FRAME_PAYLOAD_MAX 16384
#define FRAME_MAX (FRAME_PAYLOAD_MAX + 9)

/* ---- outcomes -------------------------------------------------------------------------------- */

bool push_is_final(const struct push *p)
{
	if (p->value->kind == PUSH_DRAIN)
		return p->outcome == H2SESS_OUTCOME_NOT_SENT;
	return p->outcome > H2SESS_OUTCOME_WRITTEN ||
	       (p->outcome == H2SESS_OUTCOME_WRITTEN && p->order.receipt == H2SESS_RECEIPT_WRITTEN);
}

void push_settle(struct h2sess_session *s, struct push *p, int outcome, int reason)
{
	p->outcome = outcome;
	p->reason = reason;
	s->push_changed = true;
	session_pushed_outcome(s, p->id, outcome, reason);
}

static void add_to_origin_set(struct h2sess_session *s, const struct push *p)
{
	size_t i;

	for (i = 0; i < p->value->n_origins; i++)
		session_origin_set_add(s, p->value->origins[i], strlen(p->value->origins[i]));
}

static void frame_ended(struct h2sess_session *s, struct push *p)
{
	if (++p->frames_ended < p->frames)
		return;
	if (p->dropped) {
		push_settle(s, p, H2SESS_OUTCOME_NOT_SENT, p->reason);
		return;
	}
	p->sent = true;
	p->end = s->conn->produced + s->gathered;
	if (p->value->kind == H2SESS_PUSH_ORIGIN)
		add_to_origin_set(s, p);
}

/* ---- handing over to nghttp2 ----------------------------------------------------------------- */

/* How many entries from `from` on fit into one frame; 2 bytes of length each (RFC 8336 2.1). */
static size_t fitting_origins(const struct push *p, size_t from)
{
	size_t i, bytes = 0;

	for (i = from; i < p->value->n_origins; i++) {
		bytes += 2 + strlen(p->value->origins[i]);
		if (bytes > FRAME_PAYLOAD_MAX)
			break;
	}
	return i - from;
}

/*
 * nghttp2 1.52 copies the values of these two frames, and where there is no memory for the item it
 * gives the copy to the C library's free(), whosever it is: so the item's memory is put aside before.
 */
static int submit_one_origin_frame(struct h2sess_session *s, struct push *p, size_t from, size_t n)
{
	nghttp2_origin_entry *entries = mem_calloc(n + 1, sizeof(*entries));
	size_t i;
	int r;

	if (!entries)
		return H2SESS_ENOMEM;
	for (i = 0; i < n; i++) {
		entries[i].origin = (uint8_t *)p->value->origins[from + i];
		entries[i].origin_len = strlen(p->value->origins[from + i]);
	}
	r = session_memory_reserve(&s->loop->memory);
	if (r == 0 && nghttp2_submit_origin(s->ng, NGHTTP2_FLAG_NONE, entries, n) != 0)
		r = H2SESS_ENOMEM;
	session_memory_unreserve(&s->loop->memory);
	mem_free(entries);
	p->frames += r == 0;
	return r;
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
	} while (r == 0 && from < p->value->n_origins);
	return r;
}

static int submit_altsvc(struct h2sess_session *s, struct push *p)
{
	const struct push_value *v = p->value;
	const char *origin = v->origin ? v->origin : "";
	int r = session_memory_reserve(&s->loop->memory);

	if (r == 0 &&
	    nghttp2_submit_altsvc(s->ng, NGHTTP2_FLAG_NONE, v->stream_id, (const uint8_t *)origin,
				  strlen(origin), (const uint8_t *)v->alt, strlen(v->alt)) != 0)
		r = H2SESS_ENOMEM;
	session_memory_unreserve(&s->loop->memory);
	p->frames += r == 0;
	return r;
}

/* The last stream id may only fall (RFC 9113 6.8), so one that was promised already is kept. */
static int submit_goaway(struct h2sess_session *s, struct push *p)
{
	const struct push_value *v = p->value;
	int32_t last = v->last_stream_id ? v->last_stream_id
					 : nghttp2_session_get_last_proc_stream_id(s->ng);
	int r;

	if (last > s->sent_last_stream_id)
		last = s->sent_last_stream_id;
	r = session_goaway_submit(s, v->code, last, v->data, v->len);
	if (r < 0)
		return r;
	p->goaway = s->goaways;
	p->frames++;
	return 0;
}

/* A session that drains already has said it: what it said last counts. */
static int submit_drain(struct h2sess_session *s, struct push *p)
{
	int r = 0;

	if (p->order.drain_at)
		s->drain_at = p->order.drain_at;
	if (!s->draining && !s->closed)
		r = session_drain_begin(s);
	if (r < 0)
		return r;
	p->goaway = s->goaways;
	p->frames++;
	if (s->own_goaways)
		return 0;
	frame_ended(s, p);
	push_settle(s, p, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE);
	return 0;
}

static int submit_frames(struct h2sess_session *s, struct push *p)
{
	switch (p->value->kind) {
	case H2SESS_PUSH_ORIGIN:
		return submit_origin(s, p);
	case PUSH_GOAWAY:
		return submit_goaway(s, p);
	case PUSH_DRAIN:
		return submit_drain(s, p);
	default:
		return submit_altsvc(s, p);
	}
}

/* Nothing is sent on a session that ends as soon as what is queued has left (row 29 of Node's). */
static bool is_closing(const struct h2sess_session *s)
{
	if (s->n_streams)
		return false;
	return s->closed || (!s->drained && !nghttp2_session_want_read(s->ng));
}

/*
 * An ALTSVC of the connection is the same octets to everybody. Where nghttp2 has nothing to say that
 * must stand before it, it goes into the buffer of the flush as it is. Returns whether it did.
 */
static bool put_frame(struct h2sess_session *s, struct push *p)
{
	const struct push_value *v = p->value;

	if (!v->frame || s->gathered + v->frame_len + FRAME_MAX > LOOP_WRITE_MAX ||
	    (!s->drained && nghttp2_session_want_write(s->ng)))
		return false;
	memcpy(s->loop->write_buf + s->gathered, v->frame, v->frame_len);
	s->gathered += v->frame_len;
	p->frames++;
	frame_ended(s, p);
	return true;
}

static void submit(struct h2sess_session *s, struct push *p, bool flushing)
{
	int r;

	list_del(&p->link);
	list_add_tail(&s->receipts, &p->link);
	if (push_is_final(p))
		return; /* taken back, or too late, and not told yet */
	if (is_closing(s)) {
		push_settle(s, p, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_SESSION_CLOSING);
		return;
	}
	if (flushing && put_frame(s, p))
		return;
	s->drained = false;
	r = submit_frames(s, p);
	if (r == 0)
		return;
	p->dropped = true;
	p->reason = H2SESS_REASON_NO_MEMORY;
	if (!p->frames)
		push_settle(s, p, H2SESS_OUTCOME_NOT_SENT, p->reason);
}

static void submit_all(struct h2sess_session *s, bool flushing)
{
	if (list_empty(&s->pushes) || !s->ng || s->destroyed || conn_blocked(s->conn))
		return;
	while (!list_empty(&s->pushes))
		submit(s, container_of(s->pushes.next, struct push, link), flushing);
}

void session_push_submit(struct h2sess_session *s)
{
	submit_all(s, false);
}

void session_push_flush(struct h2sess_session *s)
{
	submit_all(s, true);
}

/* ---- what nghttp2 and the connection report -------------------------------------------------- */

/* The push whose ALTSVC or ORIGIN frame nghttp2 speaks of. */
static struct push *in_turn(struct h2sess_session *s)
{
	struct list *pos;

	list_for_each(pos, &s->receipts) {
		struct push *p = container_of(pos, struct push, link);

		if (p->frames_ended < p->frames && !p->goaway)
			return p;
	}
	return NULL;
}

void session_push_goaway_sent(struct h2sess_session *s, uint64_t goaway)
{
	struct list *pos;

	list_for_each(pos, &s->receipts) {
		struct push *p = container_of(pos, struct push, link);

		if (p->goaway == goaway && !p->sent)
			frame_ended(s, p);
	}
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
			push_settle(s, p, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE);
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

	if (list_empty(&s->receipts) || s->barrier_flying || s->destroyed || in_turn(s))
		return false;
	list_for_each(pos, &s->receipts) {
		struct push *p = container_of(pos, struct push, link);

		if (!p->sent || p->barrier || p->order.receipt != H2SESS_RECEIPT_RECEIVED)
			continue;
		p->barrier = s->barrier + 1;
		wanted = true;
	}
	if (!wanted)
		return false;
	s->barrier++;
	barrier_payload(s, payload);
	s->barrier_flying = nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, payload) == 0;
	s->drained = false;
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
			push_settle(s, p, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	}
	if (s->close_at_barrier)
		h2sess_session_close(s);
	session_mark_dirty(s); /* frames that left meanwhile want a barrier of their own */
	return true;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void call(struct h2sess_session *s, const struct push *p, int reason, bool last)
{
	const struct push_order *order = &p->order;

	if (order->sink)
		order->sink(s, p->outcome, reason, order->user, order->index, last);
	else if (order->fn)
		order->fn(s, (enum h2sess_outcome)p->outcome, reason, order->user);
}

static void tell(struct h2sess_session *s, struct push *p)
{
	if (p->outcome == p->told)
		return;
	p->told = p->outcome;
	call(s, p, p->reason, push_is_final(p));
}

static void report_list(struct h2sess_session *s, struct list *head)
{
	struct list *pos, *following;

	list_for_each_safe(pos, following, head) {
		struct push *p = container_of(pos, struct push, link);

		tell(s, p);
		following = pos->next; /* the listener may have pushed */
		if (!push_is_final(p))
			continue;
		list_del(&p->link);
		s->n_pushes--;
		push_free(s, p);
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

/* ---- life ------------------------------------------------------------------------------------ */

/* What was written before the end was written; whether it was read, nobody will know. */
static void settle_all(struct h2sess_session *s, struct list *head)
{
	struct list *pos;

	list_for_each(pos, head) {
		struct push *p = container_of(pos, struct push, link);

		if (p->outcome == H2SESS_OUTCOME_QUEUED)
			push_settle(s, p, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_SESSION_GONE);
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

		/* `written` was the last word, and the session is gone */
		call(NULL, p, H2SESS_REASON_SESSION_GONE, true);
		push_free(s, p);
	}
	s->n_pushes = 0;
}
