/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the control link that need no server: the event queue's bounds and its exact gaps,
 * the book of pushes, JSON values out of any octets, and the arguments of h2sess_control_start().
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libh2sess/src/control.h"
#include "libh2sess/src/memory.h"
#include "libh2sess/src/values.h"

/* ---- the event queue ------------------------------------------------------------------------- */

static struct control_event *event_of(size_t weight)
{
	struct control_event *ev = mem_calloc(1, sizeof(*ev));

	assert_non_null(ev);
	ev->type = "connect";
	ev->weight = weight;
	ev->data = json_object();
	return ev;
}

static void add_events(struct event_queue *q, size_t n, size_t weight)
{
	for (size_t i = 0; i < n; i++)
		event_queue_add(q, event_of(weight));
}

static void expect_event(struct event_queue *q, uint64_t seq)
{
	struct event_item item;

	assert_true(event_queue_take(q, &item));
	assert_non_null(item.event);
	assert_int_equal(item.event->seq, seq);
	assert_int_equal(event_queue_taken(q), seq);
	control_event_free(item.event);
}

static void expect_gap(struct event_queue *q, uint64_t from, uint64_t to)
{
	struct event_item item;

	assert_true(event_queue_take(q, &item));
	assert_null(item.event);
	assert_int_equal(item.from, from);
	assert_int_equal(item.to, to);
	assert_int_equal(event_queue_taken(q), to);
}

static void expect_nothing(struct event_queue *q)
{
	struct event_item item;

	assert_false(event_queue_take(q, &item));
}

static void events_come_in_order(void **state)
{
	struct event_queue q;

	(void)state;
	assert_int_equal(event_queue_init(&q, 4, 1000), 0);
	expect_nothing(&q);
	add_events(&q, 3, 10);
	expect_event(&q, 1);
	add_events(&q, 1, 10);
	for (uint64_t seq = 2; seq <= 4; seq++)
		expect_event(&q, seq);
	expect_nothing(&q);
	assert_int_equal(event_queue_dropped(&q), 0);
	event_queue_done(&q);
}

static void the_oldest_make_room_and_leave_a_gap(void **state)
{
	struct event_queue q;

	(void)state;
	assert_int_equal(event_queue_init(&q, 4, 1000), 0);
	add_events(&q, 2, 10);
	expect_event(&q, 1);
	add_events(&q, 9, 10); /* 2 to 11; 8 to 11 are kept */
	assert_int_equal(event_queue_dropped(&q), 6);
	assert_int_equal(event_queue_taken(&q), 1);
	expect_gap(&q, 2, 7);
	expect_event(&q, 8);
	add_events(&q, 2, 10); /* 12 and 13: 9 makes room */
	expect_gap(&q, 9, 9);
	for (uint64_t seq = 10; seq <= 13; seq++)
		expect_event(&q, seq);
	expect_nothing(&q);
	event_queue_done(&q);
}

static void bytes_are_bounded_too(void **state)
{
	struct event_queue q;

	(void)state;
	assert_int_equal(event_queue_init(&q, 100, 1000), 0);
	add_events(&q, 3, 400);
	assert_int_equal(q.bytes, 800);
	expect_gap(&q, 1, 1);
	add_events(&q, 1, 1001); /* does not even fit alone */
	assert_int_equal(q.n, 0);
	assert_int_equal(q.bytes, 0);
	expect_gap(&q, 2, 4);
	expect_nothing(&q);
	event_queue_done(&q);
}

static void what_could_not_be_made_is_a_gap_in_its_place(void **state)
{
	struct event_queue q;

	(void)state;
	assert_int_equal(event_queue_init(&q, 4, 1000), 0);
	add_events(&q, 1, 10);
	event_queue_add(&q, NULL);
	event_queue_add(&q, NULL);
	add_events(&q, 1, 10);
	event_queue_add(&q, NULL);
	expect_event(&q, 1);
	expect_gap(&q, 2, 3);
	expect_event(&q, 4);
	expect_gap(&q, 5, 5);
	expect_nothing(&q);
	assert_int_equal(event_queue_dropped(&q), 3);
	event_queue_done(&q);
}

