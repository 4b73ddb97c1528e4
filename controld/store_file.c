/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state file: SQLite in WAL mode, its schema, its statements.
 *
 * store.c opens it, and its writer thread makes every transaction after that. A schema is a number
 * (user_version) and a list of migrations, each a transaction of its own.
 *
 * A commit that somebody waits for is made with synchronous=FULL: it is on the platter when it
 * returns. One of events alone goes with NORMAL: a killed daemon loses none of them, a power cut
 * the last ones, which nobody is promised.
 *
 * Failure modes: cannot open, a later schema, a damaged file: one line, and -1. The disk is full:
 * the statement or the commit says so, and the transaction is rolled back.
 */
#include "store_file.h"

#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_MS 2000
#define TRIM_EVERY 1000 /* events between two looks at what is too old */

static const char *const table_names[STORE_TABLES] = {
#define X(name, text) text,
	STORE_TABLE_LIST(X)
#undef X
};

#define ROWS(name) "CREATE TABLE " name "(key TEXT PRIMARY KEY NOT NULL, value NOT NULL);"

static const char *const migrations[] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE events(seq INTEGER PRIMARY KEY, type TEXT NOT NULL, json TEXT NOT NULL);",
	ROWS("policies") ROWS("pushes") ROWS("results") ROWS("idempotency") ROWS("audit"),
	"ALTER TABLE events ADD COLUMN about TEXT;", /* JSON, or NULL */
	"INSERT INTO meta VALUES('kept_from', '0');",
};

#define SCHEMA ((int)(sizeof(migrations) / sizeof(migrations[0])))

