/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose events: what each field says of an event by its session's facts and its moment, what is
 * undecided for want of either, and that facts which come later are true of what came before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controld/controld.h"
#include "controld/event_count.h"
#include "controld/event_select.h"

#include <stdlib.h>
#include <string.h>

#define BOOT "k3v9x2m1qp7a"

struct house {
	struct facts_book book;
	struct facts *facts; /* of BOOT-64, not known */
};

static int set_up(void **state)
{
	struct house *house = calloc(1, sizeof(*house));

	assert_non_null(house);
	assert_int_equal(facts_init(&house->book), 0);
	house->facts = facts_of(&house->book, "edge1", BOOT, BOOT "-64");
	assert_non_null(house->facts);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;

	facts_done(&house->book);
	free(house);
	return 0;
}

static json_t *json_of(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	if (!json)
		fail_msg("not JSON: %s", text);
	return json;
}

/* NULL and the field when it is refused. */
static struct event_select *select_of(const char *query, const char **ret_field)
{
	static const char *const names[] = {"ids",    "worker",	   "label*",	  "sni",
					    "peer",   "encrypted", "alpn",	  "origin",
					    "minAge", "idleFor",   "openStreams", "userAgent",
					    "sample", "sampleBy",  "all",	  NULL};
	struct request request = {0};
	struct event_select *select = NULL;
	struct problem problem;

	*ret_field = NULL;
	if (query_parse(&request.query, query, names, &problem) < 0 ||
	    event_select_read(&request, &select, &problem) < 0) {
		assert_null(select);
		*ret_field = problem.field;
	}
	query_done(&request.query);
	return select;
}

static enum event_verdict judge(const struct house *house, const char *query, const char *at)
{
	json_t *json = at ? json_of(at) : NULL;
	const char *field;
	struct event_select *select = select_of(query, &field);
	enum event_verdict verdict;

	if (!select)
		fail_msg("%s is refused", query);
	verdict = event_select_judge(select, house->facts, moment_read(json), false);
	json_decref(json);
	event_select_free(select);
	return verdict;
}

static void hear(struct house *house, const char *at)
{
	json_t *json = json_of(at);

	facts_hear(&house->book, house->facts, json, NULL);
	json_decref(json);
}

static void learn(struct house *house, const char *session)
{
	json_t *json = json_of(session);

	facts_learn(&house->book, "edge1", json);
	json_decref(json);
}

#define AT(age, idle, streams, requested, origins)                           \
	"{\"ageMs\":" #age ",\"idleMs\":" #idle ",\"openStreams\":" #streams \
	",\"requested\":" #requested ",\"origins\":" #origins "}"

/* ---- tests ----------------------------------------------------------------------------------- */

