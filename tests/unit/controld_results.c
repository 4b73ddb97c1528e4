/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of each session of a push: whatever the order in which workers tell it, each number is
 * there once, in order, as it was told last; the bound holds; damaged octets are refused.
 *
 * Random updates are held against a plain array over all numbers.
 */
#include "controld/results.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUMBERS 500
#define ROUNDS 2000
#define NO_BOUND SIZE_MAX

static void set(struct results *results, size_t count, const uint64_t *numbers,
		enum push_outcome outcome, enum push_reason reason)
{
	uint64_t list[NUMBERS];

	memcpy(list, numbers, count * sizeof(*list));
	assert_true(results_set(results, list, count, outcome, reason, NO_BOUND) >= 0);
}

static void check(const struct results *results, const int *model)
{
	size_t at = 0;

	for (uint64_t number = 0; number < NUMBERS; number++) {
		const struct result *result = results_find(results, number);

		assert_int_equal(results_after(results, number), at + (model[number] >= 0));
		if (model[number] < 0) {
			assert_null(result);
			continue;
		}
		assert_non_null(result);
		assert_ptr_equal(result, &results->list[at++]);
		assert_int_equal(result->outcome, model[number]);
	}
	assert_int_equal(results->count, at);
}

static void any_order_comes_out_in_order(void **state)
{
	struct results results = {0};
	int model[NUMBERS];
	unsigned seed = 7;

	(void)state;
	for (size_t i = 0; i < NUMBERS; i++)
		model[i] = -1;
	for (int round = 0; round < ROUNDS; round++) {
		size_t count = (size_t)(rand_r(&seed) % 20);
		int outcome = rand_r(&seed) % PUSH_OUTCOMES;
		uint64_t numbers[20];

		for (size_t i = 0; i < count; i++) {
			numbers[i] = (uint64_t)(rand_r(&seed) % NUMBERS); /* some twice */
			model[numbers[i]] = outcome;
		}
		set(&results, count, numbers, (enum push_outcome)outcome, REASON_NONE);
		if (round % 50 == 0)
			check(&results, model);
	}
	check(&results, model);
	results_done(&results);
}

static void the_bound_holds(void **state)
{
	struct results results = {0};
	uint64_t numbers[] = {5, 1, 9, 1};
	uint64_t more[] = {5, 2};

	(void)state;
	assert_int_equal(results_set(&results, numbers, 4, PUSH_QUEUED, REASON_NONE, 2), -1);
	assert_int_equal(results.count, 0);
	memcpy(numbers, (uint64_t[]){5, 1, 9, 1}, sizeof(numbers));
	assert_int_equal(results_set(&results, numbers, 4, PUSH_QUEUED, REASON_NONE, 3), 3);
	/* Those that are there are set even when there is no room for others. */
	assert_int_equal(results_set(&results, more, 2, PUSH_RECEIVED, REASON_NONE, 0), -1);
	assert_int_equal(results_find(&results, 5)->outcome, PUSH_RECEIVED);
	assert_null(results_find(&results, 2));
	results_done(&results);
}

static void what_was_not_final_turns(void **state)
{
	const uint64_t numbers[] = {1, 2}, other[] = {3};
	struct results results = {0};

	(void)state;
	set(&results, 2, numbers, PUSH_WRITTEN, REASON_NONE);
	set(&results, 1, other, PUSH_RECEIVED, REASON_NONE);
	results_turn(&results, PUSH_WRITTEN, PUSH_UNKNOWN, REASON_WORKER_LOST);
	assert_int_equal(results_find(&results, 2)->outcome, PUSH_UNKNOWN);
	assert_int_equal(results_find(&results, 2)->reason, REASON_WORKER_LOST);
	assert_int_equal(results_find(&results, 3)->outcome, PUSH_RECEIVED);
	results_done(&results);
}

static void octets_of_the_state_file(void **state)
{
	struct results results = {0}, copy = {0};
	const uint64_t numbers[] = {1, 7, UINT64_MAX};
	struct result bad[2];

	(void)state;
	assert_int_equal(sizeof(struct result), 16);
	set(&results, 3, numbers, PUSH_NOT_SENT, REASON_LINT_ORIGIN_NOT_COVERED);
	assert_int_equal(results_load(&copy, results.list, 3 * sizeof(struct result)), 0);
	assert_int_equal(copy.count, 3);
	assert_string_equal(reason_name(results_find(&copy, UINT64_MAX)->reason),
			    "origin-not-covered");
	assert_int_equal(results_load(&copy, results.list, 17), -1);
	memcpy(bad, results.list, sizeof(bad));
	bad[1].number = 1; /* not in order */
	assert_int_equal(results_load(&copy, bad, sizeof(bad)), -1);
	bad[1].number = 7;
	bad[1].outcome = PUSH_OUTCOMES;
	assert_int_equal(results_load(&copy, bad, sizeof(bad)), -1);
	bad[1].outcome = PUSH_NOT_SENT;
	bad[1].reason = 63; /* nobody's */
	assert_int_equal(results_load(&copy, bad, sizeof(bad)), -1);
	results_done(&results);
	results_done(&copy);
}

static void words(void **state)
{
	(void)state;
	for (int outcome = 0; outcome < PUSH_OUTCOMES; outcome++)
		assert_int_equal(outcome_by_name(outcome_name((enum push_outcome)outcome)),
				 outcome);
	assert_int_equal(outcome_by_name("notSent"), -1);
	assert_int_equal(reason_by_name("WORKER_LOST"), REASON_WORKER_LOST);
	assert_int_equal(reason_by_name(NULL), REASON_NONE);
	assert_int_equal(reason_by_name("from-the-future"), REASON_OTHER);
	assert_int_equal(kind_by_name("drain"), PUSH_KIND_DRAIN);
	assert_int_equal(kind_by_name("x"), PUSH_KIND_ANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_comes_out_in_order),
		cmocka_unit_test(the_bound_holds),
		cmocka_unit_test(what_was_not_final_turns),
		cmocka_unit_test(octets_of_the_state_file),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
