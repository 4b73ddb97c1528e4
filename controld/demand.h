/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_DEMAND_H
#define CONTROLD_DEMAND_H

#include "events.h"

#define DEMAND_LINGER_MS 60000 /* a type is recorded on after its last reader left */

/* Which of the event types that cost something are wanted, and since when they are recorded. */
struct demand {
	struct controld *controld;
	uint32_t readers[EVENT_CUSTOM];
	uint64_t quiet_since[EVENT_CUSTOM];    /* loop time; no reader since; 0: recorded no more */
	uint64_t recorded_after[EVENT_CUSTOM]; /* seq; valid while recorded */
	uv_timer_t sweep;
};

void demand_start(struct demand *demand, struct controld *controld);
void demand_stop(struct demand *demand);

/* A reader comes or goes. */
void demand_add(struct demand *demand, const struct event_filter *filter);
void demand_remove(struct demand *demand, const struct event_filter *filter);

/* Was every type of the filter recorded since that event? Asked before demand_add(). */
bool demand_recorded_since(const struct demand *demand, const struct event_filter *filter,
			   uint64_t seq);

/* FILTER of rpc.md, a new reference. */
json_t *demand_filter(const struct demand *demand);

#endif
