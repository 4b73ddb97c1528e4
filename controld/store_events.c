/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events in the state file: their epoch and numbers, those that were kept, those that come.
 *
 * events.c asks for a number before it uses it, and queues each event; store.c's writer commits it
 * and shows it to readers. Numbers are reserved on disk in ranges of STORE_RESERVE, with a full
 * sync, so that none recurs even after a power cut; a clean stop gives the rest of its range back.
 *
 * Failure modes: a full queue: the event goes unstored, counted. No new range in time: the log goes
 * on under a new epoch.
 */
#include "events.h"
#include "log.h"
#include "names.h"
#include "store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int store_write_range(struct store *store, uint64_t reserved)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)reserved);
	return store_file_set_meta(&store->file, "reserved", text);
}

void store_return_range(struct store *store)
{
	if (store->reserved < UINT64_MAX / 2)
		store_write_range(store, store->events->seq);
}

void store_reserve(struct store *store, uint64_t seq)
{
	if (seq > store->reserved) {
		random_name(store->events->epoch, strlen(store->events->epoch));
		store->reserved =
			UINT64_MAX - 2ull * STORE_RESERVE; /* a new epoch needs no ranges */
		log_line("state: no new range of numbers, the log goes on as epoch %s",
			 store->events->epoch);
	}
	if (store->asked || seq + STORE_RESERVE / 2 < store->reserved)
		return;
	store->asked = true;
	uv_mutex_lock(&store->mutex);
	store->want_reserved = store->reserved + STORE_RESERVE;
	uv_cond_signal(&store->wake);
	uv_mutex_unlock(&store->mutex);
}

void store_append_event(struct store *store, uint64_t seq, const char *type, const char *json,
			size_t len, const char *about)
{
	const struct events *events = store->events;
	const struct store_change changes[STORE_EVENT_CHANGES] = {
		{.key = type, .value = json, .len = len},
		{.key = "", .value = about, .len = about ? strlen(about) : 0},
	};
	struct store_item *item = store_item_new(changes, STORE_EVENT_CHANGES);

	if (item)
		item->seq = seq;
	uv_mutex_lock(&store->mutex);
	store->keep_from = events_at(events, events->first)->seq;
	if (item && store_enqueue(store, item) == 0) {
		item = NULL; /* the writer owns it now */
	} else {
		store->unstored++;
		store->done = store->first ? store->done : seq;
		uv_async_send(&store->written);
	}
	uv_mutex_unlock(&store->mutex);
	free(item);
}

/* ---- opening --------------------------------------------------------------------------------- */

struct loading {
	struct events *events;
	uint64_t kept_from;
	store_restored_fn *restored;
	void *user;
};

static void load_event(void *user, uint64_t seq, const char *type, const char *json,
		       const char *about)
{
	const struct loading *loading = user;

	if (seq < loading->kept_from)
		events_restore_dropped(loading->events, seq, type, json, about);
	else if (events_restore(loading->events, seq, type, json, about) == 0)
		loading->restored(loading->user, type, json);
}

static int load_epoch(struct store *store)
{
	struct events *events = store->events;

	if (store_file_meta(&store->file, "epoch", events->epoch, sizeof(events->epoch)))
		return 0;
	return store_file_set_meta(&store->file, "epoch", events->epoch);
}

int store_load_events(struct store *store, store_restored_fn *restored, void *user)
{
	struct events *events = store->events;
	struct loading loading = {events, store->file.kept_from, restored, user};
	char text[32] = "0";
	uint64_t reserved;
	bool nothing;

	if (load_epoch(store) < 0 || store_file_each_event(&store->file, load_event, &loading) < 0)
		return -1;
	nothing = events->seq == 0;
	store_file_meta(&store->file, "reserved", text, sizeof(text));
	reserved = strtoull(text, NULL, 10);
	if (events->seq < reserved)
		events->seq = reserved; /* the one before us was killed: its range is spent */
	if (nothing)
		events->history_first = events->seq + 1;
	store->reserved = events->seq + STORE_RESERVE;
	store->got_reserved = store->want_reserved = store->reserved;
	return store_write_range(store, store->reserved);
}
