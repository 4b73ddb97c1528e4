/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2sess_push_frames_total: frames by what became of them. A counter never falls, and each frame is
 * in it once.
 *
 *   1. a push has ended: its frames are counted, and that is all;
 *   2. where some are unknown it waits PUSH_RETURN_MS: their worker may come back and know better;
 *   3. it does: the push goes on, and is counted when it ends again.
 *
 * What a worker says later than that changes the push, not the totals. Failure mode: outcomes of
 * which no list is kept for want of room: counted by the counts, without their reasons.
 */
#include "pushes.h"

static void count(struct push_totals *totals, const struct push *push, const struct push_part *part)
{
	uint64_t left[PUSH_OUTCOMES];

	for (int outcome = 0; outcome < PUSH_OUTCOMES; outcome++)
		left[outcome] = part->counts.of[outcome];
	for (size_t i = 0; i < part->results.count; i++) {
		const struct result *result = &part->results.list[i];

		totals->count[push->kind][result->outcome][result->reason]++;
		if (left[result->outcome])
			left[result->outcome]--;
	}
	for (int outcome = 0; outcome < PUSH_OUTCOMES; outcome++) {
		enum push_reason reason = outcome == PUSH_UNKNOWN ? part->lost : REASON_NONE;

		totals->count[push->kind][outcome][reason] += left[outcome];
	}
}

static void take(struct pushes *pushes, struct push *push)
{
	push->totalled = true;
	list_remove(&push->settling_link);
	for (size_t i = 0; i < push->part_count; i++)
		count(&pushes->totals, push, &push->parts[i]);
}

void push_totals_end(struct pushes *pushes, struct push *push, uint64_t now)
{
	if (push->totalled)
		return;
	if (push_sum(push).of[PUSH_UNKNOWN] == 0) {
		take(pushes, push);
		return;
	}
	push->settled_at = now + PUSH_RETURN_MS;
	list_append(&pushes->settling, &push->settling_link);
}

void push_totals_revive(struct push *push)
{
	list_remove(&push->settling_link);
}

void push_totals_tick(struct pushes *pushes, uint64_t now)
{
	list_for_each_safe(at, next, &pushes->settling) {
		struct push *push = container_of(at, struct push, settling_link);

		if (push->settled_at <= now)
			take(pushes, push);
	}
}

void push_totals_forget(struct pushes *pushes, struct push *push)
{
	if (list_is_linked(&push->settling_link))
		take(pushes, push);
}
