/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts of what the log dropped, in turns of the loop: exact over many of them, fair to each other,
 * and between any two the loop serves others. Turns are counted; time is only where it is the limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controld/event_count.h"
#include "controld/turns.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 1000
#define A_TURN 10

struct reader {
	struct turn_taker taker;
	struct house *house;
	struct event_filter filter;
	struct event_count count;
	bool dawdles;
	bool done;
};

/* A log that has dropped nearly all of EVENTS, every third of them x-b; and somebody else to serve. */
struct house {
	uv_loop_t loop;
	struct turns turns;
	struct events events;
	struct reader readers[2];
	int pipe[2];
	uv_poll_t poll;
	unsigned served;       /* times */
	unsigned judged;       /* since then */
	unsigned most;	       /* that judged has been */
	uint64_t grow_each;    /* events are added each time */
	uint64_t history_lost; /* the first seq that is known after the third time; 0: all */
};

static void publish(struct house *house, uint64_t n)
{
	int types[] = {event_type_by_name(&house->events, "x-a"),
		       event_type_by_name(&house->events, "x-b")};

	while (n--)
		events_publish(&house->events, types[house->events.seq % 3 == 2], NULL, NULL);
}

/* Somebody else's call: it is there again as soon as it was served. */
static void on_call(uv_poll_t *poll, int status, int events)
{
	struct house *house = container_of(poll, struct house, poll);
	char octet;

	(void)status;
	(void)events;
	assert_int_equal(read(house->pipe[0], &octet, 1), 1);
	house->served++;
	house->judged = 0;
	publish(house, house->grow_each);
	if (house->served == 3 && house->history_lost)
		house->events.history_first = house->history_lost;
	if (list_empty(&house->turns.waiting))
		uv_stop(&house->loop);
	else
		assert_int_equal(write(house->pipe[1], &octet, 1), 1);
}

static void set_up(struct house *house)
{
	memset(house, 0, sizeof(*house));
	uv_loop_init(&house->loop);
	turns_start(&house->turns, &house->loop);
	house->turns.events = A_TURN;
	assert_int_equal(events_init(&house->events, 16, 1 << 20), 0);
	publish(house, EVENTS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, house->pipe), 0);
	uv_poll_init(&house->loop, &house->poll, house->pipe[0]);
	uv_poll_start(&house->poll, UV_READABLE, on_call);
	assert_int_equal(write(house->pipe[1], "x", 1), 1);
}

static void tear_down(struct house *house)
{
	assert_int_equal(house->events.memos, 0);
	turns_stop(&house->turns);
	uv_close((uv_handle_t *)&house->poll, NULL);
	uv_run(&house->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&house->loop), 0);
	close(house->pipe[0]);
	close(house->pipe[1]);
	events_done(&house->events);
}

static void dawdle(void)
{
	uint64_t until = uv_hrtime() + TURN_NS / (TURN_STEP / 2);

	while (uv_hrtime() < until)
		continue;
}

static void on_turn(struct turn_taker *taker)
{
	struct reader *reader = container_of(taker, struct reader, taker);
	struct house *house = reader->house;

	while (!event_count_is_done(&reader->count)) {
		if (!turns_take(&house->turns)) {
			turns_wait(&house->turns, taker);
			return;
		}
		if (reader->dawdles)
			dawdle();
		event_count_next(&reader->count, &house->events, &reader->filter);
		house->judged++;
		house->most = house->judged > house->most ? house->judged : house->most;
	}
	event_count_end(&reader->count, &house->events, &reader->filter);
	reader->done = true;
}

static struct reader *begin(struct house *house, struct reader *reader, const char *type)
{
	reader->house = house;
	reader->taker.go_on = on_turn;
	reader->filter.types[event_type_by_name(&house->events, type)] = 1;
	event_count_begin(&reader->count, &house->events, &reader->filter, 1,
			  events_last_dropped(&house->events));
	turns_wait(&house->turns, &reader->taker);
	return reader;
}

