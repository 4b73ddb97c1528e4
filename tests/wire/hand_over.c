/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets that outlive a server: opened by the host, spread over whatever threads there
 * are, left to a successor with what waits in their queues; and the drain of who is quiet.
 */
#include "support/cmocka_all.h"
#include "support/server.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define CONNECTIONS 24 /* enough that the kernel gives every socket some */

static void copy_all(const int *fds, int *copies, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		assert_true(copies[i] >= 0);
	}
}

static struct test_server *new_server(uint32_t threads)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;

	options.threads = threads;
	return test_server_new(&options, NULL);
}

static void connect_all(int port, struct client *clients[CONNECTIONS])
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		clients[i] = client_open(port, NULL);
}

static void check_all(struct client *clients[CONNECTIONS])
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		client_check_get(clients[i], "/", 200);
		client_free(clients[i]);
	}
}

static void every_socket_is_served(size_t sockets, uint32_t threads)
{
	struct test_server *t = new_server(threads);
	struct client *clients[CONNECTIONS];
	int fds[H2SESS_THREADS_MAX];
	int port = h2sess_listen_open("127.0.0.1:0", fds, sockets);

	assert_true(port > 0);
	assert_int_equal(h2sess_server_listen_fds(t->server, fds, sockets, 0), 0);
	connect_all(port, clients);
	check_all(clients);
	test_server_free(t);
}

static void more_sockets_than_threads(void **state)
{
	(void)state;
	every_socket_is_served(5, 2);
	every_socket_is_served(2, 1);
}

static void more_threads_than_sockets(void **state)
{
	(void)state;
	every_socket_is_served(1, 3);
	every_socket_is_served(2, 3);
}

static void sockets_that_cannot_be_opened(void **state)
{
	int fds[2], busy[1];
	int port = h2sess_listen_open("127.0.0.1:0", busy, 1);
	char address[32];

	(void)state;
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	assert_int_equal(h2sess_listen_open(address, fds, 2), H2SESS_EADDRINUSE);
	assert_int_equal(h2sess_listen_open("nowhere", fds, 2), H2SESS_EADDRESS);
	assert_int_equal(h2sess_listen_open("127.0.0.1:0", fds, 0), H2SESS_ERANGE);
	close(busy[0]);
}

static void what_is_no_listener_is_refused(void **state)
{
	struct test_server *t = new_server(1);
	int fds[2], null = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(h2sess_server_listen_fds(t->server, fds, 0, 0), H2SESS_EINVAL);
	assert_true(h2sess_listen_open("127.0.0.1:0", fds, 1) > 0);
	fds[1] = null;
	assert_int_equal(h2sess_server_listen_fds(t->server, fds, 2, 0), H2SESS_EINVAL);
	close(fds[0]); /* still ours */
	close(null);
	test_server_free(t);
}

/* Connections that wait in the queues when the first server lets go are the second one's. */
static void a_successor_serves_what_waits(void **state)
{
	struct test_server *first = new_server(3), *second = new_server(2);
	struct client *clients[CONNECTIONS], *before;
	int fds[3], copies[3], port;

	(void)state;
	port = h2sess_listen_open("127.0.0.1:0", fds, 3);
	copy_all(fds, copies, 3);
	assert_int_equal(h2sess_server_listen_fds(first->server, fds, 3, 0), 0);
	before = client_open(port, NULL);
	client_check_get(before, "/", 200);
	assert_int_equal(h2sess_server_stop_listening(first->server), 0);
	connect_all(port, clients);
	assert_int_equal(h2sess_server_listen_fds(second->server, copies, 3, 0), 0);
	check_all(clients);
	client_check_get(before, "/", 200); /* its session has not noticed */
	client_free(before);
	test_server_free(first);
	test_server_free(second);
}

static void who_is_quiet_drains_first(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);
	struct client *c = client_open(t->port, NULL);

	(void)state;
	client_check_get(c, "/", 200);
	assert_int_equal(h2sess_server_drain_quiet(t->server, 3600000, 1000), 0);
	client_check_get(c, "/", 200);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_GOAWAY), 0);
	assert_int_equal(h2sess_server_drain_quiet(t->server, 0, 5000), 0);
	client_await(c, FRAME_GOAWAY);
	client_await_eof(c);
	client_free(c);
	test_server_free(t);
}

struct hold {
	atomic_bool begun, over;
};

static void hold_up(struct h2sess_session *s, void *user)
{
	struct hold *hold = user;

	(void)s;
	atomic_store(&hold->begun, true);
	while (!atomic_load(&hold->over))
		poll(NULL, 0, 1);
}

/* The loop is kept from reading for longer than who is quiet may be: who spoke meanwhile is not. */
static void who_was_not_read_is_not_quiet(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct test_server *t = test_server_start(NULL, NULL);
	struct client *c = test_server_ready(t, NULL, id);
	struct hold hold = {0};
	uint32_t stream;

	(void)state;
	assert_int_equal(h2sess_post(t->server, id, hold_up, &hold), 0);
	while (!atomic_load(&hold.begun))
		poll(NULL, 0, 1);
	poll(NULL, 0, 1100);
	assert_int_equal(h2sess_server_drain_quiet(t->server, 1000, 5000), 0);
	stream = client_get(c, "/");
	atomic_store(&hold.over, true);
	client_await_on(c, FRAME_HEADERS, stream);
	assert_true(client_fence(c));
	assert_int_equal(client_count(c, FRAME_GOAWAY), 0);
	client_free(c);
	test_server_free(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_sockets_than_threads),
		cmocka_unit_test(more_threads_than_sockets),
		cmocka_unit_test(sockets_that_cannot_be_opened),
		cmocka_unit_test(what_is_no_listener_is_refused),
		cmocka_unit_test(a_successor_serves_what_waits),
		cmocka_unit_test(who_is_quiet_drains_first),
		cmocka_unit_test(who_was_not_read_is_not_quiet),
	};

	return cmocka_run_group_tests_name("hand_over", tests, NULL, NULL);
}
