/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol on listeners: whom limits and properties see, who may say so, and what becomes
 * of a header that is none.
 */
#include "support/cmocka_all.h"
#include "support/server.h"

#include <stdio.h>
#include <string.h>

#define V1 "PROXY TCP4 192.0.2.1 198.51.100.1 12345 443\r\n"
#define V2 "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\2\xc6\x33\x64\1\x30\x39\1\xbb"
#define LOCAL "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"

static const char *const loopback[] = {"127.0.0.0/8"};
static const char *const elsewhere[] = {"198.51.100.0/24", "2001:db8::/32"};

static struct test_server *start(const char *const *peers, size_t n, uint32_t per_peer)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_limits limits = H2SESS_LIMITS_INIT;

	limits.max_sessions_per_peer = per_peer;
	options.limits = &limits;
	options.proxy_peers = peers;
	options.n_proxy_peers = n;
	return test_server_start(&options, NULL);
}

/* A client that says these bytes, then its preface. */
static struct client *open_behind(struct test_server *t, const char *header, size_t len,
				  size_t piece)
{
	struct client_options silent = {.no_preface = true};
	struct client *c = client_open(t->port, &silent);

	for (size_t at = 0; at < len; at += piece)
		client_send(c, header + at, at + piece > len ? len - at : piece);
	client_send_preface(c);
	client_send_settings(c, NULL, 0);
	return c;
}

static void take_peer(struct h2sess_session *s, void *user)
{
	struct h2sess_peer *peer = user;

	peer->size = sizeof(*peer);
	if (s)
		h2sess_session_peer(s, peer);
}

static void check_peer(struct test_server *t, struct client *c, size_t nth, const char *address)
{
	const struct record *r = test_server_await(t, "session", 'S', NULL, nth);
	struct h2sess_peer peer = {0};

	assert_true(test_server_run(t, r->session, take_peer, &peer));
	assert_string_equal(peer.address, address);
	if (strcmp(address, "127.0.0.1") != 0)
		assert_int_equal(peer.port, 12345);
	client_check_get(c, "/", 200);
	client_free(c);
}

static void the_client_is_the_peer(void **state)
{
	struct test_server *t = start(loopback, 1, 0);

	(void)state;
	check_peer(t, open_behind(t, V1, sizeof(V1) - 1, 1000), 1, "192.0.2.1");
	check_peer(t, open_behind(t, V2, sizeof(V2) - 1, 1000), 2, "192.0.2.2");
	check_peer(t, open_behind(t, V1, sizeof(V1) - 1, 1), 3, "192.0.2.1");
	check_peer(t, open_behind(t, V2, sizeof(V2) - 1, 1), 4, "192.0.2.2");
	check_peer(t, open_behind(t, LOCAL, sizeof(LOCAL) - 1, 1000), 5, "127.0.0.1");
	test_server_free(t);
}

static void others_bytes_are_ordinary(void **state)
{
	struct test_server *t = start(elsewhere, 2, 0);
	struct client *c = client_open(t->port, NULL);

	(void)state;
	client_check_get(c, "/", 200);
	client_free(c);
	c = open_behind(t, V1, sizeof(V1) - 1, 1000);
	client_await_eof(c); /* no preface of HTTP/2 */
	client_free(c);
	assert_int_equal(h2sess_server_limit_count(t->server, "proxy_header"), 0);
	test_server_free(t);
}

static void what_is_no_header_ends_the_connection(void **state)
{
	struct test_server *t = start(loopback, 1, 0);
	struct client *c;
	char endless[4096];

	(void)state;
	c = client_open(t->port, NULL);
	client_await_eof(c);
	client_free(c);
	assert_int_equal(h2sess_server_limit_count(t->server, "proxy_header"), 1);
	memset(endless, 0, sizeof(endless));
	memcpy(endless, "\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", 16);
	c = open_behind(t, endless, sizeof(endless), 512);
	client_await_eof(c);
	client_free(c);
	assert_int_equal(h2sess_server_limit_count(t->server, "proxy_header"), 2);
	assert_int_equal(test_server_count(t, "session", 'S', NULL), 0);
	test_server_free(t);
}

/* One client has its share, and another one behind the same balancer has not lost its own. */
static void limits_see_the_client(void **state)
{
	struct test_server *t = start(loopback, 1, 1);
	struct client *one, *again, *other;

	(void)state;
	one = open_behind(t, V1, sizeof(V1) - 1, 1000);
	client_check_get(one, "/", 200);
	again = open_behind(t, V1, sizeof(V1) - 1, 1000);
	client_await_eof(again);
	assert_int_equal(h2sess_server_limit_count(t->server, "max_sessions_per_peer"), 1);
	other = open_behind(t, V2, sizeof(V2) - 1, 1000);
	client_check_get(other, "/", 200);
	client_free(one);
	client_free(again);
	client_free(other);
	test_server_await(t, "close", 's', NULL, 2);
	one = open_behind(t, V1, sizeof(V1) - 1, 1000);
	client_check_get(one, "/", 200);
	client_free(one);
	test_server_free(t);
}

static void a_header_has_its_time(void **state)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_limits limits = H2SESS_LIMITS_INIT;
	struct client_options silent = {.no_preface = true};
	struct test_server *t;
	struct client *c;

	(void)state;
	limits.handshake_timeout_ms = 100;
	options.limits = &limits;
	options.proxy_peers = loopback;
	options.n_proxy_peers = 1;
	t = test_server_start(&options, NULL);
	c = client_open(t->port, &silent);
	client_send(c, "PROXY ", 6);
	client_await_eof(c);
	assert_int_equal(h2sess_server_limit_count(t->server, "handshake_timeout"), 1);
	client_free(c);
	test_server_free(t);
}

static void blocks_are_checked(void **state)
{
	static const char *const bad[] = {"127.0.0.1", "127.0.0.1/33"};
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_server *server = NULL;
	const char *field = NULL;

	(void)state;
	options.proxy_peers = bad;
	options.n_proxy_peers = 2;
	assert_int_equal(h2sess_server_new(&options, &server, &field), H2SESS_EADDRESS);
	assert_string_equal(field, "proxy_peers");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_is_the_peer),
		cmocka_unit_test(others_bytes_are_ordinary),
		cmocka_unit_test(what_is_no_header_ends_the_connection),
		cmocka_unit_test(limits_see_the_client),
		cmocka_unit_test(a_header_has_its_time),
		cmocka_unit_test(blocks_are_checked),
	};

	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
