/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts: what became of a pushed frame is told truly. `received` only after the answer to a PING
 * that left behind the frame; `written` for ever where the peer withholds it; `not_sent` with the
 * reason.
 */
#include "support/cmocka_all.h"
#include "support/shared.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALT "h2=\":8000\""
#define ORIGIN "https://example.org"
#define N_OUTCOMES 4

/* ---- what a push's function was told
 * ------------------------------------------------------------- */

struct receipt {
	int outcomes[N_OUTCOMES];
	int reasons[N_OUTCOMES];
	size_t n;
	size_t place; /* in the order of final outcomes of a test, from 1 */
};

static size_t places; /* under server->lock */

static void on_outcome(struct h2sess_session *s, enum h2sess_outcome outcome, int reason,
		       void *user)
{
	struct receipt *r = user;

	(void)s;
	pthread_mutex_lock(&server->lock);
	if (r->n < N_OUTCOMES) {
		r->outcomes[r->n] = (int)outcome;
		r->reasons[r->n] = reason;
	}
	r->n++;
	if (outcome != H2SESS_OUTCOME_WRITTEN)
		r->place = ++places;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

static size_t told(const struct receipt *r)
{
	size_t n;

	pthread_mutex_lock(&server->lock);
	n = r->n;
	pthread_mutex_unlock(&server->lock);
	return n;
}

/* The nth word (from 1), waited for. */
static void expect(struct receipt *r, size_t nth, int outcome, int reason)
{
	struct timespec until;
	int late = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CLIENT_DEADLINE_MS / 1000;
	pthread_mutex_lock(&server->lock);
	while (r->n < nth && late == 0)
		late = pthread_cond_timedwait(&server->changed, &server->lock, &until);
	pthread_mutex_unlock(&server->lock);
	if (told(r) < nth)
		fail_msg("outcome %zu never came: %s", nth, h2sess_outcome_name(outcome));
	assert_string_equal(h2sess_outcome_name(r->outcomes[nth - 1]),
			    h2sess_outcome_name(outcome));
	assert_string_equal(h2sess_reason_name(r->reasons[nth - 1]), h2sess_reason_name(reason));
}

static void expect_not_sent(struct receipt *r, int reason)
{
	expect(r, 1, H2SESS_OUTCOME_NOT_SENT, reason);
	assert_int_equal(told(r), 1);
}

/* ---- what a test does on the session's thread ------------------------------------------------ */

enum then { NOTHING, CLOSE, DESTROY, CANCEL };

struct call {
	struct h2sess_push push;
	enum then before; /* CLOSE, DESTROY */
	enum then then;
	size_t n;		  /* pushes; 0 = 1 */
	const char *const *alts;  /* one for each; NULL: push.alt */
	struct receipt *receipts; /* of the pool: a late word must find its place */
	uint64_t push_id;
	int result;
	int cancel_result;
};

static void end(struct h2sess_session *s, struct call *call, enum then then)
{
	if (then == CLOSE)
		h2sess_session_close(s);
	if (then == DESTROY)
		h2sess_session_destroy(s, H2SESS_NO_ERROR);
	if (then == CANCEL)
		call->cancel_result = h2sess_session_cancel_push(s, call->push_id);
}

static void push(struct h2sess_session *s, void *user)
{
	struct call *call = user;
	size_t i;

	end(s, call, call->before);
	for (i = 0; i < (call->n ? call->n : 1); i++) {
		call->push.fn = on_outcome;
		call->push.user = &call->receipts[i];
		if (call->alts)
			call->push.alt = call->alts[i];
		call->result = h2sess_session_push(s, &call->push, &call->push_id);
	}
	end(s, call, call->then);
}

static struct receipt pool[64][8];
static size_t pool_used;

static void call_init(struct call *call, uint32_t stream_id)
{
	struct h2sess_push init = H2SESS_PUSH_INIT;

	memset(call, 0, sizeof(*call));
	assert_true(pool_used < 64);
	call->receipts = pool[pool_used++];
	call->push = init;
	call->push.alt = ALT;
	call->push.kind = stream_id ? H2SESS_PUSH_ALTSVC_STREAM : H2SESS_PUSH_ALTSVC;
	call->push.origin = stream_id ? NULL : ORIGIN;
	call->push.stream_id = stream_id;
}

static void run(const char *id, struct call *call)
{
	assert_true(test_server_run(server, id, push, call));
}

/* ---- written, received ----------------------------------------------------------------------- */

static void check_received(bool tls)
{
	struct client_options options = {.tls = tls, .hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	const struct frame *altsvc, *ping;
	struct call call;

	call_init(&call, 0);
	run(id, &call);
	assert_int_equal(call.result, 0);
	altsvc = client_await(c, FRAME_ALTSVC);
	ping = client_await(c, FRAME_PING);
	assert_true(client_index(c, altsvc) < client_index(c, ping));
	expect(&call.receipts[0], 1, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE);
	assert_true(client_fence(c));
	assert_int_equal(told(&call.receipts[0]), 1);
	client_send_ping_ack(c, ping->payload);
	expect(&call.receipts[0], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	assert_true(client_fence(c));
	assert_int_equal(told(&call.receipts[0]), 2);
	assert_int_equal(client_count(c, FRAME_PING), 1);
	client_free(c);
}

static void written_then_received(void **state)
{
	(void)state;
	check_received(false);
}

static void written_then_received_on_tls(void **state)
{
	(void)state;
	check_received(true);
}

static void a_withheld_ack_stays_written(void **state)
{
	struct client_options options = {.hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	struct receipt *r;
	struct call call;
	int i;

	(void)state;
	call_init(&call, 0);
	r = &call.receipts[0];
	run(id, &call);
	client_await(c, FRAME_PING);
	for (i = 0; i < 5; i++)
		client_check_get(c, "/", 200); /* other signs of life are no answer */
	assert_true(client_fence(c));
	expect(r, 1, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE);
	assert_int_equal(told(r), 1);
	client_free(c);
	test_server_await(server, "close", 's', id, 1);
	for (i = 0; i < (int)told(r) && i < N_OUTCOMES; i++) {
		assert_int_not_equal(r->outcomes[i], H2SESS_OUTCOME_RECEIVED);
		assert_int_not_equal(r->outcomes[i], H2SESS_OUTCOME_NOT_SENT);
	}
}

static void the_answer_to_another_ping_is_none(void **state)
{
	struct client_options options = {.hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	const struct frame *ping;
	uint8_t wrong[8];
	struct call call;

	(void)state;
	call_init(&call, 0);
	run(id, &call);
	ping = client_await(c, FRAME_PING);
	memcpy(wrong, ping->payload, 8);
	wrong[7] ^= 1;
	client_send_ping_ack(c, wrong);
	client_send_ping_ack(c, (const uint8_t *)"\0\0\0\0\0\0\0");
	assert_true(client_fence(c));
	assert_int_equal(told(&call.receipts[0]), 1);
	client_send_ping_ack(c, ping->payload);
	expect(&call.receipts[0], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	client_free(c);
}

static void receipt_written_sends_no_ping(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call;

	(void)state;
	call_init(&call, 0);
	call.push.receipt = H2SESS_RECEIPT_WRITTEN;
	run(id, &call);
	client_await(c, FRAME_ALTSVC);
	expect(&call.receipts[0], 1, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_PING), 0);
	assert_int_equal(told(&call.receipts[0]), 1);
	client_free(c);
}

static void an_open_stream_receives(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call;

	(void)state;
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	call_init(&call, 1);
	run(id, &call);
	assert_int_equal(client_await(c, FRAME_ALTSVC)->stream_id, 1);
	client_await(c, FRAME_PING);
	assert_true(client_fence(c));
	expect(&call.receipts[0], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	client_free(c);
}

static void a_split_origin_list_has_one_receipt(void **state)
{
	static char names[1000][32];
	const char *origins[1000];
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call;
	size_t i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "https://o%zu.example.org", i);
		origins[i] = names[i];
	}
	call_init(&call, 0);
	call.push.kind = H2SESS_PUSH_ORIGIN;
	call.push.origins = origins;
	call.push.n_origins = 1000;
	run(id, &call);
	assert_int_equal(call.result, 0);
	client_await(c, FRAME_ORIGIN);
	client_await(c, FRAME_ORIGIN);
	client_await(c, FRAME_PING);
	assert_true(client_fence(c));
	expect(&call.receipts[0], 1, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE);
	expect(&call.receipts[0], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	assert_int_equal(told(&call.receipts[0]), 2);
	assert_int_equal(client_count(c, FRAME_PING), 1);
	client_free(c);
}

/* ---- the barrier ----------------------------------------------------------------------------- */

static void one_barrier_follows_all_frames_of_a_flush(void **state)
{
	struct client_options options = {.hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	const struct frame *ping;
	struct call call;
	size_t i;

	(void)state;
	call_init(&call, 0);
	call.n = 5;
	run(id, &call);
	ping = client_await(c, FRAME_PING);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_PING), 1);
	assert_int_equal(client_count(c, FRAME_ALTSVC), 5);
	assert_true(client_index(c, client_find(c, FRAME_ALTSVC, 4)) < client_index(c, ping));
	client_send_ping_ack(c, ping->payload);
	for (i = 0; i < 5; i++) {
		expect(&call.receipts[i], 1, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE);
		expect(&call.receipts[i], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	}
	client_free(c);
}

static void at_most_one_barrier_is_in_flight(void **state)
{
	struct client_options options = {.hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	const struct frame *ping;
	struct call first, second;

	(void)state;
	call_init(&first, 0);
	call_init(&second, 0);
	run(id, &first);
	ping = client_await(c, FRAME_PING);
	run(id, &second);
	client_await(c, FRAME_ALTSVC);
	assert_true(client_fence(c));
	expect(&second.receipts[0], 1, H2SESS_OUTCOME_WRITTEN, H2SESS_REASON_NONE);
	assert_int_equal(client_count(c, FRAME_PING), 1);

	client_send_ping_ack(c, ping->payload);
	expect(&first.receipts[0], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	ping = client_await(c, FRAME_PING);
	assert_true(client_fence(c));
	assert_int_equal(told(&second.receipts[0]), 1); /* its own barrier has not come back */
	client_send_ping_ack(c, ping->payload);
	expect(&second.receipts[0], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	client_free(c);
}

static void outcomes_come_in_the_order_of_the_pushes(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call;
	size_t i;

	(void)state;
	places = 0;
	call_init(&call, 0);
	call.n = 8;
	run(id, &call);
	client_await(c, FRAME_PING);
	assert_true(client_fence(c));
	for (i = 0; i < 8; i++) {
		expect(&call.receipts[i], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
		assert_int_equal(call.receipts[i].place, i + 1);
	}
	client_free(c);
}

#define LARGE 16000

/* More than a flush gathers, so not all of them go the same way. */
static void large_frames_leave_in_the_order_of_the_pushes(void **state)
{
	static char texts[8][LARGE + 1];
	const char *alts[8];
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	const struct frame *frame;
	struct call call;
	size_t i;

	(void)state;
	for (i = 0; i < 8; i++) {
		memset(texts[i], 'a' + (int)i, LARGE);
		alts[i] = texts[i];
	}
	call_init(&call, 0);
	call.n = 8;
	call.alts = alts;
	run(id, &call);
	for (i = 0; i < 8; i++) {
		frame = client_await(c, FRAME_ALTSVC);
		assert_int_equal(frame->length, 2 + strlen(ORIGIN) + LARGE);
		assert_memory_equal(frame->payload + 2, ORIGIN, strlen(ORIGIN));
		assert_memory_equal(frame->payload + 2 + strlen(ORIGIN), texts[i], LARGE);
	}
	client_await(c, FRAME_PING);
	assert_true(client_fence(c));
	for (i = 0; i < 8; i++)
		expect(&call.receipts[i], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	client_free(c);
}

/* ---- not sent -------------------------------------------------------------------------------- */

static void check_stream_closed(struct client *c, const char *id, uint32_t stream_id)
{
	struct call call;

	call_init(&call, stream_id);
	run(id, &call);
	assert_int_equal(call.result, 0);
	expect_not_sent(&call.receipts[0], H2SESS_REASON_STREAM_CLOSED);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_ALTSVC), 0);
	assert_int_equal(client_count(c, FRAME_PING), 0);
}

static void not_sent_stream_closed(void **state)
{
	static const uint32_t streams[] = {1 /* closed */, 3 /* idle */, 4, 99, 2147483647};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	size_t i;

	(void)state;
	client_check_get(c, "/", 200);
	for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		check_stream_closed(c, id, streams[i]);
	client_free(c);
}

static void not_sent_stream_reset_by_the_peer(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);

	(void)state;
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	client_send_reset(c, 1, H2SESS_CANCEL);
	assert_true(client_fence(c));
	check_stream_closed(c, id, 1);
	client_free(c);
}

static void not_sent_session_closing(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call;

	(void)state;
	call_init(&call, 0);
	call.before = CLOSE;
	run(id, &call);
	assert_int_equal(call.result, 0);
	expect_not_sent(&call.receipts[0], H2SESS_REASON_SESSION_CLOSING);
	client_await_eof(c);
	assert_int_equal(client_count(c, FRAME_ALTSVC), 0);
	client_free(c);
}

static void closing_with_a_stream_open_sends(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call;

	(void)state;
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	call_init(&call, 0);
	call.before = CLOSE;
	run(id, &call);
	client_await(c, FRAME_ALTSVC);
	client_await(c, FRAME_PING);
	assert_true(client_fence(c));
	expect(&call.receipts[0], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	client_free(c);
}

static void not_sent_session_gone(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call;

	(void)state;
	call_init(&call, 0);
	call.then = DESTROY;
	call.n = 3;
	run(id, &call);
	assert_int_equal(call.result, 0);
	expect_not_sent(&call.receipts[0], H2SESS_REASON_SESSION_GONE);
	expect_not_sent(&call.receipts[2], H2SESS_REASON_SESSION_GONE);
	client_await_eof(c);
	client_free(c);
}

static void not_sent_cancelled(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call;

	(void)state;
	call_init(&call, 0);
	call.then = CANCEL;
	run(id, &call);
	assert_int_equal(call.cancel_result, 0);
	expect_not_sent(&call.receipts[0], H2SESS_REASON_CANCELLED);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_ALTSVC), 0);
	assert_int_equal(client_count(c, FRAME_PING), 0);
	client_free(c);
}

static void cancel_it(struct h2sess_session *s, void *user)
{
	struct call *call = user;

	call->cancel_result = h2sess_session_cancel_push(s, call->push_id);
}

static void what_has_left_is_not_cancelled(void **state)
{
	struct client_options options = {.hold_ping_ack = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	struct call call;

	(void)state;
	call_init(&call, 0);
	run(id, &call);
	client_await(c, FRAME_ALTSVC);
	assert_true(test_server_run(server, id, cancel_it, &call));
	assert_int_equal(call.cancel_result, H2SESS_ENOTFOUND);
	call.push_id = 123456789;
	assert_true(test_server_run(server, id, cancel_it, &call));
	assert_int_equal(call.cancel_result, H2SESS_ENOTFOUND);
	client_free(c);
}

/* ---- a peer that does not read --------------------------------------------------------------- */

static atomic_uint_fast64_t pulled; /* bytes that the endless body has given */

static ssize_t endless(void *buf, size_t len, bool *ret_eof, void *user)
{
	(void)ret_eof, (void)user;
	memset(buf, 'x', len);
	pulled += len;
	return (ssize_t)len;
}

static void respond_endlessly(struct h2sess_session *s, void *user)
{
	struct h2sess_stream *st = h2sess_session_stream(s, 1);

	*(int *)user = h2sess_stream_respond_with_source(st, NULL, 0, 0, endless, NULL, NULL);
}

/* Wait until the endless body has stood still for a quarter of a second: every buffer is full. */
static void await_stall(void)
{
	int64_t until = now_ms() + CLIENT_DEADLINE_MS, since = now_ms();
	uint64_t last = 0;

	while (now_ms() - since < 250) {
		if (pulled != last || pulled == 0)
			since = now_ms();
		last = pulled;
		assert_true(now_ms() < until);
		poll(NULL, 0, 5);
	}
}

/* A client with boundless windows, which reads nothing, and a server that has filled the way to it.
 */
static struct client *stalled_client(char id[H2SESS_SESSION_ID_MAX])
{
	static const struct client_setting wide = {SETTING_INITIAL_WINDOW_SIZE, 0x7fffffff};
	struct client_options options = {
		.settings = &wide, .n_settings = 1, .receive_buffer = 65536, .hold_window = true};
	struct client *c = test_server_ready(server, &options, id);
	int result = -1;

	client_send_window_update(c, 0, 0x7fffffff - 65535);
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	c->stopped = true;
	pulled = 0;
	assert_true(test_server_run(server, id, respond_endlessly, &result));
	assert_int_equal(result, 0);
	await_stall();
	return c;
}

static void not_sent_deadline(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = stalled_client(id);
	struct call call;

	(void)state;
	call_init(&call, 0);
	call.push.deadline_ms = 100;
	run(id, &call);
	assert_int_equal(call.result, 0);
	expect_not_sent(&call.receipts[0], H2SESS_REASON_DEADLINE);
	client_free(c);
}

static void cancelled_behind_a_peer_that_does_not_read(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = stalled_client(id);
	struct call call;

	(void)state;
	call_init(&call, 0);
	run(id, &call);
	assert_int_equal(told(&call.receipts[0]), 0); /* queued is not told */
	assert_true(test_server_run(server, id, cancel_it, &call));
	assert_int_equal(call.cancel_result, 0);
	expect_not_sent(&call.receipts[0], H2SESS_REASON_CANCELLED);
	client_free(c);
}

struct many {
	struct receipt receipts[512];
	size_t accepted;
	int result;
	int altsvc, origin; /* what the calls without a receipt say then */
};

static void push_until_refused(struct h2sess_session *s, void *user)
{
	static const char *const origins[] = {ORIGIN};
	struct h2sess_push one = H2SESS_PUSH_INIT;
	struct many *many = user;

	one.alt = ALT;
	one.origin = ORIGIN;
	one.fn = on_outcome;
	while (many->accepted < 512) {
		one.user = &many->receipts[many->accepted];
		many->result = h2sess_session_push(s, &one, NULL);
		if (many->result < 0)
			break;
		many->accepted++;
	}
	many->altsvc = h2sess_session_altsvc(s, ALT, ORIGIN);
	many->origin = h2sess_session_origin(s, origins, 1);
}

static void backlogged_is_an_error_of_the_call(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = stalled_client(id);
	struct many *many = calloc(1, sizeof(*many));
	size_t i;

	(void)state;
	assert_non_null(many);
	assert_true(test_server_run(server, id, push_until_refused, many));
	assert_string_equal(h2sess_errname(many->result), "ERR_BACKLOGGED");
	assert_int_equal(many->altsvc, H2SESS_EBACKLOGGED);
	assert_int_equal(many->origin, H2SESS_EBACKLOGGED);
	assert_true(many->accepted >= 1 && many->accepted <= 256);
	client_free(c);
	for (i = 0; i < many->accepted; i++)
		expect(&many->receipts[i], 1, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_SESSION_GONE);
	assert_int_equal(told(&many->receipts[many->accepted]), 0); /* refused: never called */
	free(many);
}

/* The body goes on for ever: neither the frame nor its barrier may wait for its end. */
static void a_reader_that_comes_back_receives(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = stalled_client(id);
	struct call call;

	(void)state;
	call_init(&call, 0);
	run(id, &call);
	c->stopped = false;
	client_await(c, FRAME_ALTSVC);
	client_await(c, FRAME_PING);
	assert_true(c->n_frames < 2000); /* of the 131,000 that the client's windows allow */
	client_send_reset(c, 1, H2SESS_CANCEL);
	expect(&call.receipts[0], 2, H2SESS_OUTCOME_RECEIVED, H2SESS_REASON_NONE);
	client_free(c);
}

/* ---- errors and reentrancy ------------------------------------------------------------------- */

static void an_error_calls_nobody(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct call call;

	(void)state;
	call_init(&call, 0);
	call.push.origin = "nope";
	run(id, &call);
	assert_int_equal(call.result, H2SESS_EURL);
	call.push.origin = ORIGIN;
	call.push.alt = "garbage ,,,";
	call.push.lint = true;
	run(id, &call);
	assert_int_equal(call.result, H2SESS_EALTGRAMMAR);
	assert_true(client_fence(c));
	assert_int_equal(told(&call.receipts[0]), 0);
	assert_int_equal(client_count(c, FRAME_ALTSVC), 0);
	client_free(c);
}

struct chain {
	struct receipt receipt;
	int left;
	bool destroy;
};

static void push_next(struct h2sess_session *s, struct chain *chain);

static void on_chain(struct h2sess_session *s, enum h2sess_outcome outcome, int reason, void *user)
{
	struct chain *chain = user;

	on_outcome(s, outcome, reason, &chain->receipt);
	if (outcome != H2SESS_OUTCOME_WRITTEN || !s)
		return;
	if (chain->destroy)
		h2sess_session_destroy(s, H2SESS_NO_ERROR);
	push_next(s, chain);
}

static void push_next(struct h2sess_session *s, struct chain *chain)
{
	struct h2sess_push next = H2SESS_PUSH_INIT;

	if (chain->left-- <= 0)
		return;
	next.alt = ALT;
	next.origin = ORIGIN;
	next.fn = on_chain;
	next.user = chain;
	h2sess_session_push(s, &next, NULL);
}

static void start_chain(struct h2sess_session *s, void *user)
{
	push_next(s, user);
}

static void a_push_may_follow_from_an_outcome(void **state)
{
	static struct chain chain = {.left = 3};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);

	(void)state;
	assert_true(test_server_run(server, id, start_chain, &chain));
	client_await(c, FRAME_ALTSVC);
	client_await(c, FRAME_ALTSVC);
	client_await(c, FRAME_ALTSVC);
	client_free(c);
	test_server_await(server, "close", 's', id, 1);
}

static void destroy_may_follow_from_an_outcome(void **state)
{
	static struct chain chain = {.left = 2, .destroy = true};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);

	(void)state;
	assert_true(test_server_run(server, id, start_chain, &chain));
	client_await_eof(c);
	test_server_await(server, "close", 's', id, 1);
	assert_true(told(&chain.receipt) >= 1);
	client_free(c);
}

/* ---- main ------------------------------------------------------------------------------------ */

static int start(void **state)
{
	struct h2sess_limits limits = H2SESS_LIMITS_INIT;
	struct h2sess_options options = H2SESS_OPTIONS_INIT;

	(void)state;
	limits.max_pushes = 64;
	options.limits = &limits;
	server = test_server_start(&options, NULL);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_then_received),
		cmocka_unit_test(written_then_received_on_tls),
		cmocka_unit_test(a_withheld_ack_stays_written),
		cmocka_unit_test(the_answer_to_another_ping_is_none),
		cmocka_unit_test(receipt_written_sends_no_ping),
		cmocka_unit_test(an_open_stream_receives),
		cmocka_unit_test(a_split_origin_list_has_one_receipt),
		cmocka_unit_test(one_barrier_follows_all_frames_of_a_flush),
		cmocka_unit_test(at_most_one_barrier_is_in_flight),
		cmocka_unit_test(outcomes_come_in_the_order_of_the_pushes),
		cmocka_unit_test(large_frames_leave_in_the_order_of_the_pushes),
		cmocka_unit_test(not_sent_stream_closed),
		cmocka_unit_test(not_sent_stream_reset_by_the_peer),
		cmocka_unit_test(not_sent_session_closing),
		cmocka_unit_test(closing_with_a_stream_open_sends),
		cmocka_unit_test(not_sent_session_gone),
		cmocka_unit_test(not_sent_cancelled),
		cmocka_unit_test(what_has_left_is_not_cancelled),
		cmocka_unit_test(not_sent_deadline),
		cmocka_unit_test(cancelled_behind_a_peer_that_does_not_read),
		cmocka_unit_test(backlogged_is_an_error_of_the_call),
		cmocka_unit_test(a_reader_that_comes_back_receives),
		cmocka_unit_test(an_error_calls_nobody),
		cmocka_unit_test(a_push_may_follow_from_an_outcome),
		cmocka_unit_test(destroy_may_follow_from_an_outcome),
	};

	return cmocka_run_group_tests_name("receipts", tests, start, shared_stop);
}
