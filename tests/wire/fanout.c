/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fan-outs through the public API, as raw clients see them: who is meant, what comes and in which
 * order, and that every session is accounted for whatever its peer does.
 */
#include "support/cmocka_all.h"
#include "support/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALT "h2=\":8000\"; ma=60"
#define ORIGIN "https://example.org"
#define SESSIONS 24
#define MANY 120

/* ---- one fan-out and what it said ------------------------------------------------------------ */

struct run {
	struct h2sess_push push;
	struct h2sess_fanout_options options;
	struct h2sess_fanout *fanout;
	int matched; /* calls; under server->lock, as the rest */
	int done;
	int changed;
	int told;			    /* sessions, by the callback */
	struct h2sess_fanout_counts counts; /* as of `done` */
};

static void note(int *count)
{
	pthread_mutex_lock(&server->lock);
	(*count)++;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

static void on_matched(struct h2sess_fanout *f, void *user)
{
	(void)f;
	note(&((struct run *)user)->matched);
}

static void on_changed(struct h2sess_fanout *f, void *user)
{
	(void)f;
	note(&((struct run *)user)->changed);
}

static void on_session(struct h2sess_fanout *f, const struct h2sess_fanout_session *session,
		       void *user)
{
	(void)f;
	(void)session;
	note(&((struct run *)user)->told);
}

static void on_done(struct h2sess_fanout *f, void *user)
{
	struct run *run = user;

	run->counts.size = sizeof(run->counts);
	h2sess_fanout_counts(f, &run->counts);
	note(&run->done);
}

static int read_count(const int *count)
{
	int value;

	pthread_mutex_lock(&server->lock);
	value = *count;
	pthread_mutex_unlock(&server->lock);
	return value;
}

static void await_count(const int *count, int at_least)
{
	struct timespec until;
	int late = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CLIENT_DEADLINE_MS / 1000;
	pthread_mutex_lock(&server->lock);
	while (*count < at_least && late == 0)
		late = pthread_cond_timedwait(&server->changed, &server->lock, &until);
	pthread_mutex_unlock(&server->lock);
	assert_int_equal(late, 0);
}

static void run_init(struct run *run, enum h2sess_fanout_kind kind)
{
	const struct h2sess_push push = H2SESS_PUSH_INIT;
	const struct h2sess_fanout_options options = H2SESS_FANOUT_OPTIONS_INIT;

	memset(run, 0, sizeof(*run));
	run->push = push;
	run->push.alt = ALT;
	run->push.origin = ORIGIN;
	run->options = options;
	run->options.kind = kind;
	run->options.push = kind == H2SESS_FANOUT_PUSH ? &run->push : NULL;
	run->options.matched = on_matched;
	run->options.changed = on_changed;
	run->options.session = on_session;
	run->options.done = on_done;
	run->options.user = run;
}

static void run_start(struct run *run)
{
	assert_int_equal(h2sess_fanout_start(server->server, &run->options, &run->fanout), 0);
}

/* Counts are disjoint, sum to `matched`, and say the same as the sessions one by one. */
static void check_sums(struct run *run)
{
	static struct h2sess_fanout_session sessions[2 * MANY];
	const struct h2sess_fanout_counts *c = &run->counts;
	size_t by_outcome[5] = {0};
	size_t i, n;

	assert_int_equal(c->queued, 0);
	assert_int_equal(c->written + c->received + c->not_sent, c->matched);
	h2sess_fanout_rewind(run->fanout);
	n = h2sess_fanout_take_changes(run->fanout, sessions, 2 * MANY);
	assert_int_equal(n, c->matched);
	for (i = 0; i < n; i++)
		by_outcome[sessions[i].outcome]++;
	assert_int_equal(by_outcome[H2SESS_OUTCOME_WRITTEN], c->written);
	assert_int_equal(by_outcome[H2SESS_OUTCOME_RECEIVED], c->received);
	assert_int_equal(by_outcome[H2SESS_OUTCOME_NOT_SENT], c->not_sent);
	assert_int_equal(h2sess_fanout_take_changes(run->fanout, sessions, 2 * MANY), 0);
}

static void run_finish(struct run *run)
{
	await_count(&run->done, 1);
	assert_int_equal(read_count(&run->done), 1);
	assert_int_equal(read_count(&run->matched), 1);
	assert_int_not_equal(h2sess_fanout_state(run->fanout), H2SESS_FANOUT_RUNNING);
	check_sums(run);
	h2sess_fanout_free(run->fanout);
}

/* ---- clients --------------------------------------------------------------------------------- */

struct crowd {
	struct client *clients[MANY];
	char ids[MANY][H2SESS_SESSION_ID_MAX];
	size_t n;
};

/* Every second one over TLS where tls is asked for. */
static void crowd_gather(struct crowd *crowd, size_t n, bool tls, bool hold_ping_ack)
{
	size_t i;

	crowd->n = n;
	for (i = 0; i < n; i++) {
		struct client_options options = {.tls = tls && i % 2};

		crowd->clients[i] = test_server_ready(server, &options, crowd->ids[i]);
		crowd->clients[i]->options.hold_ping_ack = hold_ping_ack;
	}
}

static void crowd_free(struct crowd *crowd)
{
	while (crowd->n)
		client_free(crowd->clients[--crowd->n]);
}

/* Let each client take and answer what has come. */
static void crowd_fence(struct crowd *crowd)
{
	size_t i;

	for (i = 0; i < crowd->n; i++)
		client_fence(crowd->clients[i]);
}

static size_t crowd_count(const struct crowd *crowd, uint8_t type)
{
	size_t i, n = 0;

	for (i = 0; i < crowd->n; i++)
		n += client_count(crowd->clients[i], type);
	return n;
}

/* ---- pushing --------------------------------------------------------------------------------- */

static void everybody_is_sent_to_once(void **state)
{
	struct crowd crowd;
	struct run run;

	(void)state;
	crowd_gather(&crowd, SESSIONS, true, false);
	run_init(&run, H2SESS_FANOUT_PUSH);
	run_start(&run);
	await_count(&run.matched, 1);
	crowd_fence(&crowd);
	crowd_fence(&crowd);
	run_finish(&run);
	assert_int_equal(run.counts.matched, SESSIONS);
	assert_int_equal(run.counts.received, SESSIONS);
	assert_int_equal(crowd_count(&crowd, FRAME_ALTSVC), SESSIONS);
	assert_int_equal(read_count(&run.told), 2 * SESSIONS); /* written, received */
	crowd_free(&crowd);
}

static void label(struct h2sess_session *s, void *user)
{
	h2sess_session_set_label(s, "wave", user);
}

static void a_selector_chooses(void **state)
{
	static const char json[] = "{\"label\":{\"wave\":\"1\"}}";
	struct h2sess_selector *selector = NULL;
	char field[H2SESS_FIELD_MAX];
	struct crowd crowd;
	struct run run;
	size_t i;

	(void)state;
	crowd_gather(&crowd, 8, false, false);
	for (i = 0; i < 3; i++)
		assert_true(test_server_run(server, crowd.ids[i], label, (void *)"1"));
	assert_int_equal(h2sess_selector_new(json, strlen(json), &selector, field), 0);
	run_init(&run, H2SESS_FANOUT_PUSH);
	run.options.select = selector;
	run.options.receipt = H2SESS_RECEIPT_WRITTEN;
	run_start(&run);
	h2sess_selector_free(selector); /* the fan-out has its own reference */
	run_finish(&run);
	assert_int_equal(run.counts.written, 3);
	crowd_fence(&crowd);
	for (i = 0; i < 8; i++)
		assert_int_equal(client_count(crowd.clients[i], FRAME_ALTSVC), i < 3);
	crowd_free(&crowd);
}

static void a_selector_says_what_is_wrong(void **state)
{
	static const struct {
		const char *json;
		int error;
		const char *field;
	} rows[] = {
		{"{\"nope\":1}", H2SESS_EINVAL, "nope"},
		{"{\"sni\":1}", H2SESS_EARGTYPE, "sni"},
		{"{\"sample\":0}", H2SESS_ERANGE, "sample"},
		{"{\"peer\":\"10.0.0.0/33\"}", H2SESS_ERANGE, "peer"},
		{"[]", H2SESS_EARGTYPE, "select"},
		{"{\"all\":true,\"all\":true}", H2SESS_EINVAL, "select"},
		{"{", H2SESS_EINVAL, "select"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct h2sess_selector *selector = NULL;
		char field[H2SESS_FIELD_MAX] = "";

		assert_int_equal(
			h2sess_selector_new(rows[i].json, strlen(rows[i].json), &selector, field),
			rows[i].error);
		assert_string_equal(field, rows[i].field);
		assert_null(selector);
	}
}

static void a_pace_is_kept_by_all_threads_together(void **state)
{
	struct crowd crowd;
	struct run run;
	int64_t start;

	(void)state;
	crowd_gather(&crowd, SESSIONS, false, false);
	run_init(&run, H2SESS_FANOUT_PUSH);
	run.options.receipt = H2SESS_RECEIPT_WRITTEN;
	run.options.per_second = 100;
	start = now_ms();
	run_start(&run);
	run_finish(&run);
	/* The first one at once; FANOUT_BURST_NS may be caught up. */
	assert_true(now_ms() - start >= (SESSIONS - 1) * 10 - 55);
	assert_int_equal(run.counts.written, SESSIONS);
	crowd_free(&crowd);
}

static void a_withheld_answer_ends_with_the_deadline(void **state)
{
	struct crowd crowd;
	struct run run;

	(void)state;
	crowd_gather(&crowd, 6, true, true);
	run_init(&run, H2SESS_FANOUT_PUSH);
	run.options.deadline_ms = 150;
	run_start(&run);
	run_finish(&run);
	assert_int_equal(run.counts.written, 6);
	crowd_fence(&crowd);
	assert_int_equal(crowd_count(&crowd, FRAME_ALTSVC), 6);
	crowd_free(&crowd);
}

static void who_leaves_meanwhile_is_accounted_for(void **state)
{
	struct crowd crowd;
	struct run run;
	size_t i;

	(void)state;
	crowd_gather(&crowd, MANY, true, false);
	run_init(&run, H2SESS_FANOUT_PUSH);
	run.options.per_second = 1000;
	run.options.deadline_ms = 5000;
	run_start(&run);
	await_count(&run.matched, 1);
	for (i = 0; i < 100; i++) { /* the last ones first: their turn has not come */
		client_free(crowd.clients[MANY - 1 - i]);
		crowd.n--;
	}
	crowd_fence(&crowd);
	await_count(&run.told, 1);
	while (!read_count(&run.done))
		crowd_fence(&crowd);
	run_finish(&run);
	assert_int_equal(run.counts.matched, MANY);
	assert_true(run.counts.received >= MANY - 100);
	crowd_free(&crowd);
}

static void cancelled_is_what_has_not_left(void **state)
{
	struct crowd crowd;
	struct run run;

	(void)state;
	crowd_gather(&crowd, SESSIONS, false, false);
	run_init(&run, H2SESS_FANOUT_PUSH);
	run.options.per_second = 10;
	run.options.receipt = H2SESS_RECEIPT_WRITTEN;
	run_start(&run);
	await_count(&run.told, 1);
	h2sess_fanout_cancel(run.fanout);
	await_count(&run.done, 1);
	assert_int_equal(h2sess_fanout_state(run.fanout), H2SESS_FANOUT_CANCELLED);
	run_finish(&run);
	assert_true(run.counts.written >= 1);
	assert_true(run.counts.cancelled > 0);
	assert_int_equal(run.counts.cancelled, run.counts.not_sent);
	crowd_fence(&crowd);
	assert_int_equal(crowd_count(&crowd, FRAME_ALTSVC), run.counts.written);
	crowd_free(&crowd);
}

static void the_deadline_passes_before_their_turn(void **state)
{
	struct crowd crowd;
	struct run run;

	(void)state;
	crowd_gather(&crowd, SESSIONS, false, false);
	run_init(&run, H2SESS_FANOUT_PUSH);
	run.options.per_second = 1;
	run.options.deadline_ms = 100;
	run.options.receipt = H2SESS_RECEIPT_WRITTEN;
	run_start(&run);
	run_finish(&run);
	assert_true(run.counts.not_sent >= SESSIONS - 2);
	crowd_free(&crowd);
}

static void a_rule_keeps_a_session_from_it(void **state)
{
	struct crowd crowd;
	struct run run;

	(void)state;
	crowd_gather(&crowd, 6, true, false); /* 3 of them over TLS */
	run_init(&run, H2SESS_FANOUT_PUSH);
	run.push.origin = "https://elsewhere.example";
	run.options.lint = true;
	run.options.receipt = H2SESS_RECEIPT_WRITTEN;
	run.options.dry_run = true;
	run_start(&run);
	await_count(&run.done, 1);
	assert_int_equal(run.counts.matched, 6);
	assert_int_equal(run.counts.lint[2], 3); /* origin-not-covered */
	h2sess_fanout_free(run.fanout);

	run.options.dry_run = false;
	run.done = run.matched = 0;
	run_start(&run);
	run_finish(&run);
	assert_int_equal(run.counts.not_sent, 3);
	assert_int_equal(run.counts.written, 3);
	crowd_fence(&crowd);
	assert_int_equal(crowd_count(&crowd, FRAME_ALTSVC), 3);
	crowd_free(&crowd);
}

static void what_may_not_be_sent_is_an_error(void **state)
{
	struct run run;
	struct h2sess_fanout *f = NULL;

	(void)state;
	run_init(&run, H2SESS_FANOUT_PUSH);
	run.push.origin = "nope";
	assert_int_equal(h2sess_fanout_start(server->server, &run.options, &f), H2SESS_EURL);
	run.push.origin = ORIGIN;
	run.push.alt = "h2=";
	run.options.lint = true;
	assert_int_equal(h2sess_fanout_start(server->server, &run.options, &f), H2SESS_EALTGRAMMAR);
	run.push.alt = ALT;
	run.push.kind = H2SESS_PUSH_ALTSVC_STREAM;
	run.push.stream_id = 1;
	assert_int_equal(h2sess_fanout_start(server->server, &run.options, &f), H2SESS_EINVAL);
	run.push.kind = H2SESS_PUSH_ALTSVC;
	run.options.per_second = -1;
	assert_int_equal(h2sess_fanout_start(server->server, &run.options, &f), H2SESS_ERANGE);
	run_init(&run, H2SESS_FANOUT_GOAWAY);
	run.options.last_stream_id = 2;
	assert_int_equal(h2sess_fanout_start(server->server, &run.options, &f), H2SESS_ERANGE);
	assert_null(f);
	assert_int_equal(read_count(&run.done), 0);
}

static void with_nobody_there_it_is_done(void **state)
{
	struct run run;

	(void)state;
	run_init(&run, H2SESS_FANOUT_PUSH);
	run_start(&run);
	run_finish(&run);
	assert_int_equal(run.counts.matched, 0);
}

/* ---- GOAWAY and drains ----------------------------------------------------------------------- */

static void goaway_has_receipts(void **state)
{
	struct crowd crowd;
	struct run run;
	size_t i;

	(void)state;
	crowd_gather(&crowd, 6, true, false);
	for (i = 0; i < 6; i++)
		client_request(crowd.clients[i], "GET", "/hold", FLAG_END_STREAM);
	crowd_fence(&crowd);
	run_init(&run, H2SESS_FANOUT_GOAWAY);
	run.options.code = H2SESS_ENHANCE_YOUR_CALM;
	run.options.data = "why";
	run.options.len = 3;
	run_start(&run);
	await_count(&run.matched, 1);
	crowd_fence(&crowd);
	crowd_fence(&crowd);
	run_finish(&run);
	assert_int_equal(run.counts.received, 6);
	for (i = 0; i < 6; i++) {
		const struct frame *goaway = client_find(crowd.clients[i], FRAME_GOAWAY, 0);

		assert_non_null(goaway);
		assert_int_equal(frame_u32(goaway, 0), 1);
		assert_int_equal(frame_u32(goaway, 4), H2SESS_ENHANCE_YOUR_CALM);
		assert_int_equal(goaway->length, 11);
		assert_memory_equal(goaway->payload + 8, "why", 3);
	}
	crowd_free(&crowd);
}

/* ALTSVC, then the notice, then the last GOAWAY with NO_ERROR. */
static void check_drained(struct client *c)
{
	const struct frame *altsvc = client_find(c, FRAME_ALTSVC, 0);
	const struct frame *notice = client_find(c, FRAME_GOAWAY, 0);
	size_t n = client_count(c, FRAME_GOAWAY);
	const struct frame *last = client_find(c, FRAME_GOAWAY, n - 1);

	assert_non_null(altsvc);
	assert_true(n >= 2);
	assert_true(client_index(c, altsvc) < client_index(c, notice));
	assert_int_equal(frame_u32(notice, 0), 0x7fffffff);
	assert_int_equal(frame_u32(last, 4), H2SESS_NO_ERROR);
}

static uint64_t ended(const struct run *run)
{
	struct h2sess_fanout_counts counts = {.size = sizeof(counts)};

	assert_int_equal(h2sess_fanout_counts(run->fanout, &counts), 0);
	return counts.ended;
}

static void a_drain_is_done_when_its_sessions_have_ended(void **state)
{
	struct crowd crowd;
	struct run run;
	uint32_t stream;
	size_t i;

	(void)state;
	crowd_gather(&crowd, 6, true, false);
	stream = client_request(crowd.clients[0], "GET", "/hold", FLAG_END_STREAM);
	crowd_fence(&crowd);
	run_init(&run, H2SESS_FANOUT_DRAIN);
	run.options.push = &run.push;
	run.options.deadline_ms = 60000;
	run_start(&run);
	while (ended(&run) < 5)
		crowd_fence(&crowd);
	assert_int_equal(read_count(&run.done), 0); /* a stream is open */
	client_send_reset(crowd.clients[0], stream, H2SESS_CANCEL);
	while (!read_count(&run.done))
		crowd_fence(&crowd);
	for (i = 0; i < 6; i++) {
		client_await_eof(crowd.clients[i]);
		check_drained(crowd.clients[i]);
	}
	run_finish(&run);
	assert_int_equal(run.counts.ended, 6);
	assert_int_equal(run.counts.received, 6);
	crowd_free(&crowd);
}

static void a_drain_does_not_wait_for_ever(void **state)
{
	struct crowd crowd;
	struct run run;
	size_t i;

	(void)state;
	crowd_gather(&crowd, 4, false, true); /* nobody says that it has the ALTSVC */
	for (i = 0; i < 4; i++)
		client_request(crowd.clients[i], "GET", "/hold", FLAG_END_STREAM);
	run_init(&run, H2SESS_FANOUT_DRAIN);
	run.options.push = &run.push;
	run.options.deadline_ms = 800;
	run_start(&run);
	for (i = 0; i < 4; i++) {
		client_await_eof(crowd.clients[i]);
		check_drained(crowd.clients[i]);
	}
	run_finish(&run);
	assert_int_equal(run.counts.ended, 4);
	assert_int_equal(run.counts.written, 4);
	crowd_free(&crowd);
}

static void a_cancelled_drain_lets_go(void **state)
{
	struct crowd crowd;
	struct run run;
	size_t i, open = 0;

	(void)state;
	crowd_gather(&crowd, 8, false, false);
	run_init(&run, H2SESS_FANOUT_DRAIN);
	run.options.per_second = 5;
	run_start(&run);
	await_count(&run.told, 1);
	h2sess_fanout_cancel(run.fanout);
	for (i = 0; i < 8; i++)
		open += client_fence(crowd.clients[i]);
	while (!read_count(&run.done))
		crowd_fence(&crowd);
	run_finish(&run);
	assert_true(run.counts.cancelled > 0);
	assert_int_equal(run.counts.ended + run.counts.cancelled, 8);
	assert_true(open > 0);
	crowd_free(&crowd);
}

/* ---- limits, and many at once ---------------------------------------------------------------- */

static void a_peer_that_does_not_read_is_backlogged(void **state)
{
	struct h2sess_limits limits = H2SESS_LIMITS_INIT;
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct test_server *kept = server;
	struct run first, second;
	struct crowd crowd;

	(void)state;
	limits.max_pushes =
		1; /* the first one's answer is withheld, so there is no room for more */
	options.limits = &limits;
	options.threads = 2;
	server = test_server_start(&options, NULL);
	crowd_gather(&crowd, 4, false, true);
	run_init(&first, H2SESS_FANOUT_PUSH);
	run_start(&first);
	await_count(&first.told, 4);
	run_init(&second, H2SESS_FANOUT_PUSH);
	run_start(&second);
	run_finish(&second);
	assert_int_equal(second.counts.not_sent, 4);
	assert_true(h2sess_server_limit_count(server->server, "push_queue") >= 4);
	crowd_free(&crowd);
	run_finish(&first);
	assert_int_equal(first.counts.written, 4);
	test_server_free(server);
	server = kept;
}

#define STARTERS 3
#define STARTS 20

static struct run storm[STARTERS][STARTS];

static void *start_many(void *user)
{
	struct run *runs = user;
	size_t i;

	for (i = 0; i < STARTS; i++) {
		run_init(&runs[i], i % 3 == 1 ? H2SESS_FANOUT_GOAWAY : H2SESS_FANOUT_PUSH);
		runs[i].options.per_second = i % 2 ? 0 : 400;
		runs[i].options.deadline_ms = 300;
		if (h2sess_fanout_start(server->server, &runs[i].options, &runs[i].fanout) == 0 &&
		    i % 4 == 0)
			h2sess_fanout_cancel(runs[i].fanout);
	}
	return NULL;
}

static void a_storm_of_them_adds_up(void **state)
{
	pthread_t threads[STARTERS];
	struct crowd crowd;
	size_t i, k;

	(void)state;
	crowd_gather(&crowd, 30, true, false);
	for (i = 0; i < 30; i++) /* a session with none open is over after a GOAWAY */
		client_request(crowd.clients[i], "GET", "/hold", FLAG_END_STREAM);
	for (i = 0; i < STARTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, start_many, storm[i]), 0);
	for (i = 0; i < 15; i++)
		client_free(crowd.clients[--crowd.n]);
	crowd_fence(&crowd);
	for (i = 0; i < STARTERS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < STARTERS; i++) {
		for (k = 0; k < STARTS; k++) {
			assert_non_null(storm[i][k].fanout);
			run_finish(&storm[i][k]);
		}
	}
	crowd_free(&crowd);
}

/* ---- the server's end ------------------------------------------------------------------------ */

static void the_server_may_be_freed_meanwhile(void **state)
{
	struct test_server *other;
	struct test_server *kept = server;
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct client *clients[8];
	struct run run;
	size_t i;

	(void)state;
	options.threads = 2;
	other = test_server_start(&options, NULL);
	for (i = 0; i < 8; i++) {
		char id[H2SESS_SESSION_ID_MAX];

		clients[i] = test_server_ready(other, NULL, id);
	}
	run_init(&run, H2SESS_FANOUT_PUSH);
	run.options.per_second = 1;
	assert_int_equal(h2sess_fanout_start(other->server, &run.options, &run.fanout), 0);
	await_count(&run.matched, 1);
	test_server_free(other);
	server = kept;
	run_finish(&run);
	assert_int_equal(run.counts.matched, 8);
	for (i = 0; i < 8; i++)
		client_free(clients[i]);
}

static int start(void **state)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;

	(void)state;
	options.threads = 2;
	server = test_server_start(&options, NULL);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_nobody_there_it_is_done),
		cmocka_unit_test(everybody_is_sent_to_once),
		cmocka_unit_test(a_selector_chooses),
		cmocka_unit_test(a_selector_says_what_is_wrong),
		cmocka_unit_test(a_pace_is_kept_by_all_threads_together),
		cmocka_unit_test(a_withheld_answer_ends_with_the_deadline),
		cmocka_unit_test(who_leaves_meanwhile_is_accounted_for),
		cmocka_unit_test(cancelled_is_what_has_not_left),
		cmocka_unit_test(the_deadline_passes_before_their_turn),
		cmocka_unit_test(a_rule_keeps_a_session_from_it),
		cmocka_unit_test(what_may_not_be_sent_is_an_error),
		cmocka_unit_test(goaway_has_receipts),
		cmocka_unit_test(a_drain_is_done_when_its_sessions_have_ended),
		cmocka_unit_test(a_drain_does_not_wait_for_ever),
		cmocka_unit_test(a_cancelled_drain_lets_go),
		cmocka_unit_test(a_peer_that_does_not_read_is_backlogged),
		cmocka_unit_test(a_storm_of_them_adds_up),
		cmocka_unit_test(the_server_may_be_freed_meanwhile),
	};

	return cmocka_run_group_tests(tests, start, shared_stop);
}
