/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's state: rows that were confirmed are there after a reopening, changes of one write
 * come together, a full disk is told to whoever waits and is over when it is over, older files are
 * brought up to date, later ones refused, and without a file every write succeeds.
 *
 * The disk is filled with a limit on the size of files (RLIMIT_FSIZE), which root has to obey too.
 */
#include "controld/events.h"
#include "controld/options.h"
#include "controld/store.h"

#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct house {
	char path[64];
	uv_loop_t loop;
	struct events events;
	struct store *store;
	unsigned waiting;
	char error[128]; /* of the last write that ended */
	char order[64];
	char rows[512];
};

static void on_restored(void *user, const char *type, const char *json)
{
	struct house *house = user;

	(void)json;
	strncat(house->rows, type, sizeof(house->rows) - strlen(house->rows) - 1);
	strncat(house->rows, ";", sizeof(house->rows) - strlen(house->rows) - 1);
}

static int open_store(struct house *house, bool kept, char *why)
{
	house->rows[0] = 0;
	assert_int_equal(events_init(&house->events, 100, 1 << 20), 0);
	if (store_open(&house->store, kept ? house->path : NULL, &house->events, &house->loop,
		       on_restored, house, why) < 0) {
		house->store = NULL;
		events_done(&house->events);
		return -1;
	}
	return 0;
}

static void close_store(struct house *house)
{
	store_close(house->store);
	house->store = NULL;
	uv_run(&house->loop, UV_RUN_DEFAULT);
	events_done(&house->events);
}

static void open_and_start(struct house *house)
{
	char why[OPTIONS_WHY_MAX] = "";

	if (open_store(house, true, why) < 0)
		fail_msg("%s", why);
	store_start(house->store);
}

static int set_up(void **state)
{
	struct house *house = calloc(1, sizeof(*house));

	assert_non_null(house);
	snprintf(house->path, sizeof(house->path), "/tmp/h2store-XXXXXX");
	assert_non_null(mkdtemp(house->path));
	strcat(house->path, "/state.db");
	assert_int_equal(uv_loop_init(&house->loop), 0);
	signal(SIGXFSZ, SIG_IGN);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[80];

	if (house->store)
		close_store(house);
	assert_int_equal(uv_loop_close(&house->loop), 0);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", house->path, ends[i]);
		unlink(path);
	}
	*strrchr(house->path, '/') = 0;
	rmdir(house->path);
	free(house);
	return 0;
}

static void on_written(void *user, const char *error)
{
	struct house *house = user;

	house->waiting--;
	snprintf(house->error, sizeof(house->error), "%s", error ? error : "");
}

/* Turn the loop until every write has ended. */
static void settle(struct house *house)
{
	while (house->waiting)
		uv_run(&house->loop, UV_RUN_ONCE);
}

static void put(struct house *house, enum store_table table, const char *key, const char *value)
{
	json_t *json = json_string(value);

	house->waiting++;
	assert_int_equal(store_put(house->store, table, key, json, on_written, house), 0);
	json_decref(json);
}

static void collect(void *user, const char *key, const void *value, size_t len)
{
	struct house *house = user;
	size_t n = strlen(house->rows);

	snprintf(house->rows + n, sizeof(house->rows) - n, "%s=%.*s;", key, (int)len,
		 (const char *)value);
}

/* KEY=VALUE;... of a table, as a fresh opening sees it; the store is open and started after. */
static const char *reopen(struct house *house, enum store_table table)
{
	char why[OPTIONS_WHY_MAX] = "";

	close_store(house);
	if (open_store(house, true, why) < 0)
		fail_msg("%s", why);
	house->rows[0] = 0;
	assert_int_equal(store_each(house->store, table, collect, house, why), 0);
	store_start(house->store);
	return house->rows;
}

static void limit_files(rlim_t octets)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void rows_come_back(void **state)
{
	struct house *house = *state;

	open_and_start(house);
	put(house, STORE_POLICIES, "b", "2");
	put(house, STORE_POLICIES, "a", "1");
	put(house, STORE_PUSHES, "c", "elsewhere");
	put(house, STORE_POLICIES, "b", "3");
	assert_int_equal(house->waiting, 4); /* never from inside the call */
	settle(house);
	assert_string_equal(house->error, "");
	assert_string_equal(reopen(house, STORE_POLICIES), "a=\"1\";b=\"3\";");
	house->waiting++;
	assert_int_equal(store_delete(house->store, STORE_POLICIES, "a", on_written, house), 0);
	settle(house);
	assert_string_equal(reopen(house, STORE_POLICIES), "b=\"3\";");
	assert_string_equal(reopen(house, STORE_PUSHES), "c=\"elsewhere\";");
}

