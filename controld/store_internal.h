/* SPDX-License-Identifier: Apache-2.0 */
/* What store.c and store_events.c share; nobody else includes it. */
#ifndef CONTROLD_STORE_INTERNAL_H
#define CONTROLD_STORE_INTERNAL_H

#include "store_file.h"

/* An event is two changes: its type as the key and its JSON; and what is kept beside it. */
#define STORE_EVENT_CHANGES 2

/* One thing for the writer: changes that are made together, or an event. */
struct store_item {
	struct store_item *next;
	size_t size;	      /* octets that it takes of STORE_QUEUE_MAX */
	uint64_t seq;	      /* an event: its number; else 0 */
	store_written_fn *fn; /* NULL: nobody waits */
	void *user;
	bool failed;
	size_t count;
	struct store_change changes[]; /* what they point at stands behind them */
};

struct store {
	struct store_file file; /* the writer's once it runs; no db: nothing is kept */
	struct events *events;
	uv_thread_t thread;
	uv_mutex_t mutex;
	uv_cond_t wake; /* there is something to write */
	uv_cond_t idle; /* there is nothing any more */
	uv_async_t written;
	bool started;

	/* The loop's. */
	uint64_t reserved; /* numbers up to here are ours */
	bool asked;	   /* the next range was asked for */
	bool complained;
	uint64_t refused; /* writes and events that the queue had no room for */
	char error[128];  /* of the last commit; "" when it went well */

	/* Under the mutex. */
	struct store_item *first, **last; /* to be written */
	struct store_item *ended, **ended_last;
	size_t queued;
	uint64_t want_reserved;
	uint64_t got_reserved;
	uint64_t done; /* seq: everything up to here went through the writer */
	uint64_t keep_from;
	uint64_t unstored;
	bool writing;
	bool stop;
	char last_error[128];
};

/* Copy what is to be written; NULL: out of memory. */
struct store_item *store_item_new(const struct store_change *changes, size_t count);

/* Put an item into the queue, or back with -1 when that is full. The mutex is held. */
int store_enqueue(struct store *store, struct store_item *item);

/* Of store_events.c: at opening, and when the writer has ended. */
int store_load_events(struct store *store, store_restored_fn *restored, void *user);
void store_return_range(struct store *store);

/* Write a range of numbers to disk. */
int store_write_range(struct store *store, uint64_t reserved);

#endif
