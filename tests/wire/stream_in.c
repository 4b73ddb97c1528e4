/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream receives: the header block as it was sent, the body within our windows, trailers,
 * resets; and how streams end. What they send is in stream_out.c.
 */
#include "support/cmocka_all.h"
#include "support/routes.h"
#include "support/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- routes ---------------------------------------------------------------------------------- */

static void hold(struct h2sess_stream *st)
{
	(void)st;
}

static void echo_data(const struct h2sess_event *ev, void *user)
{
	(void)user;
	h2sess_stream_write(ev->stream, ev->data, ev->len);
}

static void echo_end(const struct h2sess_event *ev, void *user)
{
	(void)user;
	h2sess_stream_end(ev->stream, NULL, 0);
}

static void echo(struct h2sess_stream *st)
{
	number_set("end after headers", h2sess_stream_end_after_headers(st));
	h2sess_stream_respond(st, NULL, 0, 0);
	h2sess_on(h2sess_stream_emitter(st), "data", echo_data, NULL, NULL);
	h2sess_on(h2sess_stream_emitter(st), "end", echo_end, NULL, NULL);
}

static void echo_trailers(const struct h2sess_event *ev, void *user)
{
	size_t i;

	(void)user;
	for (i = 0; i < ev->n_headers; i++) {
		h2sess_stream_write(ev->stream, ev->headers[i].name, ev->headers[i].name_len);
		h2sess_stream_write(ev->stream, "=", 1);
		h2sess_stream_write(ev->stream, ev->headers[i].value, ev->headers[i].value_len);
	}
}

static void trailers(struct h2sess_stream *st)
{
	h2sess_on(h2sess_stream_emitter(st), "trailers", echo_trailers, NULL, NULL);
	h2sess_on(h2sess_stream_emitter(st), "end", echo_end, NULL, NULL);
}

/* The header block as text: "name=value;" with a '!' before what is sensitive. */
static void show_headers(struct h2sess_stream *st)
{
	size_t i, n;
	const struct h2sess_header *headers = h2sess_stream_headers(st, &n);

	for (i = 0; i < n; i++) {
		if (headers[i].flags & H2SESS_HEADER_SENSITIVE)
			h2sess_stream_write(st, "!", 1);
		h2sess_stream_write(st, headers[i].name, headers[i].name_len);
		h2sess_stream_write(st, "=", 1);
		h2sess_stream_write(st, headers[i].value, headers[i].value_len);
		h2sess_stream_write(st, ";", 1);
	}
	h2sess_stream_end(st, NULL, 0);
}

static void count_data(const struct h2sess_event *ev, void *user)
{
	(void)user;
	number_add("data", (long)ev->len);
}

static void paused(struct h2sess_stream *st)
{
	h2sess_on(h2sess_stream_emitter(st), "data", count_data, NULL, NULL);
	h2sess_on(h2sess_stream_emitter(st), "end", echo_end, NULL, NULL);
	h2sess_stream_pause(st);
}

static void pause_at_first_data(const struct h2sess_event *ev, void *user)
{
	(void)user;
	number_add("data", (long)ev->len);
	h2sess_stream_pause(ev->stream);
}

static void pausing(struct h2sess_stream *st)
{
	h2sess_on(h2sess_stream_emitter(st), "data", pause_at_first_data, NULL, NULL);
}

static void close_7(struct h2sess_stream *st)
{
	h2sess_stream_close(st, H2SESS_REFUSED_STREAM);
	h2sess_stream_close(st, H2SESS_CANCEL);
	number_set("write", h2sess_stream_write(st, "x", 1));
}

static void destroy_2(struct h2sess_stream *st)
{
	h2sess_stream_destroy(st, H2SESS_INTERNAL_ERROR);
	h2sess_stream_destroy(st, H2SESS_CANCEL);
	number_set("respond", h2sess_stream_respond(st, NULL, 0, 0));
	number_set("destroyed", h2sess_stream_destroyed(st));
}

static void destroy_8(struct h2sess_stream *st)
{
	h2sess_stream_destroy(st, H2SESS_CANCEL);
}

static void respond_and_stop(struct h2sess_stream *st)
{
	h2sess_stream_end(st, "enough", 6);
	h2sess_stream_close(st, H2SESS_NO_ERROR);
}

static void timeout_soon(struct h2sess_stream *st)
{
	h2sess_stream_set_timeout(st, 50);
}

