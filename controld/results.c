/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of each session of a push, compactly: an array in the order of the sessions' numbers.
 *
 * A worker tells of up to 10,000 sessions at once, so they come in one pass: the numbers are put in
 * order, those that are known are changed in place, and the others merged in from behind.
 *
 * Failure modes: no memory, or more than its owner allows: the rest is not kept, and that is said.
 */
#include "results.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Put in order, drop repetitions; returns how many are left. */
static size_t put_in_order(uint64_t *numbers, size_t count)
{
	size_t n = 0;

	for (size_t i = 1; i < count; i++)
		if (numbers[i] <= numbers[i - 1]) {
			qsort(numbers, count, sizeof(*numbers), compare);
			break;
		}
	for (size_t i = 0; i < count; i++)
		if (n == 0 || numbers[i] != numbers[n - 1])
			numbers[n++] = numbers[i];
	return n;
}

size_t results_after(const struct results *results, uint64_t number)
{
	size_t low = 0, high = results->count;

	if (high && results->list[high - 1].number <= number)
		return high; /* they mostly come in order */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (results->list[middle].number <= number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct result *find(const struct results *results, uint64_t number)
{
	size_t after = results_after(results, number);

	return after && results->list[after - 1].number == number ? &results->list[after - 1]
								  : NULL;
}

const struct result *results_find(const struct results *results, uint64_t number)
{
	return find(results, number);
}

static bool make_room(struct results *results, size_t more)
{
	size_t room = results->room ? results->room : 1;
	struct result *list;

	while (room < results->count + more)
		room *= 2;
	if (room == results->room)
		return true;
	list = realloc(results->list, room * sizeof(*list));
	if (!list)
		return false;
	results->list = list;
	results->room = room;
	return true;
}

/* Change those that are known; the others are moved to the front of numbers. Returns how many. */
static size_t set_known(struct results *results, uint64_t *numbers, size_t count,
			const struct result *like)
{
	size_t unknown = 0;

	for (size_t i = 0; i < count; i++) {
		struct result *result = find(results, numbers[i]);

		if (result) {
			result->outcome = like->outcome;
			result->reason = like->reason;
		} else {
			numbers[unknown++] = numbers[i];
		}
	}
	return unknown;
}

/* Merge from behind: nothing is moved twice. */
static void merge(struct results *results, const uint64_t *numbers, size_t count,
		  const struct result *like)
{
	size_t from = results->count, to = from + count;

	results->count = to;
	while (count) {
		struct result *at = &results->list[--to];

		if (from && results->list[from - 1].number > numbers[count - 1]) {
			*at = results->list[--from];
			continue;
		}
		*at = *like;
		at->number = numbers[--count];
	}
}

long results_set(struct results *results, uint64_t *numbers, size_t count,
		 enum push_outcome outcome, enum push_reason reason, size_t room_left)
{
	const struct result like = {.outcome = (uint8_t)outcome, .reason = (uint8_t)reason};

	count = set_known(results, numbers, put_in_order(numbers, count), &like);
	if (count == 0)
		return 0;
	if (count > room_left || !make_room(results, count))
		return -1;
	merge(results, numbers, count, &like);
	return (long)count;
}

void results_turn(struct results *results, enum push_outcome from, enum push_outcome to,
		  enum push_reason reason)
{
	for (size_t i = 0; i < results->count; i++) {
		if (results->list[i].outcome != from)
			continue;
		results->list[i].outcome = (uint8_t)to;
		results->list[i].reason = (uint8_t)reason;
	}
}

int results_load(struct results *results, const void *data, size_t len)
{
	size_t count = len / sizeof(struct result);

	if (len % sizeof(struct result) || !make_room(results, count))
		return -1;
	memcpy(results->list, data, len);
	for (size_t i = 0; i < count; i++) {
		const struct result *result = &results->list[i];

		if (result->outcome >= PUSH_OUTCOMES || result->reason >= REASONS ||
		    !reason_name(result->reason) || (i && result->number <= result[-1].number))
			return -1;
	}
	results->count = count;
	return 0;
}

void results_done(struct results *results)
{
	free(results->list);
	*results = (struct results){0};
}
