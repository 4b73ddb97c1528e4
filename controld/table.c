/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from strings to pointers, chained, doubled when it is as full as it is wide.
 *
 * Keys come from outside (session ids, idempotency keys), so the hash is seeded per table: nobody
 * who sends keys can choose which ones share a bucket. Its owners bound how many entries it has.
 *
 * Failure modes: no memory for an entry: table_put() says so. No memory to widen it: chains get
 * longer.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TABLE_SIZE_FIRST 64

struct table_entry {
	struct table_entry *next;
	uint64_t hash;
	void *value;
	char key[];
};

/* FNV-1a from a random start, with a final mix. */
static uint64_t hash_key(const struct table *table, const char *key)
{
	uint64_t h = table->seed;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 0x100000001b3u;
	h ^= h >> 32;
	return h * 0x9e3779b97f4a7c15u;
}

static struct table_entry **find(const struct table *table, const char *key, uint64_t hash)
{
	struct table_entry **at = &table->buckets[(hash >> 32) & (table->size - 1)];

	while (*at && ((*at)->hash != hash || strcmp((*at)->key, key) != 0))
		at = &(*at)->next;
	return at;
}

static void widen(struct table *table, size_t size)
{
	struct table_entry **buckets = calloc(size, sizeof(struct table_entry *));

	if (!buckets)
		return;
	for (size_t i = 0; i < table->size; i++) {
		struct table_entry *entry = table->buckets[i];

		while (entry) {
			struct table_entry *next = entry->next;
			struct table_entry **to = &buckets[(entry->hash >> 32) & (size - 1)];

			entry->next = *to;
			*to = entry;
			entry = next;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->size = size;
}

static int prepare(struct table *table)
{
	if (!table->seed && getrandom(&table->seed, sizeof(table->seed), 0) < 0)
		table->seed = 0xcbf29ce484222325u;
	if (table->used >= table->size)
		widen(table, table->size ? table->size * 2 : TABLE_SIZE_FIRST);
	return table->size ? 0 : -1;
}

void *table_get(const struct table *table, const char *key)
{
	struct table_entry *entry;

	if (!table->used)
		return NULL;
	entry = *find(table, key, hash_key(table, key));
	return entry ? entry->value : NULL;
}

int table_put(struct table *table, const char *key, void *value)
{
	struct table_entry **at, *entry;
	uint64_t hash;

	if (prepare(table) < 0)
		return -1;
	hash = hash_key(table, key);
	at = find(table, key, hash);
	if (*at) {
		(*at)->value = value;
		return 0;
	}
	entry = malloc(sizeof(*entry) + strlen(key) + 1);
	if (!entry)
		return -1;
	entry->next = NULL;
	entry->hash = hash;
	entry->value = value;
	memcpy(entry->key, key, strlen(key) + 1);
	*at = entry;
	table->used++;
	return 0;
}

void *table_remove(struct table *table, const char *key)
{
	struct table_entry **at, *entry;
	void *value;

	if (!table->used)
		return NULL;
	at = find(table, key, hash_key(table, key));
	entry = *at;
	if (!entry)
		return NULL;
	*at = entry->next;
	value = entry->value;
	free(entry);
	table->used--;
	return value;
}

void table_done(struct table *table, void (*release)(void *value))
{
	for (size_t i = 0; i < table->size; i++) {
		struct table_entry *entry = table->buckets[i];

		while (entry) {
			struct table_entry *next = entry->next;

			if (release)
				release(entry->value);
			free(entry);
			entry = next;
		}
	}
	free(table->buckets);
	*table = (struct table){0};
}
