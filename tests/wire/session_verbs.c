/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be asked of and done to a live session: ping, settings, timeouts, ids, peer, labels,
 * extended CONNECT. Its life is in session_life.c, pushing in node_rows.c and receipts.c.
 */
#include "support/cmocka_all.h"
#include "support/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- an answer that comes later -------------------------------------------------------------- */

struct later {
	int calls;
	int error;
	uint64_t round_trip_us;
	uint8_t payload[8];
	int result; /* of the call itself */
	struct h2sess_settings settings;
};

static void come(struct later *later, int error, uint64_t round_trip_us)
{
	pthread_mutex_lock(&server->lock);
	later->calls++;
	later->error = error;
	later->round_trip_us = round_trip_us;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

static void await_later(struct later *later)
{
	struct timespec until;
	int late = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CLIENT_DEADLINE_MS / 1000;
	pthread_mutex_lock(&server->lock);
	while (later->calls == 0 && late == 0)
		late = pthread_cond_timedwait(&server->changed, &server->lock, &until);
	pthread_mutex_unlock(&server->lock);
	assert_int_equal(later->calls, 1);
}

/* ---- ping ------------------------------------------------------------------------------------ */

static void on_pong(struct h2sess_session *s, int error, uint64_t round_trip_us,
		    const uint8_t *payload, void *user)
{
	struct later *later = user;

	(void)s;
	if (payload)
		memcpy(later->payload, payload, 8);
	come(later, error, round_trip_us);
}

static void ping(struct h2sess_session *s, void *user)
{
	struct later *later = user;

	later->result = h2sess_session_ping(s, "abcdefgh", 8, on_pong, later);
}

static void ping_measures_the_round_trip(void **state)
{
	struct client_options options = {.hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	struct later later = {0};
	int64_t since;

	(void)state;
	assert_true(test_server_run(server, id, ping, &later));
	assert_int_equal(later.result, 0);
	client_await(c, FRAME_PING);
	for (since = now_ms(); now_ms() - since < 20;)
		client_fence(c); /* the answer takes its time */
	client_send_ping_ack(c, (const uint8_t *)"abcdefgh");
	await_later(&later);
	assert_int_equal(later.error, 0);
	assert_memory_equal(later.payload, "abcdefgh", 8);
	assert_true(later.round_trip_us >= 15000);
	assert_true(later.round_trip_us < 10000000);
	client_free(c);
}

static void ping_is_cancelled_by_the_end(void **state)
{
	struct client_options options = {.hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	struct later later = {0};

	(void)state;
	assert_true(test_server_run(server, id, ping, &later));
	client_await(c, FRAME_PING);
	client_free(c);
	await_later(&later);
	assert_int_equal(later.error, H2SESS_EPINGCANCEL);
}

static void ping_goes_out_before_the_preface(void **state)
{
	struct client_options options = {.no_preface = true, .hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_connect(server, &options, id);
	struct later later = {0};

	(void)state;
	test_server_await(server, "connect", 's', id, 1);
	assert_true(test_server_run(server, id, ping, &later));
	assert_int_equal(later.result, 0);
	client_await(c, FRAME_PING);
	client_send_preface(c);
	client_send_ping_ack(c, (const uint8_t *)"abcdefgh");
	await_later(&later);
	assert_int_equal(later.error, 0);
	client_free(c);
}

static void close_and_ping(struct h2sess_session *s, void *user)
{
	h2sess_session_close(s);
	ping(s, user);
}

static void ping_is_refused_when_closed(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct later later = {0};

	(void)state;
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	assert_true(test_server_run(server, id, close_and_ping, &later));
	assert_int_equal(later.result, H2SESS_EPINGCANCEL);
	assert_int_equal(later.calls, 0);
	client_free(c);
}

static void a_received_ping_is_an_event(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	size_t before = test_server_count(server, "ping", 's', id);
	const struct record *r;

	(void)state;
	client_send_ping(c, "12345678");
	r = test_server_await(server, "ping", 's', id, before + 1);
	assert_int_equal(r->len, 8);
	assert_memory_equal(r->data, "12345678", 8);
	client_free(c);
}

/* ---- settings -------------------------------------------------------------------------------- */

static void on_settings_ack(struct h2sess_session *s, int error, uint64_t round_trip_us, void *user)
{
	(void)s;
	come(user, error, round_trip_us);
}

static void announce(struct h2sess_session *s, void *user)
{
	struct h2sess_settings set = H2SESS_SETTINGS_INIT;
	struct later *later = user;

	set.present = H2SESS_SETTING_MAX_CONCURRENT_STREAMS | H2SESS_SETTING_INITIAL_WINDOW_SIZE;
	set.max_concurrent_streams = 7;
	set.initial_window_size = 100000;
	set.n_custom = 1;
	set.custom[0].id = 0xf000;
	set.custom[0].value = 42;
	later->result = h2sess_session_settings(s, &set, on_settings_ack, later);
}

static void ask_local(struct h2sess_session *s, void *user)
{
	struct later *later = user;

	later->settings.size = sizeof(later->settings);
	later->result = h2sess_session_local_settings(s, &later->settings);
}

static void ask_pending(struct h2sess_session *s, void *user)
{
	((struct later *)user)->result = h2sess_session_pending_settings_ack(s);
}

static void settings_hold_once_acknowledged(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct later later = {0}, asked = {0};
	const struct frame *frame;

	(void)state;
	c->options.hold_settings_ack = true;
	assert_true(test_server_run(server, id, announce, &later));
	assert_int_equal(later.result, 0);
	frame = client_await(c, FRAME_SETTINGS);
	assert_int_equal(frame->length, 18);
	assert_memory_equal(frame->payload + 12, "\xf0\0\0\0\0\x2a", 6);
	assert_true(test_server_run(server, id, ask_pending, &asked));
	assert_int_equal(asked.result, 1);
	assert_int_equal(later.calls, 0);

	client_send_settings_ack(c);
	await_later(&later);
	assert_int_equal(later.error, 0);
	test_server_await(server, "localSettings", 's', id, 2);
	assert_true(test_server_run(server, id, ask_pending, &asked));
	assert_int_equal(asked.result, 0);
	assert_true(test_server_run(server, id, ask_local, &asked));
	assert_int_equal(asked.result, 0);
	assert_int_equal(asked.settings.max_concurrent_streams, 7);
	assert_int_equal(asked.settings.initial_window_size, 100000);
	client_free(c);
}

static void settings_end_with_the_session(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct later later = {0};

	(void)state;
	c->options.hold_settings_ack = true;
	assert_true(test_server_run(server, id, announce, &later));
	client_await(c, FRAME_SETTINGS);
	client_free(c);
	await_later(&later);
	assert_int_equal(later.error, H2SESS_EDESTROYED);
}

static void announce_too_often(struct h2sess_session *s, void *user)
{
	struct h2sess_settings set = H2SESS_SETTINGS_INIT;
	struct later *later = user;
	int i;

	set.present = H2SESS_SETTING_MAX_CONCURRENT_STREAMS;
	set.max_concurrent_streams = 50;
	for (i = 0; i < 20; i++) {
		later->result = h2sess_session_settings(s, &set, NULL, NULL);
		if (later->result < 0)
			break;
		later->calls++;
	}
}

static void too_many_settings_destroy(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct later later = {0};

	(void)state;
	c->options.hold_settings_ack = true;
	assert_true(test_server_run(server, id, announce_too_often, &later));
	assert_int_equal(later.result, H2SESS_EMAXSETTINGS);
	assert_int_equal(later.calls, 10);
	client_await_eof(c);
	test_server_await(server, "close", 's', id, 1);
	assert_int_equal(test_server_await(server, "error", 's', id, 1)->error,
			 H2SESS_EMAXSETTINGS);
	client_free(c);
}

static void ask_remote(struct h2sess_session *s, void *user)
{
	struct later *later = user;

	later->settings.size = sizeof(later->settings);
	later->result = h2sess_session_remote_settings(s, &later->settings);
}

static void remote_settings_are_the_clients(void **state)
{
	static const struct client_setting set[] = {
		{SETTING_INITIAL_WINDOW_SIZE, 12345},
		{SETTING_MAX_FRAME_SIZE, 20000},
		{SETTING_ENABLE_PUSH, 0},
		{SETTING_MAX_HEADER_LIST_SIZE, 9999},
		{0xf000, 17}, /* Node's remoteCustomSettings */
	};
	struct client_options options = {.settings = set, .n_settings = 5};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	struct later later = {0};
	const struct record *r = test_server_await(server, "remoteSettings", 's', id, 1);

	(void)state;
	assert_true(test_server_run(server, id, ask_remote, &later));
	assert_int_equal(later.result, 0);
	assert_int_equal(later.settings.initial_window_size, 12345);
	assert_int_equal(later.settings.max_frame_size, 20000);
	assert_int_equal(later.settings.enable_push, 0);
	assert_int_equal(later.settings.max_header_list_size, 9999);
	assert_int_equal(later.settings.header_table_size, 4096);
	assert_int_equal(r->settings.initial_window_size, 12345);
	assert_int_equal(later.settings.n_custom, 1);
	assert_int_equal(later.settings.custom[0].id, 0xf000);
	assert_int_equal(later.settings.custom[0].value, 17);
	client_free(c);
}

static void update_settings_is_for_new_sessions(void **state)
{
	struct h2sess_settings set = H2SESS_SETTINGS_INIT;
	struct test_server *t = test_server_start(NULL, NULL);
	const struct frame *frame;
	struct client *c;

	(void)state;
	set.present = H2SESS_SETTING_INITIAL_WINDOW_SIZE;
	set.initial_window_size = 77777;
	assert_int_equal(h2sess_server_update_settings(t->server, &set), 0);
	set.initial_window_size = 0x80000000u;
	assert_int_equal(h2sess_server_update_settings(t->server, &set), H2SESS_ESETTING);
	c = client_open(t->port, NULL);
	frame = client_await(c, FRAME_SETTINGS);
	assert_non_null(memmem(frame->payload, frame->length, "\0\4\0\1\x2f\xd1", 6));
	client_free(c);
	test_server_free(t);
}

/* ---- timeouts -------------------------------------------------------------------------------- */

static void set_timeout(struct h2sess_session *s, void *user)
{
	h2sess_session_set_timeout(s, *(uint32_t *)user);
}

static void write_on_stream_1(struct h2sess_session *s, void *user)
{
	struct h2sess_stream *st = h2sess_session_stream(s, 1);

	(void)user;
	if (st)
		h2sess_stream_write(st, "more", 4);
}

static void timeout_is_told(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	uint32_t ms = 50;

	(void)state;
	assert_true(test_server_run(server, id, set_timeout, &ms));
	test_server_await(server, "timeout", 's', id, 1);
	assert_true(client_fence(c)); /* somebody listens: the session goes on */
	client_free(c);
}

static void timeout_without_a_listener_destroys(void **state)
{
	struct test_hooks hooks = {.no_timeout_listener = true};
	struct test_server *t = test_server_start(NULL, &hooks);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(t, NULL, id);
	uint32_t ms = 50;

	(void)state;
	assert_true(test_server_run(t, id, set_timeout, &ms));
	client_await_eof(c);
	test_server_await(t, "close", 's', id, 1);
	client_free(c);
	test_server_free(t);
}

static void activity_puts_the_timeout_off(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	uint32_t ms = 700;
	int64_t since = now_ms();

	(void)state;
	assert_true(test_server_run(server, id, set_timeout, &ms));
	while (now_ms() - since < ms + 200)
		client_check_get(c, "/", 200);
	assert_int_equal(test_server_count(server, "timeout", 's', id), 0);
	test_server_await(server, "timeout", 's', id, 1);
	client_free(c);
}

/* A response that goes on for longer than the timeout: what we send is activity, too. */
static void a_response_puts_the_timeout_off(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	uint32_t ms = 700, stream = client_get(c, "/hold");
	int64_t since = now_ms();

	(void)state;
	test_server_await(server, "stream", 's', id, 1);
	assert_true(test_server_run(server, id, set_timeout, &ms));
	while (now_ms() - since < ms + 200) {
		assert_true(test_server_run(server, id, write_on_stream_1, NULL));
		client_await_on(c, FRAME_DATA, stream);
	}
	assert_int_equal(test_server_count(server, "timeout", 's', id), 0);
	test_server_await(server, "timeout", 's', id, 1);
	client_free(c);
}

static void timeout_0_is_off(void **state)
{
	char id[H2SESS_SESSION_ID_MAX], other[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct client *d = test_server_ready(server, NULL, other);
	uint32_t soon = 100, off = 0, later = 200;

	(void)state;
	assert_true(test_server_run(server, id, set_timeout, &soon));
	assert_true(test_server_run(server, id, set_timeout, &off));
	assert_true(test_server_run(server, other, set_timeout, &later));
	test_server_await(server, "timeout", 's', other, 1);
	assert_int_equal(test_server_count(server, "timeout", 's', id), 0);
	client_free(c);
	client_free(d);
}

static void the_servers_timeout_is_for_new_sessions(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c;

	(void)state;
	assert_int_equal(h2sess_server_set_timeout(t->server, 50), 0);
	c = test_server_connect(t, NULL, id);
	test_server_await(t, "timeout", 's', id, 1);
	client_free(c);
	test_server_free(t);
}

/* ---- goaway, ids ----------------------------------------------------------------------------- */

struct results {
	int of[8];
	uint32_t next;
};

static void goaway_wrong(struct h2sess_session *s, void *user)
{
	static uint8_t data[H2SESS_GOAWAY_DATA_MAX + 1];
	struct results *results = user;

	results->of[0] = h2sess_session_goaway(s, 0, 2, NULL, 0);
	results->of[1] = h2sess_session_goaway(s, 0, 101, NULL, 0);
	results->of[2] = h2sess_session_goaway(s, 0, 103, NULL, 0);
	results->of[3] = h2sess_session_goaway(s, 0, 101, data, sizeof(data));
	results->of[4] = h2sess_session_goaway(s, 0, 99, data, sizeof(data) - 1);
	results->of[5] = h2sess_session_goaway(s, 0xdead, -1, NULL, 0);
}

static void goaway_lowers_and_never_raises(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct results r = {0};
	const struct frame *frame;

	(void)state;
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	assert_true(test_server_run(server, id, goaway_wrong, &r));
	assert_int_equal(r.of[0], H2SESS_ERANGE);
	assert_int_equal(r.of[1], 0);
	assert_int_equal(r.of[2], H2SESS_ERANGE);
	assert_int_equal(r.of[3], H2SESS_EINVAL);
	assert_int_equal(r.of[4], 0);
	assert_int_equal(r.of[5], 0);
	assert_int_equal(frame_u32(client_await(c, FRAME_GOAWAY), 0), 101);
	frame = client_await(c, FRAME_GOAWAY);
	assert_int_equal(frame_u32(frame, 0), 99);
	assert_int_equal(frame->length, 16384);
	frame = client_await(c, FRAME_GOAWAY);
	assert_int_equal(frame_u32(frame, 0), 1); /* the last one processed */
	assert_int_equal(frame_u32(frame, 4), 0xdead);
	assert_true(client_fence(c));
	client_free(c);
}

static void set_next_ids(struct h2sess_session *s, void *user)
{
	static const uint32_t ids[] = {3, 0, 4, 4, 2, 0x80000000u, 0x7ffffffe};
	struct h2sess_session_state state = {.size = sizeof(state)};
	struct results *results = user;
	size_t i;

	for (i = 0; i < 7; i++)
		results->of[i] = h2sess_session_set_next_stream_id(s, ids[i]);
	h2sess_session_state(s, &state);
	results->next = state.next_stream_id;
}

static void the_next_stream_id_is_even_and_rises(void **state)
{
	static const int want[] = {H2SESS_ERANGE, H2SESS_ERANGE, 0, H2SESS_ERANGE,
				   H2SESS_ERANGE, H2SESS_ERANGE, 0};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct results r = {0};
	size_t i;

	(void)state;
	assert_true(test_server_run(server, id, set_next_ids, &r));
	for (i = 0; i < 7; i++)
		assert_int_equal(r.of[i], want[i]);
	assert_int_equal(r.next, 0x7ffffffe);
	client_free(c);
}

static void ids_are_the_boot_and_a_number(void **state)
{
	char one[H2SESS_SESSION_ID_MAX], two[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, one);
	struct client *d = test_server_ready(server, NULL, two);
	size_t boot = strlen(h2sess_boot_id());

	(void)state;
	assert_true(boot >= 8 && boot <= 32);
	assert_int_equal(strspn(h2sess_boot_id(), "abcdefghijklmnopqrstuvwxyz0123456789"), boot);
	assert_memory_equal(one, h2sess_boot_id(), boot);
	assert_int_equal(one[boot], '-');
	assert_true(strtoul(two + boot + 1, NULL, 10) > strtoul(one + boot + 1, NULL, 10));
	client_free(c);
	client_free(d);
}

/* ---- who the peer is ------------------------------------------------------------------------- */

struct who {
	struct h2sess_peer peer;
	char servername[64], tls_version[16], cipher[64];
	bool has_name, has_subject;
	int result;
};

static void copy(char *to, size_t cap, const char *from)
{
	snprintf(to, cap, "%s", from ? from : "");
}

static void ask_peer(struct h2sess_session *s, void *user)
{
	struct who *who = user;

	who->peer.size = sizeof(who->peer);
	who->result = h2sess_session_peer(s, &who->peer);
	copy(who->servername, sizeof(who->servername), who->peer.servername);
	copy(who->tls_version, sizeof(who->tls_version), who->peer.tls_version);
	copy(who->cipher, sizeof(who->cipher), who->peer.cipher);
	who->has_name = who->peer.servername;
	who->has_subject = who->peer.subject;
}

static void the_peer_on_tls(void **state)
{
	struct client_options options = {.tls = true, .servername = "example.org"};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	struct who who = {0};

	(void)state;
	assert_true(test_server_run(server, id, ask_peer, &who));
	assert_int_equal(who.result, 0);
	assert_string_equal(who.peer.address, "127.0.0.1");
	assert_true(who.peer.port > 0);
	assert_string_equal(who.servername, "example.org");
	assert_string_equal(who.tls_version, "TLSv1.3");
	assert_int_equal(strncmp(who.cipher, "TLS_", 4), 0);
	assert_false(who.has_subject);
	client_free(c);
}

static void the_peer_on_cleartext(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct who who = {0};

	(void)state;
	assert_true(test_server_run(server, id, ask_peer, &who));
	assert_string_equal(who.peer.address, "127.0.0.1");
	assert_false(who.has_name);
	assert_string_equal(who.tls_version, "");
	client_free(c);
}

static void no_sni_no_servername(void **state)
{
	struct client_options options = {.tls = true, .servername = ""};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	struct who who = {0};

	(void)state;
	assert_true(test_server_run(server, id, ask_peer, &who));
	assert_false(who.has_name);
	client_free(c);
}

/* ---- labels and user data -------------------------------------------------------------------- */

static void set_labels(struct h2sess_session *s, void *user)
{
	struct results *results = user;
	char key[65], value[257], name[8];
	int i;

	memset(key, 'k', 64);
	memset(value, 'v', 256);
	key[64] = value[256] = '\0';
	results->of[0] = h2sess_session_set_label(s, "region", "eu");
	results->of[1] = h2sess_session_set_label(s, "", "eu");
	results->of[2] = h2sess_session_set_label(s, key, "eu");
	results->of[3] = h2sess_session_set_label(s, "region", value);
	results->of[4] = strcmp(h2sess_session_label(s, "region"), "eu");
	h2sess_session_set_label(s, "region", NULL);
	results->of[5] = h2sess_session_label(s, "region") != NULL;
	for (i = 0; i < 33; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		results->of[6] = h2sess_session_set_label(s, name, "v");
	}
	h2sess_session_set_user(s, results);
	results->of[7] = h2sess_session_user(s) != results;
}

static void labels_are_bounded(void **state)
{
	static const int want[] = {
		0, H2SESS_EINVAL, H2SESS_EINVAL, H2SESS_EINVAL, 0, 0, H2SESS_ELIMIT, 0};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct results r = {0};
	size_t i;

	(void)state;
	assert_true(test_server_run(server, id, set_labels, &r));
	for (i = 0; i < 8; i++)
		assert_int_equal(r.of[i], want[i]);
	client_free(c);
}

/* ---- extended CONNECT ------------------------------------------------------------------------ */

static const struct field WEBSOCKET[] = {
	{":method", "CONNECT"}, {":protocol", "websocket"},  {":scheme", "http"},
	{":path", "/"},		{":authority", "localhost"},
};

static void extended_connect_where_allowed(void **state)
{
	struct h2sess_settings set = H2SESS_SETTINGS_INIT;
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct test_server *t;
	struct response r;
	struct client *c;

	(void)state;
	set.present = H2SESS_SETTING_ENABLE_CONNECT_PROTOCOL;
	set.enable_connect_protocol = 1;
	options.settings = &set;
	t = test_server_start(&options, NULL);
	c = client_open(t->port, NULL);
	client_await(c, FRAME_SETTINGS);
	client_send_headers(c, 1, 0, WEBSOCKET, 5);
	client_await_response(c, 1, &r);
	assert_int_equal(r.status, 200);
	response_done(&r);
	client_free(c);
	test_server_free(t);
}

static void extended_connect_is_refused_elsewhere(void **state)
{
	struct client *c = client_open(server->port, NULL);
	struct response r;

	(void)state;
	client_await(c, FRAME_SETTINGS);
	client_send_headers(c, 1, 0, WEBSOCKET, 5);
	client_await_response(c, 1, &r);
	assert_true(r.reset || c->eof);
	assert_int_equal(r.status, 0);
	response_done(&r);
	client_free(c);
}

/* ---- main ------------------------------------------------------------------------------------ */

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ping_measures_the_round_trip),
		cmocka_unit_test(ping_is_cancelled_by_the_end),
		cmocka_unit_test(ping_goes_out_before_the_preface),
		cmocka_unit_test(ping_is_refused_when_closed),
		cmocka_unit_test(a_received_ping_is_an_event),
		cmocka_unit_test(settings_hold_once_acknowledged),
		cmocka_unit_test(settings_end_with_the_session),
		cmocka_unit_test(too_many_settings_destroy),
		cmocka_unit_test(remote_settings_are_the_clients),
		cmocka_unit_test(update_settings_is_for_new_sessions),
		cmocka_unit_test(timeout_is_told),
		cmocka_unit_test(timeout_without_a_listener_destroys),
		cmocka_unit_test(activity_puts_the_timeout_off),
		cmocka_unit_test(a_response_puts_the_timeout_off),
		cmocka_unit_test(timeout_0_is_off),
		cmocka_unit_test(the_servers_timeout_is_for_new_sessions),
		cmocka_unit_test(goaway_lowers_and_never_raises),
		cmocka_unit_test(the_next_stream_id_is_even_and_rises),
		cmocka_unit_test(ids_are_the_boot_and_a_number),
		cmocka_unit_test(the_peer_on_tls),
		cmocka_unit_test(the_peer_on_cleartext),
		cmocka_unit_test(no_sni_no_servername),
		cmocka_unit_test(labels_are_bounded),
		cmocka_unit_test(extended_connect_where_allowed),
		cmocka_unit_test(extended_connect_is_refused_elsewhere),
	};

	return cmocka_run_group_tests_name("session_verbs", tests, shared_start, shared_stop);
}