static void a_generation_begins_with_each_loss(void **state)
{
	struct event_queue q;
	uint64_t first;

	(void)state;
	assert_int_equal(event_queue_init(&q, 2, 1000), 0);
	first = event_queue_generation(&q);
	assert_true(first > 0);
	add_events(&q, 2, 10);
	expect_event(&q, 1);
	assert_int_equal(event_queue_generation(&q), first);
	add_events(&q, 2, 10); /* one too many */
	assert_int_equal(event_queue_generation(&q), first + 1);
	event_queue_add(&q, NULL);
	assert_int_equal(event_queue_generation(&q), first + 2);
	event_queue_begin_generation(&q); /* a new connection */
	assert_int_equal(event_queue_generation(&q), first + 3);
	event_queue_done(&q);
}

struct writer {
	struct event_queue *q;
	size_t n;
};

static void write_events(void *arg)
{
	struct writer *writer = arg;

	add_events(writer->q, writer->n, 10);
}

/* Take until `last`: events and gaps must be one row of numbers without a hole. Returns the events.
 */
static uint64_t take_all(struct event_queue *q, uint64_t last)
{
	uint64_t at = 0, events = 0;
	struct event_item item;

	while (at < last) {
		if (!event_queue_take(q, &item))
			continue;
		if (item.event) {
			assert_int_equal(item.event->seq, at + 1);
			at = item.event->seq;
			events++;
			control_event_free(item.event);
		} else {
			assert_int_equal(item.from, at + 1);
			assert_true(item.to >= item.from);
			at = item.to;
		}
	}
	return events;
}

static void numbers_have_no_hole_with_several_threads(void **state)
{
	enum { THREADS = 3, EACH = 20000 };
	uv_thread_t threads[THREADS];
	struct event_queue q;
	struct writer writer = {&q, EACH};
	uint64_t events;

	(void)state;
	assert_int_equal(event_queue_init(&q, 64, 100000), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(uv_thread_create(&threads[i], write_events, &writer), 0);
	events = take_all(&q, (uint64_t)THREADS * EACH);
	for (int i = 0; i < THREADS; i++)
		uv_thread_join(&threads[i]);
	expect_nothing(&q);
	assert_int_equal(events + event_queue_dropped(&q), (uint64_t)THREADS * EACH);
	event_queue_done(&q);
}

static void gaps_say_how_many(void **state)
{
	json_t *params = control_gap_params(5, 9);

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(params, "count")), 5);
	assert_int_equal(json_integer_value(json_object_get(params, "from")), 5);
	assert_int_equal(json_integer_value(json_object_get(params, "to")), 9);
	json_decref(params);
}

/* ---- the book of pushes ---------------------------------------------------------------------- */

static int wakeups;

static void count_wakeup(void *user)
{
	(void)user;
	wakeups++;
}

static struct push_record *add_push(struct push_book *book, const char *name)
{
	struct push_record *record = NULL;

	assert_int_equal(push_book_add(book, name, "abcdefgh-1", &record), 0);
	assert_ptr_equal(push_book_find(book, name), record);
	return record;
}

static json_t *answer(void)
{
	return json_pack("{s:s}", "outcome", "queued");
}

/* A push that is done, and told of. */
static struct push_record *add_done(struct push_book *book, const char *name)
{
	struct push_record *record = add_push(book, name);
	struct push_state st;

	push_book_answered(record, answer());
	assert_true(push_record_settle(record, H2SESS_OUTCOME_RECEIVED, 0, false));
	assert_true(push_book_take_update(book, &st));
	assert_ptr_equal(st.record, record);
	return record;
}

