/* SPDX-License-Identifier: Apache-2.0 */
/* A doubly linked list through a member of its elements. An empty or unlinked one points at itself.
 */
#ifndef CONTROLD_LIST_H
#define CONTROLD_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define list_for_each(position, head) \
	for (struct list *position = (head)->next; position != (head); position = position->next)

/* The element at hand may be removed, no other. */
#define list_for_each_safe(position, following, head)                           \
	for (struct list *position = (head)->next, *following = position->next; \
	     position != (head); position = following, following = position->next)

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

/* Is the element in a list? A half-built one (all zero) is in none. */
static inline bool list_is_linked(const struct list *element)
{
	return element->next && !list_empty(element);
}

static inline void list_append(struct list *list, struct list *element)
{
	element->prev = list->prev;
	element->next = list;
	list->prev->next = element;
	list->prev = element;
}

/* Half-built elements (all zero) may be removed too. */
static inline void list_remove(struct list *element)
{
	if (!element->next)
		return;
	element->prev->next = element->next;
	element->next->prev = element->prev;
	list_init(element);
}

/* Less than 0, 0 or more than 0, as for qsort(). */
typedef int list_compare_fn(const struct list *a, const struct list *b);

void list_sort(struct list *list, list_compare_fn *compare); /* stable */

#endif
