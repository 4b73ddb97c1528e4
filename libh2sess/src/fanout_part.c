/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One loop's share of a fan-out: it finds the loop's sessions that are meant and sends to each when
 * its turn has come. What became of it is kept in the entries (fanout_entry.c).
 *
 * fanout_turn() gives each fan-out a slice before the loop waits: at most FANOUT_SLICE sessions, at
 * most FANOUT_SLICE_NS, each flushed at once; then the loop serves its traffic, and comes back.
 *
 * The happy path of a slice:
 *   - without a pace a session is looked at and sent to in one go, while it is in the cache; with one,
 *     all are looked at first, so that `matched` is known, and then wait for their turn;
 *   - outcomes come by the sink, on this thread, as the session's receipts tell them;
 *   - everything is settled: the part is over.
 * A drain (fanout_drain.c) is over when its sessions have ended, by themselves or at the deadline.
 *
 * What can go wrong, and what it is called: the session has ended (SESSION_GONE), its peer does not
 * read (BACKLOGGED), a lint rule forbids it on this session (its name), no memory (NO_MEMORY), the
 * deadline (DEADLINE), the host's word (CANCELLED). A PING that is never answered is waited for until
 * the deadline, or FANOUT_BARRIER_MS: `written` is the last word then.
 */
#include "connection.h"
#include "fanout.h"
#include "server.h"

/* ---- one session's turn ---------------------------------------------------------------------- */

static void on_outcome(struct h2sess_session *s, int outcome, int reason, void *user,
		       uint32_t index, bool last)
{
	struct fanout_part *part = user;
	const struct fanout_entry *e = &part->entries[index];
	bool late = part->late && outcome == H2SESS_OUTCOME_WRITTEN;

	if (fanout_let_go(part, last))
		return;
	/* `written` was the last word: its reason is none, whatever ended the session. */
	if (!s && outcome != H2SESS_OUTCOME_NOT_SENT)
		reason = e->reason;
	fanout_entry_set(part, index, outcome, reason, last || late);
}

static void send_to(struct fanout_part *part, struct h2sess_session *s, size_t index)
{
	struct h2sess_fanout *f = part->fanout;
	int reason = s ? fanout_lint(part, s) : H2SESS_REASON_SESSION_GONE;
	int r = 0;

	if (reason) {
		fanout_entry_not_sent(part, index, reason);
		return;
	}
	if (f->kind == H2SESS_FANOUT_DRAIN)
		fanout_drain_send(part, s, index);
	else
		r = fanout_push(part, s, index, f->value, on_outcome);
	if (r < 0) {
		fanout_entry_not_sent(part, index, fanout_reason(r));
		return;
	}
	list_del(&s->dirty_link);
	session_flush(s); /* now, while all of it is in the cache */
}

static bool is_meant(const struct fanout_part *part, const struct h2sess_session *s)
{
	const struct h2sess_fanout *f = part->fanout;

	if (s->destroyed || !s->announced)
		return false;
	return !f->selector || h2sess_session_matches(s, f->selector, f->worker);
}

/* ---- a slice --------------------------------------------------------------------------------- */

bool fanout_spend(struct fanout_budget *b)
{
	if (b->sessions == 0)
		return false;
	b->sessions--;
	if (b->sessions % 8 == 0 && uv_hrtime() >= b->until)
		b->sessions = 0;
	return true;
}

/* Nothing is sent any more. */
static bool is_stopped(const struct fanout_part *part)
{
	const struct h2sess_fanout *f = part->fanout;

	return atomic_load_explicit(&f->cancelled, memory_order_relaxed) ||
	       (f->deadline_ns != UINT64_MAX && uv_hrtime() >= f->deadline_ns);
}

static void look_at(struct fanout_part *part, struct h2sess_session *s)
{
	const struct h2sess_fanout *f = part->fanout;

	if (!is_meant(part, s))
		return;
	if (f->dry_run) {
		uv_mutex_lock(&part->lock);
		part->counts.matched++;
		uv_mutex_unlock(&part->lock);
		fanout_lint(part, s);
		return;
	}
	if (!fanout_entry_add(part, s->number) || f->interval_ns || part->next + 1 != part->n ||
	    is_stopped(part))
		return;
	part->next++;
	send_to(part, s, part->n - 1);
}

