/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns: work that may be long is done in slices, between which the loop serves everybody else.
 *
 * Event streams judge events: those that the log holds, and of those that it dropped what is left of
 * them, up to millions for one reader. Each asks turns_take() before each event:
 *   1. in one turn of the loop so many are judged, for all readers together;
 *   2. who has more to judge then waits, and goes on in the next turn, in the order of waiting: one
 *      who takes long waits behind the others again after each slice of his;
 *   3. while somebody waits the loop looks at its descriptors and timers without sleeping.
 *
 * Events differ in cost by what a reader asks of them, so the clock is looked at as well: loop time
 * stands still while the loop works, and how far the clock has gone since is how long others wait.
 *
 * Failure modes: none; a few are judged in each turn, however late it is.
 */
#include "turns.h"

#define NS_PER_MS 1000000

static void begin(struct turns *turns, uv_loop_t *loop)
{
	uv_update_time(loop);
	turns->left = turns->events;
}

static void on_idle(uv_idle_t *idle)
{
	struct turns *turns = container_of(idle, struct turns, idle);

	begin(turns, idle->loop);
	while (turns->left && !list_empty(&turns->waiting)) {
		struct turn_taker *first =
			container_of(turns->waiting.next, struct turn_taker, link);

		turns_leave(first);
		first->go_on(first);
	}
	if (list_empty(&turns->waiting))
		uv_idle_stop(idle);
	begin(turns, idle->loop); /* for those who come without having waited */
}

static void on_check(uv_check_t *check)
{
	begin(container_of(check, struct turns, check), check->loop);
}

void turns_start(struct turns *turns, uv_loop_t *loop)
{
	list_init(&turns->waiting);
	turns->events = turns->left = TURN_EVENTS;
	uv_idle_init(loop, &turns->idle);
	uv_check_init(loop, &turns->check);
	uv_check_start(&turns->check, on_check);
}

void turns_stop(struct turns *turns)
{
	uv_close((uv_handle_t *)&turns->idle, NULL);
	uv_close((uv_handle_t *)&turns->check, NULL);
}

static bool is_late(const struct turns *turns)
{
	return uv_hrtime() > uv_now(turns->check.loop) * NS_PER_MS + TURN_NS;
}

bool turns_take(struct turns *turns)
{
	if (!turns->left)
		return false;
	turns->left--;
	if (turns->left % TURN_STEP == 0 && is_late(turns))
		turns->left = 0;
	return true;
}

void turns_wait(struct turns *turns, struct turn_taker *taker)
{
	list_remove(&taker->link);
	list_append(&turns->waiting, &taker->link);
	if (!uv_is_closing((uv_handle_t *)&turns->idle))
		uv_idle_start(&turns->idle, on_idle);
}

void turns_leave(struct turn_taker *taker)
{
	list_remove(&taker->link);
}

bool turns_is_waiting(const struct turn_taker *taker)
{
	return list_is_linked(&taker->link);
}
