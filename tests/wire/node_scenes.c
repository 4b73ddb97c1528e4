/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance table's rows of more than one call: what comes before and after close and
 * destroy, the longest frames, PING, GOAWAY, SETTINGS and windows. node_rows.c has the rows of one
 * call.
 */
#include "support/cmocka_all.h"
#include "support/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALT "h2=\":8000\""

/* A URL of len bytes, its own origin. */
static char *long_origin(size_t len)
{
	char *text = malloc(len + 1);

	assert_non_null(text);
	memset(text, 'a', len);
	memcpy(text, "https://", 8);
	text[len] = '\0';
	return text;
}

struct lengths {
	size_t alt;
	size_t origin; /* 0: on stream 1 */
	int result;
};

struct lengths_call {
	char *alt, *origin;
	int result;
};

static void call_lengths(struct h2sess_session *s, void *user)
{
	struct lengths_call *call = user;

	call->result = call->origin ? h2sess_session_altsvc(s, call->alt, call->origin)
				    : h2sess_session_altsvc_stream(s, call->alt, 1);
}

static void check_lengths(const struct lengths *lengths)
{
	struct lengths_call call = {0};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);

	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	call.alt = calloc(1, lengths->alt + 1);
	memset(call.alt, 'x', lengths->alt);
	call.origin = lengths->origin ? long_origin(lengths->origin) : NULL;
	assert_true(test_server_run(server, id, call_lengths, &call));
	assert_int_equal(call.result, lengths->result);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_ALTSVC), call.result == 0);
	if (call.result == 0)
		assert_int_equal(client_find(c, FRAME_ALTSVC, 0)->length,
				 2 + lengths->alt + lengths->origin);
	free(call.alt);
	free(call.origin);
	client_free(c);
}

static void row_27_lengths(void **state)
{
	static const struct lengths lengths[] = {
		{16382 - 19, 19, 0},
		{16383 - 19, 19, H2SESS_EALTSVCLENGTH},
		{9, 16373, 0},
		{9, 16374, H2SESS_EALTSVCLENGTH},
		{16382, 0, 0},
		{16383, 0, H2SESS_EALTSVCLENGTH},
		{100000, 19, H2SESS_EALTSVCLENGTH},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		check_lengths(&lengths[i]);
}

static void push_on_stream_1(struct h2sess_session *s, void *user)
{
	*(int *)user = h2sess_session_altsvc_stream(s, ALT, 1);
}

static void row_18_a_closed_stream(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	int result = -1;

	(void)state;
	client_check_get(c, "/", 200);
	assert_true(test_server_run(server, id, push_on_stream_1, &result));
	assert_int_equal(result, 0);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_ALTSVC), 0);
	client_free(c);
}

static void destroy_and_push(struct h2sess_session *s, void *user)
{
	static const char *const origins[] = {"https://example.org"};
	int *results = user;

	h2sess_session_destroy(s, H2SESS_NO_ERROR);
	results[0] = h2sess_session_altsvc(s, ALT, "https://example.org");
	results[1] = h2sess_session_altsvc(s, NULL, "nope"); /* destroyed is looked at first */
	results[2] = h2sess_session_altsvc_stream(s, ALT, 0);
	results[3] = h2sess_session_origin(s, origins, 1);
	results[4] = h2sess_session_origin(s, NULL, 0);
}

static void row_28_after_destroy(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	int results[5] = {0};
	size_t i;

	(void)state;
	assert_true(test_server_run(server, id, destroy_and_push, results));
	for (i = 0; i < 5; i++)
		assert_int_equal(results[i], H2SESS_EDESTROYED);
	client_await_eof(c);
	assert_int_equal(client_count(c, FRAME_ALTSVC) + client_count(c, FRAME_ORIGIN), 0);
	client_free(c);
}

static void close_and_push(struct h2sess_session *s, void *user)
{
	static const char *const origins[] = {"https://example.org"};
	int *results = user;

	results[0] = h2sess_session_close(s);
	results[1] = h2sess_session_altsvc(s, ALT, "https://example.org");
	results[2] = h2sess_session_origin(s, origins, 1);
	results[3] = h2sess_session_altsvc_stream(s, ALT, 1);
}