/* What a push reads of a session that has been idle is in no cache: have it come meanwhile. */
static void fetch_ahead(const struct h2sess_session *s)
{
	__builtin_prefetch(&s->dirty_link);
	__builtin_prefetch(&s->conn);
	__builtin_prefetch(&s->destroyed);
	__builtin_prefetch(&s->n_streams);
	__builtin_prefetch(&s->pushes);
	__builtin_prefetch(&s->pushed);
	__builtin_prefetch(&s->active_at);
	__builtin_prefetch(&s->bytes_counted_in);
}

static void match_some(struct fanout_part *part, struct fanout_budget *b)
{
	struct h2sess_session *sessions[FANOUT_SLICE];
	uint64_t last = part->fanout->last_number;
	size_t i, n;

	n = loop_sessions_after(part->loop, part->cursor, sessions, FANOUT_SLICE);
	for (i = 0; i < n && sessions[i]->number <= last && fanout_spend(b); i++) {
		part->cursor = sessions[i]->number;
		if (i + 2 < n)
			fetch_ahead(sessions[i + 2]);
		if (i + 1 < n && sessions[i + 1]->conn)
			conn_fetch_ahead(sessions[i + 1]->conn);
		look_at(part, sessions[i]);
	}
	part->last_sent_ns = uv_hrtime();
	if (i == n && n == FANOUT_SLICE)
		return;
	if (i < n && sessions[i]->number <= last)
		return;
	part->all_matched = true;
	fanout_part_matched(part->fanout);
}

static void send_some(struct fanout_part *part, struct fanout_budget *b)
{
	struct h2sess_fanout *f = part->fanout;

	while (part->next < part->n && b->sessions && !is_stopped(part)) {
		struct h2sess_session *s = fanout_entry_session(part, part->next);
		uint64_t now = uv_hrtime();

		/* Who is gone takes nobody's turn. */
		if (s && !fanout_pace(&f->next_due_ns, f->interval_ns, now, &b->due))
			return;
		fanout_spend(b);
		part->last_sent_ns = now;
		send_to(part, s, part->next++);
	}
}

/* ---- the ends -------------------------------------------------------------------------------- */

static void cancel(struct fanout_part *part)
{
	push_sink_fn *sink =
		part->fanout->kind == H2SESS_FANOUT_DRAIN ? fanout_drain_sink : on_outcome;
	size_t i, sent = part->next;

	part->cancelled = true;
	fanout_settle_rest(part, H2SESS_REASON_CANCELLED);
	for (i = 0; i < sent; i++) {
		const struct fanout_entry *e = &part->entries[i];
		struct h2sess_session *s;

		if (e->outcome != H2SESS_OUTCOME_QUEUED)
			continue;
		s = fanout_entry_session(part, i);
		if (s && sink == fanout_drain_sink && !(e->flags & FANOUT_GOAWAY))
			fanout_entry_not_sent(part, i, H2SESS_REASON_CANCELLED);
		else if (s && session_push_cancel(s, sink, part, (uint32_t)i) == 0)
			fanout_entry_not_sent(part, i, H2SESS_REASON_CANCELLED);
	}
}

static void cancel_and_report(struct fanout_part *part)
{
	cancel(part);
	fanout_part_cancelled(part->fanout);
}

/* The deadline, or the time for the last PING's answer. */
static uint64_t end_of(const struct fanout_part *part)
{
	const struct h2sess_fanout *f = part->fanout;

	if (f->deadline_ns != UINT64_MAX)
		return f->deadline_ns;
	if (f->kind == H2SESS_FANOUT_DRAIN || !part->all_matched || part->next < part->n)
		return UINT64_MAX;
	return part->last_sent_ns + (uint64_t)FANOUT_BARRIER_MS * 1000000;
}

/* What was written stays so, whatever its peer answers; what is queued has a deadline of its own. */
static void become_late(struct fanout_part *part)
{
	size_t i;

	part->late = true;
	fanout_settle_rest(part, H2SESS_REASON_DEADLINE);
	for (i = 0; i < part->n; i++) {
		if (part->entries[i].outcome == H2SESS_OUTCOME_WRITTEN)
			fanout_entry_set(part, i, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE, true);
	}
}

