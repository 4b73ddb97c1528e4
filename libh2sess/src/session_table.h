/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sessions of a loop by number. Numbers only rise, so an array that is appended to is always
 * sorted: lookup is a binary search, and paging through 10,000 sessions costs no more than a page.
 * A session that ends leaves a hole; the holes are closed when they are half of the array.
 */
#ifndef H2SESS_SESSION_TABLE_H
#define H2SESS_SESSION_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct h2sess_session;

struct session_slot {
	uint64_t number;
	struct h2sess_session *session; /* NULL: a hole */
};

struct session_table {
	struct session_slot *slots;
	size_t len; /* with holes */
	size_t cap;
	size_t holes;
};

/* number must be over every number that was added before. Returns 0, H2SESS_ENOMEM. */
int session_table_add(struct session_table *t, uint64_t number, struct h2sess_session *s);
void session_table_remove(struct session_table *t, uint64_t number);
struct h2sess_session *session_table_find(const struct session_table *t, uint64_t number);
/* At most max sessions whose number is over after_n, ascending. Returns how many. */
size_t session_table_after(const struct session_table *t, uint64_t after_n,
			   struct h2sess_session **ret, size_t max);
static inline size_t session_table_count(const struct session_table *t)
{
	return t->len - t->holes;
}
void session_table_done(struct session_table *t);

#endif
