/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything at once, from many threads: connections are handed over, functions are posted, sessions
 * are pushed to, closed, drained and destroyed, fan-outs walk over all of them and are cancelled, and
 * in the end the server goes. Worth most under ThreadSanitizer.
 *
 * What must hold whatever happens: each post runs once, each push has one last outcome, each fan-out
 * is done once, and its counts sum up.
 */
#include "support/cmocka_all.h"
#include "support/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 3
#define ADOPTERS 2
#define POSTERS 3
#define SESSIONS 100 /* of each adopter at least: they go on as long as there are posts */
#define STANDING 50  /* sessions that stay */
#define POSTS 600    /* of each poster */
#define FANOUTS 12

static struct test_server *server;
static char standing[STANDING][H2SESS_SESSION_ID_MAX];
static atomic_int posters = POSTERS; /* that are not through */
static atomic_long posted, ran, pushed, settled, fanouts, done, wrong;

/* ---- connections ----------------------------------------------------------------------------- */

/* A peer that has said its preface, reads nothing, and goes when its descriptor is closed. */
static int adopt_one(void)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	if (write(fds[1], preface, sizeof(preface) - 1) < 0 ||
	    h2sess_server_adopt(server->server, fds[0], NULL, NULL) < 0) {
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	return fds[1];
}

static void *adopt_many(void *user)
{
	int peers[8], i;

	(void)user;
	memset(peers, -1, sizeof(peers));
	for (i = 0; i < SESSIONS || atomic_load(&posters); i++) {
		int *peer = &peers[i % 8];

		if (*peer >= 0)
			close(*peer);
		*peer = adopt_one();
		if (*peer < 0)
			atomic_fetch_add(&wrong, 1);
	}
	for (i = 0; i < 8; i++) {
		if (peers[i] >= 0)
			close(peers[i]);
	}
	return NULL;
}

/* ---- posts ----------------------------------------------------------------------------------- */

struct order {
	int kind;
};

static void on_outcome(struct h2sess_session *s, enum h2sess_outcome outcome, int reason,
		       void *user)
{
	(void)reason;
	(void)user;
	if (outcome > H2SESS_OUTCOME_WRITTEN || !s)
		atomic_fetch_add(&settled, 1);
}

static void push(struct h2sess_session *s)
{
	struct h2sess_push push = H2SESS_PUSH_INIT;
	uint64_t id;

	push.kind = H2SESS_PUSH_ALTSVC;
	push.alt = "clear";
	push.origin = "https://example.org";
	push.fn = on_outcome;
	if (h2sess_session_push(s, &push, &id) == 0)
		atomic_fetch_add(&pushed, 1);
}

static void obey(struct h2sess_session *s, void *user)
{
	struct order *order = user;

	atomic_fetch_add(&ran, 1);
	if (s && order->kind < 12)
		push(s);
	else if (s && order->kind == 12)
		h2sess_session_close(s);
	else if (s && order->kind == 13)
		h2sess_session_drain(s, 50);
	else if (s && order->kind == 14)
		h2sess_session_destroy(s, H2SESS_INTERNAL_ERROR);
	free(order);
}

/* The id of a session that stays until somebody ends it, or of one of a moment ago. */
static void any_id(unsigned *seed, char id[H2SESS_SESSION_ID_MAX])
{
	if (rand_r(seed) % 2) {
		strcpy(id, standing[(size_t)rand_r(seed) % STANDING]);
		return;
	}
	pthread_mutex_lock(&server->lock);
	strcpy(id, "none-1");
	if (server->n_records) {
		size_t back = (size_t)rand_r(seed) % 64;

		back = back < server->n_records ? back : server->n_records - 1;
		strcpy(id, server->records[server->n_records - 1 - back]->session);
	}
	pthread_mutex_unlock(&server->lock);
}

