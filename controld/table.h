/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_TABLE_H
#define CONTROLD_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_entry;

/* A hash table from strings (copied) to pointers (the caller's). All zero: empty. */
struct table {
	struct table_entry **buckets;
	size_t size;
	size_t used;
	uint64_t seed;
};

void *table_get(const struct table *table, const char *key);
int table_put(struct table *table, const char *key, void *value); /* replaces; -1: out of memory */
void *table_remove(struct table *table, const char *key);	  /* what it held, or NULL */
void table_done(struct table *table, void (*release)(void *value)); /* release may be NULL */

#endif