static void row_29_after_close_nothing_is_sent(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	int results[4] = {-1, -1, -1, -1};
	size_t i;

	(void)state;
	assert_true(test_server_run(server, id, close_and_push, results));
	for (i = 0; i < 4; i++)
		assert_int_equal(results[i], 0);
	client_await_eof(c);
	assert_true(client_count(c, FRAME_GOAWAY) >= 1);
	assert_int_equal(client_count(c, FRAME_ALTSVC) + client_count(c, FRAME_ORIGIN), 0);
	client_free(c);
}

static void row_30_after_close_with_a_stream_open(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	int results[4] = {-1, -1, -1, -1};
	const struct frame *goaway;

	(void)state;
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	assert_true(test_server_run(server, id, close_and_push, results));
	assert_int_equal(results[1] | results[2] | results[3], 0);
	goaway = client_await(c, FRAME_GOAWAY);
	assert_int_equal(frame_u32(goaway, 0), 1);
	assert_int_equal(frame_u32(goaway, 4), H2SESS_NO_ERROR);
	assert_int_equal(client_await(c, FRAME_ALTSVC)->stream_id, 0);
	client_await(c, FRAME_ORIGIN);
	assert_int_equal(client_await(c, FRAME_ALTSVC)->stream_id, 1);
	assert_false(c->eof);
	client_free(c);
}

static void push_and_close(struct h2sess_session *s, void *user)
{
	int *results = user;

	results[0] = h2sess_session_altsvc(s, ALT, "https://example.org");
	results[1] = h2sess_session_close(s);
}

static bool goaway_came_first(const struct client *c)
{
	return client_index(c, client_find(c, FRAME_GOAWAY, 0)) <
	       client_index(c, client_find(c, FRAME_ALTSVC, 0));
}

static void row_31_close_sends_what_was_pushed(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	int results[2] = {-1, -1};

	(void)state;
	assert_true(test_server_run(server, id, push_and_close, results));
	assert_int_equal(results[0] | results[1], 0);
	client_await(c, FRAME_ALTSVC);
	client_await(c, FRAME_GOAWAY);
	assert_false(goaway_came_first(c));
	client_await_eof(c);
	client_free(c);
}

static void push_and_destroy(struct h2sess_session *s, void *user)
{
	int *results = user;

	results[0] = h2sess_session_altsvc(s, ALT, "https://example.org");
	results[1] = h2sess_session_destroy(s, H2SESS_NO_ERROR);
}

static void row_32_destroy_loses_what_was_pushed(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	int results[2] = {-1, -1};

	(void)state;
	assert_true(test_server_run(server, id, push_and_destroy, results));
	assert_int_equal(results[0] | results[1], 0);
	client_await_eof(c);
	assert_int_equal(client_count(c, FRAME_ALTSVC), 0);
	assert_int_equal(client_count(c, FRAME_GOAWAY), 1);
	client_free(c);
}

static void push_thrice(struct h2sess_session *s, void *user)
{
	static const char *const alts[] = {"h2=\":1\"", "h2=\":2\"", "h2=\":3\""};
	int i;

	for (i = 0; i < 3; i++)
		*(int *)user |= h2sess_session_altsvc(s, alts[i], "https://example.org");
}

static void row_33_three_frames_in_order(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	int result = 0, i;

	(void)state;
	assert_true(test_server_run(server, id, push_thrice, &result));
	assert_int_equal(result, 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(client_await(c, FRAME_ALTSVC)->payload[2 + 19 + 5], '1' + i);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_ALTSVC), 3);
	client_free(c);
}

static void on_pong(struct h2sess_session *s, int error, uint64_t round_trip_us,
		    const uint8_t *payload, void *user)
{
	(void)s, (void)error, (void)round_trip_us, (void)payload, (void)user;
}

