/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's durable state: a queue from the loop to one writer thread, and back.
 *
 *   1. store_open() reads what the events were, store_each() each table of rows;
 *   2. store_start() begins the writer, which alone touches the file from then on;
 *   3. the loop queues events and writes of rows; the writer takes what there is, makes it one
 *      transaction (a group commit), and wakes the loop;
 *   4. the loop calls whoever waits for a write, and shows events to readers.
 *
 * So a write that was confirmed, and an event that somebody saw, survive kill -9; a confirmed write
 * survives a power cut too. While one commit waits for the disk the next one gathers.
 *
 * Without a file (--no-state) the same calls end in the next turn of the loop, and nothing is kept.
 *
 * Failure modes: a commit that fails (disk full): its writes end with the error, once each, and
 * none of them is there; its events are shown all the same, unstored; said once, and the next
 * commit tries again. A full queue or no memory: the call says so at once.
 */
#include "store.h"

#include "events.h"
#include "list.h"
#include "log.h"
#include "options.h"
#include "store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- items ----------------------------------------------------------------------------------- */

static size_t room_for(const struct store_change *change)
{
	return strlen(change->key) + 1 + (change->value ? change->len + 1 : 0);
}

static char *copy(char *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	to[len] = 0;
	return to + len + 1;
}

struct store_item *store_item_new(const struct store_change *changes, size_t count)
{
	size_t size = sizeof(struct store_item) + count * sizeof(*changes);
	struct store_item *item;
	char *to;

	for (size_t i = 0; i < count; i++)
		size += room_for(&changes[i]);
	item = malloc(size);
	if (!item)
		return NULL;
	*item = (struct store_item){.size = size, .count = count};
	to = (char *)(item->changes + count);
	for (size_t i = 0; i < count; i++) {
		item->changes[i] = changes[i];
		item->changes[i].key = to;
		to = copy(to, changes[i].key, strlen(changes[i].key));
		if (!changes[i].value)
			continue;
		item->changes[i].value = to;
		to = copy(to, changes[i].value, changes[i].len);
	}
	return item;
}

int store_enqueue(struct store *store, struct store_item *item)
{
	if (store->queued + item->size > STORE_QUEUE_MAX) {
		store->refused++;
		return -1;
	}
	*store->last = item;
	store->last = &item->next;
	store->queued += item->size;
	uv_cond_signal(&store->wake);
	return 0;
}

/* Somebody waits for it: he is called on the loop. The mutex is held. */
static void end_item(struct store *store, struct store_item *item)
{
	item->next = NULL;
	*store->ended_last = item;
	store->ended_last = &item->next;
}

/* ---- the writer ------------------------------------------------------------------------------ */

static int write_item(struct store *store, const struct store_item *item, uint64_t keep_from)
{
	int r = 0;

	if (item->seq)
		return store_file_put_event(&store->file, item->seq, item->changes, keep_from);
	for (size_t i = 0; i < item->count && r == 0; i++)
		r = store_file_change(&store->file, &item->changes[i]);
	return r;
}

static bool has_waiters(const struct store_item *items)
{
	for (; items; items = items->next)
		if (items->fn)
			return true;
	return false;
}

/* One transaction. Returns 0 or -1 and why. */
static int write_items(struct store *store, const struct store_item *items, uint64_t keep_from,
		       char *why, size_t room)
{
	int r = store_file_begin(&store->file, has_waiters(items));

	for (const struct store_item *item = items; item && r == 0; item = item->next)
		r = write_item(store, item, keep_from);
	if (r == 0)
		r = store_file_commit(&store->file);
	if (r < 0) {
		snprintf(why, room, "%s", sqlite3_errmsg(store->file.db));
		store_file_roll_back(&store->file);
	}
	return r;
}

/* Give back what was written; the mutex is held. */
static void end_items(struct store *store, struct store_item *items, bool failed)
{
	while (items) {
		struct store_item *next = items->next;

		store->queued -= items->size;
		if (items->seq > store->done)
			store->done = items->seq;
		items->failed = failed;
		if (items->fn)
			end_item(store, items);
		else
			free(items);
		items = next;
	}
}

/* Take what is queued and write it; the mutex is held on entry and exit. */
static void write_round(struct store *store)
{
	struct store_item *items = store->first;
	uint64_t reserve = store->want_reserved, keep_from = store->keep_from;
	bool got = reserve > store->got_reserved;
	char error[sizeof(store->last_error)] = "";

	store->first = NULL;
	store->last = &store->first;
	store->writing = true;
	uv_mutex_unlock(&store->mutex);
	if (got && store_write_range(store, reserve) < 0)
		got = false;
	if (items)
		write_items(store, items, keep_from, error, sizeof(error));
	uv_mutex_lock(&store->mutex);
	store->writing = false;
	if (got)
		store->got_reserved = reserve;
	else
		store->want_reserved = store->got_reserved;
	end_items(store, items, error[0]);
	memcpy(store->last_error, error, sizeof(error));
	uv_async_send(&store->written);
}

static void writer(void *user)
{
	struct store *store = user;

	uv_mutex_lock(&store->mutex);
	for (;;) {
		if (store->first || store->want_reserved > store->got_reserved) {
			write_round(store);
			continue;
		}
		uv_cond_broadcast(&store->idle);
		if (store->stop)
			break;
		uv_cond_wait(&store->wake, &store->mutex);
	}
	uv_mutex_unlock(&store->mutex);
}