static void *post_many(void *user)
{
	unsigned seed = (unsigned)(uintptr_t)user;
	char id[H2SESS_SESSION_ID_MAX];
	int i;

	for (i = 0; i < POSTS; i++) {
		struct order *order = malloc(sizeof(*order));

		if (!order)
			break;
		order->kind = rand_r(&seed) % 16;
		any_id(&seed, id);
		if (h2sess_post(server->server, id, obey, order) == 0)
			atomic_fetch_add(&posted, 1);
		else
			free(order);
	}
	atomic_fetch_sub(&posters, 1);
	return NULL;
}

/* ---- fan-outs -------------------------------------------------------------------------------- */

static void on_done(struct h2sess_fanout *f, void *user)
{
	struct h2sess_fanout_counts c = {.size = sizeof(c)};

	(void)user;
	if (h2sess_fanout_counts(f, &c) < 0 || h2sess_fanout_state(f) == H2SESS_FANOUT_RUNNING ||
	    c.queued + c.written + c.received + c.not_sent != c.matched)
		atomic_fetch_add(&wrong, 1);
	atomic_fetch_add(&done, 1);
}

static struct h2sess_fanout *start_one(const struct h2sess_push *push)
{
	struct h2sess_fanout_options options = H2SESS_FANOUT_OPTIONS_INIT;
	struct h2sess_fanout *fanout = NULL;

	options.push = push;
	options.receipt = H2SESS_RECEIPT_WRITTEN;
	options.deadline_ms = 2000;
	options.done = on_done;
	if (h2sess_fanout_start(server->server, &options, &fanout) == 0)
		atomic_fetch_add(&fanouts, 1);
	return fanout;
}

static void *fan_out(void *user)
{
	struct h2sess_push push = H2SESS_PUSH_INIT;
	int i;

	(void)user;
	push.kind = H2SESS_PUSH_ALTSVC;
	push.alt = "h2=\":8000\"";
	push.origin = "https://example.org";
	for (i = 0; i < FANOUTS; i++) {
		struct h2sess_fanout *fanout = start_one(&push);

		if (fanout && i % 3 == 2)
			h2sess_fanout_cancel(fanout);
		h2sess_fanout_free(fanout);
	}
	return NULL;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void stand(int peers[STANDING])
{
	size_t i;

	for (i = 0; i < STANDING; i++) {
		peers[i] = adopt_one();
		assert_true(peers[i] >= 0);
		strcpy(standing[i],
		       test_server_await(server, "session", 'S', NULL, i + 1)->session);
	}
}

static void everything_at_once(void **state)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	pthread_t threads[ADOPTERS + POSTERS + 1];
	int peers[STANDING];
	uintptr_t i;
	size_t n = 0;

	(void)state;
	options.threads = THREADS;
	server = test_server_start(&options, NULL);
	stand(peers);
	for (i = 0; i < ADOPTERS; i++)
		assert_int_equal(pthread_create(&threads[n++], NULL, adopt_many, NULL), 0);
	for (i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[n++], NULL, post_many, (void *)(i + 1)),
				 0);
	assert_int_equal(pthread_create(&threads[n++], NULL, fan_out, NULL), 0);
	while (n > 0)
		pthread_join(threads[--n], NULL);
	assert_int_equal(h2sess_server_close(server->server, 100), 0);
	assert_int_equal(h2sess_server_wait(server->server, CLIENT_DEADLINE_MS), 0);
	test_server_free(server);
	for (i = 0; i < STANDING; i++)
		close(peers[i]);
	assert_int_equal(atomic_load(&wrong), 0);
	assert_int_equal(atomic_load(&ran), atomic_load(&posted));
	assert_int_equal(atomic_load(&posted), POSTERS * POSTS);
	assert_int_equal(atomic_load(&settled), atomic_load(&pushed));
	assert_true(atomic_load(&pushed) > 0);
	assert_int_equal(atomic_load(&done), atomic_load(&fanouts));
	assert_int_equal(atomic_load(&fanouts), FANOUTS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(everything_at_once)};

	return cmocka_run_group_tests_name("storms", tests, NULL, NULL);
}