static void push_and_ping(struct h2sess_session *s, void *user)
{
	*(int *)user = h2sess_session_altsvc(s, ALT, "https://example.org");
	*(int *)user |= h2sess_session_ping(s, "12345678", 8, on_pong, NULL);
}

static void row_34_ping_overtakes(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	int result = -1;

	(void)state;
	assert_true(test_server_run(server, id, push_and_ping, &result));
	assert_int_equal(result, 0);
	assert_memory_equal(client_await(c, FRAME_PING)->payload, "12345678", 8);
	client_await(c, FRAME_ALTSVC);
	client_free(c);
}

struct origin_set {
	char origins[4][64];
	size_t n;
};

static void push_two_origins(struct h2sess_session *s, void *user)
{
	static const char *const origins[] = {"https://foo.org/a/b/c", "https://bar.org"};

	*(int *)user = h2sess_session_origin(s, origins, 2);
}

static void ask_origin_set(struct h2sess_session *s, void *user)
{
	struct origin_set *set = user;
	const char *names[4];
	size_t i;

	set->n = h2sess_session_origin_set(s, names, 4);
	for (i = 0; i < set->n && i < 4; i++)
		snprintf(set->origins[i], sizeof(set->origins[i]), "%s", names[i]);
}

static void row_35_the_origin_set_on_tls(void **state)
{
	struct client_options options = {.tls = true};
	char id[H2SESS_SESSION_ID_MAX], own[64];
	struct client *c = test_server_ready(server, &options, id);
	struct origin_set set = {0};
	int result = -1;

	(void)state;
	assert_true(test_server_run(server, id, push_two_origins, &result));
	assert_int_equal(result, 0);
	client_await(c, FRAME_ORIGIN);
	assert_true(test_server_run(server, id, ask_origin_set, &set));
	snprintf(own, sizeof(own), "https://localhost:%d", server->tls_port);
	assert_int_equal(set.n, 3);
	assert_string_equal(set.origins[0], own);
	assert_string_equal(set.origins[1], "https://foo.org");
	assert_string_equal(set.origins[2], "https://bar.org");
	client_free(c);
}

struct list_call {
	const char *const *origins;
	size_t n;
	int result;
};

static void call_list(struct h2sess_session *s, void *user)
{
	struct list_call *call = user;

	call->result = h2sess_session_origin(s, call->origins, call->n);
}

/* Entries of all ORIGIN frames, in order, against the list that was given. */
static void check_entries(const struct client *c, const struct list_call *call)
{
	const struct frame *frame;
	size_t i, at, len, entry = 0;

	for (i = 0; (frame = client_find(c, FRAME_ORIGIN, i)) != NULL; i++) {
		assert_true(frame->length <= 16384);
		for (at = 0; at < frame->length; at += 2 + len) {
			len = (size_t)frame->payload[at] << 8 | frame->payload[at + 1];
			assert_true(entry < call->n);
			assert_int_equal(len, strlen(call->origins[entry]));
			assert_memory_equal(frame->payload + at + 2, call->origins[entry], len);
			entry++;
		}
	}
	assert_int_equal(entry, call->n);
}

static void check_list(struct list_call *call, int result, size_t frames)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);

	assert_true(test_server_run(server, id, call_list, call));
	assert_int_equal(call->result, result);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_ORIGIN), frames);
	if (result == 0)
		check_entries(c, call);
	client_free(c);
}

static void row_43_a_null_entry(void **state)
{
	const char *const origins[] = {"https://ok.org", NULL};
	struct list_call call = {origins, 2, 0};

	(void)state;
	check_list(&call, H2SESS_EARGTYPE, 0);
}

static void row_46_one_long_origin(void **state)
{
	char *longest = long_origin(16382), *longer = long_origin(16383);
	struct list_call fits = {(const char *const *)&longest, 1, 0};
	struct list_call refused = {(const char *const *)&longer, 1, 0};

	(void)state;
	check_list(&fits, 0, 1);
	check_list(&refused, H2SESS_EORIGINLENGTH, 0);
	free(longest);
	free(longer);
}

