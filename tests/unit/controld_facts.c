/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of sessions is what rpc.md says a worker tells: strings, whose octets are counted.
 * Anything else in their place is left out, so that a worker cannot have the daemon keep it.
 */
#include "controld/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int set_up(void **state)
{
	struct facts_book *book = malloc(sizeof(*book));

	assert_non_null(book);
	assert_int_equal(facts_init(book), 0);
	*state = book;
	return 0;
}

static int tear_down(void **state)
{
	facts_done(*state);
	free(*state);
	return 0;
}

static json_t *json_of(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

/* A session that its worker describes so, with `at` of an event. */
static const struct facts *told(struct facts_book *book, const char *session, const char *at)
{
	json_t *object = json_of(session), *moment = json_of(at);
	struct facts *facts = facts_of(book, "edge1", NULL, "b-1");

	assert_non_null(facts);
	facts_learn(book, "edge1", object);
	facts_hear(book, facts, moment, NULL);
	json_decref(object);
	json_decref(moment);
	return facts;
}

static void test_texts(void **state)
{
	const struct facts *facts = told(
		*state, "{\"id\": \"b-1\", \"labels\": {\"a\": \"1\"}, \"originSet\": [\"x\"]}",
		"{\"labelChanges\": 2, \"labels\": {\"a\": \"2\"}, \"originSet\": [\"x\", \"y\"]}");

	assert_int_equal(json_object_size(facts->labels), 1);
	assert_non_null(facts_labels(facts, 2));
	assert_int_equal(json_array_size(facts->origins), 2);
	assert_true(facts->weight >= 4);
}

static void test_others(void **state)
{
	const struct facts *facts =
		told(*state,
		     "{\"id\": \"b-1\", \"labels\": {\"a\": [[\"1\"]]}, \"originSet\": [[\"x\"]]}",
		     "{\"labelChanges\": 2, \"labels\": {\"a\": {}}, \"originSet\": [\"x\", 7]}");
	json_t *labels = json_of("{\"a\": \"1\", \"b\": null}");

	facts_set_labels(*state, "b-1", labels);
	json_decref(labels);
	assert_null(facts->labels);
	assert_null(facts_labels(facts, 2));
	assert_null(facts->origins);
	assert_int_equal(facts->weight, 0);
}

/* The labels after the last change that is told apart are never taken for those of a later one. */
static void test_many_changes(void **state)
{
	static const char at[] = "{\"labelChanges\": %u, \"labels\": {\"a\": \"%u\"}}";
	const struct facts *facts = NULL;
	struct moment moment;
	char text[80];

	for (unsigned n = MOMENT_CHANGES_MAX - 1; n < MOMENT_CHANGES_MAX + 5; n++) {
		json_t *json;

		snprintf(text, sizeof(text), at, n, n);
		facts = told(*state, "{\"id\": \"b-1\", \"labels\": {}}", text);
		json = json_of(text);
		moment = moment_read(json);
		json_decref(json);
		assert_true(moment.told & MOMENT_LABELS);
		assert_int_equal(moment.label_changes,
				 n <= MOMENT_CHANGES_MAX ? n : MOMENT_CHANGES_MAX + 1);
		assert_int_equal(facts_labels(facts, moment.label_changes) != NULL,
				 n <= MOMENT_CHANGES_MAX);
	}
}

/* What is picked out of an event's text is what the whole of it says. */
static void of_an_event(void **state)
{
	static const char *const events[] = {
		"{\"id\":\"e-1\",\"type\":\"connect\",\"data\":{\"id\":\"b-1\",\"peer\":{"
		"\"address\":"
		"\"192.0.2.1\",\"port\":1},\"encrypted\":true,\"servername\":\"\\u00e9.example\","
		"\"alpnProtocol\":\"h2\",\"labels\":{\"a\":\"b\"},\"userAgent\":null,\"streams\":2,"
		"\"originSet\":[\"https://a.example\"]}}",
		"{\"data\":{\"boot\":\"k3v9\"},\"type\":\"worker.down\"}",
		"{\"data\":{\"id\":\"b-1\",\"p\\u0065er\":{},\"streams\":1}}", /* escapes in keys */
		"{\"data\":{}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		json_t *whole = json_loads(events[i], 0, NULL);
		json_t *picked = facts_of_event(events[i]);

		if (!json_equal(picked, json_object_get(whole, "data")))
			fail_msg("%s", events[i]);
		json_decref(whole);
		json_decref(picked);
	}
	assert_null(facts_of_event("{\"type\":\"connect\"}"));
	assert_null(facts_of_event("{\"data\""));
}

/* Members that nobody learns from are left out. */
static void of_an_event_alone(void **state)
{
	json_t *picked = facts_of_event("{\"data\":{\"state\":{\"x\":1},\"id\":\"b-1\"}}");

	(void)state;
	assert_int_equal(json_object_size(picked), 1);
	assert_string_equal(json_string_value(json_object_get(picked, "id")), "b-1");
	json_decref(picked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_texts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_changes, set_up, tear_down),
		cmocka_unit_test(of_an_event),
		cmocka_unit_test(of_an_event_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
