/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of the daemon that no client reaches in a test: they hold, and are counted in
 * h2sess_limit_total.
 */
#include "controld/controld.h"

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

	assert_non_null(house);
	assert_int_equal(uv_loop_init(&house->loop), 0);
	house->controld.loop = &house->loop;
	keys_init(&house->controld.keys, &house->controld);
	pushes_init(&house->controld.pushes, &house->controld);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;

	uv_close((uv_handle_t *)&house->controld.pushes.tick, NULL);
	uv_run(&house->loop, UV_RUN_DEFAULT);
	pushes_done(&house->controld.pushes);
	keys_done(&house->controld.keys);
	metrics_done(&house->controld.metrics);
	assert_int_equal(uv_loop_close(&house->loop), 0);
	free(house);
	return 0;
}

static long long counted(const struct house *house, const char *limit)
{
	return json_integer_value(json_object_get(house->controld.metrics.limits, limit));
}

static void test_pushes(void **state)
{
	struct house *house = *state;
	struct pushes *pushes = &house->controld.pushes;

	for (int i = 0; i < PUSHES_MAX; i++)
		assert_non_null(push_new(pushes, NULL, PUSH_KIND_ALTSVC, "b-1", "alice"));
	assert_int_equal(counted(house, "pushes"), 0);
	assert_null(push_new(pushes, NULL, PUSH_KIND_ALTSVC, "b-1", "alice"));
	assert_int_equal(counted(house, "pushes"), 1);
	assert_int_equal(pushes->count, PUSHES_MAX);
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
	assert_int_equal(counted(house, "push_warnings"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pushes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_warnings, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