static void row_47_two_long_origins(void **state)
{
	char *one = long_origin(8190), *two = long_origin(8191);
	const char *const fitting[] = {one, one}, *const split[] = {two, two};
	struct list_call fits = {fitting, 2, 0}, splits = {split, 2, 0};

	(void)state;
	check_list(&fits, 0, 1);
	check_list(&splits, 0, 2); /* ours: Node aborts */
	free(one);
	free(two);
}

static void row_48_a_thousand_origins_are_split(void **state)
{
	static char names[1000][32];
	const char *origins[1000];
	struct list_call call = {origins, 1000, 0};
	size_t i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "https://o%zu.example.org", i);
		origins[i] = names[i];
	}
	check_list(&call, 0, 2); /* 1000 x (2 + 21 to 23) bytes */
}

static void origin_twice(struct h2sess_session *s, void *user)
{
	static const char *const one[] = {"https://a.org"}, *const two[] = {"https://b.org"};

	*(int *)user = h2sess_session_origin(s, one, 1) | h2sess_session_origin(s, two, 1);
}

static void row_49_two_calls_two_frames(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	int result = -1;

	(void)state;
	assert_true(test_server_run(server, id, origin_twice, &result));
	assert_int_equal(result, 0);
	assert_memory_equal(client_await(c, FRAME_ORIGIN)->payload, "\0\15https://a.org", 15);
	assert_memory_equal(client_await(c, FRAME_ORIGIN)->payload, "\0\15https://b.org", 15);
	client_free(c);
}

static void row_50_cleartext_sends_but_has_no_set(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct origin_set set = {0};
	int result = -1;

	(void)state;
	assert_true(test_server_run(server, id, push_two_origins, &result));
	assert_int_equal(result, 0);
	client_await(c, FRAME_ORIGIN);
	assert_true(test_server_run(server, id, ask_origin_set, &set));
	assert_int_equal(set.n, 0);
	client_free(c);
}

struct pings {
	int results[12];
	int seven, no_function;
};

static void ping_twelve(struct h2sess_session *s, void *user)
{
	struct pings *pings = user;
	int i;

	pings->seven = h2sess_session_ping(s, "1234567", 7, on_pong, NULL);
	pings->no_function = h2sess_session_ping(s, "12345678", 8, NULL, NULL);
	for (i = 0; i < 12; i++)
		pings->results[i] = h2sess_session_ping(s, NULL, 0, on_pong, NULL);
}

static void row_51_ten_pings_at_once(void **state)
{
	struct client_options options = {.hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	struct pings pings = {0};
	int i;

	(void)state;
	assert_true(test_server_run(server, id, ping_twelve, &pings));
	for (i = 0; i < 12; i++)
		assert_int_equal(pings.results[i], i < 10 ? 0 : H2SESS_EPINGCANCEL);
	assert_int_equal(pings.seven, H2SESS_EPINGLENGTH);
	assert_int_equal(pings.no_function, H2SESS_EARGTYPE);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_PING), 10);
	client_free(c);
}

static void goaway_hi(struct h2sess_session *s, void *user)
{
	*(int *)user = h2sess_session_goaway(s, 1, 2147483647, "hi", 2);
}

static void row_52_goaway_is_a_notice(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	const struct frame *goaway;
	int result = -1;

	(void)state;
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	assert_true(test_server_run(server, id, goaway_hi, &result));
	assert_int_equal(result, 0);
	goaway = client_await(c, FRAME_GOAWAY);
	assert_int_equal(goaway->length, 10);
	assert_int_equal(frame_u32(goaway, 0), 2147483647);
	assert_int_equal(frame_u32(goaway, 4), 1);
	assert_memory_equal(goaway->payload + 8, "hi", 2);
	assert_true(client_fence(c)); /* it closes nothing */
	client_free(c);
}

struct setting_case {
	uint32_t present;
	uint32_t value;
	int result;
};