static void names_are_printable_and_short(void **state)
{
	char name[PUSH_NAME_MAX + 2];

	(void)state;
	memset(name, 'p', sizeof(name));
	name[PUSH_NAME_MAX + 1] = '\0';
	assert_false(push_name_ok(name));
	name[PUSH_NAME_MAX] = '\0';
	assert_true(push_name_ok(name));
	assert_true(push_name_ok("p"));
	assert_false(push_name_ok(""));
	assert_false(push_name_ok("p 1"));
	assert_false(push_name_ok("p\n1"));
	assert_false(push_name_ok("p\xc3\xa9"));
}

static void updates_follow_the_answer_and_coalesce(void **state)
{
	struct push_book *book = push_book_new(4, count_wakeup, NULL);
	struct push_record *record = add_push(book, "p-1");
	struct push_state st;

	(void)state;
	wakeups = 0;
	assert_false(push_record_settle(record, H2SESS_OUTCOME_WRITTEN, 0, false));
	assert_false(push_book_take_update(book, &st)); /* the answer has not been given */
	push_book_answered(record, answer());
	assert_int_equal(wakeups, 1);
	assert_true(push_record_settle(record, H2SESS_OUTCOME_RECEIVED, 0, false));
	assert_true(push_book_take_update(book, &st));
	assert_int_equal(st.outcome, H2SESS_OUTCOME_RECEIVED);
	assert_true(st.done);
	assert_false(push_book_take_update(book, &st));
	push_book_close(book);
}

static void written_is_the_end_where_that_was_asked_for(void **state)
{
	struct push_book *book = push_book_new(4, count_wakeup, NULL);
	struct push_record *record = add_push(book, "p-1");

	(void)state;
	record->receipt = H2SESS_RECEIPT_WRITTEN;
	assert_true(push_record_settle(record, H2SESS_OUTCOME_WRITTEN, 0, false));
	push_book_close(book);
}

static void written_is_the_end_when_the_session_ends(void **state)
{
	struct push_book *book = push_book_new(4, count_wakeup, NULL);
	struct push_record *record = add_push(book, "p-1");

	(void)state;
	assert_false(push_record_settle(record, H2SESS_OUTCOME_WRITTEN, 0, false));
	assert_true(push_record_settle(record, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_SESSION_GONE,
				       true));
	push_book_close(book);
}

static void updates_say_the_whole_state(void **state)
{
	struct push_book *book = push_book_new(4, count_wakeup, NULL);
	struct push_record *record = add_push(book, "p-1");
	struct push_state st;
	json_t *json;
	char *text;

	(void)state;
	push_book_answered(record, answer());
	push_record_settle(record, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_DEADLINE, false);
	assert_true(push_book_take_update(book, &st));
	json = push_state_json(&st);
	text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(
		text,
		"{\"push\":\"p-1\",\"state\":\"done\",\"matched\":1,\"queued\":0,\"written\":0,"
		"\"received\":0,\"notSent\":1,\"unknown\":0,\"sessions\":[{\"session\":"
		"\"abcdefgh-1\",\"outcome\":\"not_sent\",\"reason\":\"DEADLINE\"}]}");
	free(text);
	json_decref(json);
	push_book_close(book);
}

static void a_full_book_forgets_what_is_done_only(void **state)
{
	struct push_book *book = push_book_new(2, count_wakeup, NULL);
	struct push_record *running, *other = NULL;

	(void)state;
	running = add_push(book, "running");
	add_done(book, "done");
	add_push(book, "third");
	assert_null(push_book_find(book, "done"));
	assert_ptr_equal(push_book_find(book, "running"), running);
	assert_int_equal(push_book_add(book, "fourth", "abcdefgh-1", &other), H2SESS_ELIMIT);
	push_book_remove(book, running); /* refused after all */
	assert_null(push_book_find(book, "running"));
	add_push(book, "fourth");
	push_book_close(book);
}

static size_t hello_length(struct push_book *book)
{
	json_t *pushes = push_book_hello(book);
	size_t n = json_array_size(pushes);

	assert_non_null(pushes);
	json_decref(pushes);
	return n;
}

