/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_EVENT_COUNT_H
#define CONTROLD_EVENT_COUNT_H

#include "events.h"

#define EVENT_COUNT_MANY 1000 /* of a range that is so long, that preparations pay */

/* A count under way of the events of a range that a filter wants. */
struct event_count {
	uint64_t from; /* seqs, both included */
	uint64_t to;
	uint64_t next;
	int64_t shown; /* so far; -1: it is not known any more */
	bool prepared;
};

/* from > to: of none. events and filter are the same ones until the end. */
void event_count_begin(struct event_count *count, struct events *events,
		       const struct event_filter *filter, uint64_t from, uint64_t to);

static inline bool event_count_is_done(const struct event_count *count)
{
	return count->next > count->to;
}

/* Judge one more. It is not done yet. */
void event_count_next(struct event_count *count, const struct events *events,
		      const struct event_filter *filter);

/* Done or not. All zero: nothing. */
void event_count_end(struct event_count *count, struct events *events,
		     const struct event_filter *filter);

#endif
