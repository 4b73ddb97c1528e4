/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One loop's share of a fan-out: it finds the loop's sessions that are meant, sends to each when its
 * turn has come, and keeps what became of it. It owns the entries, one for each session that matched.
 *
 * fanout_turn() gives each fan-out a slice before the loop waits: at most FANOUT_SLICE sessions, at
 * most FANOUT_SLICE_NS, each flushed at once; then the loop serves its traffic, and comes back.
 *
 * The happy path of a slice:
 *   - without a pace a session is looked at and sent to in one go, while it is in the cache; with one,
 *     all are looked at first, so that `matched` is known, and then wait for their turn;
 *   - outcomes come by the sink, on this thread, as the session's receipts tell them;
 *   - everything is settled: the part is over.
 * A drain sends its ALTSVC first, where it has one, and the GOAWAY when that was received, or has had
 * its time; it is over when its sessions have ended, by themselves or at the deadline.
 *
 * What can go wrong, and what it is called: the session has ended (SESSION_GONE), its peer does not
 * read (BACKLOGGED), a lint rule forbids it on this session (its name), no memory (NO_MEMORY), the
 * deadline (DEADLINE), the host's word (CANCELLED). A PING that is never answered is waited for until
 * the deadline, or FANOUT_BARRIER_MS: `written` is the last word then.
 */
#include "connection.h"
#include "fanout.h"
#include "memory.h"
#include "server.h"
#include "session.h"

#define ENTRIES_FIRST 64

static uint64_t since_start_ms(const struct fanout_part *part, uint64_t now)
{
	return (now - part->fanout->started_ns) / 1000000;
}

/* ---- entries --------------------------------------------------------------------------------- */

static uint64_t *count_of(struct h2sess_fanout_counts *counts, int outcome)
{
	switch (outcome) {
	case H2SESS_OUTCOME_QUEUED:
		return &counts->queued;
	case H2SESS_OUTCOME_WRITTEN:
		return &counts->written;
	case H2SESS_OUTCOME_RECEIVED:
		return &counts->received;
	default:
		return &counts->not_sent;
	}
}

/* With the lock held. */
static void mark(struct fanout_part *part, size_t index)
{
	struct fanout_entry *e = &part->entries[index];

	if (e->changed)
		return;
	e->changed = true;
	if (part->changed_last)
		part->entries[part->changed_last - 1].next = (uint32_t)index + 1;
	else
		part->changed_first = (uint32_t)index + 1;
	part->changed_last = (uint32_t)index + 1;
}

static int make_room(struct fanout_part *part)
{
	size_t cap = part->cap ? 2 * part->cap : ENTRIES_FIRST;
	struct fanout_entry *entries;

	if (part->n < part->cap)
		return 0;
	uv_mutex_lock(&part->lock);
	entries = mem_realloc(part->entries, cap * sizeof(*entries));
	if (entries) {
		part->entries = entries;
		part->cap = cap;
	}
	uv_mutex_unlock(&part->lock);
	return entries ? 0 : H2SESS_ENOMEM;
}

/* One that cannot be written down cannot be told of either, but it is counted. */
static bool add_entry(struct fanout_part *part, uint64_t number)
{
	bool room = make_room(part) == 0;

	uv_mutex_lock(&part->lock);
	part->counts.matched++;
	(*count_of(&part->counts, room ? H2SESS_OUTCOME_QUEUED : H2SESS_OUTCOME_NOT_SENT))++;
	if (room) {
		part->entries[part->n++] = (struct fanout_entry){.number = number};
		mark(part, part->n - 1);
		part->unsettled++;
	}
	uv_mutex_unlock(&part->lock);
	return room;
}

static void tell(struct fanout_part *part, const struct fanout_entry *e)
{
	struct h2sess_fanout *f = part->fanout;
	const struct h2sess_fanout_session session = {
		.number = e->number, .outcome = e->outcome, .reason = e->reason};

	if (f->session)
		f->session(f, &session, f->user);
	fanout_changed(f);
}