static void a_hello_tells_of_what_may_have_been_missed(void **state)
{
	struct push_book *book = push_book_new(8, count_wakeup, NULL);
	struct push_record *running;

	(void)state;
	add_push(book, "not-answered");
	running = add_push(book, "running");
	push_book_answered(running, answer());
	add_done(book, "done");
	assert_int_equal(hello_length(book), 2);
	assert_int_equal(hello_length(book), 2); /* that hello was not answered */
	push_book_hello_answered(book);
	assert_int_equal(hello_length(book), 1); /* still running */
	push_record_settle(running, H2SESS_OUTCOME_RECEIVED, 0, false);
	assert_int_equal(hello_length(book), 1); /* done since */
	push_book_hello_answered(book);
	assert_int_equal(hello_length(book), 0);
	assert_non_null(
		push_book_find(book, "done")); /* known still: the request may be repeated */
	push_book_close(book);
}

static void a_session_may_outlive_the_book(void **state)
{
	struct push_book *book = push_book_new(4, count_wakeup, NULL);
	struct push_record *record = add_push(book, "p-1");

	(void)state;
	push_book_answered(record, answer());
	push_record_ref(record);
	push_book_close(book);
	wakeups = 0;
	assert_true(push_record_settle(record, H2SESS_OUTCOME_RECEIVED, 0, false));
	assert_int_equal(wakeups, 0);
	push_record_unref(record);
}

static void the_largest_hello_fits_into_a_line(void **state)
{
	struct push_book *book = push_book_new(CONTROL_PUSHES_MAX, count_wakeup, NULL);
	char name[PUSH_NAME_MAX + 1], session[H2SESS_SESSION_ID_MAX];
	struct push_record *record;
	size_t len = 0;
	char *line;

	(void)state;
	memset(session, 'x', sizeof(session) - 1);
	session[sizeof(session) - 1] = '\0';
	for (int i = 0; i < CONTROL_PUSHES_MAX; i++) {
		snprintf(name, sizeof(name), "%064d", i);
		memset(name, '"', 58); /* two bytes each in JSON */
		assert_int_equal(push_book_add(book, name, session, &record), 0);
		push_book_answered(record, NULL);
		push_record_settle(record, H2SESS_OUTCOME_NOT_SENT,
				   H2SESS_REASON_LINT + 8 /* the longest name */, false);
	}
	line = rpc_request(1, RPC_HELLO, push_book_hello(book), &len);
	assert_non_null(line);
	assert_true(len < RPC_LINE_MAX - 512 * 1024); /* the rest of a hello has room, too */
	free(line);
	push_book_close(book);
}

/* ---- values ---------------------------------------------------------------------------------- */

static void assert_text(json_t *value, const char *expected)
{
	assert_string_equal(json_string_value(value), expected);
	json_decref(value);
}

static void any_octets_make_a_text(void **state)
{
	(void)state;
	assert_text(value_text("plain", 10), "plain");
	assert_text(value_text("b\xc3\xbc", 10), "b\xc3\xbc");
	assert_text(value_text("b\xfc", 10), "b\xc3\xbc"); /* Latin-1 */
	assert_text(value_text("ab\xc3\xbc", 3), "ab");	   /* not half a character */
	assert_text(value_text("\xff\xfe", 1), "\xc3\xbf");
	assert_text(value_text("\x80\x80\x80", 2), "");
	assert_text(value_base64("", 0), "");
	assert_text(value_base64("f", 1), "Zg==");
	assert_text(value_base64("fo", 2), "Zm8=");
	assert_text(value_base64("foo", 3), "Zm9v");
	assert_text(value_base64("\xff\xfe\xfd\x00", 4), "//79AA==");
	assert_text(value_hex("\x00\xab\xff", 3), "00abff");
	assert_text(value_time(1769860800123), "2026-01-31T12:00:00.123Z");
}

/* ---- filters and arguments ------------------------------------------------------------------- */

static uint32_t demand_of(const char *json)
{
	json_t *filter = json_loads(json, 0, NULL);
	uint32_t mask = control_demand(filter);

	json_decref(filter);
	return mask;
}

