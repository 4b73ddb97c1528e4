/* SPDX-License-Identifier: Apache-2.0 */
/* See strings.h. */
#include "strings.h"

#include <stdlib.h>
#include <string.h>

bool strings_add(struct strings *list, const char *text, size_t len)
{
	char **items = realloc(list->items, (list->n + 1) * sizeof(*items));

	if (!items)
		return false;
	list->items = items;
	items[list->n] = strndup(text, len);
	if (!items[list->n])
		return false;
	list->n++;
	return true;
}

void strings_done(struct strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	memset(list, 0, sizeof(*list));
}

bool strings_equal(const struct strings *a, const struct strings *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}
