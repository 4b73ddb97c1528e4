/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_RESULTS_H
#define CONTROLD_RESULTS_H

#include "outcomes.h"

#include <stdbool.h>

/* What became of one session: 16 octets, as many as there are of it on disk. */
struct result {
	uint64_t number; /* N of the session's id BOOT-N */
	uint8_t outcome; /* enum push_outcome */
	uint8_t reason;	 /* enum push_reason */
	uint8_t unused[6];
};

/* What became of the sessions of one worker, by number. All zero: empty. */
struct results {
	struct result *list;
	size_t count;
	size_t room;
};

/*
 * Set what became of these sessions; new ones are added unless that makes more than `room_left`
 * more. numbers is put in order in place. Returns how many were added, or -1: some were not, for
 * want of memory or room.
 */
long results_set(struct results *results, uint64_t *numbers, size_t count,
		 enum push_outcome outcome, enum push_reason reason, size_t room_left);

/* Those that are still `from` become `to`. */
void results_turn(struct results *results, enum push_outcome from, enum push_outcome to,
		  enum push_reason reason);

const struct result *results_find(const struct results *results, uint64_t number); /* or NULL */
size_t results_after(const struct results *results, uint64_t number); /* index of the next one */

/* From octets of the state file: -1 when they are none. */
int results_load(struct results *results, const void *data, size_t len);
void results_done(struct results *results);

#endif