static void on_aborted(const struct h2sess_event *ev, void *user)
{
	(void)user;
	number_set("aborted", h2sess_stream_aborted(ev->stream));
	number_set("code", (long)h2sess_stream_rst_code(ev->stream));
}

static void watch_abort(struct h2sess_stream *st)
{
	h2sess_on(h2sess_stream_emitter(st), "aborted", on_aborted, NULL, NULL);
}

static void state_of(struct h2sess_stream *st)
{
	struct h2sess_stream_state state = {.size = sizeof(state)};

	number_set("result", h2sess_stream_state(st, &state));
	number_set("state", state.state);
	number_set("local", state.local_window_size);
	number_set("remote", state.remote_window_size);
	number_set("local close", state.local_close);
	number_set("remote close", state.remote_close);
	h2sess_stream_end(st, NULL, 0);
}

static void turn_of(struct h2sess_stream *st)
{
	uint32_t thread = 99;
	char name[24];

	snprintf(name, sizeof(name), "turn %d", (int)h2sess_stream_id(st));
	number_set(name, (long)h2sess_stream_turn(st, &thread));
	number_set("same", h2sess_stream_turn(st, NULL) == h2sess_stream_turn(st, &thread));
	number_set("thread", thread);
	h2sess_stream_end(st, NULL, 0);
}

static const struct route ROUTES[] = {
	{"/hold", hold},
	{"/echo", echo},
	{"/trailers", trailers},
	{"/headers", show_headers},
	{"/paused", paused},
	{"/pausing", pausing},
	{"/close-7", close_7},
	{"/destroy-2", destroy_2},
	{"/destroy-8", destroy_8},
	{"/enough", respond_and_stop},
	{"/timeout", timeout_soon},
	{"/abort", watch_abort},
	{"/state", state_of},
	{"/turn", turn_of},
	{NULL, NULL},
};

/* ---- the body -------------------------------------------------------------------------------- */

static void send_body(struct client *c, uint32_t id, size_t len)
{
	static const char piece[16384];
	size_t n;

	for (; len > 0; len -= n) {
		n = len < sizeof(piece) ? len : sizeof(piece);
		client_send_data(c, id, 0, piece, n);
	}
}

static void a_body_is_echoed(void **state)
{
	struct client *c = *state;
	uint32_t id = client_request(c, "POST", "/echo", 0);
	struct response r;

	client_send_data(c, id, 0, "hel", 3);
	client_send_data(c, id, 0, "", 0);
	client_send_data(c, id, FLAG_END_STREAM, "lo", 2);
	client_await_response(c, id, &r);
	assert_int_equal(number_get("end after headers"), 0);
	assert_int_equal(r.len, 5);
	assert_memory_equal(r.body, "hello", 5);
	response_done(&r);
}

static void padding_is_no_data(void **state)
{
	struct client *c = *state;
	uint32_t id = client_request(c, "POST", "/echo", 0);
	struct response r;

	client_send_data(c, id, FLAG_PADDED | FLAG_END_STREAM, "\4hello\0\0\0\0", 10);
	client_await_response(c, id, &r);
	assert_int_equal(r.len, 5);
	assert_memory_equal(r.body, "hello", 5);
	response_done(&r);
}

static void no_body_ends_with_the_headers(void **state)
{
	struct client *c = *state;
	struct response r;

	client_await_response(c, client_get(c, "/echo"), &r);
	assert_int_equal(number_get("end after headers"), 1);
	assert_int_equal(r.status, 200);
	assert_true(r.ended);
	response_done(&r);
}

static void a_big_body_moves_the_windows(void **state)
{
	struct client *c = *state;
	uint32_t id = client_request(c, "POST", "/echo", 0);
	size_t sent = 0, room = 65535, i = 0, n;
	struct response r;

	for (; sent < 500000; sent += n) {
		n = room < 16384 ? room : 16384;
		send_body(c, id, n);
		for (room -= n; room < 16384; client_fence(c))
			for (; i < c->n_frames; i++)
				if (c->frames[i]->type == FRAME_WINDOW_UPDATE &&
				    c->frames[i]->stream_id == id)
					room += frame_u32(c->frames[i], 0);
	}
	client_send_data(c, id, FLAG_END_STREAM, NULL, 0);
	client_await_response(c, id, &r);
	assert_int_equal(r.len, sent);
	response_done(&r);
}

