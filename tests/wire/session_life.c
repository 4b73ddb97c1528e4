/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's life, from `session` to `close`: what is told and in which order, and what is on the
 * wire. Its properties and verbs are in session_verbs.c.
 */
#include "support/certificate.h"
#include "support/cmocka_all.h"
#include "support/shared.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void close_it(struct h2sess_session *s, void *user)
{
	(void)user;
	h2sess_session_close(s);
	h2sess_session_close(s); /* does nothing */
}

static void destroy_it(struct h2sess_session *s, void *user)
{
	uint32_t code = *(uint32_t *)user;

	h2sess_session_destroy(s, code);
	h2sess_session_destroy(s, H2SESS_INTERNAL_ERROR); /* does nothing */
}

static void end_stream_1(struct h2sess_session *s, void *user)
{
	struct h2sess_stream *st = h2sess_session_stream(s, 1);

	(void)user;
	if (st)
		h2sess_stream_end(st, "late", 4);
}

static struct client *with_a_stream(struct test_server *t, char id[H2SESS_SESSION_ID_MAX])
{
	struct client *c = test_server_ready(t, NULL, id);

	client_get(c, "/hold");
	test_server_await(t, "stream", 's', id, 1);
	return c;
}

static void check_story(struct test_server *t, const char *id, const char *piece)
{
	char story[1024];

	test_server_story(t, id, story, sizeof(story));
	if (!strstr(story, piece))
		fail_msg("no \"%s\" in \"%s\"", piece, story);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void check_connect_before_the_preface(bool tls)
{
	struct client_options options = {.tls = tls, .no_preface = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_connect(server, &options, id);

	test_server_await(server, "connect", 's', id, 1);
	check_story(server, id, "S:session s:connect");
	assert_int_equal(test_server_count(server, "remoteSettings", 's', id), 0);
	assert_int_equal(client_await(c, FRAME_SETTINGS)->stream_id, 0);
	client_send_preface(c);
	test_server_await(server, "remoteSettings", 's', id, 1);
	client_check_get(c, "/", 200);
	check_story(server, id, "S:session s:connect s:remoteSettings");
	client_free(c);
}

static void connect_comes_before_the_preface(void **state)
{
	(void)state;
	check_connect_before_the_preface(false);
}

static void connect_comes_after_tls_and_before_the_preface(void **state)
{
	(void)state;
	check_connect_before_the_preface(true);
}

struct beginning {
	struct h2sess_session_state state;
	bool connecting, closed, destroyed, encrypted, pending;
	char alpn[8];
	int type, state_result;
};

static void keep_beginning(const struct h2sess_event *ev, void *user)
{
	struct beginning *b = user;

	b->state.size = sizeof(b->state);
	b->state_result = h2sess_session_state(ev->session, &b->state);
	b->connecting = h2sess_session_connecting(ev->session);
	b->closed = h2sess_session_closed(ev->session);
	b->destroyed = h2sess_session_destroyed(ev->session);
	b->encrypted = h2sess_session_encrypted(ev->session);
	b->pending = h2sess_session_pending_settings_ack(ev->session);
	b->type = h2sess_session_type(ev->session);
	snprintf(b->alpn, sizeof(b->alpn), "%s", h2sess_session_alpn_protocol(ev->session));
}

static void check_beginning(bool tls)
{
	struct beginning b = {.state_result = -1};
	struct test_hooks hooks = {.session = keep_beginning, .user = &b};
	struct client_options options = {.tls = tls, .no_preface = true};
	struct test_server *t = test_server_start(NULL, &hooks);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_connect(t, &options, id);

	test_server_await(t, "connect", 's', id, 1);
	assert_int_equal(b.state_result, 0);
	assert_int_equal(b.state.effective_local_window_size, 65535);
	assert_int_equal(b.state.effective_recv_data_length, 0);
	assert_int_equal(b.state.next_stream_id, 2);
	assert_int_equal(b.state.local_window_size, 65535);
	assert_int_equal(b.state.last_proc_stream_id, 0);
	assert_int_equal(b.state.remote_window_size, 65535);
	assert_int_equal(b.state.outbound_queue_size, 1);
	assert_int_equal(b.state.deflate_dynamic_table_size, 0);
	assert_int_equal(b.state.inflate_dynamic_table_size, 0);
	assert_false(b.connecting); /* as Node documents it */
	assert_false(b.closed || b.destroyed);
	assert_true(b.pending);
	assert_int_equal(b.encrypted, tls);
	assert_int_equal(b.type, 0);
	assert_string_equal(b.alpn, tls ? "h2" : "h2c");
	client_free(c);
	test_server_free(t);
}

static void the_state_at_session(void **state)
{
	(void)state;
	check_beginning(false);
}

static void the_state_at_session_on_tls(void **state)
{
	(void)state;
	check_beginning(true);
}

static bool announces(const struct frame *settings, uint16_t id, uint32_t value)
{
	size_t i;

	for (i = 0; i + 6 <= settings->length; i += 6)
		if ((settings->payload[i] << 8 | settings->payload[i + 1]) == id)
			return frame_u32(settings, i + 2) == value;
	return false;
}

static void the_first_frame_is_settings(void **state)
{
	struct client *c = client_open(server->port, NULL);
	const struct frame *settings = client_read(c);

	(void)state;
	assert_int_equal(settings->type, FRAME_SETTINGS);
	assert_true(announces(settings, SETTING_MAX_CONCURRENT_STREAMS, 100));
	assert_true(announces(settings, SETTING_NO_RFC7540_PRIORITIES, 1));
	assert_true(announces(settings, SETTING_MAX_HEADER_LIST_SIZE, 65536));
	client_free(c);
}

static void a_wrong_preface_ends_the_connection(void **state)
{
	struct client_options options = {.no_preface = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_connect(server, &options, id);

	(void)state;
	client_send(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
	client_await_eof(c);
	test_server_await(server, "close", 's', id, 1);
	client_free(c);
}

static void a_preface_in_pieces(void **state)
{
	struct client_options options = {.piece = 1};
	struct client *c = client_open(server->port, &options);

	(void)state;
	client_check_get(c, "/", 200);
	client_free(c);
}

/* ---- ALPN ------------------------------------------------------------------------------------ */

static void another_alpn_gets_the_alert(void **state)
{
	struct client_options options = {.tls = true, .alpn = "http/1.1"};
	struct client *c = client_open(server->tls_port, &options);

	(void)state;
	assert_int_equal(c->handshake_error, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
	client_free(c);
}

static void no_alpn_is_an_unknown_protocol(void **state)
{
	struct client_options options = {.tls = true, .alpn = ""};
	struct h2sess_limits limits = H2SESS_LIMITS_INIT;
	struct h2sess_options server_options = H2SESS_OPTIONS_INIT;
	struct test_server *t;
	struct client *c;

	(void)state;
	limits.unknown_protocol_timeout_ms = 100;
	server_options.limits = &limits;
	t = test_server_start(&server_options, NULL);
	c = client_open(t->tls_port, &options);
	assert_int_equal(c->handshake_error, 0);
	test_server_await(t, "unknownProtocol", 'S', NULL, 1);
	client_await_eof(c);
	assert_int_equal(test_server_count(t, "session", 'S', NULL), 0);
	client_free(c);
	test_server_free(t);
}

/* ---- close ----------------------------------------------------------------------------------- */

static void close_without_streams(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	const struct frame *goaway;

	(void)state;
	assert_true(test_server_run(server, id, close_it, NULL));
	goaway = client_await(c, FRAME_GOAWAY);
	assert_int_equal(frame_u32(goaway, 4), H2SESS_NO_ERROR);
	client_await_eof(c);
	assert_int_equal(test_server_await(server, "close", 's', id, 1)->code, 0);
	assert_int_equal(test_server_count(server, "error", 's', id), 0);
	assert_int_equal(test_server_count(server, "close", 's', id), 1);
	client_free(c);
}

static void close_lets_the_stream_end(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = with_a_stream(server, id);
	const struct frame *goaway;
	struct response r;

	(void)state;
	assert_true(test_server_run(server, id, close_it, NULL));
	goaway = client_await(c, FRAME_GOAWAY);
	assert_int_equal(frame_u32(goaway, 0), 1);
	assert_int_equal(frame_u32(goaway, 4), H2SESS_NO_ERROR);
	assert_true(client_fence(c));
	assert_true(test_server_run(server, id, end_stream_1, NULL));
	client_await_response(c, 1, &r);
	assert_int_equal(r.status, 200);
	assert_true(r.ended);
	client_await_eof(c);
	test_server_await(server, "close", 's', id, 1);
	check_story(server, id, "t:close");
	check_story(server, id, "s:close");
	response_done(&r);
	client_free(c);
}

static void a_stream_after_goaway_is_not_served(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = with_a_stream(server, id);

	(void)state;
	assert_true(test_server_run(server, id, close_it, NULL));
	client_await(c, FRAME_GOAWAY);
	client_get(c, "/");
	assert_true(client_fence(c));
	assert_null(client_find(c, FRAME_HEADERS, 0));
	assert_int_equal(test_server_count(server, "stream", 's', id), 1);
	client_free(c);
}

/* ---- destroy --------------------------------------------------------------------------------- */

static void destroy_without_an_error(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	uint32_t code = H2SESS_NO_ERROR;

	(void)state;
	assert_true(test_server_run(server, id, destroy_it, &code));
	client_await_eof(c);
	test_server_await(server, "close", 's', id, 1);
	assert_int_equal(test_server_count(server, "error", 's', id), 0);
	assert_int_equal(test_server_count(server, "sessionError", 'S', id), 0);
	assert_int_equal(frame_u32(client_find(c, FRAME_GOAWAY, 0), 4), H2SESS_NO_ERROR);
	assert_int_equal(client_count(c, FRAME_GOAWAY), 1);
	client_free(c);
}

static void destroy_ends_the_streams_first(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = with_a_stream(server, id);
	uint32_t code = H2SESS_ENHANCE_YOUR_CALM;
	const struct record *r;

	(void)state;
	assert_true(test_server_run(server, id, destroy_it, &code));
	client_await_eof(c);
	r = test_server_await(server, "close", 's', id, 1);
	assert_int_equal(r->code, H2SESS_ENHANCE_YOUR_CALM);
	check_story(server, id, "t:close S:sessionError s:error s:close");
	assert_int_equal(frame_u32(client_find(c, FRAME_GOAWAY, 0), 4), H2SESS_ENHANCE_YOUR_CALM);
	assert_int_equal(test_server_count(server, "close", 's', id), 1);
	client_free(c);
}

static void the_peer_goes_without_a_word(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = with_a_stream(server, id);

	(void)state;
	client_free(c);
	test_server_await(server, "close", 's', id, 1);
	check_story(server, id, "t:aborted");
	check_story(server, id, "t:close");
	assert_int_equal(test_server_count(server, "close", 's', id), 1);
}

static void nothing_runs_on_a_session_that_is_gone(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);

	(void)state;
	client_free(c);
	test_server_await(server, "close", 's', id, 1);
	assert_false(test_server_run(server, id, close_it, NULL));
	assert_false(test_server_run(server, "nosuchsession-1", close_it, NULL));
	assert_false(test_server_run(server, "", close_it, NULL));
}

/* ---- GOAWAY received ------------------------------------------------------------------------- */

static void goaway_0_from_the_peer_closes(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = with_a_stream(server, id);
	const struct record *r;

	(void)state;
	client_send_frame(c, FRAME_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0why", 11);
	r = test_server_await(server, "goaway", 's', id, 1);
	assert_int_equal(r->code, H2SESS_NO_ERROR);
	assert_int_equal(r->last_stream_id, 0);
	assert_int_equal(r->len, 3);
	assert_memory_equal(r->data, "why", 3);
	assert_true(client_fence(c)); /* the stream is still open */
	assert_true(test_server_run(server, id, end_stream_1, NULL));
	client_await_eof(c);
	test_server_await(server, "close", 's', id, 1);
	assert_int_equal(test_server_count(server, "error", 's', id), 0);
	client_free(c);
}

static void goaway_with_a_code_destroys(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = with_a_stream(server, id);
	const struct record *r;

	(void)state;
	client_send_goaway(c, 0, H2SESS_ENHANCE_YOUR_CALM);
	client_await_eof(c);
	test_server_await(server, "close", 's', id, 1);
	r = test_server_await(server, "error", 's', id, 1);
	assert_int_equal(r->error, H2SESS_ESESSIONERROR);
	assert_int_equal(r->code, H2SESS_ENHANCE_YOUR_CALM);
	check_story(server, id, "S:sessionError s:error s:close");
	client_free(c);
}

/* ---- drain ----------------------------------------------------------------------------------- */

static void drain_it(struct h2sess_session *s, void *user)
{
	h2sess_session_drain(s, *(uint32_t *)user);
}

static void drain_is_a_goaway_of_two_phases(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = with_a_stream(server, id);
	const struct frame *goaway;
	uint32_t ms = UINT32_MAX;

	(void)state;
	assert_true(test_server_run(server, id, drain_it, &ms));
	goaway = client_await(c, FRAME_GOAWAY);
	assert_int_equal(frame_u32(goaway, 0), 0x7fffffff);
	assert_int_equal(frame_u32(goaway, 4), H2SESS_NO_ERROR);
	goaway = client_await(c, FRAME_GOAWAY);
	assert_int_equal(frame_u32(goaway, 0), 1);
	assert_int_equal(frame_u32(goaway, 4), H2SESS_NO_ERROR);
	assert_true(test_server_run(server, id, end_stream_1, NULL));
	client_await_eof(c);
	assert_int_equal(test_server_await(server, "close", 's', id, 1)->code, H2SESS_NO_ERROR);
	client_free(c);
}

/* A request that crossed the first GOAWAY on its way: the reason for two phases (RFC 9113 6.8). */
static void a_request_between_the_two_goaways_is_served(void **state)
{
	struct client_options options = {.hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	uint32_t ms = UINT32_MAX, stream;
	struct response r;

	(void)state;
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	assert_true(test_server_run(server, id, drain_it, &ms));
	client_await(c, FRAME_GOAWAY);
	stream = client_get(c, "/");
	client_await_response(c, stream, &r);
	assert_int_equal(r.status, 200);
	response_done(&r);
	client_free(c);
}

static void drain_has_a_deadline(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = with_a_stream(server, id);
	const struct frame *last;
	uint32_t ms = 200;

	(void)state;
	assert_true(test_server_run(server, id, drain_it, &ms));
	client_await_eof(c);
	last = client_find(c, FRAME_GOAWAY, client_count(c, FRAME_GOAWAY) - 1);
	assert_int_equal(frame_u32(last, 4), H2SESS_NO_ERROR);
	test_server_await(server, "close", 's', id, 1);
	assert_int_equal(test_server_count(server, "error", 's', id), 0);
	client_free(c);
}

static void drain_without_streams_ends_early(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	uint32_t ms = 60000;

	(void)state;
	assert_true(test_server_run(server, id, drain_it, &ms));
	client_await_eof(c);
	assert_true(client_count(c, FRAME_GOAWAY) >= 2); /* and Node's own at the end */
	assert_int_equal(
		frame_u32(client_find(c, FRAME_GOAWAY, client_count(c, FRAME_GOAWAY) - 1), 4),
		H2SESS_NO_ERROR);
	client_free(c);
}

/* ---- the server closes ----------------------------------------------------------------------- */

static void the_server_closes_gracefully(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);
	char busy_id[H2SESS_SESSION_ID_MAX], idle_id[H2SESS_SESSION_ID_MAX];
	struct client *busy = with_a_stream(t, busy_id);
	struct client *idle = test_server_ready(t, NULL, idle_id);

	(void)state;
	assert_int_equal(h2sess_server_close(t->server, UINT32_MAX), 0);
	assert_int_equal(frame_u32(client_await(busy, FRAME_GOAWAY), 0), 0x7fffffff);
	assert_int_equal(frame_u32(client_await(busy, FRAME_GOAWAY), 0), 1);
	client_await_eof(idle);
	assert_true(client_fence(busy));
	assert_int_equal(test_server_count(t, "close", 'S', NULL), 0);
	assert_int_equal(h2sess_server_wait(t->server, 1), H2SESS_ETIMEOUT);
	assert_true(test_server_run(t, busy_id, end_stream_1, NULL));
	client_await_eof(busy);
	assert_int_equal(h2sess_server_wait(t->server, CLIENT_DEADLINE_MS), 0);
	test_server_await(t, "close", 'S', NULL, 1);
	client_free(busy);
	client_free(idle);
	test_server_free(t);
}

static void the_server_closes_at_its_deadline(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = with_a_stream(t, id);

	(void)state;
	assert_int_equal(h2sess_server_close(t->server, 100), 0);
	client_await_eof(c);
	assert_int_equal(h2sess_server_wait(t->server, CLIENT_DEADLINE_MS), 0);
	test_server_await(t, "close", 's', id, 1);
	client_free(c);
	test_server_free(t);
}

static void the_server_closes_without_sessions(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);

	(void)state;
	assert_int_equal(h2sess_server_close(t->server, UINT32_MAX), 0);
	assert_int_equal(h2sess_server_wait(t->server, CLIENT_DEADLINE_MS), 0);
	assert_int_equal(test_server_count(t, "close", 'S', NULL), 1);
	test_server_free(t);
}

static void free_destroys_what_is_left(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = with_a_stream(t, id);

	(void)state;
	test_server_free(t);
	client_await_eof(c);
	client_free(c);
}

static void a_server_that_never_listened_is_freed(void **state)
{
	(void)state;
	test_server_free(test_server_new(NULL, NULL));
	h2sess_server_free(NULL);
}

/* ---- main ------------------------------------------------------------------------------------ */

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_comes_before_the_preface),
		cmocka_unit_test(connect_comes_after_tls_and_before_the_preface),
		cmocka_unit_test(the_state_at_session),
		cmocka_unit_test(the_state_at_session_on_tls),
		cmocka_unit_test(the_first_frame_is_settings),
		cmocka_unit_test(a_wrong_preface_ends_the_connection),
		cmocka_unit_test(a_preface_in_pieces),
		cmocka_unit_test(another_alpn_gets_the_alert),
		cmocka_unit_test(no_alpn_is_an_unknown_protocol),
		cmocka_unit_test(close_without_streams),
		cmocka_unit_test(close_lets_the_stream_end),
		cmocka_unit_test(a_stream_after_goaway_is_not_served),
		cmocka_unit_test(destroy_without_an_error),
		cmocka_unit_test(destroy_ends_the_streams_first),
		cmocka_unit_test(the_peer_goes_without_a_word),
		cmocka_unit_test(nothing_runs_on_a_session_that_is_gone),
		cmocka_unit_test(goaway_0_from_the_peer_closes),
		cmocka_unit_test(goaway_with_a_code_destroys),
		cmocka_unit_test(drain_is_a_goaway_of_two_phases),
		cmocka_unit_test(a_request_between_the_two_goaways_is_served),
		cmocka_unit_test(drain_has_a_deadline),
		cmocka_unit_test(drain_without_streams_ends_early),
		cmocka_unit_test(the_server_closes_gracefully),
		cmocka_unit_test(the_server_closes_at_its_deadline),
		cmocka_unit_test(the_server_closes_without_sessions),
		cmocka_unit_test(free_destroys_what_is_left),
		cmocka_unit_test(a_server_that_never_listened_is_freed),
	};

	return cmocka_run_group_tests_name("session_life", tests, shared_start, shared_stop);
}
