/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits: what each one stops, and that it stops nobody else. Every attack runs beside a
 * bystander, a session that was there before, and goes on being served; afterwards the limit's
 * counter has moved, and a new client is served too.
 *
 * Limits that end the connection are lines of the table ATTACKS; the others are functions below it.
 */
#include "support/cmocka_all.h"
#include "support/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ANY_CODE (-1)
#define FRAMES 20000 /* of a flood: 180 kB with nothing in it */

typedef void attack_fn(struct client *c);

struct attack {
	const char *name;
	attack_fn *fn;
	const char *counter;
	int code; /* of the GOAWAY, if one comes */
	struct client_options client;
	struct h2sess_limits limits;
	bool on_tls_port; /* with a client that does not speak TLS */
};

/* ---- silence --------------------------------------------------------------------------------- */

static void say_nothing(struct client *c)
{
	(void)c;
}

static void half_a_preface(struct client *c)
{
	client_send(c, "PRI * HTTP/2.0\r\n", 16);
}

static void half_a_client_hello(struct client *c)
{
	client_send(c, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9);
}

/* Behind the exchange of SETTINGS, whose acknowledgement would fall into the midst of the attack.
 */
static void half_a_header_block(struct client *c)
{
	client_fence(c);
	client_send_frame(c, FRAME_HEADERS, 0, 1, "\x82", 1);
}

/* A frame head that announces more than ever comes. */
static void half_a_headers_frame(struct client *c)
{
	client_fence(c);
	client_send(c, "\0\0\x40\1\4\0\0\0\1\x82", 10);
}