static size_t window_given(const struct client *c, uint32_t stream_id)
{
	size_t i, n = 0;

	for (i = 0; i < c->n_frames; i++)
		if (c->frames[i]->type == FRAME_WINDOW_UPDATE &&
		    c->frames[i]->stream_id == stream_id)
			n += frame_u32(c->frames[i], 0);
	return n;
}

static void resume_stream(struct h2sess_session *s, void *user)
{
	h2sess_stream_resume(h2sess_session_stream(s, *(int32_t *)user));
}

static void pause_keeps_the_window_shut(void **state)
{
	char session[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, session);
	int32_t id = (int32_t)client_request(c, "POST", "/paused", 0);
	struct response r;

	(void)state;
	send_body(c, (uint32_t)id, 65535);
	assert_true(client_fence(c));
	assert_int_equal(window_given(c, (uint32_t)id), 0);
	assert_int_equal(number_get("data"), 0);
	assert_true(test_server_run(server, session, resume_stream, &id));
	number_await("data", 65535);
	assert_true(client_fence(c));
	assert_true(window_given(c, (uint32_t)id) > 0);
	client_send_data(c, (uint32_t)id, FLAG_END_STREAM, "x", 1);
	client_await_response(c, (uint32_t)id, &r);
	assert_true(r.ended);
	assert_int_equal(number_get("data"), 65536);
	response_done(&r);
	client_free(c);
}

static void a_paused_stream_does_not_stop_the_others(void **state)
{
	struct client *c = *state;
	uint32_t id = client_request(c, "POST", "/paused", 0);

	send_body(c, id, 30000);
	client_check_get(c, "/", 200);
	client_check_get(c, "/echo", 200);
}

static void pause_within_data(void **state)
{
	char session[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, session);
	int32_t id = (int32_t)client_request(c, "POST", "/pausing", 0);

	(void)state;
	client_send_data(c, (uint32_t)id, 0, "aa", 2);
	assert_true(client_fence(c));
	client_send_data(c, (uint32_t)id, 0, "bbb", 3);
	assert_true(client_fence(c));
	assert_int_equal(number_get("data"), 2);
	assert_true(test_server_run(server, session, resume_stream, &id));
	number_await("data", 5);
	client_free(c);
}

static void the_request_has_trailers(void **state)
{
	static const struct field fields[] = {{"x-sum", "42"}, {"x-more", "43"}};
	struct client *c = *state;
	uint32_t id = client_request(c, "POST", "/trailers", 0);
	struct response r;

	client_send_data(c, id, 0, "body", 4);
	client_send_headers(c, id, FLAG_END_STREAM, fields, 2);
	client_await_response(c, id, &r);
	assert_non_null(r.body);
	assert_string_equal((char *)r.body, "x-sum=42x-more=43");
	response_done(&r);
}

/* ---- the header block ------------------------------------------------------------------------ */

static void headers_come_as_sent(void **state)
{
	static const struct field fields[] = {
		{":method", "GET"}, {":path", "/headers"}, {":scheme", "http"}, {":authority", "a"},
		{"x-b", "2"},	    {"x-a", "1"},	   {"x-b", "3"},	{"cookie", "a=1"},
		{"cookie", "b=2"},  {"x-empty", ""},
	};
	struct client *c = *state;
	struct response r;

	client_send_headers(c, 1, FLAG_END_STREAM, fields, 10);
	client_await_response(c, 1, &r);
	assert_non_null(r.body);
	assert_string_equal(
		(char *)r.body,
		":method=GET;:path=/headers;:scheme=http;:authority=a;x-b=2;x-a=1;x-b=3;"
		"cookie=a=1;cookie=b=2;x-empty=;");
	response_done(&r);
}

static void sensitive_headers_say_so(void **state)
{
	static const struct field fields[] = {{":method", "GET"},
					      {":path", "/headers"},
					      {":scheme", "http"},
					      {":authority", "a"}};
	static const char secret[] = "\x10\x06x-auth\x03key"; /* RFC 7541 6.2.3: never indexed */
	struct client *c = *state;
	uint8_t block[256];
	size_t len = client_encode(block, sizeof(block), fields, 4);
	struct response r;

	memcpy(block + len, secret, sizeof(secret) - 1);
	client_send_frame(c, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 1, block,
			  len + sizeof(secret) - 1);
	client_await_response(c, 1, &r);
	assert_non_null(strstr((char *)r.body, ":authority=a;!x-auth=key;"));
	response_done(&r);
}

