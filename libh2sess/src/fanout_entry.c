/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sessions of one loop's share of a fan-out: an entry each, what is pushed to it, what became of
 * it. The loop's thread writes; the host's take what has changed (fanout.c), under the lock.
 *
 * A push knows the part and the entry's index, and tells its sink; so a part is kept until every
 * push that knows of it has said its last word (fanout_let_go()).
 *
 * What can go wrong: an entry that there is no memory for is counted as not sent.
 */
#include "fanout.h"
#include "memory.h"

#define ENTRIES_FIRST 64

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

bool fanout_entry_add(struct fanout_part *part, uint64_t number)
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

void fanout_entry_set(struct fanout_part *part, size_t index, int outcome, int reason, bool settled)
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

void fanout_entry_not_sent(struct fanout_part *part, size_t index, int reason)
{
	fanout_entry_set(part, index, H2SESS_OUTCOME_NOT_SENT, reason, true);
}

struct h2sess_session *fanout_entry_session(const struct fanout_part *part, size_t index)
{
	struct h2sess_session *s =
		session_table_find(&part->loop->table, part->entries[index].number);

	return s && !s->destroyed ? s : NULL;
}

void fanout_settle_rest(struct fanout_part *part, int reason)
{
	for (; part->next < part->n; part->next++)
		fanout_entry_not_sent(part, part->next, reason);
}

void fanout_entry_ended(struct fanout_part *part, size_t index)
{
	uv_mutex_lock(&part->lock);
	if (!(part->entries[index].flags & FANOUT_ENDED))
		part->counts.ended++;
	part->entries[index].flags |= FANOUT_ENDED;
	uv_mutex_unlock(&part->lock);
	fanout_changed(part->fanout);
}

/* ---- pushes ---------------------------------------------------------------------------------- */

static uint64_t deadline_of(const struct fanout_part *part)
{
	uint64_t end = part->fanout->deadline_ns;
	uint64_t now;

	if (end == UINT64_MAX)
		return 0;
	now = uv_hrtime();
	return loop_now(part->loop) + (end > now ? (end - now) / 1000000 : 0) + 1;
}

int fanout_push(struct fanout_part *part, struct h2sess_session *s, size_t index,
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

int fanout_reason(int error)
{
	return error == H2SESS_EBACKLOGGED ? H2SESS_REASON_BACKLOGGED : H2SESS_REASON_NO_MEMORY;
}

bool fanout_let_go(struct fanout_part *part, bool last)
{
	struct h2sess_fanout *f = part->fanout;
	bool over = part->over;

	part->outstanding -= last;
	if (over && part->outstanding == 0)
		fanout_unref(f);
	return over;
}