static void stop_reading(struct client *c)
{
	static const struct field fields[] = {
		{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};

	c->options.hold_window = true;
	client_send_headers(c, 1, FLAG_END_STREAM, fields, 4);
}

/* ---- resets of either side's making ---------------------------------------------------------- */

static void rapid_reset(struct client *c)
{
	int i;

	for (i = 0; i < 3000 && !c->broken; i++)
		client_send_reset(c, client_get(c, "/hold"), H2SESS_CANCEL);
}

/* MadeYouReset 1: the window of a stream overflows, we must reset it (RFC 9113 6.9.1). */
static void overflow_windows(struct client *c)
{
	int i;

	for (i = 0; i < 3000 && !c->broken; i++)
		client_send_window_update(c, client_get(c, "/hold"), 0x7fffffff);
}

/* MadeYouReset 2: a malformed request, we must reset it (8.1.1). */
static void malformed_headers(struct client *c)
{
	static const struct field fields[] = {
		{":method", "GET"}, {":scheme", "http"}, {":path", "/hold"}, {"X-UPPER", "1"}};
	int i;

	for (i = 0; i < 3000 && !c->broken; i++)
		client_send_headers(c, (uint32_t)(2 * i + 1), FLAG_END_STREAM, fields, 4);
}

/* MadeYouReset 3: a body that is not as long as it was said to be (8.1.1). */
static void wrong_content_length(struct client *c)
{
	static const struct field fields[] = {{":method", "POST"},
					      {":scheme", "http"},
					      {":path", "/hold"},
					      {"content-length", "3"}};
	uint32_t id;

	for (id = 1; id < 6000 && !c->broken; id += 2) {
		client_send_headers(c, id, 0, fields, 4);
		client_send_data(c, id, FLAG_END_STREAM, "more than three", 15);
	}
}

/* MadeYouReset 4: streams over a limit whose SETTINGS we do not acknowledge, which must be refused.
 */
static void refused_streams(struct client *c)
{
	int i;

	for (i = 0; i < 3000 && !c->broken; i++)
		client_get(c, "/hold");
}

/* ---- frames without purpose ------------------------------------------------------------------ */

static void flood(struct client *c, uint8_t type, uint8_t flags, uint32_t stream_id,
		  const void *payload, size_t len)
{
	int i;

	for (i = 0; i < FRAMES && !c->broken; i++)
		client_send_frame(c, type, flags, stream_id, payload, len);
}

static void empty_data(struct client *c)
{
	flood(c, FRAME_DATA, 0, client_request(c, "POST", "/hold", 0), NULL, 0);
}

static void padded_data(struct client *c)
{
	flood(c, FRAME_DATA, FLAG_PADDED, client_request(c, "POST", "/hold", 0),
	      "\x0f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void pings(struct client *c)
{
	flood(c, FRAME_PING, 0, 0, "12345678", 8);
}

static void ping_acks(struct client *c)
{
	flood(c, FRAME_PING, FLAG_ACK, 0, "12345678", 8);
}

static void settings(struct client *c)
{
	flood(c, FRAME_SETTINGS, 0, 0, "\0\4\0\0\x10\0", 6);
}

static void empty_settings(struct client *c)
{
	flood(c, FRAME_SETTINGS, 0, 0, NULL, 0);
}

static void unknown_frames(struct client *c)
{
	flood(c, FRAME_UNKNOWN, 0, 0, NULL, 0);
}

static void priority_frames(struct client *c)
{
	flood(c, FRAME_PRIORITY, 0, 1, "\0\0\0\0\x10", 5);
}

static void window_updates(struct client *c)
{
	flood(c, FRAME_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
}

/* The answers pile up with us when the client does not read: they are bounded too. */
static void pings_unread(struct client *c)
{
	static const char ping[17 + 1] = "\0\0\x08\6\0\0\0\0\0\0\0\0\0\0\0\0";
	static uint8_t frames[17 * 1000];
	struct pollfd p = {.fd = c->fd, .events = POLLOUT};
	size_t i, at = 0;
	int stuck = 0;
	ssize_t n;

	for (i = 0; i < 1000; i++)
		memcpy(frames + 17 * i, ping, 17);
	while (stuck < 20) {
		n = send(c->fd, frames + at, sizeof(frames) - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return;
		if (n < 0)
			stuck += poll(&p, 1, 50) == 0; /* read no more: the write timeout ends it */
		else
			at = (at + (size_t)n) % sizeof(frames);
	}
}

static void continuations(struct client *c)
{
	static uint8_t block[16384]; /* "x: y", indexed for ever: legal, and without an end */
	int i;

	memset(block, 0x82, sizeof(block));
	client_fence(c);
	client_send_frame(c, FRAME_HEADERS, 0, 1, block, 1);
	for (i = 0; i < 1000 && !c->broken; i++)
		client_send_frame(c, FRAME_CONTINUATION, 0, 1, block, 10);
}

static void empty_continuations(struct client *c)
{
	int i;

	client_fence(c);
	client_send_frame(c, FRAME_HEADERS, 0, 1, "\x82", 1);
	for (i = 0; i < FRAMES && !c->broken; i++)
		client_send_frame(c, FRAME_CONTINUATION, 0, 1, NULL, 0);
}

static void many_settings_in_one_frame(struct client *c)
{
	struct client_setting set[40];
	size_t i;

	for (i = 0; i < 40; i++)
		set[i] = (struct client_setting){(uint16_t)(0xf000 + i), 1};
	client_send_settings(c, set, 40);
}

/* ---- against the protocol -------------------------------------------------------------------- */

/* RFC 9113 5.1.1: a connection error, which nghttp2 leaves to us. */
static void lower_stream_id(struct client *c)
{
	static const struct field fields[] = {
		{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};

	client_send_headers(c, 5, FLAG_END_STREAM, fields, 4);
	client_send_headers(c, 3, FLAG_END_STREAM, fields, 4);
}

static void even_stream_id(struct client *c)
{
	static const struct field fields[] = {
		{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};

	client_send_headers(c, 2, FLAG_END_STREAM, fields, 4);
}

static void data_on_an_idle_stream(struct client *c)
{
	client_send_data(c, 7, 0, "x", 1);
}

static void a_frame_too_long(struct client *c)
{
	static const uint8_t payload[16385];

	client_send_frame(c, FRAME_DATA, 0, client_request(c, "POST", "/hold", 0), payload,
			  sizeof(payload));
}

/*
 * CVE-2026-27135: frames of a wrong size behind the one that made us end the session, in one write.
 * The way into it is each of the ends above that we decide ourselves.
 */
static void append_malformed(uint8_t *buf, size_t *len)
{
	static const struct {
		const char *bytes;
		size_t len;
	} wrong[] = {
		{"\0\0\5\4\0\0\0\0\0aaaaa", 14}, /* SETTINGS of 5 */
		{"\0\0\3\6\0\0\0\0\0aaa", 12},	 /* PING of 3 */
		{"\0\0\1\3\0\0\0\0\1a", 10},	 /* RST_STREAM of 1 */
		{"\0\0\2\x08\0\0\0\0\0aa", 11},	 /* WINDOW_UPDATE of 2 */
		{"\0\0\1\7\0\0\0\0\0a", 10},	 /* GOAWAY of 1 */
		{"\0\0\1\2\0\0\0\0\1a", 10},	 /* PRIORITY of 1 */
		{"\0\0\0\1\x28\0\0\0\x0b", 9},	 /* HEADERS, flags without their octets */
		{"\0\0\1\x0a\0\0\0\0\0a", 10},	 /* ALTSVC of 1 */
		{"\0\0\1\x0c\0\0\0\0\0a", 10},	 /* ORIGIN of 1 */
	};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memcpy(buf + *len, wrong[i].bytes, wrong[i].len);
		*len += wrong[i].len;
	}
}

static void malformed_after_lower_id(struct client *c)
{
	static const char heads[] = "\0\0\3\1\5\0\0\0\5\x82\x86\x84"
				    "\0\0\3\1\5\0\0\0\3\x82\x86\x84";
	uint8_t buf[512];
	size_t len = sizeof(heads) - 1;

	memcpy(buf, heads, len);
	append_malformed(buf, &len);
	client_send(c, buf, len);
}

static void malformed_after_rapid_reset(struct client *c)
{
	static uint8_t buf[300 * 26 + 512];
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < 300; i++) {
		memcpy(buf + len, "\0\0\3\1\5\0\0\0\0\x82\x86\x84\0\0\4\3\0\0\0\0\0\0\0\0\x08", 25);
		buf[len + 7] = buf[len + 19] = (uint8_t)((2 * i + 1) >> 8);
		buf[len + 8] = buf[len + 20] = (uint8_t)(2 * i + 1);
		len += 25;
	}
	append_malformed(buf, &len);
	client_send(c, buf, len);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define QUICK(field)                                               \
	{                                                          \
		.size = sizeof(struct h2sess_limits), .field = 200 \
	}
#define FLOOD                                                             \
	{                                                                 \
		.size = sizeof(struct h2sess_limits), .flood_slack = 8192 \
	}
#define PLAIN                                        \
	{                                            \
		.size = sizeof(struct h2sess_limits) \
	}

static const struct attack ATTACKS[] = {
	{"handshake_timeout: nothing on a TLS port",
	 say_nothing,
	 "handshake_timeout",
	 ANY_CODE,
	 {.no_preface = true},
	 QUICK(handshake_timeout_ms),
	 true},
	{"handshake_timeout: half a ClientHello",
	 half_a_client_hello,
	 "handshake_timeout",
	 ANY_CODE,
	 {.no_preface = true},
	 QUICK(handshake_timeout_ms),
	 true},
	{"handshake_timeout: no preface",
	 say_nothing,
	 "handshake_timeout",
	 ANY_CODE,
	 {.no_preface = true},
	 QUICK(handshake_timeout_ms),
	 false},
	{"handshake_timeout: no preface after TLS",
	 say_nothing,
	 "handshake_timeout",
	 ANY_CODE,
	 {.no_preface = true, .tls = true},
	 QUICK(handshake_timeout_ms),
	 false},
	{"handshake_timeout: half a preface",
	 half_a_preface,
	 "handshake_timeout",
	 ANY_CODE,
	 {.no_preface = true},
	 QUICK(handshake_timeout_ms),
	 false},
	{"header_timeout: a header block without an end",
	 half_a_header_block,
	 "header_timeout",
	 ANY_CODE,
	 {0},
	 QUICK(header_timeout_ms),
	 false},
	{"header_timeout: a frame without its rest",
	 half_a_headers_frame,
	 "header_timeout",
	 ANY_CODE,
	 {0},
	 QUICK(header_timeout_ms),
	 false},
	{"settings_timeout: SETTINGS without an answer",
	 say_nothing,
	 "settings_timeout",
	 H2SESS_SETTINGS_TIMEOUT,
	 {.hold_settings_ack = true},
	 QUICK(settings_timeout_ms),
	 false},
	{"idle_timeout: nothing to do",
	 say_nothing,
	 "idle_timeout",
	 H2SESS_NO_ERROR,
	 {0},
	 QUICK(idle_timeout_ms),
	 false},
	{"write_timeout: a window that never opens",
	 stop_reading,
	 "write_timeout",
	 ANY_CODE,
	 {.settings = &(const struct client_setting){SETTING_INITIAL_WINDOW_SIZE, 0},
	  .n_settings = 1},
	 QUICK(write_timeout_ms),
	 false},
	{"reset_budget: rapid reset",
	 rapid_reset,
	 "reset_budget",
	 H2SESS_ENHANCE_YOUR_CALM,
	 {0},
	 PLAIN,
	 false},
	{"reset_budget: window overflow",
	 overflow_windows,
	 "reset_budget",
	 H2SESS_ENHANCE_YOUR_CALM,
	 {0},
	 PLAIN,
	 false},
	{"reset_budget: malformed headers",
	 malformed_headers,
	 "reset_budget",
	 H2SESS_ENHANCE_YOUR_CALM,
	 {0},
	 PLAIN,
	 false},
	{"reset_budget: wrong content-length",
	 wrong_content_length,
	 "reset_budget",
	 H2SESS_ENHANCE_YOUR_CALM,
	 {0},
	 PLAIN,
	 false},
	{"reset_budget: streams refused before the ACK",
	 refused_streams,
	 "reset_budget",
	 H2SESS_ENHANCE_YOUR_CALM,
	 {.hold_settings_ack = true},
	 PLAIN,
	 false},
	{"flood: empty DATA", empty_data, "flood", H2SESS_ENHANCE_YOUR_CALM, {0}, FLOOD, false},
	{"flood: DATA of padding",
	 padded_data,
	 "flood",
	 H2SESS_ENHANCE_YOUR_CALM,
	 {0},
	 FLOOD,
	 false},
	{"flood: PING", pings, "flood", H2SESS_ENHANCE_YOUR_CALM, {0}, FLOOD, false},
	{"flood: PING ACKs that nobody asked for",
	 ping_acks,
	 "flood",
	 H2SESS_ENHANCE_YOUR_CALM,
	 {0},
	 FLOOD,
	 false},
	{"flood: SETTINGS", settings, "flood", H2SESS_ENHANCE_YOUR_CALM, {0}, FLOOD, false},
	{"flood: empty SETTINGS",
	 empty_settings,
	 "flood",
	 H2SESS_ENHANCE_YOUR_CALM,
	 {0},
	 FLOOD,
	 false},
	{"flood: unknown frames",
	 unknown_frames,
	 "flood",
	 H2SESS_ENHANCE_YOUR_CALM,
	 {0},
	 FLOOD,
	 false},
	{"flood: PRIORITY", priority_frames, "flood", H2SESS_ENHANCE_YOUR_CALM, {0}, FLOOD, false},
	{"flood: WINDOW_UPDATE",
	 window_updates,
	 "flood",
	 H2SESS_ENHANCE_YOUR_CALM,
	 {0},
	 FLOOD,
	 false},
	{"flood: CONTINUATION", continuations, NULL, ANY_CODE, {0}, PLAIN, false},
	{"flood: empty CONTINUATION", empty_continuations, NULL, ANY_CODE, {0}, PLAIN, false},
	{"outbound_queue: PINGs whose answers nobody reads",
	 pings_unread,
	 NULL,
	 ANY_CODE,
	 {.receive_buffer = 4096},
	 QUICK(write_timeout_ms),
	 false},
	{"received_settings: 40 entries in one frame",
	 many_settings_in_one_frame,
	 NULL,
	 ANY_CODE,
	 {0},
	 PLAIN,
	 false},
	{"protocol: a lower stream id",
	 lower_stream_id,
	 NULL,
	 H2SESS_PROTOCOL_ERROR,
	 {0},
	 PLAIN,
	 false},
	{"protocol: an even stream id",
	 even_stream_id,
	 NULL,
	 H2SESS_PROTOCOL_ERROR,
	 {0},
	 PLAIN,
	 false},
	{"protocol: DATA on an idle stream",
	 data_on_an_idle_stream,
	 NULL,
	 H2SESS_PROTOCOL_ERROR,
	 {0},
	 PLAIN,
	 false},
	{"protocol: a frame over SETTINGS_MAX_FRAME_SIZE",
	 a_frame_too_long,
	 NULL,
	 H2SESS_FRAME_SIZE_ERROR,
	 {0},
	 PLAIN,
	 false},
	{"CVE-2026-27135: malformed frames after a lower id",
	 malformed_after_lower_id,
	 NULL,
	 ANY_CODE,
	 {0},
	 PLAIN,
	 false},
	{"CVE-2026-27135: malformed frames after rapid reset",
	 malformed_after_rapid_reset,
	 NULL,
	 ANY_CODE,
	 {0},
	 PLAIN,
	 false},
};

#define N_ATTACKS (sizeof(ATTACKS) / sizeof(ATTACKS[0]))

static struct test_server *start_with(const struct h2sess_limits *limits)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;

	options.limits = limits;
	return test_server_start(&options, NULL);
}

static bool times_out_idle_sessions(const struct attack *attack)
{
	return attack->limits.idle_timeout_ms > 0;
}

static void check_counter(struct test_server *t, const char *counter)
{
	uint64_t n = counter ? h2sess_server_limit_count(t->server, counter) : 1;

	assert_true(n != UINT64_MAX);
	if (n == 0)
		fail_msg("the counter %s did not move", counter);
}

static void check_goaway(const struct client *c, int code)
{
	size_t n = client_count(c, FRAME_GOAWAY);

	if (code != ANY_CODE && n > 0)
		assert_int_equal(frame_u32(client_find(c, FRAME_GOAWAY, n - 1), 4), code);
}

static void test_attack(void **state)
{
	const struct attack *attack = *state;
	struct test_server *t = start_with(&attack->limits);
	bool tls = attack->client.tls || attack->on_tls_port;
	struct bystander bystander;
	struct client *c;

	bystander_start(&bystander, t);
	c = client_open(tls ? t->tls_port : t->port, &attack->client);
	attack->fn(c);
	if (!times_out_idle_sessions(attack))
		bystander_check(&bystander);
	client_await_eof(c);
	check_goaway(c, attack->code);
	check_counter(t, attack->counter);
	if (!times_out_idle_sessions(attack))
		bystander_check(&bystander);
	client_free(c);
	c = client_open(t->port, NULL);
	client_check_get(c, "/", 200);
	client_free(c);
	bystander_stop(&bystander);
	test_server_free(t);
}

/* ---- limits that refuse a part --------------------------------------------------------------- */

static void handshake_timeout_spares_who_spoke(void **state)
{
	struct h2sess_limits limits = QUICK(handshake_timeout_ms);
	struct test_server *t = start_with(&limits);
	struct client *c = client_open(t->port, NULL);
	int64_t since = now_ms();

	(void)state;
	while (now_ms() - since < 2 * limits.handshake_timeout_ms)
		assert_true(client_fence(c));
	client_free(c);
	test_server_free(t);
}

static void max_sessions_refuses_the_next(void **state)
{
	struct h2sess_limits limits = {.size = sizeof(limits), .max_sessions = 2};
	struct test_server *t = start_with(&limits);
	struct client_options silent = {.no_preface = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *second, *third;
	struct bystander bystander;

	(void)state;
	bystander_start(&bystander, t);
	second = test_server_ready(t, NULL, id);
	third = client_open(t->port, &silent);
	client_await_eof(third);
	check_counter(t, "max_sessions");
	bystander_check(&bystander);
	client_check_get(second, "/", 200);
	client_free(second);
	client_free(third);
	test_server_await(t, "close", 's', id, 1);
	second = test_server_ready(t, NULL, id); /* there is room again */
	client_free(second);
	bystander_stop(&bystander);
	test_server_free(t);
}

static void max_sessions_per_peer_refuses_the_next(void **state)
{
	struct h2sess_limits limits = {.size = sizeof(limits), .max_sessions_per_peer = 2};
	struct test_server *t = start_with(&limits);
	struct client_options silent = {.no_preface = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *second, *third;
	struct bystander bystander;

	(void)state;
	bystander_start(&bystander, t);
	second = test_server_ready(t, NULL, id);
	third = client_open(t->port, &silent);
	client_await_eof(third);
	check_counter(t, "max_sessions_per_peer");
	bystander_check(&bystander);
	client_free(second);
	client_free(third);
	bystander_stop(&bystander);
	test_server_free(t);
}

static void max_concurrent_streams_refuses_the_next(void **state)
{
	struct h2sess_limits limits = {.size = sizeof(limits), .max_concurrent_streams = 2};
	struct test_server *t = start_with(&limits);
	struct client_options options = {.hold_settings_ack = true};
	struct client *c = client_open(t->port, &options);
	struct bystander bystander;
	struct response r;

	(void)state;
	bystander_start(&bystander, t);
	client_get(c, "/hold");
	client_get(c, "/hold");
	client_await_response(c, client_get(c, "/"), &r);
	assert_true(r.reset);
	assert_int_equal(r.code, H2SESS_REFUSED_STREAM); /* the client may try again */
	bystander_check(&bystander);
	response_done(&r);
	client_free(c);
	bystander_stop(&bystander);
	test_server_free(t);
}

/* Refused, by 431 or a reset; the session goes on. */
static void check_refused_list(struct test_server *t, const struct field *fields, size_t n,
			       const char *counter)
{
	struct client *c = client_open(t->port, NULL);
	struct response r;

	client_send_headers(c, 1, FLAG_END_STREAM, fields, n);
	client_await_response(c, 1, &r);
	assert_true(r.reset || r.status == 431);
	check_counter(t, counter);
	c->next_stream_id = 3;
	client_check_get(c, "/", 200);
	response_done(&r);
	client_free(c);
}

static void max_header_list_size_refuses_the_request(void **state)
{
	struct h2sess_limits limits = {.size = sizeof(limits), .max_header_list_size = 4000};
	struct test_server *t = start_with(&limits);
	struct field fields[5] = {
		{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
	struct bystander bystander;
	char value[5000];

	(void)state;
	bystander_start(&bystander, t);
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	fields[4] = (struct field){"x-a", value};
	check_refused_list(t, fields, 5, "max_header_list_size");
	bystander_check(&bystander);
	bystander_stop(&bystander);
	test_server_free(t);
}

/* An HPACK bomb: one octet on the wire, four thousand in the list (CVE-2016-6581). */
static void max_header_list_size_stops_an_hpack_bomb(void **state)
{
	static uint8_t block[16000];
	struct h2sess_limits limits = PLAIN;
	struct test_server *t = start_with(&limits);
	struct client *c = client_open(t->port, NULL);
	struct bystander bystander;
	struct response r;
	size_t len = 3;

	(void)state;
	bystander_start(&bystander, t);
	memcpy(block, "\x82\x86\x84", 3);
	memcpy(block + len, "\x40\1x\x7f\x81\x1e", 6); /* x: 4000 octets, indexed */
	memset(block + len + 6, 'v', 4000);
	len += 4006;
	memset(block + len, 0xbe, 10000); /* the newest entry, again and again */
	len += 10000;
	client_send_frame(c, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 1, block, len);
	client_await_response(c, 1, &r);
	assert_true(r.reset || r.status == 431 || c->eof);
	assert_int_not_equal(r.status, 200);
	bystander_check(&bystander);
	response_done(&r);
	client_free(c);
	bystander_stop(&bystander);
	test_server_free(t);
}

static void max_header_pairs_refuses_the_request(void **state)
{
	struct h2sess_limits limits = {.size = sizeof(limits), .max_header_pairs = 20};
	struct test_server *t = start_with(&limits);
	struct field fields[30] = {
		{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
	struct bystander bystander;
	size_t i;

	(void)state;
	bystander_start(&bystander, t);
	for (i = 4; i < 30; i++)
		fields[i] = (struct field){"cookie", "a=1"}; /* crumbs count one by one */
	check_refused_list(t, fields, 30, "max_header_pairs");
	bystander_check(&bystander);
	bystander_stop(&bystander);
	test_server_free(t);
}

static void push_often(struct h2sess_session *s, void *user)
{
	int *results = user, i;

	for (i = 0; i < 20 && results[1] == 0; i++) {
		results[1] = h2sess_session_altsvc(s, "clear", "https://example.org");
		results[0] += results[1] == 0;
	}
}

static void max_pushes_refuses_the_next(void **state)
{
	struct h2sess_limits limits = {.size = sizeof(limits), .max_pushes = 8};
	struct test_server *t = start_with(&limits);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(t, NULL, id);
	int results[2] = {0, 0};

	(void)state;
	assert_true(
		test_server_run(t, id, push_often, results)); /* none can leave before it returns */
	assert_int_equal(results[0], 8);
	assert_int_equal(results[1], H2SESS_EBACKLOGGED);
	check_counter(t, "push_queue");
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_ALTSVC), 8);
	results[0] = results[1] = 0;
	assert_true(test_server_run(t, id, push_often, results)); /* there is room again */
	assert_int_equal(results[0], 8);
	client_free(c);
	test_server_free(t);
}

/* Over its memory a session's new streams are refused; those that run go on (Node's
 * maxSessionMemory). */
static void max_session_memory_refuses_new_streams(void **state)
{
	struct h2sess_limits limits = {.size = sizeof(limits), .max_session_memory = 100000};
	struct test_server *t = start_with(&limits);
	struct client *c = client_open(t->port, NULL);
	struct field fields[5] = {
		{":method", "GET"}, {":scheme", "http"}, {":path", "/hold"}, {":authority", "a"}};
	struct bystander bystander;
	char value[10001];
	struct response r;
	uint32_t id;

	(void)state;
	bystander_start(&bystander, t);
	memset(value, 'v', 10000);
	value[10000] = '\0';
	fields[4] = (struct field){"x-a", value};
	/* One by one: what is refused counts until it is gone. */
	for (id = 1; id < 60; id += 2) {
		client_send_headers(c, id, FLAG_END_STREAM, fields, 5);
		assert_true(client_fence(c));
	}
	client_await_response(c, 59, &r);
	assert_true(r.reset);
	assert_int_equal(r.code, H2SESS_ENHANCE_YOUR_CALM);
	check_counter(t, "session_memory");
	assert_false(c->eof);
	bystander_check(&bystander);
	response_done(&r);
	client_free(c);
	bystander_stop(&bystander);
	test_server_free(t);
}

/* A peer that uploads as fast as it can; the bystander, on the same thread, is answered meanwhile.
 */
static void read_budget_shares_the_thread(void **state)
{
	static const uint8_t piece[16384];
	struct h2sess_limits limits = {.size = sizeof(limits), .read_budget = 20000};
	struct test_server *t = start_with(&limits);
	struct client_options options = {.tls = true};
	struct client *c = client_open(t->tls_port, &options);
	struct bystander bystander;
	uint32_t id;
	int i;

	(void)state;
	bystander_start(&bystander, t);
	for (i = 0; i < 50; i++) {
		id = client_request(c, "POST", "/", 0);
		client_send_data(c, id, 0, piece, sizeof(piece));
		client_send_data(c, id, 0, piece, sizeof(piece));
		client_send_data(c, id, FLAG_END_STREAM, piece, sizeof(piece));
		if (i % 10 == 0)
			bystander_check(&bystander);
		assert_true(client_fence(c)); /* what is left inside of TLS is not forgotten */
	}
	client_free(c);
	bystander_stop(&bystander);
	test_server_free(t);
}

static void close_it(struct h2sess_session *s, void *user)
{
	(void)user;
	h2sess_session_close(s);
}

/* The server is done with it: what is sent to it comes back as a reset. */
static void await_reset(struct client *c)
{
	struct pollfd p = {.fd = c->fd};
	int64_t until = now_ms() + CLIENT_DEADLINE_MS;

	while (send(c->fd, "x", 1, MSG_NOSIGNAL) == 1 && now_ms() < until) {
		if (poll(&p, 1, 20) > 0 && p.revents & (POLLERR | POLLHUP))
			break;
	}
	assert_true(now_ms() < until);
}

/* Without ALPN: Node's answer, and a while for the peer to go. */
static void unknown_protocol_timeout_ends_who_stays(void **state)
{
	static const char answer[] = "HTTP/1.0 403 Forbidden\r\n";
	struct client_options options = {.tls = true, .alpn = "", .no_preface = true};
	struct h2sess_limits limits = QUICK(unknown_protocol_timeout_ms);
	struct bystander bystander;
	struct test_server *t;
	struct client *c;

	(void)state;
	limits.linger_timeout_ms = UINT32_MAX; /* not this one */
	t = start_with(&limits);
	bystander_start(&bystander, t);
	c = client_open(t->tls_port, &options);
	test_server_await(t, "unknownProtocol", 'S', NULL, 1);
	client_await_eof(c);
	assert_true(c->in_len > sizeof(answer) - 1);
	assert_memory_equal(c->in, answer, sizeof(answer) - 1);
	await_reset(c);
	check_counter(t, "unknown_protocol_timeout");
	assert_int_equal(test_server_count(t, "session", 'S', NULL), 1);
	client_free(c);
	bystander_check(&bystander);
	bystander_stop(&bystander);
	test_server_free(t);
}

static void linger_timeout_ends_who_does_not_close(void **state)
{
	struct h2sess_limits limits = QUICK(linger_timeout_ms);
	struct test_server *t = start_with(&limits);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(t, NULL, id);
	struct h2sess_server_stats stats = {.size = sizeof(stats)};

	(void)state;
	assert_true(test_server_run(t, id, close_it, NULL));
	test_server_await(t, "close", 's', id, 1); /* the client keeps its side open */
	assert_int_equal(h2sess_server_stats(t->server, &stats), 0);
	assert_int_equal(stats.sessions, 0);
	await_reset(c);
	check_counter(t, "linger_timeout");
	client_free(c);
	test_server_free(t);
}

/* A client that is there and has nothing to say answers the PING; one that is gone does not. */
static void keepalive_ends_who_is_gone(void **state)
{
	struct h2sess_limits limits = QUICK(keepalive_ms);
	struct client *there, *gone;
	struct test_server *t;
	int i;

	(void)state;
	limits.keepalive_ms = 50;
	limits.keepalive_timeout_ms = 1500; /* we may be kept from reading for a while */
	t = start_with(&limits);
	there = client_open(t->port, NULL);
	gone = client_open(t->port, NULL);
	assert_true(client_fence(gone));
	gone->options.hold_ping_ack = true;
	for (i = 0; i < 3; i++) /* each one answered as it is read */
		client_await(there, FRAME_PING);
	assert_int_equal(h2sess_server_limit_count(t->server, "keepalive_timeout"), 0);
	client_await(gone, FRAME_PING);
	while (!client_ends_within(gone, 20))
		client_await(there, FRAME_PING);
	check_counter(t, "keepalive");
	check_counter(t, "keepalive_timeout");
	client_check_get(there, "/", 200);
	client_free(there);
	client_free(gone);
	test_server_free(t);
}

static void max_requests_drains(void **state)
{
	struct h2sess_limits limits = {.size = sizeof(limits), .max_requests = 3};
	struct test_server *t = start_with(&limits);
	struct client *c = client_open(t->port, NULL);

	(void)state;
	client_check_get(c, "/", 200);
	client_check_get(c, "/", 200);
	assert_int_equal(client_count(c, FRAME_GOAWAY), 0);
	client_check_get(c, "/", 200);
	client_await_eof(c);
	assert_int_equal(client_count(c, FRAME_GOAWAY), 2); /* both of a drain */
	assert_int_equal(frame_u32(client_find(c, FRAME_GOAWAY, 0), 0), H2SESS_STREAM_ID_MAX);
	assert_int_equal(frame_u32(client_find(c, FRAME_GOAWAY, 1), 0), 5);
	assert_int_equal(h2sess_server_limit_count(t->server, "max_requests"), 1);
	client_free(c);
	test_server_free(t);
}

static void an_unknown_counter_is_said_to_be(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);

	(void)state;
	assert_true(h2sess_server_limit_count(t->server, "no_such_limit") == UINT64_MAX);
	assert_true(h2sess_server_limit_count(t->server, "flood") == 0);
	test_server_free(t);
}

/* Clients that change their mind: half of the requests of an honest session. */
static void resets_within_the_budget_are_free(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);
	struct client *c = client_open(t->port, NULL);
	int i;

	(void)state;
	for (i = 0; i < 150; i++) {
		client_check_get(c, "/", 200);
		client_send_reset(c, client_get(c, "/hold"), H2SESS_CANCEL);
	}
	assert_true(client_fence(c));
	assert_int_equal(h2sess_server_limit_count(t->server, "reset_budget"), 0);
	client_free(c);
	test_server_free(t);
}

/* ---- main ------------------------------------------------------------------------------------ */

static const struct CMUnitTest OTHERS[] = {
	cmocka_unit_test(handshake_timeout_spares_who_spoke),
	cmocka_unit_test(max_sessions_refuses_the_next),
	cmocka_unit_test(max_sessions_per_peer_refuses_the_next),
	cmocka_unit_test(max_concurrent_streams_refuses_the_next),
	cmocka_unit_test(max_header_list_size_refuses_the_request),
	cmocka_unit_test(max_header_list_size_stops_an_hpack_bomb),
	cmocka_unit_test(max_header_pairs_refuses_the_request),
	cmocka_unit_test(max_pushes_refuses_the_next),
	cmocka_unit_test(max_session_memory_refuses_new_streams),
	cmocka_unit_test(read_budget_shares_the_thread),
	cmocka_unit_test(unknown_protocol_timeout_ends_who_stays),
	cmocka_unit_test(linger_timeout_ends_who_does_not_close),
	cmocka_unit_test(keepalive_ends_who_is_gone),
	cmocka_unit_test(max_requests_drains),
	cmocka_unit_test(an_unknown_counter_is_said_to_be),
	cmocka_unit_test(resets_within_the_budget_are_free),
};

#define N_OTHERS (sizeof(OTHERS) / sizeof(OTHERS[0]))

int main(void)
{
	static struct CMUnitTest tests[N_ATTACKS + N_OTHERS];
	size_t i;

	for (i = 0; i < N_ATTACKS; i++)
		tests[i] = (struct CMUnitTest){ATTACKS[i].name, test_attack, NULL, NULL,
					       (void *)&ATTACKS[i]};
	memcpy(tests + N_ATTACKS, OTHERS, sizeof(OTHERS));
	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