/* ---- the loop's side ------------------------------------------------------------------------- */

static void complain(struct store *store, uint64_t unstored)
{
	if (store->error[0] && !store->complained)
		log_line("state: nothing is kept: %s", store->error);
	if (!store->error[0] && store->complained)
		log_line("state: it is kept again");
	store->complained = store->error[0];
	if (unstored)
		log_limited("state: the disk is too slow, %llu events are not kept",
			    (unsigned long long)unstored);
}

/* Callbacks may write again: what they add comes in another turn. */
static void call_waiters(struct store *store, struct store_item *items)
{
	const char *why = store->error[0] ? store->error : "a commit failed";

	while (items) {
		struct store_item *next = items->next;

		items->fn(items->user, items->failed ? why : NULL);
		free(items);
		items = next;
	}
}

static void deliver(struct store *store)
{
	struct store_item *ended;
	uint64_t done, reserved, unstored;

	uv_mutex_lock(&store->mutex);
	ended = store->ended;
	store->ended = NULL;
	store->ended_last = &store->ended;
	done = store->done;
	reserved = store->got_reserved;
	unstored = store->unstored;
	store->unstored = 0;
	memcpy(store->error, store->last_error, sizeof(store->error));
	uv_mutex_unlock(&store->mutex);
	if (store->file.db && store->reserved < UINT64_MAX / 2) {
		store->asked &= reserved < store->reserved + STORE_RESERVE;
		store->reserved = reserved;
	}
	complain(store, unstored);
	call_waiters(store, ended);
	events_make_visible(store->events, done);
}

static void on_written(uv_async_t *async)
{
	deliver(container_of(async, struct store, written));
}

int store_write(struct store *store, const struct store_change *changes, size_t count,
		store_written_fn *fn, void *user)
{
	struct store_item *item = store_item_new(changes, count);
	int r = 0;

	if (!item)
		return -1;
	item->fn = fn;
	item->user = user;
	uv_mutex_lock(&store->mutex);
	if (store->file.db) {
		r = store_enqueue(store, item);
	} else if (fn) {
		end_item(store, item);
		uv_async_send(&store->written);
	}
	uv_mutex_unlock(&store->mutex);
	if (r < 0 || (!store->file.db && !fn))
		free(item);
	return r;
}

int store_put(struct store *store, enum store_table table, const char *key, const json_t *value,
	      store_written_fn *fn, void *user)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	struct store_change change = {.table = table, .key = key, .value = text};
	int r = -1;

	if (text) {
		change.len = strlen(text);
		r = store_write(store, &change, 1, fn, user);
	}
	free(text);
	return r;
}

int store_delete(struct store *store, enum store_table table, const char *key, store_written_fn *fn,
		 void *user)
{
	const struct store_change change = {.table = table, .key = key};

	return store_write(store, &change, 1, fn, user);
}

const char *store_error(const struct store *store)
{
	return store->error[0] ? store->error : NULL;
}

uint64_t store_refused(const struct store *store)
{
	return store->refused;
}

void store_flush(struct store *store)
{
	uv_mutex_lock(&store->mutex);
	while (store->started && (store->first || store->writing))
		uv_cond_wait(&store->idle, &store->mutex);
	uv_mutex_unlock(&store->mutex);
	deliver(store);
}

/* ---- opening and closing --------------------------------------------------------------------- */

static int open_file(struct store *store, const char *path, store_restored_fn *restored, void *user,
		     char *why)
{
	int r = store_file_open(&store->file, path, why);

	if (r < 0)
		return r;
	if (store_load_events(store, restored, user) < 0)
		return store_file_complain(&store->file, path, why);
	store->events->store = store;
	return 0;
}

int store_open(struct store **ret, const char *path, struct events *events, uv_loop_t *loop,
	       store_restored_fn *restored, void *user, char *why)
{
	struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store) {
		snprintf(why, OPTIONS_WHY_MAX, "out of memory");
		return -1;
	}
	store->events = events;
	store->last = &store->first;
	store->ended_last = &store->ended;
	r = path ? open_file(store, path, restored, user, why) : 0;
	if (r < 0) {
		store_file_close(&store->file);
		free(store);
		return r;
	}
	uv_mutex_init(&store->mutex);
	uv_cond_init(&store->wake);
	uv_cond_init(&store->idle);
	uv_async_init(loop, &store->written, on_written);
	*ret = store;
	return 0;
}

int store_each(struct store *store, enum store_table table, store_row_fn *fn, void *user, char *why)
{
	if (!store->file.db || store_file_each_row(&store->file, table, fn, user) == 0)
		return 0;
	return store_file_complain(&store->file, "state", why);
}

void store_start(struct store *store)
{
	if (!store->file.db)
		return;
	if (uv_thread_create(&store->thread, writer, store) < 0)
		abort(); /* at start, before anything is promised */
	store->started = true;
}

static void on_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct store, written));
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store_flush(store);
	uv_mutex_lock(&store->mutex);
	store->stop = true;
	uv_cond_signal(&store->wake);
	uv_mutex_unlock(&store->mutex);
	if (store->started)
		uv_thread_join(&store->thread);
	deliver(store);
	if (store->file.db)
		store_return_range(store);
	store_file_close(&store->file);
	store->events->store = NULL;
	uv_mutex_destroy(&store->mutex);
	uv_cond_destroy(&store->wake);
	uv_cond_destroy(&store->idle);
	uv_close((uv_handle_t *)&store->written, on_closed);
}
