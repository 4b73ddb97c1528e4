/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_TURNS_H
#define CONTROLD_TURNS_H

#include "list.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define TURN_EVENTS 8192 /* judged for all readers together before the loop serves others */
#define TURN_NS 2000000	 /* ... and none once the loop has been at its work for so long */
#define TURN_STEP 32	 /* events between looks at the clock */

/* Somebody who has more to judge. All zero: he does not wait. */
struct turn_taker {
	struct list link; /* turns.waiting */
	/* Takes until there is no more, or enough, and waits again if need be: not without one. */
	void (*go_on)(struct turn_taker *taker);
};

/* How much is judged in one turn of the loop, and who goes on in the next. */
struct turns {
	struct list waiting; /* struct turn_taker.link: who waits longest first */
	uint32_t events;     /* TURN_EVENTS, or fewer in a test */
	uint32_t left;	     /* of them */
	uv_idle_t idle;	     /* runs while somebody waits: the loop does not sleep then */
	uv_check_t check;
};

void turns_start(struct turns *turns, uv_loop_t *loop);
void turns_stop(struct turns *turns); /* who waits is left where he is */

/* May one more event be judged in this turn? If not, wait. */
bool turns_take(struct turns *turns);

/* Go on in a turn to come, after those who wait already. */
void turns_wait(struct turns *turns, struct turn_taker *taker);
void turns_leave(struct turn_taker *taker);
bool turns_is_waiting(const struct turn_taker *taker);

#endif
