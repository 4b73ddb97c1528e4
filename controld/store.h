/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_STORE_H
#define CONTROLD_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct events;
struct store;

#define STORE_DROPPED_MAX 100000    /* events beyond the log that are counted after a restart */
#define STORE_RESERVE 100000	    /* event numbers that are reserved on disk at a time */
#define STORE_QUEUE_MAX (64u << 20) /* octets not yet written; counter "state_queue" */

/* Tables of rows beside the events. Names are those of the state file. */
#define STORE_TABLE_LIST(X)     \
	X(POLICIES, "policies") \
	X(PUSHES, "pushes")     \
	X(RESULTS, "results")   \
	X(KEYS, "idempotency")  \
	X(AUDIT, "audit")

enum store_table {
#define X(name, text) STORE_##name,
	STORE_TABLE_LIST(X)
#undef X
		STORE_TABLES,
};

/* One row of a write: `value` under `key`, or with NULL the row taken away. Copied. */
struct store_change {
	enum store_table table;
	const char *key;
	const void *value;
	size_t len;
	bool blob; /* octets; else UTF-8 */
};

typedef void store_restored_fn(void *user, const char *type, const char *json);
typedef void store_row_fn(void *user, const char *key, const void *value, size_t len);

/* A write has ended: on disk, also after a power cut, when error is NULL; else nothing of it is. */
typedef void store_written_fn(void *user, const char *error);

/* ---- opening, in this order ------------------------------------------------------------------ */

/*
 * Open or create the state file, bring its schema up to date, give the log its epoch and put the
 * kept events back; restored is told of each. path NULL: nothing is kept, every write succeeds.
 * Returns 0, or -1 with one line in why[OPTIONS_WHY_MAX]; OPTIONS_REFUSED: the file is none, or of a
 * later version, and will be the next time.
 */
int store_open(struct store **ret, const char *path, struct events *events, uv_loop_t *loop,
	       store_restored_fn *restored, void *user, char *why);

/* Every row of a table, in the order of the keys' octets. 0 or -1 with one line in why. */
int store_each(struct store *store, enum store_table table, store_row_fn *fn, void *user,
	       char *why);

/* Begin to write; no store_each() after that. */
void store_start(struct store *store);

/* ---- rows ------------------------------------------------------------------------------------ */

/*
 * Make these changes together or not at all, after all that were asked for before. fn is called
 * exactly once, on the loop, never from inside this call; it may write again. fn NULL: nobody
 * waits, so it goes with the next commit and a power cut may lose it. Returns 0, or -1: out of
 * memory, or STORE_QUEUE_MAX reached, and fn is not called.
 */
int store_write(struct store *store, const struct store_change *changes, size_t count,
		store_written_fn *fn, void *user);

/* The same for one row whose value is JSON (borrowed), and for one that goes. */
int store_put(struct store *store, enum store_table table, const char *key, const json_t *value,
	      store_written_fn *fn, void *user);
int store_delete(struct store *store, enum store_table table, const char *key, store_written_fn *fn,
		 void *user);

/* What the last commit failed with, or NULL: nothing that cannot be kept should begin. */
const char *store_error(const struct store *store);

/* How many writes and events STORE_QUEUE_MAX has kept out. */
uint64_t store_refused(const struct store *store);

/* Wait until all that was asked for is written, and call what waits for it. */
void store_flush(struct store *store);

/* Flush, end the writer, release. Takes NULL. The loop must still turn. */
void store_close(struct store *store);

/* ---- events ---------------------------------------------------------------------------------- */

/* An event is about to get this number: make sure that it will not recur after a crash. */
void store_reserve(struct store *store, uint64_t seq);

/*
 * Queue an event, and what is to be kept beside it (NULL: nothing); events_make_visible() follows on
 * the loop. All is copied.
 */
void store_append_event(struct store *store, uint64_t seq, const char *type, const char *json,
			size_t len, const char *about);

#endif
