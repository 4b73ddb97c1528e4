/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting of lists: a merge sort in place, without memory of its own, so it cannot fail. Recursion is
 * as deep as the logarithm of the length.
 */
#include "list.h"

static void move_first(struct list *to, struct list *from)
{
	struct list *first = from->next;

	list_remove(first);
	list_append(to, first);
}

/* What is the same comes from a first. */
static void merge(struct list *to, struct list *a, struct list *b, list_compare_fn *compare)
{
	while (!list_empty(a) && !list_empty(b))
		move_first(to, compare(a->next, b->next) <= 0 ? a : b);
	while (!list_empty(a))
		move_first(to, a);
	while (!list_empty(b))
		move_first(to, b);
}

void list_sort(struct list *list, list_compare_fn *compare)
{
	struct list halves[2];
	size_t n = 0;

	if (list_empty(list) || list->next->next == list)
		return;
	list_init(&halves[0]);
	list_init(&halves[1]);
	list_for_each(at, list)
		n++;
	for (size_t i = 0; i < n; i++)
		move_first(&halves[i >= n / 2], list);
	list_sort(&halves[0], compare);
	list_sort(&halves[1], compare);
	merge(list, &halves[0], &halves[1], compare);
}