static void headers_in_continuations(void **state)
{
	static const struct field fields[] = {{":method", "GET"},
					      {":path", "/headers"},
					      {":scheme", "http"},
					      {":authority", "a"},
					      {"x-c", "ccc"}};
	struct client *c = *state;
	uint8_t block[256];
	size_t len = client_encode(block, sizeof(block), fields, 5);
	struct response r;

	client_send_frame(c, FRAME_HEADERS, FLAG_END_STREAM, 1, block, 5);
	client_send_frame(c, FRAME_CONTINUATION, 0, 1, block + 5, 10);
	client_send_frame(c, FRAME_CONTINUATION, FLAG_END_HEADERS, 1, block + 15, len - 15);
	client_await_response(c, 1, &r);
	assert_int_equal(r.status, 200);
	assert_non_null(strstr((char *)r.body, "x-c=ccc;"));
	response_done(&r);
}

struct malformed {
	const char *what;
	struct field fields[6];
	size_t n;
};

#define M                        \
	{                        \
		":method", "GET" \
	}
#define P                           \
	{                           \
		":path", "/headers" \
	}
#define S                         \
	{                         \
		":scheme", "http" \
	}
#define A                         \
	{                         \
		":authority", "a" \
	}

/* RFC 9113 8.2 and 8.3: a malformed request is a stream error of PROTOCOL_ERROR. */
static const struct malformed MALFORMED[] = {
	{"no :path", {M, S, A}, 3},
	{"no :method", {P, S, A}, 3},
	{"no :scheme", {M, P, A}, 3},
	{"an empty :path", {M, S, A, {":path", ""}}, 4},
	{":method twice", {M, M, P, S, A}, 5},
	{"an unknown pseudo field", {M, P, S, A, {":foo", "1"}}, 5},
	{":status in a request", {M, P, S, A, {":status", "200"}}, 5},
	{"a pseudo field behind others", {M, S, A, {"x-a", "1"}, P}, 5},
	{"an upper-case name", {M, P, S, A, {"X-A", "1"}}, 5},
	{"a blank in a name", {M, P, S, A, {"x a", "1"}}, 5},
	{"a newline in a value", {M, P, S, A, {"x-a", "a\nb"}}, 5},
	{"connection", {M, P, S, A, {"connection", "close"}}, 5},
	{"transfer-encoding", {M, P, S, A, {"transfer-encoding", "chunked"}}, 5},
	{"te other than trailers", {M, P, S, A, {"te", "gzip"}}, 5},
	{"content-length without a body", {M, P, S, A, {"content-length", "5"}}, 5},
	{"content-length that is no number", {M, P, S, A, {"content-length", "x"}}, 5},
};

static void malformed_requests_are_reset(void **state)
{
	struct response r;
	struct client *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(MALFORMED) / sizeof(MALFORMED[0]); i++) {
		c = client_open(server->port, NULL);
		client_send_headers(c, 1, FLAG_END_STREAM, MALFORMED[i].fields, MALFORMED[i].n);
		client_await_response(c, 1, &r);
		if (!r.reset || r.code != H2SESS_PROTOCOL_ERROR || r.status != 0)
			fail_msg("%s: reset %d code %u status %d", MALFORMED[i].what, r.reset,
				 r.code, r.status);
		response_done(&r);
		c->next_stream_id = 3;
		client_check_get(c, "/", 200); /* a stream error, not the connection's */
		client_free(c);
	}
}

/* ---- how streams end ------------------------------------------------------------------------- */

static void close_resets_with_its_code(void **state)
{
	struct client *c = *state;
	struct response r;

	client_await_response(c, client_get(c, "/close-7"), &r);
	assert_true(r.reset);
	assert_int_equal(r.code, H2SESS_REFUSED_STREAM);
	assert_int_equal(number_get("write"), H2SESS_ESTREAM);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_RST_STREAM), 1);
	response_done(&r);
}

static void check_stream_story(const char *session, const char *want)
{
	char story[512];

	test_server_await(server, "close", 't', session, 1);
	test_server_story(server, session, story, sizeof(story));
	if (!strstr(story, want))
		fail_msg("no \"%s\" in \"%s\"", want, story);
}