static void set_all(struct h2sess_settings *set, uint32_t value)
{
	set->header_table_size = value;
	set->enable_push = value;
	set->max_concurrent_streams = value;
	set->initial_window_size = value;
	set->max_frame_size = value;
	set->max_header_list_size = value;
	set->enable_connect_protocol = value;
}

static void announce_wrong(struct h2sess_session *s, void *user)
{
	static const struct setting_case cases[] = {
		{H2SESS_SETTING_MAX_FRAME_SIZE, 1, H2SESS_ESETTING},
		{H2SESS_SETTING_MAX_FRAME_SIZE, 16383, H2SESS_ESETTING},
		{H2SESS_SETTING_MAX_FRAME_SIZE, 1 << 24, H2SESS_ESETTING},
		{H2SESS_SETTING_ENABLE_PUSH, 2, H2SESS_ESETTING},
		{H2SESS_SETTING_INITIAL_WINDOW_SIZE, 0x80000000u, H2SESS_ESETTING},
		{H2SESS_SETTING_ENABLE_CONNECT_PROTOCOL, 2, H2SESS_ESETTING},
		{H2SESS_SETTING_MAX_FRAME_SIZE, 16384, 0},
	};
	struct h2sess_settings set;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&set, 0, sizeof(set));
		set.size = sizeof(set);
		set.present = cases[i].present;
		set_all(&set, cases[i].value);
		if (h2sess_session_settings(s, &set, NULL, NULL) != cases[i].result)
			*(size_t *)user = i + 1;
	}
}

static void row_53_wrong_settings_are_refused(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	size_t wrong = 0;

	(void)state;
	assert_true(test_server_run(server, id, announce_wrong, &wrong));
	assert_int_equal(wrong, 0);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_SETTINGS), 2);
	client_free(c);
}

static void set_windows(struct h2sess_session *s, void *user)
{
	int *results = user;

	results[0] = h2sess_session_set_local_window_size(s, -1);
	results[1] = h2sess_session_set_local_window_size(s, 1 << 20);
}

static void row_54_the_local_window(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	const struct frame *update;
	int results[2] = {0, -1};

	(void)state;
	assert_true(test_server_run(server, id, set_windows, results));
	assert_int_equal(results[0], H2SESS_ERANGE);
	assert_int_equal(results[1], 0);
	update = client_await(c, FRAME_WINDOW_UPDATE);
	assert_int_equal(update->stream_id, 0);
	assert_int_equal(frame_u32(update, 0), (1 << 20) - 65535);
	client_free(c);
}

static void destroy_2(struct h2sess_session *s, void *user)
{
	*(int *)user = h2sess_session_destroy(s, 2);
}

static void row_55_destroy_with_a_code(void **state)
{
	char id[H2SESS_SESSION_ID_MAX], story[1024];
	struct client *c = test_server_ready(server, NULL, id);
	const struct record *error;
	int result = -1;

	(void)state;
	assert_true(test_server_run(server, id, destroy_2, &result));
	assert_int_equal(result, 0);
	client_await_eof(c);
	assert_int_equal(frame_u32(client_find(c, FRAME_GOAWAY, 0), 4), 2);
	test_server_await(server, "close", 's', id, 1);
	test_server_story(server, id, story, sizeof(story));
	assert_non_null(strstr(story, "S:sessionError s:error s:close"));
	error = test_server_await(server, "error", 's', id, 1);
	assert_int_equal(error->error, H2SESS_ESESSIONERROR);
	assert_int_equal(error->code, 2);
	client_free(c);
}

static void origin_300(struct h2sess_session *s, void *user)
{
	char url[64];
	const char *origins[] = {url};
	int i;

	for (i = 0; i < 300 && *(int *)user == 0; i++) {
		snprintf(url, sizeof(url), "https://o%d.example.org", i);
		*(int *)user = h2sess_session_origin(s, origins, 1);
		if (*(int *)user == H2SESS_EBACKLOGGED)
			*(int *)user = 0;
	}
}