static void run(struct house *house)
{
	uv_run(&house->loop, UV_RUN_DEFAULT);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void others_are_served_between_slices(void **state)
{
	struct reader *reader;
	struct house house;

	(void)state;
	set_up(&house);
	reader = begin(&house, &house.readers[0], "x-b");
	assert_int_equal(reader->count.to, EVENTS - 16);
	run(&house);
	assert_true(reader->done);
	assert_int_equal(reader->count.shown, (EVENTS - 16) / 3);
	assert_int_equal(house.most, A_TURN);
	assert_true(house.served >= (EVENTS - 16) / A_TURN);
	tear_down(&house);
}

static void two_share_the_turns(void **state)
{
	struct reader *one, *two;
	struct house house;

	(void)state;
	set_up(&house);
	one = begin(&house, &house.readers[0], "x-a");
	two = begin(&house, &house.readers[1], "x-b");
	while (!one->done || !two->done) {
		int64_t ahead;

		uv_run(&house.loop, UV_RUN_NOWAIT);
		ahead = (int64_t)(one->count.next - two->count.next);
		assert_true(ahead >= 0 && ahead <= A_TURN);
	}
	assert_int_equal(one->count.shown + two->count.shown, EVENTS - 16);
	assert_int_equal(two->count.shown, (EVENTS - 16) / 3);
	assert_int_equal(house.most, A_TURN);
	tear_down(&house);
}

static void who_leaves_is_not_asked_again(void **state)
{
	struct reader *one, *two;
	struct house house;
	uint64_t was;

	(void)state;
	set_up(&house);
	one = begin(&house, &house.readers[0], "x-a");
	two = begin(&house, &house.readers[1], "x-b");
	while (house.served < 5)
		uv_run(&house.loop, UV_RUN_NOWAIT);
	assert_true(turns_is_waiting(&one->taker));
	turns_leave(&one->taker);
	assert_false(turns_is_waiting(&one->taker));
	event_count_end(&one->count, &house.events, &one->filter);
	was = one->count.next;
	run(&house);
	assert_false(one->done);
	assert_int_equal(one->count.next, was);
	assert_int_equal(two->count.shown, (EVENTS - 16) / 3);
	tear_down(&house);
}

static void what_is_dropped_meanwhile_is_not_counted(void **state)
{
	struct reader *reader;
	struct house house;

	(void)state;
	set_up(&house);
	house.grow_each = 5;
	reader = begin(&house, &house.readers[0], "x-b");
	run(&house);
	assert_true(house.events.seq > EVENTS + 100);
	assert_int_equal(reader->count.to, EVENTS - 16);
	assert_int_equal(reader->count.shown, (EVENTS - 16) / 3);
	tear_down(&house);
}

/* What was counted before it was lost is counted; what was not makes the number unknown. */
static void what_the_history_loses_is_not_known(void **state)
{
	static const struct {
		uint64_t first;
		int64_t shown;
	} rows[] = {{3 * A_TURN - 5, (EVENTS - 16) / 3}, {EVENTS / 2, -1}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reader *reader;
		struct house house;

		set_up(&house);
		house.history_lost = rows[i].first;
		reader = begin(&house, &house.readers[0], "x-b");
		run(&house);
		assert_true(reader->done);
		assert_int_equal(reader->count.shown, rows[i].shown);
		tear_down(&house);
	}
}

/* Each costs so much that no more than TURN_STEP fit: the number of events is not the limit. */
static void the_clock_ends_a_turn_too(void **state)
{
	struct reader *reader;
	struct house house;

	(void)state;
	set_up(&house);
	house.turns.events = TURN_EVENTS;
	reader = &house.readers[0];
	reader->dawdles = true;
	begin(&house, reader, "x-b");
	run(&house);
	assert_true(reader->done);
	assert_int_equal(reader->count.shown, (EVENTS - 16) / 3);
	assert_int_equal(house.most, TURN_STEP);
	tear_down(&house);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_are_served_between_slices),
		cmocka_unit_test(two_share_the_turns),
		cmocka_unit_test(who_leaves_is_not_asked_again),
		cmocka_unit_test(what_is_dropped_meanwhile_is_not_counted),
		cmocka_unit_test(what_the_history_loses_is_not_known),
		cmocka_unit_test(the_clock_ends_a_turn_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
