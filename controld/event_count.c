/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting what the log dropped, for a reader that had not seen it: exactly, one event at a time, so
 * that its caller (stream.c) can do other things between any two.
 *
 * The range is fixed at the begin. What the log drops from then on is not in it.
 *
 * Failure modes: the history loses an event before it was judged, or cannot tell whether the filter
 * wants it: the number is not known, and the count is done. More counts at once than EVENT_MEMOS_MAX:
 * the others are slower.
 */
#include "event_count.h"

#include <assert.h>

void event_count_begin(struct event_count *count, struct events *events,
		       const struct event_filter *filter, uint64_t from, uint64_t to)
{
	assert(to <= events->seq);
	*count = (struct event_count){.from = from, .to = to, .next = from};
	if (!filter->select || from > to || to - from < EVENT_COUNT_MANY ||
	    events->memos >= EVENT_MEMOS_MAX)
		return;
	count->prepared = true;
	events->memos++;
	event_select_begin(filter->select);
}

static enum event_verdict judge(const struct events *events, const struct event_filter *filter,
				uint64_t seq)
{
	if (seq < events->history_first)
		return EVENT_UNDECIDED;
	return events_judge_dropped(events, filter, seq);
}

void event_count_next(struct event_count *count, const struct events *events,
		      const struct event_filter *filter)
{
	enum event_verdict verdict = judge(events, filter, count->next);

	count->next++;
	count->shown += verdict == EVENT_SHOWN;
	if (verdict != EVENT_UNDECIDED)
		return;
	count->shown = -1;
	count->next = count->to + 1;
}

void event_count_end(struct event_count *count, struct events *events,
		     const struct event_filter *filter)
{
	if (!count->prepared)
		return;
	count->prepared = false;
	events->memos--;
	event_select_end(filter->select);
}