/* What became of one; nothing changes any more once it is settled. */
static void set_outcome(struct fanout_part *part, size_t index, int outcome, int reason,
			bool settled)
{
	struct fanout_entry *e = &part->entries[index];
	bool changed = e->outcome != outcome || e->reason != reason;

	if (e->flags & FANOUT_SETTLED)
		return;
	uv_mutex_lock(&part->lock);
	(*count_of(&part->counts, e->outcome))--;
	(*count_of(&part->counts, outcome))++;
	part->counts.cancelled += reason == H2SESS_REASON_CANCELLED;
	e->outcome = (uint8_t)outcome;
	e->reason = (uint8_t)reason;
	if (settled)
		e->flags |= FANOUT_SETTLED;
	if (changed)
		mark(part, index);
	uv_mutex_unlock(&part->lock);
	part->unsettled -= settled;
	if (changed)
		tell(part, &part->entries[index]);
}

static void not_sent(struct fanout_part *part, size_t index, int reason)
{
	set_outcome(part, index, H2SESS_OUTCOME_NOT_SENT, reason, true);
}

static struct h2sess_session *session_of(const struct fanout_part *part, size_t index)
{
	struct h2sess_session *s =
		session_table_find(&part->loop->table, part->entries[index].number);

	return s && !s->destroyed ? s : NULL;
}

/* ---- outcomes: the sinks --------------------------------------------------------------------- */

/* A push does not know of this part any more. Returns whether the part is over, and may be gone. */
static bool let_go(struct fanout_part *part, bool last)
{
	struct h2sess_fanout *f = part->fanout;
	bool over = part->over;

	part->outstanding -= last;
	if (over && part->outstanding == 0)
		fanout_unref(f);
	return over;
}

static void on_outcome(struct h2sess_session *s, int outcome, int reason, void *user,
		       uint32_t index, bool last)
{
	struct fanout_part *part = user;
	const struct fanout_entry *e = &part->entries[index];
	bool late = part->late && outcome == H2SESS_OUTCOME_WRITTEN;

	if (let_go(part, last))
		return;
	/* `written` was the last word: its reason is none, whatever ended the session. */
	if (!s && outcome != H2SESS_OUTCOME_NOT_SENT)
		reason = e->reason;
	set_outcome(part, index, outcome, reason, last || late);
}

static void note_end(struct fanout_part *part, size_t index)
{
	uv_mutex_lock(&part->lock);
	if (!(part->entries[index].flags & FANOUT_ENDED))
		part->counts.ended++;
	part->entries[index].flags |= FANOUT_ENDED;
	uv_mutex_unlock(&part->lock);
	fanout_changed(part->fanout);
}

/* The GOAWAY of a drain; the last word comes when the session ends. */
static void on_drained(struct h2sess_session *s, int outcome, int reason, void *user,
		       uint32_t index, bool last)
{
	struct fanout_part *part = user;

	if (let_go(part, last))
		return;
	if (!s || reason == H2SESS_REASON_SESSION_GONE)
		note_end(part, index);
	if (!s && outcome != H2SESS_OUTCOME_NOT_SENT)
		reason = part->entries[index].reason;
	set_outcome(part, index, outcome, reason, last);
}

/* ---- sending --------------------------------------------------------------------------------- */

static uint64_t deadline_of(const struct fanout_part *part)
{
	uint64_t end = part->fanout->deadline_ns;
	uint64_t now;

	if (end == UINT64_MAX)
		return 0;
	now = uv_hrtime();
	return loop_now(part->loop) + (end > now ? (end - now) / 1000000 : 0) + 1;
}

/* Returns 0 or what session_push_value() does; the sink hears the rest. */
static int order_push(struct fanout_part *part, struct h2sess_session *s, size_t index,
		      struct push_value *value, push_sink_fn *sink)
{
	const struct h2sess_fanout *f = part->fanout;
	const struct push_order order = {
		.receipt = f->receipt,
		.deadline = f->kind == H2SESS_FANOUT_DRAIN ? 0 : deadline_of(part),
		.sink = sink,
		.user = part,
		.index = (uint32_t)index,
	};
	int r = session_push_value(s, value, &order, NULL);

	part->outstanding += r == 0;
	return r;
}

static int reason_of(int error)
{
	return error == H2SESS_EBACKLOGGED ? H2SESS_REASON_BACKLOGGED : H2SESS_REASON_NO_MEMORY;
}

static void order_goaway(struct fanout_part *part, struct h2sess_session *s, size_t index)
{
	int r;

	if (part->entries[index].flags & (FANOUT_GOAWAY | FANOUT_SETTLED))
		return;
	part->entries[index].flags |= FANOUT_GOAWAY;
	r = order_push(part, s, index, part->fanout->goaway, on_drained);
	if (r < 0)
		not_sent(part, index, reason_of(r));
}