static void changes_come_together(void **state)
{
	struct house *house = *state;
	const struct store_change changes[] = {
		{.table = STORE_PUSHES, .key = "p", .value = "x\0y", .len = 3, .blob = true},
		{.table = STORE_KEYS, .key = "k", .value = "p", .len = 1},
		{.table = STORE_PUSHES, .key = "old"},
	};

	open_and_start(house);
	put(house, STORE_PUSHES, "old", "gone soon");
	house->waiting++;
	assert_int_equal(store_write(house->store, changes, 3, on_written, house), 0);
	settle(house);
	assert_string_equal(reopen(house, STORE_KEYS), "k=p;");
	assert_string_equal(reopen(house, STORE_PUSHES), "p=x;"); /* up to its NUL */
}

static void on_first(void *user, const char *error)
{
	struct house *house = user;

	strcat(house->order, "1");
	on_written(user, error);
	put(house, STORE_AUDIT, "again", "from a callback");
}

static void on_second(void *user, const char *error)
{
	struct house *house = user;

	strcat(house->order, "2");
	on_written(user, error);
}

static void callbacks_come_in_order_and_may_write(void **state)
{
	struct house *house = *state;
	const struct store_change change = {
		.table = STORE_AUDIT, .key = "x", .value = "v", .len = 1};

	open_and_start(house);
	house->waiting += 2;
	store_write(house->store, &change, 1, on_first, house);
	store_write(house->store, &change, 1, on_second, house);
	store_flush(house->store);
	assert_string_equal(house->order, "12");
	settle(house);
	assert_string_equal(reopen(house, STORE_AUDIT), "again=\"from a callback\";x=v;");
}

static void writes_at_the_end_are_kept(void **state)
{
	struct house *house = *state;

	open_and_start(house);
	put(house, STORE_KEYS, "last", "word");
	assert_string_equal(reopen(house, STORE_KEYS), "last=\"word\";"); /* no turn in between */
	assert_int_equal(house->waiting, 0);
}

