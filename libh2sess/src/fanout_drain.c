/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a drain does to one session, beside a plain push: its ALTSVC goes first, where it has one,
 * and the GOAWAY when that was received, or has had its time; the last word comes when the session
 * has ended, by itself or at the deadline.
 */
#include "fanout.h"
#include "server.h"

static uint64_t since_start_ms(const struct fanout_part *part, uint64_t now)
{
	return (now - part->fanout->started_ns) / 1000000;
}

void fanout_drain_sink(struct h2sess_session *s, int outcome, int reason, void *user,
		       uint32_t index, bool last)
{
	struct fanout_part *part = user;

	if (fanout_let_go(part, last))
		return;
	if (!s || reason == H2SESS_REASON_SESSION_GONE)
		fanout_entry_ended(part, index);
	if (!s && outcome != H2SESS_OUTCOME_NOT_SENT)
		reason = part->entries[index].reason;
	fanout_entry_set(part, index, outcome, reason, last);
}

static void order_goaway(struct fanout_part *part, struct h2sess_session *s, size_t index)
{
	int r;

	if (part->entries[index].flags & (FANOUT_GOAWAY | FANOUT_SETTLED))
		return;
	part->entries[index].flags |= FANOUT_GOAWAY;
	r = fanout_push(part, s, index, part->fanout->goaway, fanout_drain_sink);
	if (r < 0)
		fanout_entry_not_sent(part, index, fanout_reason(r));
}

/* The ALTSVC of a drain: its GOAWAY follows when it was received, or cannot be any more. */
static void on_altsvc(struct h2sess_session *s, int outcome, int reason, void *user, uint32_t index,
		      bool last)
{
	struct fanout_part *part = user;

	if (fanout_let_go(part, last))
		return;
	if (!s || reason == H2SESS_REASON_SESSION_GONE) {
		if (part->entries[index].flags & (FANOUT_GOAWAY | FANOUT_SETTLED))
			return;
		fanout_entry_ended(part, index);
		fanout_entry_not_sent(part, index, H2SESS_REASON_SESSION_GONE);
	} else if (outcome != H2SESS_OUTCOME_WRITTEN || last) {
		order_goaway(part, s, index);
	}
}

void fanout_drain_send(struct fanout_part *part, struct h2sess_session *s, size_t index)
{
	struct push_value *value = part->fanout->value;

	part->entries[index].sent_ms = (uint32_t)since_start_ms(part, uv_hrtime());
	if (!value || fanout_push(part, s, index, value, on_altsvc) < 0)
		order_goaway(part, s, index);
}

void fanout_drain_reap(struct fanout_part *part, struct fanout_budget *b)
{
	while (part->reaped < part->n && fanout_spend(b)) {
		size_t i = part->reaped++;
		struct h2sess_session *s;

		if (part->entries[i].flags & FANOUT_SETTLED)
			continue;
		s = fanout_entry_session(part, i);
		if (part->entries[i].outcome == H2SESS_OUTCOME_QUEUED)
			fanout_entry_not_sent(part, i, H2SESS_REASON_DEADLINE);
		if (s)
			session_fail(s, 0, H2SESS_NO_ERROR);
		fanout_entry_ended(part, i);
	}
	if (part->next < part->reaped)
		part->next = part->reaped;
}

void fanout_drain_stop_waiting(struct fanout_part *part, struct fanout_budget *b, uint64_t now)
{
	const struct h2sess_fanout *f = part->fanout;
	uint64_t wait = FANOUT_DRAIN_WAIT_MS;

	if (f->deadline_ns != UINT64_MAX &&
	    (f->deadline_ns - f->started_ns) / 1000000 / FANOUT_DRAIN_WAIT_SHARE < wait)
		wait = (f->deadline_ns - f->started_ns) / 1000000 / FANOUT_DRAIN_WAIT_SHARE;
	while (part->waited < part->next && b->sessions) {
		const struct fanout_entry *e = &part->entries[part->waited];
		struct h2sess_session *s;

		if (!(e->flags & (FANOUT_GOAWAY | FANOUT_SETTLED)) &&
		    since_start_ms(part, now) < e->sent_ms + wait) {
			uint64_t due = f->started_ns + (e->sent_ms + wait) * 1000000;

			if (!b->due || due < b->due)
				b->due = due;
			return;
		}
		s = fanout_entry_session(part, part->waited++);
		if (s && !(e->flags & (FANOUT_GOAWAY | FANOUT_SETTLED))) {
			fanout_spend(b);
			order_goaway(part, s, part->waited - 1);
		}
	}
}