/* The ALTSVC of a drain: its GOAWAY follows when it was received, or cannot be any more. */
static void on_altsvc(struct h2sess_session *s, int outcome, int reason, void *user, uint32_t index,
		      bool last)
{
	struct fanout_part *part = user;

	if (let_go(part, last))
		return;
	if (!s || reason == H2SESS_REASON_SESSION_GONE) {
		if (part->entries[index].flags & (FANOUT_GOAWAY | FANOUT_SETTLED))
			return;
		note_end(part, index);
		not_sent(part, index, H2SESS_REASON_SESSION_GONE);
	} else if (outcome != H2SESS_OUTCOME_WRITTEN || last) {
		order_goaway(part, s, index);
	}
}

static void send_drain(struct fanout_part *part, struct h2sess_session *s, size_t index)
{
	struct push_value *value = part->fanout->value;

	part->entries[index].sent_ms = (uint32_t)since_start_ms(part, uv_hrtime());
	if (!value || order_push(part, s, index, value, on_altsvc) < 0)
		order_goaway(part, s, index);
}

/* ---- the lint -------------------------------------------------------------------------------- */

static uint32_t lint_with(const struct fanout_part *part, const struct h2sess_session *s,
			  bool with_set)
{
	const struct h2sess_push push = push_value_view(part->fanout->value);
	const struct lint_subject subject = {
		.encrypted = s->encrypted,
		.origin_set = (const char *const *)s->origin_set,
		.n_origin_set = with_set ? s->n_origin_set : 0,
		.certificate = session_certificate(s),
	};

	return lint_push(&push, &subject);
}

/* By certificate: most sessions have the same one. */
static uint32_t lint_by_certificate(struct fanout_part *part, const struct h2sess_session *s)
{
	struct fanout_lint *lint = &part->lint;
	X509 *certificate = session_certificate(s);
	size_t i;

	for (i = 0; i < lint->n; i++) {
		if (lint->rows[i].certificate == certificate &&
		    lint->rows[i].encrypted == s->encrypted)
			return lint->rows[i].rules;
	}
	if (lint->n < FANOUT_CERTIFICATES)
		i = lint->n++;
	else
		i = lint->oldest++ % FANOUT_CERTIFICATES;
	X509_free(lint->rows[i].certificate);
	if (certificate)
		X509_up_ref(certificate); /* so that no other one gets its address meanwhile */
	lint->rows[i].certificate = certificate;
	lint->rows[i].encrypted = s->encrypted;
	lint->rows[i].rules = lint_with(part, s, false);
	return lint->rows[i].rules;
}

static void count_rules(struct fanout_part *part, uint32_t rules)
{
	size_t i;

	uv_mutex_lock(&part->lock);
	for (i = 0; i < H2SESS_FANOUT_RULES; i++)
		part->counts.lint[i] += rules >> i & 1;
	uv_mutex_unlock(&part->lock);
}

/* The reason not to send, or H2SESS_REASON_NONE. */
static int lint(struct fanout_part *part, const struct h2sess_session *s)
{
	const struct push_value *value = part->fanout->value;
	uint32_t rules;
	int rule;

	if (!part->fanout->lint || !value || value->kind == PUSH_GOAWAY)
		return H2SESS_REASON_NONE;
	rules = lint_by_certificate(part, s);
	if (s->n_origin_set + value->n_origins > H2SESS_ORIGINS_MAX && value->n_origins)
		rules = lint_with(part, s, true);
	rule = lint_first_error_rule(rules);
	if (rules)
		count_rules(part, rule < 0 ? rules : UINT32_C(1) << rule);
	return rule < 0 ? H2SESS_REASON_NONE : H2SESS_REASON_LINT + rule;
}

/* ---- one session's turn ---------------------------------------------------------------------- */

