/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state file: SQLite in WAL mode, owned by one writer thread.
 *
 * Opened on the loop's thread before the loop turns: schema, epoch, the events that were kept. From
 * then on the writer alone touches the database. The loop queues events; the writer takes what
 * there is, commits it as one transaction, and wakes the loop, which then shows them to readers. A
 * killed daemon loses only what nobody has seen.
 *
 * Numbers are reserved on disk in ranges before they are used, with a full sync, so that none
 * recurs even after a power cut; a clean stop gives the rest of its range back.
 *
 * Failure modes: cannot open, a later schema, a damaged file: one line, the daemon does not start.
 * A commit that fails (disk full): said once, the events are shown all the same, and it is tried
 * again with the next ones. A full queue: events go unstored, counted. No new range in time: the
 * log goes on under a new epoch.
 */
#include "store.h"

#include "events.h"
#include "log.h"
#include "options.h"
#include "text.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_MS 2000
#define TRIM_EVERY 1000 /* events between two looks at what is too old */

struct item {
	struct item *next;
	uint64_t seq;
	size_t len;
	char *type; /* behind json */
	char json[];
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *insert;
	struct events *events;
	uv_thread_t thread;
	uv_mutex_t mutex;
	uv_cond_t wake;
	uv_async_t written;
	uint64_t reserved; /* the loop's: numbers up to here are ours */
	bool asked;	   /* the loop's: the next range was asked for */
	bool complained;   /* the loop's */

	/* Under the mutex. */
	struct item *first, **last;
	size_t queued;
	uint64_t want_reserved;
	uint64_t got_reserved;
	uint64_t done; /* seq: everything up to here went through the writer */
	uint64_t keep_from;
	uint64_t unstored;
	bool failing;
	bool stop;
	char error[128];

	/* The writer's. */
	unsigned since_trim;
};

/* ---- SQL ------------------------------------------------------------------------------------- */

static const char *const migrations[STORE_SCHEMA] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE events(seq INTEGER PRIMARY KEY, type TEXT NOT NULL, json TEXT NOT NULL);",
};

static int run_sql(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

static int64_t read_number(sqlite3 *db, const char *sql, int64_t otherwise)
{
	sqlite3_stmt *statement = NULL;
	int64_t number = otherwise;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return number;
}

static int set_meta(sqlite3 *db, const char *key, const char *value)
{
	sqlite3_stmt *statement = NULL;
	int r = -1;

	if (sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO meta VALUES(?, ?)", -1, &statement,
			       NULL) == SQLITE_OK) {
		sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
		sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
		r = sqlite3_step(statement) == SQLITE_DONE ? 0 : -1;
	}
	sqlite3_finalize(statement);
	return r;
}

/* On disk before it returns: the one transaction that waits for the platter. */
static int write_reserved(sqlite3 *db, uint64_t reserved)
{
	char text[32];
	int r;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)reserved);
	run_sql(db, "PRAGMA synchronous=FULL");
	r = set_meta(db, "reserved", text);
	run_sql(db, "PRAGMA synchronous=NORMAL");
	return r;
}

static int insert_event(struct store *store, const struct item *item)
{
	sqlite3_bind_int64(store->insert, 1, (sqlite3_int64)item->seq);
	sqlite3_bind_text(store->insert, 2, item->type, -1, SQLITE_STATIC);
	sqlite3_bind_text(store->insert, 3, item->json, (int)item->len, SQLITE_STATIC);
	if (sqlite3_step(store->insert) != SQLITE_DONE) {
		sqlite3_reset(store->insert);
		return -1;
	}
	return sqlite3_reset(store->insert) == SQLITE_OK ? 0 : -1;
}

/* ---- the writer ------------------------------------------------------------------------------ */

static void trim(struct store *store, uint64_t keep_from)
{
	char sql[80];

	if (++store->since_trim < TRIM_EVERY)
		return;
	store->since_trim = 0;
	snprintf(sql, sizeof(sql), "DELETE FROM events WHERE seq < %llu",
		 (unsigned long long)keep_from);
	run_sql(store->db, sql);
}

/* One transaction. Returns 0 or -1. */
static int write_items(struct store *store, const struct item *items, uint64_t keep_from)
{
	int r = run_sql(store->db, "BEGIN IMMEDIATE");

	for (const struct item *item = items; item && r == 0; item = item->next) {
		r = insert_event(store, item);
		trim(store, keep_from);
	}
	if (r == 0)
		r = run_sql(store->db, "COMMIT");
	if (r < 0)
		run_sql(store->db, "ROLLBACK");
	return r;
}

static uint64_t free_items(struct item *items)
{
	uint64_t seq = 0;

	while (items) {
		struct item *next = items->next;

		seq = items->seq;
		free(items);
		items = next;
	}
	return seq;
}