static void part_end(struct fanout_part *part)
{
	struct h2sess_fanout *f = part->fanout;

	part->over = true;
	list_del(&part->link);
	if (!part->cancelled)
		fanout_part_cancelled(f);
	fanout_part_over(f);
	if (part->outstanding == 0)
		fanout_unref(f); /* the part is gone with it, perhaps */
}

/* Returns when it wants to be called again: 0 at once, UINT64_MAX when somebody else does. */
static uint64_t part_turn(struct fanout_part *part, struct fanout_budget *b)
{
	const struct h2sess_fanout *f = part->fanout;
	bool drain = f->kind == H2SESS_FANOUT_DRAIN;
	uint64_t now = uv_hrtime(), end;
	bool past;

	b->due = UINT64_MAX;
	if (!part->all_matched)
		match_some(part, b);
	if (atomic_load(&f->cancelled) && !part->cancelled && part->all_matched)
		cancel_and_report(part);
	end = end_of(part);
	past = now >= end && part->all_matched;
	if (past && drain)
		fanout_drain_reap(part, b);
	else if (past && !part->late)
		become_late(part);
	else if (!past && (part->all_matched || !f->interval_ns))
		send_some(part, b);
	if (drain && !past && f->value)
		fanout_drain_stop_waiting(part, b, now);
	if (part->all_matched && part->next == part->n && part->unsettled == 0) {
		part_end(part);
		return UINT64_MAX;
	}
	if (!part->all_matched || b->sessions == 0)
		return 0;
	return past ? b->due : (end < b->due ? end : b->due);
}

/* ---- the loop's turn ------------------------------------------------------------------------- */

static void on_time(uv_timer_t *timer)
{
	(void)timer; /* the loop has woken: its turn comes */
}

static void arm(struct loop *loop, uint64_t due)
{
	uint64_t now = uv_hrtime();

	if (due == UINT64_MAX)
		uv_timer_stop(&loop->fanout_timer);
	else
		uv_timer_start(&loop->fanout_timer, on_time,
			       due > now ? (due - now + 999999) / 1000000 : 0, 0);
}

bool fanout_turn(struct loop *loop)
{
	struct fanout_budget b = {.sessions = FANOUT_SLICE, .until = uv_hrtime() + FANOUT_SLICE_NS};
	uint64_t due = UINT64_MAX;
	struct list turn, *link;

	list_init(&turn);
	list_splice(&turn, &loop->fanouts);
	while ((link = list_pop(&turn))) {
		struct fanout_part *part = container_of(link, struct fanout_part, link);
		uint64_t part_due;

		list_add_tail(&loop->fanouts, link);
		part_due = part_turn(part, &b);
		due = part_due < due ? part_due : due;
	}
	if (!list_empty(&loop->fanouts)) /* another one is the first next time */
		list_add_tail(&loop->fanouts, list_pop(&loop->fanouts));
	arm(loop, due ? due : UINT64_MAX);
	return due == 0;
}

/* Everybody who is left has gone. */
static void part_stop(struct fanout_part *part)
{
	size_t i;

	if (!part->all_matched) {
		part->all_matched = true;
		fanout_part_matched(part->fanout);
	}
	for (i = 0; i < part->n; i++) {
		bool queued = part->entries[i].outcome == H2SESS_OUTCOME_QUEUED;

		fanout_entry_set(
			part, i, queued ? H2SESS_OUTCOME_NOT_SENT : part->entries[i].outcome,
			queued ? H2SESS_REASON_SESSION_GONE : part->entries[i].reason, true);
	}
	part_end(part);
}

void fanout_stop(struct loop *loop)
{
	while (!list_empty(&loop->fanouts))
		part_stop(container_of(loop->fanouts.next, struct fanout_part, link));
}

void fanout_part_start(struct loop *loop, void *user)
{
	struct fanout_part *part = user;

	part->loop = loop;
	if (loop)
		list_add_tail(&loop->fanouts, &part->link);
	else
		part_stop(part);
}