static void a_full_disk_is_told_and_passes(void **state)
{
	struct house *house = *state;
	char big[60000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	open_and_start(house);
	put(house, STORE_KEYS, "before", "1");
	settle(house);
	assert_null(store_error(house->store));
	limit_files(1 << 16);
	put(house, STORE_KEYS, "during", big);
	put(house, STORE_KEYS, "with it", "2");
	settle(house);
	assert_string_not_equal(house->error, "");
	assert_non_null(store_error(house->store));
	limit_files(RLIM_INFINITY);
	put(house, STORE_KEYS, "later", "3");
	settle(house);
	assert_string_equal(house->error, "");
	assert_null(store_error(house->store));
	assert_string_equal(reopen(house, STORE_KEYS), "before=\"1\";later=\"3\";");
}

static void without_a_file_writes_succeed(void **state)
{
	struct house *house = *state;
	char why[OPTIONS_WHY_MAX] = "";

	assert_int_equal(open_store(house, false, why), 0);
	store_start(house->store);
	put(house, STORE_KEYS, "k", "v");
	assert_int_equal(store_put(house->store, STORE_KEYS, "nobody", json_null(), NULL, NULL), 0);
	assert_int_equal(house->waiting, 1);
	settle(house);
	assert_string_equal(house->error, "");
	assert_int_equal(store_each(house->store, STORE_KEYS, collect, house, why), 0);
	assert_string_equal(house->rows, "");
}

static void too_much_at_once_is_refused(void **state)
{
	struct house *house = *state;
	const size_t len = STORE_QUEUE_MAX + 1;
	char *value = calloc(1, len);
	const struct store_change change = {
		.table = STORE_RESULTS, .key = "x", .value = value, .len = len, .blob = true};

	assert_non_null(value);
	open_and_start(house);
	assert_int_equal(store_write(house->store, &change, 1, on_written, house), -1);
	free(value);
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The file of the first schema. */
static void an_older_file_is_brought_up_to_date(void **state)
{
	struct house *house = *state;

	run_sql(house->path,
		"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
		"CREATE TABLE events(seq INTEGER PRIMARY KEY, type TEXT NOT NULL, "
		"json TEXT NOT NULL);"
		"INSERT INTO meta VALUES('epoch', 'oldepoch01'), ('reserved', '41');"
		"INSERT INTO events VALUES(40, 'connect', '{}'), (41, 'close', '{}');"
		"PRAGMA user_version=1");
	open_and_start(house);
	assert_string_equal(house->events.epoch, "oldepoch01");
	assert_int_equal(house->events.seq, 41);
	assert_string_equal(house->rows, "connect;close;");
	put(house, STORE_POLICIES, "k", "v");
	settle(house);
	assert_string_equal(reopen(house, STORE_POLICIES), "k=\"v\";");
	assert_int_equal(house->events.seq, 41);
}

/* What sessions were like was not kept before the third schema; from then on it is. */
static void events_keep_what_they_are_of(void **state)
{
	static const char at[] =
		"{\"seq\":1,\"type\":\"goaway\",\"session\":\"bootboot-64\",\"at\":{\"ageMs\":5,"
		"\"idleMs\":4,\"openStreams\":3,\"requested\":true,\"origins\":2,"
		"\"userAgent\":\"curl\",\"unknown\":1}}";
	const struct boot boot = {.name = "edge1", .boot = "bootboot"};
	struct house *house = *state;
	const struct event *event;
	const struct facts *facts;
	json_t *params = json_loads(at, 0, NULL);

	run_sql(house->path,
		"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
		"CREATE TABLE events(seq INTEGER PRIMARY KEY, type TEXT NOT NULL, "
		"json TEXT NOT NULL);"
		"CREATE TABLE policies(key TEXT PRIMARY KEY NOT NULL, value NOT NULL);"
		"CREATE TABLE pushes(key TEXT PRIMARY KEY NOT NULL, value NOT NULL);"
		"CREATE TABLE results(key TEXT PRIMARY KEY NOT NULL, value NOT NULL);"
		"CREATE TABLE idempotency(key TEXT PRIMARY KEY NOT NULL, value NOT NULL);"
		"CREATE TABLE audit(key TEXT PRIMARY KEY NOT NULL, value NOT NULL);"
		"INSERT INTO events VALUES(1, 'worker.up', '{\"id\":\"x-1\",\"worker\":\"edge1\","
		"\"data\":{\"boot\":\"bootboot\"}}'),"
		"(2, 'goaway', '{\"id\":\"x-2\",\"worker\":\"edge1\",\"session\":"
		"\"bootboot-64\",\"data\":{}}');"
		"PRAGMA user_version=2");
	open_and_start(house);
	assert_string_equal(house->rows, "worker.up;goaway;");
	facts = facts_by_number(&house->events.facts, events_at(&house->events, 0)->facts);
	assert_string_equal(facts->boot, "bootboot");
	event = events_at(&house->events, 1);
	assert_int_equal(event->moment.told, 0);
	facts = facts_by_number(&house->events.facts, event->facts);
	assert_string_equal(facts->session, "bootboot-64");
	assert_false(facts->agent_told);
	assert_non_null(params);
	events_take(&house->events, &boot, params);
	json_decref(params);
	store_flush(house->store);
	reopen(house, STORE_POLICIES);
	assert_int_equal(events_at(&house->events, 1)->moment.told, 0);
	event = events_at(&house->events, 2);
	assert_int_equal(event->moment.age_ms, 5);
	assert_int_equal(event->moment.idle_ms, 4);
	assert_int_equal(event->moment.open_streams, 3);
	assert_int_equal(event->moment.origins, 2);
	assert_true(event->moment.requested);
	facts = facts_by_number(&house->events.facts, event->facts);
	assert_string_equal(facts->user_agent, "curl");
}

static void a_later_or_foreign_file_is_refused(void **state)
{
	struct house *house = *state;
	char why[OPTIONS_WHY_MAX] = "";
	FILE *file;

	run_sql(house->path, "PRAGMA user_version=9999");
	assert_int_equal(open_store(house, true, why), -1);
	assert_non_null(strstr(why, "schema 9999 is later"));
	file = fopen(house->path, "w");
	assert_non_null(file);
	for (int i = 0; i < 100; i++)
		fputs("this is no database, it never was\n", file);
	fclose(file);
	assert_int_equal(open_store(house, true, why), -1);
	assert_non_null(strstr(why, "not a database"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changes_come_together, set_up, tear_down),
		cmocka_unit_test_setup_teardown(callbacks_come_in_order_and_may_write, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(writes_at_the_end_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_is_told_and_passes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_file_writes_succeed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_much_at_once_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_older_file_is_brought_up_to_date, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(events_keep_what_they_are_of, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_later_or_foreign_file_is_refused, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