static void send_to(struct fanout_part *part, struct h2sess_session *s, size_t index)
{
	struct h2sess_fanout *f = part->fanout;
	int reason = s ? lint(part, s) : H2SESS_REASON_SESSION_GONE;
	int r = 0;

	if (reason) {
		not_sent(part, index, reason);
		return;
	}
	if (f->kind == H2SESS_FANOUT_DRAIN)
		send_drain(part, s, index);
	else
		r = order_push(part, s, index, f->value, on_outcome);
	if (r < 0) {
		not_sent(part, index, reason_of(r));
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

/* What is left of a turn. */
struct budget {
	size_t sessions;
	uint64_t until; /* uv_hrtime() */
	uint64_t due;	/* when the next turn has something to do; 0: at once */
};

static bool spend(struct budget *b)
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
		lint(part, s);
		return;
	}
	if (!add_entry(part, s->number) || f->interval_ns || part->next + 1 != part->n ||
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

static void match_some(struct fanout_part *part, struct budget *b)
{
	struct h2sess_session *sessions[FANOUT_SLICE];
	uint64_t last = part->fanout->last_number;
	size_t i, n;

	n = loop_sessions_after(part->loop, part->cursor, sessions, FANOUT_SLICE);
	for (i = 0; i < n && sessions[i]->number <= last && spend(b); i++) {
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

static void send_some(struct fanout_part *part, struct budget *b)
{
	struct h2sess_fanout *f = part->fanout;

	while (part->next < part->n && b->sessions && !is_stopped(part)) {
		struct h2sess_session *s = session_of(part, part->next);
		uint64_t now = uv_hrtime();

		/* Who is gone takes nobody's turn. */
		if (s && !fanout_pace(&f->next_due_ns, f->interval_ns, now, &b->due))
			return;
		spend(b);
		part->last_sent_ns = now;
		send_to(part, s, part->next++);
	}
}

/* ---- the ends -------------------------------------------------------------------------------- */

static void settle_rest(struct fanout_part *part, int reason)
{
	for (; part->next < part->n; part->next++)
		not_sent(part, part->next, reason);
}

static void cancel(struct fanout_part *part)
{
	push_sink_fn *sink = part->fanout->kind == H2SESS_FANOUT_DRAIN ? on_drained : on_outcome;
	size_t i, sent = part->next;

	part->cancelled = true;
	settle_rest(part, H2SESS_REASON_CANCELLED);
	for (i = 0; i < sent; i++) {
		const struct fanout_entry *e = &part->entries[i];
		struct h2sess_session *s;

		if (e->outcome != H2SESS_OUTCOME_QUEUED)
			continue;
		s = session_of(part, i);
		if (s && sink == on_drained && !(e->flags & FANOUT_GOAWAY))
			not_sent(part, i, H2SESS_REASON_CANCELLED);
		else if (s && session_push_cancel(s, sink, part, (uint32_t)i) == 0)
			not_sent(part, i, H2SESS_REASON_CANCELLED);
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
	settle_rest(part, H2SESS_REASON_DEADLINE);
	for (i = 0; i < part->n; i++) {
		if (part->entries[i].outcome == H2SESS_OUTCOME_WRITTEN)
			set_outcome(part, i, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE, true);
	}
}

/* A drain's deadline: what is still open ends now. */
static void reap(struct fanout_part *part, struct budget *b)
{
	while (part->reaped < part->n && spend(b)) {
		size_t i = part->reaped++;
		struct h2sess_session *s;

		if (part->entries[i].flags & FANOUT_SETTLED)
			continue;
		s = session_of(part, i);
		if (part->entries[i].outcome == H2SESS_OUTCOME_QUEUED)
			not_sent(part, i, H2SESS_REASON_DEADLINE);
		if (s)
			session_fail(s, 0, H2SESS_NO_ERROR);
		note_end(part, i);
	}
	if (part->next < part->reaped)
		part->next = part->reaped;
}

/* A drain waits for `received` of its ALTSVC, but not for ever. */
static void stop_waiting(struct fanout_part *part, struct budget *b, uint64_t now)
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
		s = session_of(part, part->waited++);
		if (s && !(e->flags & (FANOUT_GOAWAY | FANOUT_SETTLED))) {
			spend(b);
			order_goaway(part, s, part->waited - 1);
		}
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
static uint64_t part_turn(struct fanout_part *part, struct budget *b)
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
		reap(part, b);
	else if (past && !part->late)
		become_late(part);
	else if (!past && (part->all_matched || !f->interval_ns))
		send_some(part, b);
	if (drain && !past && f->value)
		stop_waiting(part, b, now);
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
	struct budget b = {.sessions = FANOUT_SLICE, .until = uv_hrtime() + FANOUT_SLICE_NS};
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

		set_outcome(part, i, queued ? H2SESS_OUTCOME_NOT_SENT : part->entries[i].outcome,
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