/* Take what is queued and write it; the mutex is held on entry and exit. */
static void write_round(struct store *store)
{
	struct item *items = store->first;
	uint64_t reserve = store->want_reserved, keep_from = store->keep_from, done;
	char error[sizeof(store->error)] = "";
	bool got = reserve > store->got_reserved;

	store->first = NULL;
	store->last = &store->first;
	store->queued = 0;
	uv_mutex_unlock(&store->mutex);
	if (got && write_reserved(store->db, reserve) < 0)
		got = false;
	if (items && write_items(store, items, keep_from) < 0)
		snprintf(error, sizeof(error), "%s", sqlite3_errmsg(store->db));
	done = free_items(items);
	uv_mutex_lock(&store->mutex);
	if (got)
		store->got_reserved = reserve;
	else
		store->want_reserved = store->got_reserved;
	if (done > store->done)
		store->done = done;
	store->failing = error[0];
	memcpy(store->error, error, sizeof(error));
	uv_async_send(&store->written);
}

static void writer(void *user)
{
	struct store *store = user;

	uv_mutex_lock(&store->mutex);
	for (;;) {
		if (store->first || store->want_reserved > store->got_reserved)
			write_round(store);
		else if (store->stop)
			break;
		else
			uv_cond_wait(&store->wake, &store->mutex);
	}
	uv_mutex_unlock(&store->mutex);
}

/* ---- the loop's side ------------------------------------------------------------------------- */

static void on_written(uv_async_t *async)
{
	struct store *store = container_of(async, struct store, written);
	char error[sizeof(store->error)];
	uint64_t done, reserved, unstored;
	bool failing;

	uv_mutex_lock(&store->mutex);
	done = store->done;
	reserved = store->got_reserved;
	failing = store->failing;
	unstored = store->unstored;
	store->unstored = 0;
	memcpy(error, store->error, sizeof(error));
	uv_mutex_unlock(&store->mutex);
	store->asked &= reserved < store->reserved + STORE_RESERVE;
	store->reserved = reserved;
	if (failing && !store->complained)
		log_line("state: events are not kept: %s", error);
	if (!failing && store->complained)
		log_line("state: events are kept again");
	store->complained = failing;
	if (unstored)
		log_limited("state: the disk is too slow, %llu events are not kept",
			    (unsigned long long)unstored);
	events_make_visible(store->events, done);
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

static struct item *make_item(uint64_t seq, const char *type, const char *json, size_t len)
{
	size_t type_size = strlen(type) + 1;
	struct item *item = malloc(sizeof(*item) + len + 1 + type_size);

	if (!item)
		return NULL;
	item->next = NULL;
	item->seq = seq;
	item->len = len;
	memcpy(item->json, json, len + 1);
	item->type = item->json + len + 1;
	memcpy(item->type, type, type_size);
	return item;
}

void store_append_event(struct store *store, uint64_t seq, const char *type, const char *json,
			size_t len)
{
	const struct events *events = store->events;
	struct item *item = make_item(seq, type, json, len);

	uv_mutex_lock(&store->mutex);
	store->keep_from = events_at(events, events->first)->seq;
	if (item && store->queued + len <= STORE_QUEUE_MAX) {
		*store->last = item;
		store->last = &item->next;
		store->queued += len;
		item = NULL; /* the writer owns it now */
	} else {
		store->unstored++;
		store->done = store->first ? store->done : seq;
	}
	uv_cond_signal(&store->wake);
	uv_mutex_unlock(&store->mutex);
	if (item)
		uv_async_send(&store->written);
	free(item);
}

/* ---- opening --------------------------------------------------------------------------------- */

static int complain(struct store *store, const char *path, char *why)
{
	snprintf(why, OPTIONS_WHY_MAX, "%.120s: %.100s", path,
		 store->db ? sqlite3_errmsg(store->db) : "out of memory");
	return -1;
}

/* The directory of the default path may be missing on a machine that was never set up. */
static void make_directory(const char *path)
{
	char directory[4096];
	char *slash;

	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (slash && slash != directory) {
		*slash = 0;
		mkdir(directory, 0750);
	}
}

static int migrate(struct store *store, const char *path, char *why)
{
	int64_t version = read_number(store->db, "PRAGMA user_version", -1);
	char sql[64];

	if (version < 0)
		return complain(store, path, why);
	if (version > STORE_SCHEMA) {
		snprintf(why, OPTIONS_WHY_MAX, "%.120s: schema %lld is later than ours, %d", path,
			 (long long)version, STORE_SCHEMA);
		return -1;
	}
	for (; version < STORE_SCHEMA; version++) {
		snprintf(sql, sizeof(sql), "PRAGMA user_version=%lld", (long long)version + 1);
		if (run_sql(store->db, "BEGIN IMMEDIATE") < 0 ||
		    run_sql(store->db, migrations[version]) < 0 || run_sql(store->db, sql) < 0 ||
		    run_sql(store->db, "COMMIT") < 0)
			return complain(store, path, why);
	}
	return 0;
}

static int load_epoch(struct store *store)
{
	struct events *events = store->events;
	sqlite3_stmt *statement = NULL;
	const char *value = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(store->db, "SELECT value FROM meta WHERE key='epoch'", -1,
			       &statement, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(statement) == SQLITE_ROW)
		value = (const char *)sqlite3_column_text(statement, 0);
	if (value)
		snprintf(events->epoch, sizeof(events->epoch), "%s", value);
	else
		r = set_meta(store->db, "epoch", events->epoch);
	sqlite3_finalize(statement);
	return r;
}

static int load_events(struct store *store, store_restored_fn *restored, void *user)
{
	static const char sql[] = "SELECT seq, type, json FROM (SELECT * FROM events ORDER BY seq "
				  "DESC LIMIT ?) ORDER BY seq";
	sqlite3_stmt *statement = NULL;
	int r;

	if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)store->events->capacity);
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *type = (const char *)sqlite3_column_text(statement, 1);
		const char *json = (const char *)sqlite3_column_text(statement, 2);

		if (!type || !json ||
		    events_restore(store->events, (uint64_t)sqlite3_column_int64(statement, 0),
				   type, json) < 0)
			continue;
		restored(user, type, json);
	}
	sqlite3_finalize(statement);
	return r == SQLITE_DONE ? 0 : -1;
}

