/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that could not be sent: which ones are told of by `frameError`, and what ends then, as in
 * Node. And the properties that say what was pushed.
 */
#include "support/cmocka_all.h"
#include "support/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOO_MUCH (70 * 1024) /* nghttp2 sends no header block over 64 KiB */

struct call {
	int result;
	uint32_t stream_id;
	struct h2sess_pushed pushed[3];
	char origin[64], alt[64], by[64];
};

static void respond_with_too_much(struct h2sess_session *s, void *user)
{
	struct call *call = user;
	struct h2sess_header field = H2SESS_HEADER("x-much", "");
	char *value = malloc(TOO_MUCH + 1);

	memset(value, 'a', TOO_MUCH);
	value[TOO_MUCH] = '\0';
	field.value = value;
	field.value_len = TOO_MUCH;
	call->result = h2sess_stream_respond(h2sess_session_stream(s, 1), &field, 1, 0);
	free(value);
}

static void a_header_block_too_long_closes_its_stream(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call = {.result = -1};
	const struct record *r;

	(void)state;
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	assert_true(test_server_run(server, id, respond_with_too_much, &call));
	assert_int_equal(call.result, 0);
	assert_int_equal(frame_u32(client_await(c, FRAME_RST_STREAM), 0), H2SESS_FRAME_SIZE_ERROR);
	r = test_server_await(server, "frameError", 't', id, 1);
	assert_int_equal(r->frame_type, FRAME_HEADERS);
	assert_int_equal(r->stream_id, 1);
	assert_int_equal(r->error, H2SESS_EFRAME);
	assert_int_equal(r->code, H2SESS_FRAME_SIZE_ERROR);
	test_server_await(server, "close", 't', id, 1);
	assert_int_equal(test_server_count(server, "frameError", 's', id), 0);
	client_check_get(c, "/", 200); /* the session goes on */
	client_free(c);
}

static void push_to_a_stream(struct h2sess_session *s, void *user)
{
	struct call *call = user;

	call->result = h2sess_session_altsvc_stream(s, "h2=\":8000\"", call->stream_id);
}

/* Node's frameError leaves out STREAM_CLOSED, STREAM_CLOSING and SESSION_CLOSING. */
static void a_dropped_altsvc_is_no_frame_error(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call = {.stream_id = 77};

	(void)state;
	assert_true(test_server_run(server, id, push_to_a_stream, &call));
	assert_int_equal(call.result, 0);
	client_check_get(c, "/", 200);
	assert_int_equal(test_server_count(server, "frameError", 0, id), 0);
	assert_int_equal(client_count(c, FRAME_ALTSVC), 0);
	client_free(c);
}

/* ---- what was pushed ------------------------------------------------------------------------- */

static void push_three(struct h2sess_session *s, void *user)
{
	struct h2sess_push push = H2SESS_PUSH_INIT;
	int *result = user;

	push.kind = H2SESS_PUSH_ALTSVC;
	push.receipt = H2SESS_RECEIPT_WRITTEN;
	push.by = "ops";
	push.origin = "https://a.example";
	push.alt = "h2=\":1\"";
	*result = h2sess_session_push(s, &push, NULL);
	push.origin = "https://b.example";
	push.alt = "h2=\":2\"";
	*result |= h2sess_session_push(s, &push, NULL);
	push.origin = "https://a.example";
	push.alt = "clear";
	push.by = NULL;
	*result |= h2sess_session_push(s, &push, NULL);
}

static void ask_pushed(struct h2sess_session *s, void *user)
{
	struct call *call = user;
	size_t i;

	for (i = 0; i < 3; i++) {
		call->pushed[i].size = sizeof(call->pushed[i]);
		call->result = h2sess_session_pushed(s, i, &call->pushed[i]);
		if (call->result < 0)
			return;
		snprintf(call->origin, sizeof(call->origin), "%s", call->pushed[i].origin);
		snprintf(call->alt, sizeof(call->alt), "%s", call->pushed[i].alt);
		snprintf(call->by, sizeof(call->by), "%s",
			 call->pushed[i].by ? call->pushed[i].by : "nobody");
	}
}

/* The last value of each origin, oldest first, and what became of it. */
static void the_last_values_are_remembered(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call = {0};
	int result = -1;

	(void)state;
	assert_true(test_server_run(server, id, push_three, &result));
	assert_int_equal(result, 0);
	assert_true(client_fence(c));
	assert_true(test_server_run(server, id, ask_pushed, &call));
	assert_int_equal(call.result, H2SESS_ENOTFOUND); /* of the third */
	assert_string_equal(call.origin, "https://a.example");
	assert_string_equal(call.alt, "clear");
	assert_string_equal(call.by, "nobody");
	assert_int_equal(call.pushed[0].outcome, H2SESS_OUTCOME_WRITTEN);
	assert_true(call.pushed[0].when_ms > 1000000000000);
	client_free(c);
}

/* ---- main ------------------------------------------------------------------------------------ */

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_block_too_long_closes_its_stream),
		cmocka_unit_test(a_dropped_altsvc_is_no_frame_error),
		cmocka_unit_test(the_last_values_are_remembered),
	};

	return cmocka_run_group_tests_name("frame_errors", tests, shared_start, shared_stop);
}
