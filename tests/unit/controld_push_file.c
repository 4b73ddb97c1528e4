/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes in the state file: a row comes back as it was; what is damaged in it is left out by itself,
 * with a line in the log, and nothing beside it.
 */
#include "controld/controld.h"
#include "controld/store.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GOOD                                                                                      \
	"{\"kind\":\"altsvc\",\"by\":\"alice\",\"seq\":7,\"createdMs\":1,\"state\":1,\"parts\":[" \
	"{\"worker\":\"w\",\"boot\":\"b\",\"done\":true,\"meant\":3,\"counts\":[0,1,2,0,0]}],"

struct house {
	char path[64];
	uv_loop_t loop;
	struct controld controld;
};

static void open_state(struct house *house)
{
	struct controld *controld = &house->controld;
	char why[OPTIONS_WHY_MAX] = "";

	controld->loop = &house->loop;
	assert_int_equal(events_init(&controld->events, 10, 1000), 0);
	if (store_open(&controld->store, house->path, &controld->events, &house->loop, NULL, NULL,
		       why) < 0)
		fail_msg("%s", why);
	keys_init(&controld->keys, controld);
	pushes_init(&controld->pushes, controld);
}

static void close_state(struct house *house)
{
	struct controld *controld = &house->controld;

	pushes_stop(&controld->pushes);
	store_close(controld->store);
	uv_run(&house->loop, UV_RUN_DEFAULT);
	pushes_done(&controld->pushes);
	keys_done(&controld->keys);
	events_done(&controld->events);
	metrics_done(&controld->metrics);
	*controld = (struct controld){0};
}

static int set_up(void **state)
{
	struct house *house = calloc(1, sizeof(*house));

	assert_non_null(house);
	snprintf(house->path, sizeof(house->path), "/tmp/h2push-XXXXXX");
	assert_non_null(mkdtemp(house->path));
	strcat(house->path, "/state.db");
	assert_int_equal(uv_loop_init(&house->loop), 0);
	open_state(house); /* makes the tables */
	close_state(house);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[80];

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

static void insert(const struct house *house, const char *id, const char *row)
{
	sqlite3_stmt *statement;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(house->path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db, "INSERT INTO pushes VALUES (?, ?)", -1, &statement, NULL),
		SQLITE_OK);
	sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, row, -1, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

static void test_damaged_rows(void **state)
{
	static const char *const damaged[] = {
		"",
		"[]",
		"{",
		GOOD "\"warnings\":[{\"rule\":\"max-age-long\"}]}",
		GOOD "\"warnings\":[{\"detail\":\"d\"}]}",
		GOOD "\"warnings\":[7]}",
		GOOD "\"warnings\":[{\"rule\":1,\"detail\":\"d\"}]}",
		"{\"kind\":\"altsvc\",\"state\":1,\"parts\":[{\"worker\":\"w\"}]}",
		"{\"kind\":\"altsvc\",\"state\":1,\"parts\":[null]}",
		"{\"kind\":\"nothing\",\"state\":1,\"parts\":[]}",
		"{\"state\":1,\"parts\":[]}",
	};
	struct house *house = *state;
	const struct push *push;
	char id[32], why[OPTIONS_WHY_MAX];

	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		snprintf(id, sizeof(id), "damaged-%zu", i);
		insert(house, id, damaged[i]);
	}
	insert(house, "adopted", "{\"kind\":\"unknown\",\"state\":1,\"parts\":[]}");
	insert(house, "good",
	       GOOD "\"warnings\":[{\"rule\":\"max-age-long\",\"detail\":\"d\",\"sessions\":2}]}");
	open_state(house);
	assert_int_equal(pushes_load(&house->controld.pushes, why), 0);
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		snprintf(id, sizeof(id), "damaged-%zu", i);
		if (push_find(&house->controld.pushes, id))
			fail_msg("loaded: %s", damaged[i]);
	}
	push = push_find(&house->controld.pushes, "good");
	assert_non_null(push);
	assert_string_equal(push->by, "alice");
	assert_int_equal(push->state, PUSH_STATE_DONE);
	assert_int_equal(push_sum(push).matched, 3);
	assert_int_equal(json_array_size(push->warnings), 1);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(push->warnings, 0), "sessions")),
		2);
	assert_non_null(push_find(&house->controld.pushes, "adopted"));
	assert_int_equal(house->controld.pushes.count, 2);
	close_state(house);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_damaged_rows, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