static int load(struct store *store, store_restored_fn *restored, void *user)
{
	struct events *events = store->events;
	uint64_t reserved;

	if (load_epoch(store) < 0 || load_events(store, restored, user) < 0)
		return -1;
	reserved = (uint64_t)read_number(
		store->db, "SELECT CAST(value AS INTEGER) FROM meta WHERE key='reserved'", 0);
	if (events->seq < reserved)
		events->seq = reserved; /* the one before us was killed: its range is spent */
	if (events->next == events->first)
		events->history_first = events->seq + 1;
	store->reserved = events->seq + STORE_RESERVE;
	store->got_reserved = store->want_reserved = store->reserved;
	return write_reserved(store->db, store->reserved);
}

static int open_database(struct store *store, const char *path, char *why)
{
	mode_t before = umask(0077);
	int r;

	make_directory(path);
	r = sqlite3_open_v2(path, &store->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
			    NULL);
	if (r == SQLITE_OK) {
		sqlite3_busy_timeout(store->db, BUSY_MS);
		r = run_sql(store->db, "PRAGMA locking_mode=EXCLUSIVE") < 0 ||
		    run_sql(store->db, "PRAGMA journal_mode=WAL") < 0 ||
		    run_sql(store->db, "PRAGMA synchronous=NORMAL") < 0;
	}
	umask(before);
	return r ? complain(store, path, why) : 0;
}

static int prepare(struct store *store, const char *path, store_restored_fn *restored, void *user,
		   char *why)
{
	if (open_database(store, path, why) < 0 || migrate(store, path, why) < 0)
		return -1;
	if (load(store, restored, user) < 0 ||
	    sqlite3_prepare_v2(store->db, "INSERT OR REPLACE INTO events VALUES(?, ?, ?)", -1,
			       &store->insert, NULL) != SQLITE_OK)
		return complain(store, path, why);
	return 0;
}

int store_open(struct store **ret, const char *path, struct events *events, uv_loop_t *loop,
	       store_restored_fn *restored, void *user, char *why)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store) {
		snprintf(why, OPTIONS_WHY_MAX, "out of memory");
		return -1;
	}
	store->events = events;
	store->last = &store->first;
	if (prepare(store, path, restored, user, why) < 0) {
		sqlite3_finalize(store->insert);
		sqlite3_close(store->db);
		free(store);
		return -1;
	}
	uv_mutex_init(&store->mutex);
	uv_cond_init(&store->wake);
	uv_async_init(loop, &store->written, on_written);
	events->store = store;
	if (uv_thread_create(&store->thread, writer, store) < 0)
		abort(); /* at start, before anything is promised */
	*ret = store;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct store, written));
}

void store_close(struct store *store)
{
	if (!store)
		return;
	uv_mutex_lock(&store->mutex);
	store->stop = true;
	uv_cond_signal(&store->wake);
	uv_mutex_unlock(&store->mutex);
	uv_thread_join(&store->thread);
	if (store->reserved < UINT64_MAX / 2)
		write_reserved(store->db, store->events->seq);
	sqlite3_finalize(store->insert);
	sqlite3_close(store->db);
	store->events->store = NULL;
	uv_mutex_destroy(&store->mutex);
	uv_cond_destroy(&store->wake);
	uv_close((uv_handle_t *)&store->written, on_closed);
}
