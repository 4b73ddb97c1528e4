/* SPDX-License-Identifier: Apache-2.0 */
/* See session_table.h. One loop's thread. */
#include "session_table.h"

#include "memory.h"

#include <h2sess/h2sess.h>
#include <string.h>

#define FIRST_CAP 16

/* The first slot whose number is at least n. */
static size_t lower_bound(const struct session_table *t, uint64_t n)
{
	size_t low = 0, high = t->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->slots[middle].number < n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void close_holes(struct session_table *t)
{
	size_t i, kept = 0;

	for (i = 0; i < t->len; i++) {
		if (t->slots[i].session)
			t->slots[kept++] = t->slots[i];
	}
	t->len = kept;
	t->holes = 0;
}

int session_table_add(struct session_table *t, uint64_t number, struct h2sess_session *s)
{
	struct session_slot *slots;
	size_t cap;

	if (t->len == t->cap) {
		cap = t->cap ? 2 * t->cap : FIRST_CAP;
		slots = mem_realloc(t->slots, cap * sizeof(*slots));
		if (!slots)
			return H2SESS_ENOMEM;
		t->slots = slots;
		t->cap = cap;
	}
	t->slots[t->len].number = number;
	t->slots[t->len].session = s;
	t->len++;
	return 0;
}

void session_table_remove(struct session_table *t, uint64_t number)
{
	size_t i = lower_bound(t, number);

	if (i == t->len || t->slots[i].number != number || !t->slots[i].session)
		return;
	t->slots[i].session = NULL;
	t->holes++;
	if (t->holes > FIRST_CAP && t->holes > t->len / 2)
		close_holes(t);
}

struct h2sess_session *session_table_find(const struct session_table *t, uint64_t number)
{
	size_t i = lower_bound(t, number);

	return i < t->len && t->slots[i].number == number ? t->slots[i].session : NULL;
}

size_t session_table_after(const struct session_table *t, uint64_t after_n,
			   struct h2sess_session **ret, size_t max)
{
	size_t i, n = 0;

	if (after_n == UINT64_MAX)
		return 0;
	for (i = lower_bound(t, after_n + 1); i < t->len && n < max; i++) {
		if (t->slots[i].session)
			ret[n++] = t->slots[i].session;
	}
	return n;
}

void session_table_done(struct session_table *t)
{
	mem_free(t->slots);
	memset(t, 0, sizeof(*t));
}