static int run_sql(const struct store_file *file, const char *sql)
{
	return sqlite3_exec(file->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

static int run_once(sqlite3_stmt *statement)
{
	int r = sqlite3_step(statement) == SQLITE_DONE ? 0 : -1;

	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return r;
}

static int prepare(const struct store_file *file, sqlite3_stmt **ret, const char *sql)
{
	return sqlite3_prepare_v2(file->db, sql, -1, ret, NULL) == SQLITE_OK ? 0 : -1;
}

int store_file_complain(const struct store_file *file, const char *path, char *why)
{
	const char *rule = file->db ? sqlite3_errmsg(file->db) : "out of memory";

	if (file->db && sqlite3_errcode(file->db) == SQLITE_BUSY)
		rule = "another process has this state file open";
	snprintf(why, OPTIONS_WHY_MAX, "%.120s: %.100s", path, rule);
	return file->db && sqlite3_errcode(file->db) == SQLITE_NOTADB ? OPTIONS_REFUSED : -1;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int set_durable(struct store_file *file, bool durable)
{
	if (file->durable == durable)
		return 0;
	if (run_sql(file, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL") < 0)
		return -1;
	file->durable = durable;
	return 0;
}

int store_file_begin(struct store_file *file, bool durable)
{
	return set_durable(file, durable) < 0 ? -1 : run_sql(file, "BEGIN IMMEDIATE");
}

int store_file_commit(struct store_file *file)
{
	return run_sql(file, "COMMIT");
}

void store_file_roll_back(struct store_file *file)
{
	if (!sqlite3_get_autocommit(file->db))
		run_sql(file, "ROLLBACK");
}

/*
 * What the log has dropped is cut down to what it takes to count it, for those who resume after a
 * restart; events that say what a session or worker is like stay whole. A trim that fails, or is
 * rolled back, leaves more than it had to.
 */
static void trim(struct store_file *file, uint64_t keep_from)
{
	unsigned long long from = file->kept_from, to = keep_from;
	char sql[512];

	if (++file->since_trim < TRIM_EVERY)
		return;
	file->since_trim = 0;
	file->kept_from = keep_from;
	snprintf(sql, sizeof(sql),
		 "UPDATE events SET json = substr(json, 1, instr(json, ',\"data\":') - 1) || '}'"
		 " WHERE seq >= %llu AND seq < %llu AND instr(json, ',\"data\":') > 0"
		 " AND type NOT IN ('connect', 'worker.up', 'worker.down');"
		 "UPDATE meta SET value = '%llu' WHERE key = 'kept_from';"
		 "DELETE FROM events WHERE seq < %llu",
		 from, to, to, to > STORE_DROPPED_MAX ? to - STORE_DROPPED_MAX : 0);
	run_sql(file, sql);
}

int store_file_put_event(struct store_file *file, uint64_t seq, const struct store_change *changes,
			 uint64_t keep_from)
{
	const struct store_change *event = &changes[0], *about = &changes[1];
	sqlite3_stmt *statement = file->insert_event;

	trim(file, keep_from);
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
	sqlite3_bind_text(statement, 2, event->key, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, event->value, (int)event->len, SQLITE_STATIC);
	if (about->value)
		sqlite3_bind_text(statement, 4, about->value, (int)about->len, SQLITE_STATIC);
	return run_once(statement);
}

int store_file_change(struct store_file *file, const struct store_change *change)
{
	sqlite3_stmt *statement =
		change->value ? file->put[change->table] : file->remove[change->table];

	sqlite3_bind_text(statement, 1, change->key, -1, SQLITE_STATIC);
	if (change->value && change->blob)
		sqlite3_bind_blob(statement, 2, change->value, (int)change->len, SQLITE_STATIC);
	else if (change->value)
		sqlite3_bind_text(statement, 2, change->value, (int)change->len, SQLITE_STATIC);
	return run_once(statement);
}

int store_file_set_meta(struct store_file *file, const char *key, const char *value)
{
	sqlite3_stmt *statement = NULL;
	int r;

	if (set_durable(file, true) < 0 ||
	    prepare(file, &statement, "INSERT OR REPLACE INTO meta VALUES(?, ?)") < 0)
		return -1;
	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
	r = run_once(statement);
	sqlite3_finalize(statement);
	return r;
}

/* ---- reading --------------------------------------------------------------------------------- */

bool store_file_meta(const struct store_file *file, const char *key, char *ret, size_t room)
{
	sqlite3_stmt *statement = NULL;
	const char *value = NULL;

	if (prepare(file, &statement, "SELECT value FROM meta WHERE key = ?") < 0)
		return false;
	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) == SQLITE_ROW)
		value = (const char *)sqlite3_column_text(statement, 0);
	if (value)
		snprintf(ret, room, "%s", value);
	sqlite3_finalize(statement);
	return value;
}

int store_file_each_event(struct store_file *file, store_event_fn *fn, void *user)
{
	static const char sql[] = "SELECT seq, type, json, about FROM events ORDER BY seq";
	sqlite3_stmt *statement = NULL;
	int r;

	if (prepare(file, &statement, sql) < 0)
		return -1;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *type = (const char *)sqlite3_column_text(statement, 1);
		const char *json = (const char *)sqlite3_column_text(statement, 2);

		if (type && json)
			fn(user, (uint64_t)sqlite3_column_int64(statement, 0), type, json,
			   (const char *)sqlite3_column_text(statement, 3));
	}
	sqlite3_finalize(statement);
	return r == SQLITE_DONE ? 0 : -1;
}

int store_file_each_row(struct store_file *file, enum store_table table, store_row_fn *fn,
			void *user)
{
	sqlite3_stmt *statement = NULL;
	char sql[96];
	int r;

	snprintf(sql, sizeof(sql), "SELECT key, value FROM %s ORDER BY key", table_names[table]);
	if (prepare(file, &statement, sql) < 0)
		return -1;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *key = (const char *)sqlite3_column_text(statement, 0);
		const void *value = sqlite3_column_blob(statement, 1);
		int len = sqlite3_column_bytes(statement, 1);

		if (key)
			fn(user, key, value ? value : "", value ? (size_t)len : 0);
	}
	sqlite3_finalize(statement);
	return r == SQLITE_DONE ? 0 : -1;
}

/* ---- opening --------------------------------------------------------------------------------- */

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

static int open_database(struct store_file *file, const char *path, char *why)
{
	mode_t before = umask(0077);
	int r;

	make_directory(path);
	r = sqlite3_open_v2(path, &file->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
			    NULL);
	if (r == SQLITE_OK) {
		sqlite3_busy_timeout(file->db, BUSY_MS);
		file->durable = true;
		r = run_sql(file, "PRAGMA locking_mode=EXCLUSIVE") < 0 ||
		    run_sql(file, "PRAGMA synchronous=FULL") < 0;
	}
	umask(before);
	return r ? store_file_complain(file, path, why) : 0;
}

static int read_version(const struct store_file *file)
{
	sqlite3_stmt *statement = NULL;
	int version = -1;

	if (prepare(file, &statement, "PRAGMA user_version") == 0 &&
	    sqlite3_step(statement) == SQLITE_ROW)
		version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return version;
}

/* Is it a database, and somebody else's? */
static bool is_foreign(const struct store_file *file)
{
	sqlite3_stmt *statement = NULL;
	bool any = prepare(file, &statement, "SELECT 1 FROM sqlite_schema") == 0 &&
		   sqlite3_step(statement) == SQLITE_ROW;

	sqlite3_finalize(statement);
	return any;
}

/* Before anything is written: what is not ours stays as it is. */
static int check_ours(const struct store_file *file, int version, const char *path, char *why)
{
	if (version < 0)
		return store_file_complain(file, path, why);
	if (version > SCHEMA) {
		snprintf(why, OPTIONS_WHY_MAX, "%.120s: schema %d is later than ours, %d", path,
			 version, SCHEMA);
		return OPTIONS_REFUSED;
	}
	if (version == 0 && is_foreign(file)) {
		snprintf(why, OPTIONS_WHY_MAX, "%.120s: a database of another program", path);
		return OPTIONS_REFUSED;
	}
	return 0;
}

static int migrate(struct store_file *file, const char *path, char *why)
{
	int version = read_version(file);
	int r = check_ours(file, version, path, why);
	char sql[64];

	if (r < 0)
		return r;
	if (run_sql(file, "PRAGMA journal_mode=WAL") < 0)
		return store_file_complain(file, path, why);
	for (; version < SCHEMA; version++) {
		snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", version + 1);
		if (store_file_begin(file, true) < 0 || run_sql(file, migrations[version]) < 0 ||
		    run_sql(file, sql) < 0 || store_file_commit(file) < 0)
			return store_file_complain(file, path, why);
	}
	return 0;
}

static int prepare_all(struct store_file *file)
{
	char sql[96];

	if (prepare(file, &file->insert_event, "INSERT OR REPLACE INTO events VALUES(?, ?, ?, ?)") <
	    0)
		return -1;
	for (int i = 0; i < STORE_TABLES; i++) {
		snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO %s VALUES(?, ?)",
			 table_names[i]);
		if (prepare(file, &file->put[i], sql) < 0)
			return -1;
		snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE key = ?", table_names[i]);
		if (prepare(file, &file->remove[i], sql) < 0)
			return -1;
	}
	return 0;
}

int store_file_open(struct store_file *file, const char *path, char *why)
{
	int r = open_database(file, path, why);
	char kept_from[32];

	if (r == 0)
		r = migrate(file, path, why);
	if (r < 0)
		return r;
	if (store_file_meta(file, "kept_from", kept_from, sizeof(kept_from)))
		file->kept_from = strtoull(kept_from, NULL, 10);
	return prepare_all(file) < 0 ? store_file_complain(file, path, why) : 0;
}

void store_file_close(struct store_file *file)
{
	sqlite3_finalize(file->insert_event);
	for (int i = 0; i < STORE_TABLES; i++) {
		sqlite3_finalize(file->put[i]);
		sqlite3_finalize(file->remove[i]);
	}
	sqlite3_close(file->db);
	*file = (struct store_file){0};
}