static void destroy_tells_the_error_before_close(void **state)
{
	char session[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, session);
	const struct record *r;
	struct response response;

	(void)state;
	client_await_response(c, client_get(c, "/destroy-2"), &response);
	assert_true(response.reset);
	assert_int_equal(response.code, H2SESS_INTERNAL_ERROR);
	assert_int_equal(number_get("respond"), H2SESS_ESTREAM);
	assert_int_equal(number_get("destroyed"), 1);
	check_stream_story(session, "t:error t:close");
	r = test_server_await(server, "error", 't', session, 1);
	assert_int_equal(r->error, H2SESS_ESTREAMERROR);
	assert_int_equal(r->code, H2SESS_INTERNAL_ERROR);
	response_done(&response);
	client_free(c);
}

static void destroy_with_cancel_is_no_error(void **state)
{
	char session[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, session);
	struct response response;

	(void)state;
	client_await_response(c, client_get(c, "/destroy-8"), &response);
	assert_true(response.reset);
	assert_int_equal(test_server_await(server, "close", 't', session, 1)->code, H2SESS_CANCEL);
	assert_int_equal(test_server_count(server, "error", 't', session), 0);
	response_done(&response);
	client_free(c);
}

/* RFC 9113 8.1: a complete response, then RST_STREAM NO_ERROR, when the rest of the body is not
 * wanted. */
static void enough_of_the_body(void **state)
{
	struct client *c = *state;
	uint32_t id = client_request(c, "POST", "/enough", 0);
	struct response r;

	client_send_data(c, id, 0, "xxx", 3);
	client_await_response(c, id, &r);
	assert_true(r.ended);
	assert_memory_equal(r.body, "enough", 6);
	assert_int_equal(frame_u32(client_await_on(c, FRAME_RST_STREAM, id), 0), H2SESS_NO_ERROR);
	response_done(&r);
}

static void a_reset_aborts(void **state)
{
	char session[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, session);

	(void)state;
	client_get(c, "/abort");
	client_send_reset(c, 1, H2SESS_CANCEL);
	assert_int_equal(test_server_await(server, "close", 't', session, 1)->code, H2SESS_CANCEL);
	check_stream_story(session, "t:aborted");
	assert_int_equal(test_server_count(server, "error", 't', session), 0);
	assert_int_equal(number_get("aborted"), 1);
	assert_int_equal(number_get("code"), H2SESS_CANCEL);
	client_free(c);
}

static void a_reset_with_an_error_tells_it(void **state)
{
	char session[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, session);
	const struct record *r;

	(void)state;
	client_get(c, "/abort");
	client_send_reset(c, 1, H2SESS_INTERNAL_ERROR);
	check_stream_story(session, "t:aborted t:error t:close");
	r = test_server_await(server, "error", 't', session, 1);
	assert_int_equal(r->error, H2SESS_ESTREAMERROR);
	assert_int_equal(r->code, H2SESS_INTERNAL_ERROR);
	client_free(c);
}

static void a_complete_stream_is_not_aborted(void **state)
{
	char session[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, session);

	(void)state;
	client_check_get(c, "/", 200);
	assert_int_equal(test_server_await(server, "close", 't', session, 1)->code, 0);
	assert_int_equal(test_server_count(server, "aborted", 't', session), 0);
	check_stream_story(session, "t:end t:close");
	client_free(c);
}

static void a_stream_times_out(void **state)
{
	char session[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, session);

	(void)state;
	client_get(c, "/timeout");
	assert_int_equal(test_server_await(server, "timeout", 't', session, 1)->stream_id, 1);
	client_check_get(c, "/", 200);
	client_free(c);
}

static void the_streams_state(void **state)
{
	static const struct client_setting window = {SETTING_INITIAL_WINDOW_SIZE, 1234};
	struct client_options options = {.settings = &window, .n_settings = 1};
	struct client *c = client_open(server->port, &options);

	(void)state;
	client_check_get(c, "/state", 200);
	assert_int_equal(number_get("result"), 0);
	assert_int_equal(number_get("state"), 6); /* half closed (remote) of nghttp2 */
	assert_int_equal(number_get("remote"), 1234);
	assert_int_equal(number_get("local close"), 0);
	assert_int_equal(number_get("remote close"), 1);
	client_free(c);
}

