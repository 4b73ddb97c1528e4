/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of /metrics: each is counted once, whenever its push ends, is revived, ends again or is
 * forgotten, and whether a list of its sessions is kept or not.
 */
#include "controld/pushes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALTSVC PUSH_KIND_ALTSVC

struct scene {
	struct pushes pushes;
	struct push push;
	struct push_part part;
};

static struct scene *scene(void **state)
{
	return *state;
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	list_init(&scene->pushes.settling);
	scene->push.kind = ALTSVC;
	scene->push.parts = &scene->part;
	scene->push.part_count = 1;
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	results_done(&scene(state)->part.results);
	free(*state);
	return 0;
}

/* The part has so many of an outcome, and the first `listed` of them have a reason. */
static void has(struct scene *scene, enum push_outcome outcome, uint64_t n, uint64_t listed,
		enum push_reason reason)
{
	scene->part.counts.of[outcome] = n;
	scene->part.counts.matched += n;
	for (uint64_t i = 0; i < listed; i++) {
		uint64_t number = 1000 * (uint64_t)outcome + i;

		assert_true(results_set(&scene->part.results, &number, 1, outcome, reason,
					SIZE_MAX) >= 0);
	}
}

static uint64_t total(const struct scene *scene, enum push_outcome outcome, enum push_reason reason)
{
	return scene->pushes.totals.count[ALTSVC][outcome][reason];
}

static uint64_t sum(const struct scene *scene)
{
	uint64_t all = 0;

	for (int outcome = 0; outcome < PUSH_OUTCOMES; outcome++)
		for (int reason = 0; reason < REASONS; reason++)
			all += total(scene, (enum push_outcome)outcome, (enum push_reason)reason);
	return all;
}

static void known_ones_are_counted_at_once_and_once(void **state)
{
	struct scene *s = scene(state);

	has(s, PUSH_RECEIVED, 3, 3, REASON_NONE);
	has(s, PUSH_NOT_SENT, 5, 2, REASON_CANCELLED); /* of the rest no list is kept */
	push_totals_end(&s->pushes, &s->push, 0);
	push_totals_end(&s->pushes, &s->push, 1);
	push_totals_forget(&s->pushes, &s->push);
	assert_int_equal(total(s, PUSH_RECEIVED, REASON_NONE), 3);
	assert_int_equal(total(s, PUSH_NOT_SENT, REASON_CANCELLED), 2);
	assert_int_equal(total(s, PUSH_NOT_SENT, REASON_NONE), 3);
	assert_int_equal(sum(s), 8);
}

static void unknown_ones_wait_for_their_worker(void **state)
{
	struct scene *s = scene(state);

	s->part.lost = REASON_WORKER_LOST;
	has(s, PUSH_RECEIVED, 1, 1, REASON_NONE);
	has(s, PUSH_UNKNOWN, 2, 1, REASON_WORKER_LOST); /* the other one was never told of */
	push_totals_end(&s->pushes, &s->push, 7);
	push_totals_tick(&s->pushes, 7 + PUSH_RETURN_MS - 1);
	assert_int_equal(sum(s), 0);
	push_totals_tick(&s->pushes, 7 + PUSH_RETURN_MS);
	push_totals_tick(&s->pushes, 7 + 2 * PUSH_RETURN_MS);
	assert_int_equal(total(s, PUSH_UNKNOWN, REASON_WORKER_LOST), 2);
	assert_int_equal(sum(s), 3);
}

static void a_worker_that_comes_back_is_believed(void **state)
{
	struct scene *s = scene(state);

	has(s, PUSH_UNKNOWN, 2, 0, REASON_NONE);
	push_totals_end(&s->pushes, &s->push, 0);
	push_totals_revive(&s->push);
	push_totals_tick(&s->pushes, 2 * PUSH_RETURN_MS);
	assert_int_equal(sum(s), 0); /* it goes on */
	s->part.counts = (struct push_counts){0};
	has(s, PUSH_RECEIVED, 2, 2, REASON_NONE);
	push_totals_end(&s->pushes, &s->push, 3 * PUSH_RETURN_MS);
	assert_int_equal(total(s, PUSH_RECEIVED, REASON_NONE), 2);
	assert_int_equal(sum(s), 2);
	push_totals_revive(&s->push); /* later than that changes nothing */
	push_totals_end(&s->pushes, &s->push, 4 * PUSH_RETURN_MS);
	assert_int_equal(sum(s), 2);
}

static void one_that_is_forgotten_is_counted_before(void **state)
{
	struct scene *s = scene(state);

	has(s, PUSH_UNKNOWN, 2, 2, REASON_WORKER_LOST);
	push_totals_end(&s->pushes, &s->push, 0);
	push_totals_forget(&s->pushes, &s->push);
	assert_int_equal(total(s, PUSH_UNKNOWN, REASON_WORKER_LOST), 2);
	assert_true(list_empty(&s->pushes.settling));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_ones_are_counted_at_once_and_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(unknown_ones_wait_for_their_worker, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_worker_that_comes_back_is_believed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(one_that_is_forgotten_is_counted_before, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("controld_totals", tests, NULL, NULL);
}
