/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idempotency keys over a restart: they come back in the order in which they were made, whatever
 * their names, so that the oldest is the one that goes when there are too many.
 */
#include "controld/controld.h"
#include "controld/keys.h"
#include "controld/options.h"
#include "controld/request.h"
#include "controld/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct house {
	char dir[32];
	char path[48];
	uv_loop_t loop;
	struct controld controld;
};

static void on_restored(void *user, const char *type, const char *json)
{
	(void)user;
	(void)type;
	(void)json;
}

static void open_house(struct house *house)
{
	struct controld *controld = &house->controld;
	char why[OPTIONS_WHY_MAX] = "";

	assert_int_equal(events_init(&controld->events, 100, 1 << 20), 0);
	if (store_open(&controld->store, house->path, &controld->events, &house->loop, on_restored,
		       NULL, why) < 0)
		fail_msg("%s", why);
	keys_init(&controld->keys, controld);
	assert_int_equal(keys_load(&controld->keys, why), 0);
	store_start(controld->store);
}

static void close_house(struct house *house)
{
	store_close(house->controld.store);
	uv_run(&house->loop, UV_RUN_DEFAULT);
	keys_done(&house->controld.keys);
	events_done(&house->controld.events);
}

static int set_up(void **state)
{
	struct house *house = calloc(1, sizeof(*house));

	assert_non_null(house);
	snprintf(house->dir, sizeof(house->dir), "/tmp/h2keys-XXXXXX");
	assert_non_null(mkdtemp(house->dir));
	snprintf(house->path, sizeof(house->path), "%s/state.db", house->dir);
	assert_int_equal(uv_loop_init(&house->loop), 0);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;

	assert_int_equal(uv_loop_close(&house->loop), 0);
	unlink(house->path);
	rmdir(house->dir);
	free(house);
	return 0;
}

/* As push_api.c and request.c do: a key with its push, and then its answer. */
static struct key *make(struct house *house, const char *name)
{
	struct request request = {.method = "POST", .by = "somebody"};
	struct key *key = key_new(&house->controld.keys, &request, name, "p-1");

	assert_non_null(key);
	return key;
}

static void answer(struct house *house, struct key *key)
{
	json_t *text = json_object();

	key_set_answer(&house->controld.keys, key, 200, text);
	json_decref(text);
}

/* Names from the oldest to the newest. */
static void holds(const struct house *house, const char *expected)
{
	char names[64] = "";

	list_for_each(at, &house->controld.keys.list) {
		const struct key *key = container_of(at, struct key, link);

		strcat(names, strchr(key->name, '\n') + 1);
	}
	assert_string_equal(names, expected);
}

static void the_oldest_is_first_after_a_restart(void **state)
{
	struct house *house = *state;
	struct key *slow;

	open_house(house);
	answer(house, make(house, "c"));
	slow = make(house, "z");
	answer(house, make(house, "a"));
	answer(house, make(house, "b"));
	answer(house, slow); /* its row is the one that was written last */
	holds(house, "czab");
	close_house(house);

	open_house(house);
	holds(house, "czab");
	answer(house, make(house, "0"));
	close_house(house);

	open_house(house);
	holds(house, "czab0");
	close_house(house);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_oldest_is_first_after_a_restart, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("controld_keys", tests, NULL, NULL);
}
