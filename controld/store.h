/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_STORE_H
#define CONTROLD_STORE_H

#include <stddef.h>
#include <stdint.h>

struct events;
struct store;

#define STORE_SCHEMA 1
#define STORE_RESERVE 100000 /* event numbers that are reserved on disk at a time */

/*
 * Open or create the state file, bring its schema up to date, set the epoch of the log and put the
 * kept events back. Returns 0, or -1 with one line in why. loop: events become visible on it.
 */
int store_open(struct store **ret, const char *path, struct events *events, void *loop, char *why);

/* Everything queued is written, the writer ends. Takes NULL. */
void store_close(struct store *store);

/* Make sure that this number will not recur after a crash. */
void store_reserve(struct store *store, uint64_t seq);

/* Queue an event; events_make_visible() follows on the loop. json is copied. */
void store_append_event(struct store *store, uint64_t seq, const char *type, const char *json,
			size_t len);

#endif