static void moments_decide(void **state)
{
	static const struct {
		const char *query;
		enum event_verdict verdict;
	} rows[] = {
		{"minAge=60", EVENT_SHOWN},
		{"minAge=60.001", EVENT_HIDDEN},
		{"minAge=0", EVENT_SHOWN},
		{"minAge=59.9995", EVENT_SHOWN},
		{"idleFor=1.5", EVENT_SHOWN},
		{"idleFor=2", EVENT_HIDDEN},
		{"openStreams=3", EVENT_SHOWN},
		{"openStreams=4", EVENT_HIDDEN},
		{"userAgent=*", EVENT_HIDDEN},
		{"origin=https://a.example", EVENT_HIDDEN},
		{"minAge=60&openStreams=4", EVENT_HIDDEN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (judge(*state, rows[i].query, AT(60000, 1500, 3, false, 0)) != rows[i].verdict)
			fail_msg("%s", rows[i].query);
}

static void what_was_not_told_is_undecided(void **state)
{
	static const char *const queries[] = {"minAge=0", "idleFor=0", "openStreams=0",
					      "userAgent=x", "origin=https://a.example"};
	static const char *const ats[] = {
		NULL, "{}", "[]",
		"{\"ageMs\":-1,\"idleMs\":1.5,\"openStreams\":\"1\",\"requested\":1,\"origins\":"
		"1025}",
		"{\"ageMs\":4398046511104,\"idleMs\":137438953472,\"openStreams\":1048576}"};

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		for (size_t j = 0; j < sizeof(ats) / sizeof(ats[0]); j++)
			assert_int_equal(judge(*state, queries[i], ats[j]), EVENT_UNDECIDED);
	/* One that is known and hides is enough. */
	assert_int_equal(judge(*state, "minAge=0&ids=other-1", NULL), EVENT_HIDDEN);
	assert_int_equal(judge(*state, "minAge=0&sample=16", NULL), EVENT_HIDDEN);
	assert_int_equal(judge(*state, "minAge=0&sample=17", NULL), EVENT_UNDECIDED);
	assert_int_equal(judge(*state, "minAge=1&label=a=b", AT(999, 0, 0, false, 0)),
			 EVENT_HIDDEN);
}

static void labels_are_those_of_the_moment(void **state)
{
	struct house *house = *state;
	char at[64];

	assert_int_equal(judge(house, "label=a=0", "{\"labelChanges\":0}"), EVENT_HIDDEN);
	assert_int_equal(judge(house, "label=a=1", "{\"labelChanges\":1}"), EVENT_UNDECIDED);
	for (unsigned i = 1; i <= FACTS_LABELS_MAX + 1; i++) {
		snprintf(at, sizeof(at), "{\"labelChanges\":%u,\"labels\":{\"a\":\"%u\"}}", i, i);
		hear(house, at);
		hear(house, at); /* told again */
	}
	assert_int_equal(judge(house, "label=a=1", "{\"labelChanges\":1}"), EVENT_UNDECIDED);
	assert_int_equal(judge(house, "label=a=2", "{\"labelChanges\":2}"), EVENT_SHOWN);
	assert_int_equal(judge(house, "label=a=2", "{\"labelChanges\":3}"), EVENT_HIDDEN);
	assert_int_equal(judge(house, "label=a=3", "{\"labelChanges\":3}"), EVENT_SHOWN);
	assert_int_equal(judge(house, "label=a=0", "{\"labelChanges\":0}"), EVENT_HIDDEN);
	assert_int_equal(judge(house, "label=a=0", "{\"labelChanges\":2048}"), EVENT_UNDECIDED);
	/* A worker that does not count: those of now, once there is a session object. */
	assert_int_equal(judge(house, "label=a=4", NULL), EVENT_UNDECIDED);
	learn(house, "{\"id\":\"" BOOT "-64\",\"labels\":{\"a\":\"4\"}}");
	assert_int_equal(judge(house, "label=a=4", NULL), EVENT_SHOWN);
}

static void a_user_agent_is_known_from_the_first_request_on(void **state)
{
	struct house *house = *state;

	assert_int_equal(judge(house, "userAgent=curl*", AT(1, 0, 0, false, 0)), EVENT_HIDDEN);
	assert_int_equal(judge(house, "userAgent=curl*", AT(1, 0, 1, true, 0)), EVENT_UNDECIDED);
	hear(house, "{\"userAgent\":\"Curl/8\"}");
	assert_int_equal(judge(house, "userAgent=curl*", AT(1, 0, 0, false, 0)), EVENT_HIDDEN);
	assert_int_equal(judge(house, "userAgent=curl*", AT(1, 0, 1, true, 0)), EVENT_SHOWN);
	assert_int_equal(judge(house, "userAgent=wget*", AT(1, 0, 1, true, 0)), EVENT_HIDDEN);
	hear(house, "{\"userAgent\":\"wget/1\"}"); /* it is never another one */
	assert_int_equal(judge(house, "userAgent=curl*", AT(1, 0, 1, true, 0)), EVENT_SHOWN);
}

static void no_user_agent_is_one_that_matches_nothing(void **state)
{
	struct house *house = *state;

	hear(house, "{\"userAgent\":null}");
	assert_int_equal(judge(house, "userAgent=*", AT(1, 0, 1, true, 0)), EVENT_HIDDEN);
}

static void a_session_object_says_it_too(void **state)
{
	struct house *house = *state;

	learn(house, "{\"id\":\"" BOOT "-64\",\"userAgent\":null,\"streams\":0}");
	assert_int_equal(judge(house, "userAgent=*", AT(1, 0, 1, true, 0)), EVENT_UNDECIDED);
	learn(house, "{\"id\":\"" BOOT "-64\",\"userAgent\":null,\"streams\":2}");
	assert_int_equal(judge(house, "userAgent=*", AT(1, 0, 1, true, 0)), EVENT_HIDDEN);
}

static void a_user_agent_that_may_have_been_cut_is_none(void **state)
{
	char at[FACTS_USER_AGENT_MAX + 64], *text = at + strlen("{\"userAgent\":\"");
	struct house *house = *state;

	memset(at, 'x', sizeof(at));
	memcpy(at, "{\"userAgent\":\"", strlen("{\"userAgent\":\""));
	memcpy(text + FACTS_USER_AGENT_MAX + 1, "\"}", 3);
	hear(house, at);
	assert_int_equal(judge(house, "userAgent=*", AT(1, 0, 1, true, 0)), EVENT_UNDECIDED);
	memcpy(text + FACTS_USER_AGENT_MAX, "\"}", 3);
	hear(house, at);
	assert_int_equal(judge(house, "userAgent=x*x", AT(1, 0, 1, true, 0)), EVENT_SHOWN);
}

/* The set of then is the first of the set of now. */
static void origins_are_those_of_the_moment(void **state)
{
	struct house *house = *state;

	assert_int_equal(judge(house, "origin=https://b.example", AT(1, 0, 0, false, 2)),
			 EVENT_UNDECIDED);
	assert_int_equal(judge(house, "origin=https://b.example", AT(1, 0, 0, false, 0)),
			 EVENT_HIDDEN);
	hear(house, "{\"originSet\":[\"https://a.example\"]}");
	assert_int_equal(judge(house, "origin=https://a.example", AT(1, 0, 0, false, 2)),
			 EVENT_SHOWN);
	assert_int_equal(judge(house, "origin=https://b.example", AT(1, 0, 0, false, 1)),
			 EVENT_HIDDEN);
	assert_int_equal(judge(house, "origin=https://b.example", AT(1, 0, 0, false, 2)),
			 EVENT_UNDECIDED);
	hear(house, "{\"originSet\":[\"https://a.example\",\"https://b.example\","
		    "\"https://xn--bcher-kva.example:444\"]}");
	assert_int_equal(judge(house, "origin=https://b.example", AT(1, 0, 0, false, 1)),
			 EVENT_HIDDEN);
	assert_int_equal(judge(house, "origin=https://B.example:443/x", AT(1, 0, 0, false, 2)),
			 EVENT_SHOWN);
	assert_int_equal(
		judge(house, "origin=https://b%C3%BCcher.example:444", AT(1, 0, 0, false, 3)),
		EVENT_SHOWN);
	hear(house,
	     "{\"originSet\":[\"https://a.example\"]}"); /* an older one takes nothing away */
	assert_int_equal(judge(house, "origin=https://b.example", AT(1, 0, 0, false, 2)),
			 EVENT_SHOWN);
}

static void samples_are_those_of_the_workers(void **state)
{
	struct house *house = *state;

	assert_int_equal(judge(house, "sample=16.29", NULL), EVENT_HIDDEN);
	assert_int_equal(judge(house, "sample=16.3", NULL), EVENT_SHOWN);
	assert_int_equal(judge(house, "sample=16.3&sampleBy=session", NULL), EVENT_SHOWN);
	assert_int_equal(judge(house, "sample=16.3&sampleBy=peer", NULL), EVENT_UNDECIDED);
	learn(house, "{\"id\":\"" BOOT "-64\",\"peer\":{\"address\":\"192.0.2.1\"}}");
	assert_int_equal(judge(house, "sample=59.3&sampleBy=peer", NULL), EVENT_HIDDEN);
	assert_int_equal(judge(house, "sample=59.4&sampleBy=peer", NULL), EVENT_SHOWN);
}

static void a_worker_is_its_name_and_its_boot_id(void **state)
{
	struct house *house = *state;

	assert_int_equal(judge(house, "worker=edge1", NULL), EVENT_SHOWN);
	assert_int_equal(judge(house, "worker=" BOOT, NULL), EVENT_SHOWN);
	assert_int_equal(judge(house, "worker=edge2", NULL), EVENT_HIDDEN);
	house->facts = facts_of(&house->book, "edge1", BOOT, NULL);
	assert_int_equal(judge(house, "worker=" BOOT, NULL), EVENT_SHOWN);
	assert_int_equal(judge(house, "worker=" BOOT "&minAge=0", NULL), EVENT_HIDDEN);
	house->facts = facts_of(&house->book, "edge1", NULL, NULL); /* of which boot is not known */
	assert_int_equal(judge(house, "worker=edge1", NULL), EVENT_SHOWN);
	assert_int_equal(judge(house, "worker=" BOOT, NULL), EVENT_UNDECIDED);
}

/* What clients can make long makes the oldest forgotten, and no more memory than that. */
static void texts_are_bounded(void **state)
{
	struct house *house = *state;
	char agent[FACTS_USER_AGENT_MAX + 1], id[32];
	uint32_t first = house->facts->number;
	unsigned i;

	memset(agent, 'x', sizeof(agent) - 1);
	agent[sizeof(agent) - 1] = 0;
	for (i = 0; i < FACTS_BYTES_MAX / FACTS_USER_AGENT_MAX + 10; i++) {
		json_t *at = json_pack("{s:s}", "userAgent", agent);
		struct facts *facts;

		snprintf(id, sizeof(id), BOOT "-%u", i * 64 + 128);
		facts = facts_of(&house->book, "edge1", NULL, id);
		assert_non_null(facts);
		facts_hear(&house->book, facts, at, NULL);
		json_decref(at);
		assert_true(house->book.bytes <= FACTS_BYTES_MAX);
	}
	assert_null(facts_by_number(&house->book, first));
	assert_non_null(facts_by_number(&house->book, first + i));
}

static void take(struct events *events, const char *type, unsigned session, const char *at)
{
	const struct boot boot = {.name = "edge1", .boot = BOOT};
	char id[32];
	json_t *params;

	snprintf(id, sizeof(id), BOOT "-%u", session * 64);
	params = json_pack("{s:s, s:s, s:o, s:{s:s, s:s+}}", "type", type, "session", id, "at",
			   json_of(at), "data", "id", id, "servername", id, ".example");
	assert_non_null(params);
	events_take(events, &boot, params);
	json_decref(params);
}

static int64_t count(struct events *events, const struct event_filter *filter, uint64_t from,
		     uint64_t to)
{
	struct event_count one;

	event_count_begin(&one, events, filter, from, to);
	while (!event_count_is_done(&one))
		event_count_next(&one, events, filter);
	event_count_end(&one, events, filter);
	return one.shown;
}

/* One event of each in turn, until all are done. */
static void count_in_turns(struct events *events, const struct event_filter *filters,
			   struct event_count *counts, size_t n)
{
	bool going = true;

	while (going) {
		going = false;
		for (size_t i = 0; i < n; i++) {
			if (event_count_is_done(&counts[i]))
				continue;
			event_count_next(&counts[i], events, &filters[i]);
			going = true;
		}
	}
}

/*
 * So many that globs are asked once a session: the same as few by few, as without memory for that, and
 * as several counts that go on in turns, one of which ends before its time.
 */
static void many_are_counted_as_few_are(void **state)
{
	static const char *const agents[] = {"curl/8", "wget/1", "Curl/7"};
	static const struct {
		const char *query;
		int64_t count;
	} rows[] = {
		{"userAgent=curl*", 2000},
		{"userAgent=wget*", 1000},
		{"userAgent=*", 3000},
		{"sni=*-64.example", 1000},
		{"sni=*.example&userAgent=x", 0},
		{"userAgent=curl*&openStreams=500", 1000},
		{"sample=100&openStreams=999", 3},
		{"label=a=b", -1},
	};
	struct event_filter filters[sizeof(rows) / sizeof(rows[0])] = {0}, *filter = filters;
	struct event_count counts[sizeof(rows) / sizeof(rows[0])];
	struct events events;
	uint64_t from;
	const char *field;
	char at[160];

	(void)state;
	assert_int_equal(events_init(&events, 16, 1 << 20), 0);
	for (unsigned i = 0; i < 3; i++)
		take(&events, "connect", i, AT(0, 0, 0, false, 0));
	from = events.seq + 1;
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(at, sizeof(at),
			 "{\"openStreams\":%u,\"requested\":true,\"labelChanges\":1,\"userAgent\":"
			 "\"%s\"}",
			 i / 3, agents[i % 3]);
		take(&events, "goaway", i % 3, at);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++, filter++) {
		int64_t sum = 0;

		memset(filter->types, 1, sizeof(filter->types));
		filter->select = select_of(rows[i].query, &field);
		assert_non_null(filter->select);
		assert_int_equal(count(&events, filter, from, events.seq), rows[i].count);
		for (uint64_t seq = from; seq <= events.seq; seq += 500)
			sum += count(&events, filter, seq, seq + 499);
		assert_int_equal(sum, rows[i].count < 0 ? -6 : rows[i].count);
		events.memos += EVENT_MEMOS_MAX;
		assert_int_equal(count(&events, filter, from, events.seq), rows[i].count);
		events.memos -= EVENT_MEMOS_MAX;
		event_count_begin(&counts[i], &events, filter, from, events.seq);
		assert_true(counts[i].prepared);
	}
	event_count_end(&counts[0], &events, &filters[0]);
	event_select_free(filters[0].select);
	count_in_turns(&events, filters + 1, counts + 1, sizeof(rows) / sizeof(rows[0]) - 1);
	for (size_t i = 1; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(counts[i].shown, rows[i].count);
		event_count_end(&counts[i], &events, &filters[i]);
		event_select_free(filters[i].select);
	}
	assert_int_equal(events.memos, 0);
	events_done(&events);
}

static void begin(struct house *house, unsigned n, bool ended)
{
	struct facts *facts;
	char id[32];

	snprintf(id, sizeof(id), BOOT "-%u", 1000 + n);
	facts = facts_of(&house->book, "edge1", NULL, id);
	assert_non_null(facts);
	facts->ended = ended;
}

/* A long-lived session among many short ones is known as long as it lives. */
static void who_lives_is_not_forgotten_for_who_has_ended(void **state)
{
	struct house *house = *state;
	uint32_t before = house->facts->number;

	hear(house, "{\"userAgent\":\"curl/8\"}");
	for (unsigned i = 0; i < 3 * FACTS_MAX; i++)
		begin(house, i, true);
	assert_ptr_equal(facts_of(&house->book, "edge1", NULL, BOOT "-64"), house->facts);
	assert_ptr_equal(facts_by_number(&house->book, house->facts->number), house->facts);
	assert_int_equal(judge(house, "userAgent=curl*", AT(1, 0, 1, true, 0)), EVENT_SHOWN);
	assert_null(facts_by_number(&house->book, before)); /* that was long ago */
	assert_int_equal(house->book.by_name.used, FACTS_MAX);
}

/* More than there is room for live: the oldest go. Numbers begin anew meanwhile. */
static void too_many_that_live_are_bounded(void **state)
{
	struct house *house = *state;

	house->book.last = UINT32_MAX - 100;
	house->book.first = house->book.last + 1;
	house->book.ring[house->facts->number % FACTS_MAX] = NULL;
	house->facts->number = ++house->book.last;
	house->book.ring[house->facts->number % FACTS_MAX] = house->facts;
	for (unsigned i = 0; i < FACTS_MAX + 1000; i++)
		begin(house, i, false);
	assert_int_equal(house->book.by_name.used, FACTS_MAX);
	assert_null(facts_by_number(&house->book, 0));
	assert_null(facts_by_number(&house->book, FACTS_LOST));
}

static void what_is_no_value_is_refused(void **state)
{
	static const struct {
		const char *query;
		const char *field;
	} rows[] = {
		{"minAge=-1", "minAge"},
		{"minAge=1e10", "minAge"},
		{"openStreams=1.5", "openStreams"},
		{"sample=0", "sample"},
		{"sample=101", "sample"},
		{"sampleBy=id", "sampleBy"},
		{"userAgent=", "userAgent"},
		{"sni=", "sni"},
		{"alpn=", "alpn"},
		{"origin=", "origin"},
		{"origin=nonsense", "origin"},
		{"origin=file:///x", "origin"},
		{"peer=10.0.0.0/33", "peer"},
		{"worker=", "worker"},
		{"all=false", "all"},
	};
	const char *field;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(select_of(rows[i].query, &field));
		assert_non_null(field);
		assert_string_equal(field, rows[i].field);
	}
	assert_null(select_of("all=true", &field)); /* everybody */
	assert_null(field);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(moments_decide),
		TEST(what_was_not_told_is_undecided),
		TEST(labels_are_those_of_the_moment),
		TEST(a_user_agent_is_known_from_the_first_request_on),
		TEST(no_user_agent_is_one_that_matches_nothing),
		TEST(a_session_object_says_it_too),
		TEST(a_user_agent_that_may_have_been_cut_is_none),
		TEST(origins_are_those_of_the_moment),
		TEST(samples_are_those_of_the_workers),
		TEST(a_worker_is_its_name_and_its_boot_id),
		TEST(texts_are_bounded),
		TEST(many_are_counted_as_few_are),
		TEST(who_lives_is_not_forgotten_for_who_has_ended),
		TEST(too_many_that_live_are_bounded),
		TEST(what_is_no_value_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