static void a_filter_is_read(void **state)
{
	(void)state;
	assert_int_equal(demand_of("{\"types\":[]}"), 0);
	assert_int_equal(demand_of("{\"types\":[\"stream\",\"ping\"]}"),
			 SERVER_DEMAND_STREAM | SERVER_DEMAND_PING);
	assert_int_equal(
		demand_of("{\"types\":[\"localSettings\",\"remoteSettings\",\"close\",1]}"),
		SERVER_DEMAND_LOCAL_SETTINGS | SERVER_DEMAND_REMOTE_SETTINGS);
	assert_int_equal(demand_of("{\"types\":\"stream\"}"), 0);
	assert_int_equal(demand_of("{}"), 0);
	assert_int_equal(control_demand(NULL), 0);
}

static int start_with(const struct h2sess_control_options *options)
{
	struct h2sess_server *srv = (struct h2sess_server *)(void *)&srv; /* is not looked at */
	struct h2sess_control *control = NULL;

	return h2sess_control_start(srv, options, &control);
}

static void bad_arguments_are_refused(void **state)
{
	static const struct h2sess_control_label no_key = {"", "v"}, no_value = {"k", NULL};
	struct h2sess_control_options o = {.size = sizeof(o)};
	struct h2sess_control *control = NULL;
	char path[CONTROL_PATH_MAX + 2];

	(void)state;
	assert_int_equal(h2sess_control_start(NULL, &o, &control), H2SESS_EINVAL);
	assert_int_equal(start_with(&o), H2SESS_EINVAL); /* no path */
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	o.path = path;
	assert_int_equal(start_with(&o), H2SESS_EINVAL);
	o.path = "/x";
	o.size = 0;
	assert_int_equal(start_with(&o), H2SESS_EINVAL);
	o.size = sizeof(o);
	o.name = "has space";
	assert_int_equal(start_with(&o), H2SESS_EINVAL);
	o.name = "";
	assert_int_equal(start_with(&o), H2SESS_EINVAL);
	o.name = "0123456789012345678901234567890123456789012345678901234567890123";
	assert_int_equal(start_with(&o), H2SESS_EINVAL);
	o.name = "w";
	o.succeeds = "SHORT";
	assert_int_equal(start_with(&o), H2SESS_EINVAL);
	o.succeeds = NULL;
	o.labels = &no_key;
	o.n_labels = 1;
	assert_int_equal(start_with(&o), H2SESS_EINVAL);
	o.labels = &no_value;
	assert_int_equal(start_with(&o), H2SESS_EINVAL);
	o.n_labels = CONTROL_LABELS_MAX + 1;
	assert_int_equal(start_with(&o), H2SESS_EINVAL);
	h2sess_control_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_in_order),
		cmocka_unit_test(the_oldest_make_room_and_leave_a_gap),
		cmocka_unit_test(bytes_are_bounded_too),
		cmocka_unit_test(what_could_not_be_made_is_a_gap_in_its_place),
		cmocka_unit_test(a_generation_begins_with_each_loss),
		cmocka_unit_test(numbers_have_no_hole_with_several_threads),
		cmocka_unit_test(gaps_say_how_many),
		cmocka_unit_test(names_are_printable_and_short),
		cmocka_unit_test(updates_follow_the_answer_and_coalesce),
		cmocka_unit_test(written_is_the_end_where_that_was_asked_for),
		cmocka_unit_test(written_is_the_end_when_the_session_ends),
		cmocka_unit_test(updates_say_the_whole_state),
		cmocka_unit_test(a_full_book_forgets_what_is_done_only),
		cmocka_unit_test(a_hello_tells_of_what_may_have_been_missed),
		cmocka_unit_test(a_session_may_outlive_the_book),
		cmocka_unit_test(the_largest_hello_fits_into_a_line),
		cmocka_unit_test(any_octets_make_a_text),
		cmocka_unit_test(a_filter_is_read),
		cmocka_unit_test(bad_arguments_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