/* Two requests in one packet: one turn. The next request comes in another one. */
static void a_turn_is_of_all_that_was_read(void **state)
{
	static const struct field fields[] = {{":method", "GET"},
					      {":scheme", "http"},
					      {":path", "/turn"},
					      {":authority", "example.org"}};
	struct client *c = *state;
	uint8_t packet[512];
	struct response r;
	size_t at = 0;
	uint32_t id;

	for (id = 1; id <= 3; id += 2) {
		size_t len = client_encode(packet + at + 9, sizeof(packet) - at - 9, fields, 4);
		const uint8_t head[9] = {0, 0, (uint8_t)len, 1, 5 /* END_STREAM, END_HEADERS */, 0,
					 0, 0, (uint8_t)id};

		memcpy(packet + at, head, sizeof(head));
		at += sizeof(head) + len;
	}
	client_fence(c);
	client_send(c, packet, at);
	c->next_stream_id = 5;
	client_await_response(c, 3, &r);
	response_done(&r);
	client_check_get(c, "/turn", 200);
	assert_int_equal(number_get("turn 1"), number_get("turn 3"));
	assert_true(number_get("turn 5") > number_get("turn 3"));
	assert_true(number_get("turn 1") > 0);
	assert_int_equal(number_get("thread"), 0);
	assert_int_equal(number_get("same"), 1);
}

/* ---- many streams ---------------------------------------------------------------------------- */

static void a_hundred_at_once(void **state)
{
	struct client *c = *state;
	uint32_t ids[100];
	struct response r;
	size_t i;

	for (i = 0; i < 100; i++)
		ids[i] = client_request(c, "POST", "/echo", 0);
	for (i = 100; i-- > 0;)
		client_send_data(c, ids[i], FLAG_END_STREAM, &ids[i], sizeof(ids[i]));
	for (i = 0; i < 100; i++) {
		client_await_response(c, ids[i], &r);
		assert_int_equal(r.len, sizeof(ids[i]));
		assert_memory_equal(r.body, &ids[i], sizeof(ids[i]));
		response_done(&r);
	}
}

static void one_over_the_limit_is_refused(void **state)
{
	char session[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, session);
	struct response r;
	size_t i;

	(void)state;
	for (i = 0; i < 100; i++)
		client_get(c, "/hold");
	client_await_response(c, client_get(c, "/"), &r);
	assert_true(r.reset || c->eof);
	if (r.reset)
		assert_int_equal(r.code, H2SESS_REFUSED_STREAM);
	response_done(&r);
	client_free(c);
}

static void thousands_after_each_other(void **state)
{
	struct client *c = *state;
	int i;

	for (i = 0; i < 3000; i++)
		client_check_get(c, "/", 200);
}

/* ---- main ------------------------------------------------------------------------------------ */

static int start(void **state)
{
	(void)state;
	server = routes_start(NULL, ROUTES);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_CLIENT(a_body_is_echoed),
		WITH_CLIENT(padding_is_no_data),
		WITH_CLIENT(no_body_ends_with_the_headers),
		WITH_CLIENT(a_big_body_moves_the_windows),
		WITH_CLIENT(pause_keeps_the_window_shut),
		WITH_CLIENT(a_paused_stream_does_not_stop_the_others),
		WITH_CLIENT(pause_within_data),
		WITH_CLIENT(the_request_has_trailers),
		WITH_CLIENT(headers_come_as_sent),
		WITH_CLIENT(sensitive_headers_say_so),
		WITH_CLIENT(headers_in_continuations),
		WITH_CLIENT(malformed_requests_are_reset),
		WITH_CLIENT(close_resets_with_its_code),
		WITH_CLIENT(destroy_tells_the_error_before_close),
		WITH_CLIENT(destroy_with_cancel_is_no_error),
		WITH_CLIENT(enough_of_the_body),
		WITH_CLIENT(a_reset_aborts),
		WITH_CLIENT(a_reset_with_an_error_tells_it),
		WITH_CLIENT(a_complete_stream_is_not_aborted),
		WITH_CLIENT(a_stream_times_out),
		WITH_CLIENT(the_streams_state),
		WITH_CLIENT(a_turn_is_of_all_that_was_read),
		WITH_CLIENT(a_hundred_at_once),
		WITH_CLIENT(one_over_the_limit_is_refused),
		WITH_CLIENT(thousands_after_each_other),
	};

	return cmocka_run_group_tests_name("stream_in", tests, start, shared_stop);
}
