/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of the daemon that no client reaches in a test: they hold, and are counted in
 * h2sess_limit_total.
 */
#include "controld/controld.h"
#include "controld/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct house {
	uv_loop_t loop;
	struct controld controld;
};

static int set_up(void **state)
{
	struct house *house = calloc(1, sizeof(*house));
	char why[OPTIONS_WHY_MAX];

	assert_non_null(house);
	assert_int_equal(uv_loop_init(&house->loop), 0);
	house->controld.loop = &house->loop;
	assert_int_equal(events_init(&house->controld.events, 10, 1000), 0);
	assert_int_equal(store_open(&house->controld.store, NULL, &house->controld.events,
				    &house->loop, NULL, NULL, why),
			 0);
	keys_init(&house->controld.keys, &house->controld);
	pushes_init(&house->controld.pushes, &house->controld);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;

	uv_close((uv_handle_t *)&house->controld.pushes.tick, NULL);
	store_close(house->controld.store);
	uv_run(&house->loop, UV_RUN_DEFAULT);
	events_done(&house->controld.events);
	pushes_done(&house->controld.pushes);
	keys_done(&house->controld.keys);
	metrics_done(&house->controld.metrics);
	assert_int_equal(uv_loop_close(&house->loop), 0);
	free(house);
	return 0;
}

static uint64_t reached(const struct house *house, enum metrics_limit limit)
{
	return house->controld.metrics.limits[limit];
}

static void test_pushes(void **state)
{
	struct house *house = *state;
	struct pushes *pushes = &house->controld.pushes;

	for (int i = 0; i < PUSHES_MAX; i++)
		assert_non_null(push_new(pushes, NULL, PUSH_KIND_ALTSVC, "b-1", "alice"));
	assert_int_equal(reached(house, LIMIT_PUSHES), 0);
	assert_null(push_new(pushes, NULL, PUSH_KIND_ALTSVC, "b-1", "alice"));
	assert_int_equal(reached(house, LIMIT_PUSHES), 1);
	assert_int_equal(pushes->count, PUSHES_MAX);
	assert_int_equal(house->controld.metrics.forgotten[FORGOTTEN_PUSHES], 0);

	/* One that is over makes room. */
	container_of(pushes->list.next, struct push, link)->state = PUSH_STATE_DONE;
	assert_non_null(push_new(pushes, NULL, PUSH_KIND_ALTSVC, "b-1", "alice"));
	assert_int_equal(reached(house, LIMIT_PUSHES), 1);
	assert_int_equal(pushes->count, PUSHES_MAX);
	assert_int_equal(house->controld.metrics.forgotten[FORGOTTEN_PUSHES], 1);
}

static void test_warnings(void **state)
{
	struct house *house = *state;
	struct push *push =
		push_new(&house->controld.pushes, NULL, PUSH_KIND_ALTSVC, NULL, "alice");
	char detail[16];

	assert_non_null(push);
	for (int i = 0; i < PUSH_WARNINGS_MAX + 3; i++) {
		snprintf(detail, sizeof(detail), "%d", i);
		push_warn(push, "unreachable", detail, 0);
	}
	push_warn(push, "unreachable", "0", 0); /* one that is there */
	assert_int_equal(json_array_size(push->warnings), PUSH_WARNINGS_MAX);
	assert_int_equal(reached(house, LIMIT_PUSH_WARNINGS), 3);
}

static void test_ended_sessions(void **state)
{
	struct history history;
	char session[16];

	(void)state;
	history_init(&history);
	for (int i = 0; i < HISTORY_MAX + 3; i++) {
		snprintf(session, sizeof(session), "b-%d", i);
		history_take(&history, session, "2026-01-01T00:00:00.000Z", NULL);
	}
	assert_int_equal(history.by_session.used, HISTORY_MAX);
	assert_int_equal(history.forgotten, 3);
	assert_null(history_find(&history, "b-2"));
	assert_non_null(history_find(&history, "b-3"));
	history_done(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pushes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_warnings, set_up, tear_down),
		cmocka_unit_test(test_ended_sessions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
