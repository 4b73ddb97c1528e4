/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_STORE_H
#define CONTROLD_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct events;
struct store;

#define STORE_SCHEMA 1
#define STORE_RESERVE 100000	    /* event numbers that are reserved on disk at a time */
#define STORE_QUEUE_MAX (64u << 20) /* octets that the writer has not written yet */

typedef void store_restored_fn(void *user, const char *type, const char *json);

/*
 * Open or create the state file, bring its schema up to date, give the log its epoch and put the
 * kept events back; restored is told of each. Returns 0, or -1 with one line in
 * why[OPTIONS_WHY_MAX].
 */
int store_open(struct store **ret, const char *path, struct events *events, uv_loop_t *loop,
	       store_restored_fn *restored, void *user, char *why);

/* Write everything that is queued, end the writer, release. Takes NULL. The loop must still turn.
 */
void store_close(struct store *store);

/* An event is about to get this number: make sure that it will not recur after a crash. */
void store_reserve(struct store *store, uint64_t seq);

/* Queue an event; events_make_visible() follows on the loop. json is copied. */
void store_append_event(struct store *store, uint64_t seq, const char *type, const char *json,
			size_t len);

#endif