static void origin_with_lint(struct h2sess_session *s, void *user)
{
	const char *origins[] = {"https://localhost"};
	struct h2sess_push push = H2SESS_PUSH_INIT;

	push.kind = H2SESS_PUSH_ORIGIN;
	push.origins = origins;
	push.n_origins = 1;
	push.lint = true;
	*(int *)user = h2sess_session_push(s, &push, NULL);
}

/* Node >= 26.4 ends a session at 128: raw pushing goes on as in Node, lint refuses. */
static void row_56_more_origins_than_clients_take(void **state)
{
	struct client_options options = {.tls = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	int i, result = 0;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_true(test_server_run(server, id, origin_300, &result));
		assert_int_equal(result, 0);
		assert_true(client_fence(c));
	}
	assert_true(client_count(c, FRAME_ORIGIN) >= 128);
	assert_true(test_server_run(server, id, origin_with_lint, &result));
	assert_int_equal(result, H2SESS_ETOOMANYORIGINS);
	client_free(c);
}

/* ---- the origins option (A.3) ---------------------------------------------------------------- */

static void option_origins_follow_settings(void **state)
{
	static const char *const origins[] = {"https://example.org/x", "https://a.wild.example"};
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct client_options tls = {.tls = true, .no_preface = true};
	struct test_server *t;
	struct client *c;

	(void)state;
	options.origins = origins;
	options.n_origins = 2;
	t = test_server_start(&options, NULL);
	c = client_open(t->tls_port, &tls);
	assert_int_equal(client_read(c)->type, FRAME_SETTINGS);
	assert_int_equal(client_read(c)->type, FRAME_ORIGIN); /* not even the preface is awaited */
	assert_int_equal(client_find(c, FRAME_ORIGIN, 0)->length, 2 + 19 + 2 + 22);
	client_send_preface(c);
	client_check_get(c, "/", 200);
	client_free(c);
	test_server_free(t);
}

static void option_origins_are_checked_at_start(void **state)
{
	static const char *const wrong[] = {"nope", "foo://bar", "https://ok.org"};
	static const int results[] = {H2SESS_EURL, H2SESS_EORIGIN, 0};
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_server *made;
	const char *field;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		options.origins = &wrong[i];
		options.n_origins = 1;
		made = NULL;
		field = NULL;
		assert_int_equal(h2sess_server_new(&options, &made, &field), results[i]);
		if (results[i] < 0)
			assert_string_equal(field, "origins");
		h2sess_server_free(made);
	}
}

/* ---- main ------------------------------------------------------------------------------------ */

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_18_a_closed_stream),
		cmocka_unit_test(row_27_lengths),
		cmocka_unit_test(row_28_after_destroy),
		cmocka_unit_test(row_29_after_close_nothing_is_sent),
		cmocka_unit_test(row_30_after_close_with_a_stream_open),
		cmocka_unit_test(row_31_close_sends_what_was_pushed),
		cmocka_unit_test(row_32_destroy_loses_what_was_pushed),
		cmocka_unit_test(row_33_three_frames_in_order),
		cmocka_unit_test(row_34_ping_overtakes),
		cmocka_unit_test(row_35_the_origin_set_on_tls),
		cmocka_unit_test(row_43_a_null_entry),
		cmocka_unit_test(row_46_one_long_origin),
		cmocka_unit_test(row_47_two_long_origins),
		cmocka_unit_test(row_48_a_thousand_origins_are_split),
		cmocka_unit_test(row_49_two_calls_two_frames),
		cmocka_unit_test(row_50_cleartext_sends_but_has_no_set),
		cmocka_unit_test(row_51_ten_pings_at_once),
		cmocka_unit_test(row_52_goaway_is_a_notice),
		cmocka_unit_test(row_53_wrong_settings_are_refused),
		cmocka_unit_test(row_54_the_local_window),
		cmocka_unit_test(row_55_destroy_with_a_code),
		cmocka_unit_test(row_56_more_origins_than_clients_take),
		cmocka_unit_test(option_origins_follow_settings),
		cmocka_unit_test(option_origins_are_checked_at_start),
	};

	return cmocka_run_group_tests_name("node_scenes", tests, shared_start, shared_stop);
}
