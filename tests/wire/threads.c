/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads: posting from anywhere while sessions come and go, handing connections over, freeing
 * a server from its own listener. Worth most under ThreadSanitizer.
 */
#include "support/certificate.h"
#include "support/cmocka_all.h"
#include "support/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define POSTERS 4
#define POSTS 500
#define CLIENTS 40

static struct test_server *start_threads(uint32_t threads, const struct test_hooks *hooks)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;

	options.threads = threads;
	return test_server_start(&options, hooks);
}

/* ---- posting --------------------------------------------------------------------------------- */

struct storm {
	struct test_server *server;
	char ids[CLIENTS][H2SESS_SESSION_ID_MAX];
	atomic_int n_ids;
	atomic_int ran;
	atomic_int gone;
	atomic_int failed;
};

static void push_or_count(struct h2sess_session *s, void *user)
{
	struct storm *storm = user;

	if (s)
		h2sess_session_altsvc(s, "clear", "https://example.org");
	else
		storm->gone++;
	storm->ran++;
}

static void *post_storm(void *user)
{
	struct storm *storm = user;
	int i, n;

	for (i = 0; i < POSTS; i++) {
		n = storm->n_ids;
		if (h2sess_post(storm->server->server, n ? storm->ids[i % n] : "none-1",
				push_or_count, storm) < 0)
			storm->failed++;
	}
	return NULL;
}

static void await_count(atomic_int *count, int want)
{
	int64_t until = now_ms() + CLIENT_DEADLINE_MS;

	while (*count < want) {
		assert_true(now_ms() < until);
		poll(NULL, 0, 1);
	}
	assert_int_equal(*count, want);
}

static void check_post_storm(uint32_t threads)
{
	struct storm *storm = calloc(1, sizeof(*storm));
	pthread_t posters[POSTERS];
	struct client *c;
	int i;

	assert_non_null(storm);
	storm->server = start_threads(threads, NULL);
	for (i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&posters[i], NULL, post_storm, storm), 0);
	for (i = 0; i < CLIENTS; i++) {
		c = test_server_connect(storm->server, NULL, storm->ids[i]);
		storm->n_ids++;
		client_check_get(c, "/", 200);
		client_free(c);
	}
	for (i = 0; i < POSTERS; i++)
		pthread_join(posters[i], NULL);
	await_count(&storm->ran, POSTERS * POSTS - storm->failed);
	assert_int_equal(storm->failed, 0);
	test_server_free(storm->server);
	assert_int_equal(storm->ran, POSTERS * POSTS); /* exactly once */
	free(storm);
}

static void posting_while_sessions_come_and_go(void **state)
{
	(void)state;
	check_post_storm(1);
	check_post_storm(3);
}

struct where {
	pthread_t thread;
};

static void note_thread(struct h2sess_session *s, void *user)
{
	(void)s;
	((struct where *)user)->thread = pthread_self();
}

static void a_session_stays_on_its_thread(void **state)
{
	struct test_server *t = start_threads(4, NULL);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(t, NULL, id);
	struct where first = {0}, again = {0};
	int i;

	(void)state;
	assert_true(test_server_run(t, id, note_thread, &first));
	assert_false(pthread_equal(first.thread, pthread_self()));
	for (i = 0; i < 20; i++) {
		assert_true(test_server_run(t, id, note_thread, &again));
		assert_true(pthread_equal(first.thread, again.thread));
	}
	client_free(c);
	test_server_free(t);
}

static void count_post(struct h2sess_session *s, void *user)
{
	atomic_int *ran = user;

	(void)s;
	(*ran)++;
}

static void posts_run_even_when_the_server_goes(void **state)
{
	struct test_server *t = start_threads(2, NULL);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(t, NULL, id);
	static atomic_int ran;
	int i, accepted = 0;

	(void)state;
	ran = 0;
	for (i = 0; i < 1000; i++)
		accepted += h2sess_post(t->server, id, count_post, &ran) == 0;
	test_server_free(t);
	assert_int_equal(ran, accepted);
	client_free(c);
}

static void posting_before_listen_says_gone(void **state)
{
	struct test_server *t = test_server_new(NULL, NULL);
	atomic_int ran = 0;

	(void)state;
	assert_int_equal(h2sess_post(t->server, "none-1", count_post, &ran), 0);
	assert_int_equal(ran, 1); /* no thread runs: by the caller, before it returns */
	test_server_free(t);
}

/* ---- many sessions on several threads -------------------------------------------------------- */

static void sessions_on_several_threads(void **state)
{
	struct test_server *t = start_threads(3, NULL);
	char ids[30][H2SESS_SESSION_ID_MAX];
	struct client *clients[30];
	struct h2sess_server_stats stats = {.size = sizeof(stats)};
	int i;

	(void)state;
	for (i = 0; i < 30; i++) {
		struct client_options options = {.tls = i % 2};

		clients[i] = test_server_ready(t, &options, ids[i]);
	}
	for (i = 0; i < 30; i++)
		client_check_get(clients[i], "/", 200);
	assert_int_equal(h2sess_server_stats(t->server, &stats), 0);
	assert_int_equal(stats.sessions, 30);
	assert_int_equal(stats.sessions_total, 30);
	assert_int_equal(stats.streams_total, 30);
	assert_true(stats.bytes_received > 0 && stats.bytes_sent > 0);
	assert_int_equal(h2sess_server_close(t->server, UINT32_MAX), 0);
	for (i = 0; i < 30; i++) {
		client_await_eof(clients[i]);
		client_free(clients[i]);
	}
	assert_int_equal(h2sess_server_wait(t->server, CLIENT_DEADLINE_MS), 0);
	assert_int_equal(test_server_count(t, "close", 's', NULL), 30);
	assert_int_equal(test_server_count(t, "close", 'S', NULL), 1);
	test_server_free(t);
}

static void wrong_thread_counts_are_refused(void **state)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_server *made = NULL;
	const char *field = NULL;

	(void)state;
	options.threads = H2SESS_THREADS_MAX + 1;
	assert_int_equal(h2sess_server_new(&options, &made, &field), H2SESS_ERANGE);
	assert_string_equal(field, "threads");
	assert_null(made);
}

/* ---- free from a listener -------------------------------------------------------------------- */

static atomic_int freed_from;

static void free_server(const struct h2sess_event *ev, void *user)
{
	(void)user;
	freed_from++;
	h2sess_server_free(ev->server);
}

static void add_free(const struct h2sess_event *ev, void *user)
{
	const char *name = user;

	h2sess_on(h2sess_session_emitter(ev->session), name, free_server, NULL, NULL);
}

/* A server of its own: test_server would record events behind the one that frees. */
static int lone_server(uint32_t threads, const char *event)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_server *made = NULL;
	struct h2sess_emitter *e;

	options.threads = threads;
	assert_int_equal(h2sess_server_new(&options, &made, NULL), 0);
	e = h2sess_server_emitter(made);
	if (strcmp(event, "session") == 0)
		assert_int_equal(h2sess_on(e, "session", free_server, NULL, NULL), 0);
	else
		assert_int_equal(h2sess_on(e, "session", add_free, (void *)event, NULL), 0);
	return h2sess_server_listen(made, "127.0.0.1:0", 0);
}

static void check_free_in_listener(uint32_t threads, const char *event)
{
	int port = lone_server(threads, event);
	struct client *c;

	assert_true(port > 0);
	freed_from = 0;
	c = client_open(port, NULL);
	if (strcmp(event, "stream") == 0)
		client_get(c, "/");
	if (strcmp(event, "close") == 0)
		client_send_goaway(c, 0, 0);
	client_await_eof(c);
	await_count(&freed_from, 1);
	client_free(c);
}

static void free_from_any_listener(void **state)
{
	static const char *const events[] = {"session", "connect", "remoteSettings", "stream",
					     "close"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		check_free_in_listener(1, events[i]);
		check_free_in_listener(3, events[i]);
	}
}

/* ---- adopt ----------------------------------------------------------------------------------- */

static void socket_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void adopt_cleartext(void **state)
{
	struct test_server *t = test_server_new(NULL, NULL);
	struct client *c;
	int fds[2];

	(void)state;
	socket_pair(fds);
	assert_int_equal(h2sess_server_adopt(t->server, fds[0], NULL, NULL), 0);
	c = client_over(fds[1], NULL);
	client_check_get(c, "/", 200);
	client_free(c);
	test_server_await(t, "close", 's', NULL, 1);
	test_server_free(t);
}

/* The host has read the preface, and a part of what follows, before it knew what it was. */
static void adopt_with_bytes_that_were_read(void **state)
{
	static const char read_already[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4";
	struct h2sess_adopt_options options = {.size = sizeof(options)};
	struct client_options silent = {.no_preface = true};
	struct test_server *t = test_server_new(NULL, NULL);
	struct client *c;
	int fds[2];

	(void)state;
	socket_pair(fds);
	options.data = read_already;
	options.len = sizeof(read_already) - 1;
	assert_int_equal(h2sess_server_adopt(t->server, fds[0], NULL, &options), 0);
	c = client_over(fds[1], &silent);
	client_send(c, "\0\0\0\0\0", 5);
	client_check_get(c, "/", 200);
	client_free(c);
	test_server_free(t);
}

static int choose_h2(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
		     const unsigned char *offered, unsigned int len, void *user)
{
	(void)ssl, (void)user;
	return SSL_select_next_proto((unsigned char **)ret, ret_len, (const unsigned char *)"\2h2",
				     3, offered, len) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *host_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	const struct certificate *certificate = certificate_default();

	assert_non_null(context);
	assert_int_equal(SSL_CTX_use_certificate_chain_file(context, certificate->cert_file), 1);
	assert_int_equal(
		SSL_CTX_use_PrivateKey_file(context, certificate->key_file, SSL_FILETYPE_PEM), 1);
	SSL_CTX_set_alpn_select_cb(context, choose_h2, NULL);
	return context;
}

struct host {
	SSL_CTX *context;
	struct test_server *server;
	int fd;
	int result;
	bool closing_bio; /* BIO_CLOSE */
	bool other_bio;	  /* in place of the socket's, once hands are shaken */
};

/* A host with its own accept loop and its own TLS: shake hands, hand over. */
static void *accept_and_adopt(void *user)
{
	struct host *host = user;
	SSL *ssl = SSL_new(host->context);

	SSL_set_fd(ssl, host->fd);
	BIO_set_close(SSL_get_rbio(ssl), host->closing_bio);
	host->result = H2SESS_ETLS;
	if (SSL_accept(ssl) == 1 && host->other_bio)
		SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (SSL_is_init_finished(ssl))
		host->result = h2sess_server_adopt(host->server->server, host->fd, ssl, NULL);
	if (host->result < 0) {
		SSL_free(ssl);
		close(host->fd);
	}
	return NULL;
}

static void adopt_tls_from_another_thread(void **state)
{
	struct test_server *t = start_threads(2, NULL);
	struct host host = {.context = host_context(), .server = t};
	struct client_options options = {.tls = true};
	struct client *c;
	pthread_t thread;
	int fds[2];

	(void)state;
	socket_pair(fds);
	host.fd = fds[0];
	assert_int_equal(pthread_create(&thread, NULL, accept_and_adopt, &host), 0);
	c = client_over(fds[1], &options);
	pthread_join(thread, NULL);
	assert_int_equal(host.result, 0);
	client_check_get(c, "/", 200);
	client_free(c);
	test_server_free(t);
	SSL_CTX_free(host.context);
}

/* The host's BIO would close the descriptor when ours takes its place. */
static void adopt_keeps_the_descriptor_of_a_closing_bio(void **state)
{
	struct test_server *t = start_threads(1, NULL);
	struct host host = {.context = host_context(), .server = t, .closing_bio = true};
	struct client_options options = {.tls = true};
	struct client *c;
	pthread_t thread;
	int fds[2];

	(void)state;
	socket_pair(fds);
	host.fd = fds[0];
	assert_int_equal(pthread_create(&thread, NULL, accept_and_adopt, &host), 0);
	c = client_over(fds[1], &options);
	pthread_join(thread, NULL);
	assert_int_equal(host.result, 0);
	client_check_get(c, "/", 200);
	client_free(c);
	test_server_free(t);
	SSL_CTX_free(host.context);
}

/* TLS over anything but that socket cannot be read at once, or not at all. */
static void adopt_refuses_another_bio(void **state)
{
	struct test_server *t = start_threads(1, NULL);
	struct host host = {.context = host_context(), .server = t, .other_bio = true};
	struct client_options options = {.tls = true};
	struct client *c;
	pthread_t thread;
	int fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* the client's OpenSSL finds the host gone */
	socket_pair(fds);
	host.fd = fds[0];
	assert_int_equal(pthread_create(&thread, NULL, accept_and_adopt, &host), 0);
	c = client_over(fds[1], &options);
	pthread_join(thread, NULL);
	assert_int_equal(host.result, H2SESS_EINVAL);
	client_free(c);
	signal(SIGPIPE, SIG_DFL); /* the library must need nothing of it */
	test_server_free(t);
	SSL_CTX_free(host.context);
}

static void adopt_refuses_and_takes_nothing(void **state)
{
	struct test_server *t = test_server_new(NULL, NULL);
	SSL_CTX *context = host_context();
	SSL *unfinished = SSL_new(context);
	int fds[2];

	(void)state;
	socket_pair(fds);
	SSL_set_fd(unfinished, fds[0]);
	assert_int_equal(h2sess_server_adopt(t->server, fds[0], unfinished, NULL), H2SESS_ESTATE);
	assert_int_equal(h2sess_server_adopt(t->server, -1, NULL, NULL), H2SESS_EINVAL);
	h2sess_server_close(t->server, 0);
	assert_int_equal(h2sess_server_adopt(t->server, fds[0], NULL, NULL), H2SESS_ESTATE);
	assert_true(fcntl(fds[0], F_GETFD) >= 0); /* still the host's */
	SSL_free(unfinished);
	SSL_CTX_free(context);
	close(fds[0]);
	close(fds[1]);
	test_server_free(t);
}

static void *adopt_storm(void *user)
{
	struct storm *storm = user;
	int i, fds[2];

	for (i = 0; i < 50; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
			break;
		if (h2sess_server_adopt(storm->server->server, fds[0], NULL, NULL) < 0) {
			close(fds[0]);
			storm->failed++;
		}
		close(fds[1]);
		storm->ran++;
	}
	return NULL;
}

static void adopting_from_many_threads(void **state)
{
	struct storm *storm = calloc(1, sizeof(*storm));
	pthread_t threads[POSTERS];
	int i;

	(void)state;
	assert_non_null(storm);
	storm->server = start_threads(2, NULL);
	for (i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, adopt_storm, storm), 0);
	for (i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(storm->ran, POSTERS * 50);
	assert_int_equal(storm->failed, 0);
	test_server_await(storm->server, "close", 's', NULL, POSTERS * 50);
	assert_int_equal(test_server_count(storm->server, "session", 'S', NULL), POSTERS * 50);
	test_server_free(storm->server);
	free(storm);
}

/* ---- listening ------------------------------------------------------------------------------- */

static void listen_fd_takes_a_listening_socket(void **state)
{
	struct test_server *t = test_server_new(NULL, NULL);
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct client *c;

	(void)state;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(h2sess_server_listen_fd(t->server, fd, 0), 0);
	c = client_open(ntohs(sin.sin_port), NULL);
	client_check_get(c, "/", 200);
	client_free(c);
	test_server_free(t);
}

static void wrong_addresses_are_refused(void **state)
{
	static const char *const wrong[] = {"",
					    "127.0.0.1",
					    "127.0.0.1:",
					    "127.0.0.1:65536",
					    "127.0.0.1:-1",
					    "300.0.0.1:0",
					    "[::1:0",
					    "host name:0",
					    "127.0.0.1:0x"};
	struct test_server *t = test_server_new(NULL, NULL);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(h2sess_server_listen(t->server, wrong[i], 0), H2SESS_EADDRESS);
	test_server_free(t);
}

static void a_taken_address_is_refused(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct test_server *t = test_server_new(NULL, NULL);
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char taken[32];

	(void)state;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(taken, sizeof(taken), "127.0.0.1:%d", ntohs(sin.sin_port));
	assert_int_equal(h2sess_server_listen(t->server, taken, 0), H2SESS_EADDRINUSE);
	close(fd);
	test_server_free(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(posting_while_sessions_come_and_go),
		cmocka_unit_test(a_session_stays_on_its_thread),
		cmocka_unit_test(posts_run_even_when_the_server_goes),
		cmocka_unit_test(posting_before_listen_says_gone),
		cmocka_unit_test(sessions_on_several_threads),
		cmocka_unit_test(wrong_thread_counts_are_refused),
		cmocka_unit_test(free_from_any_listener),
		cmocka_unit_test(adopt_cleartext),
		cmocka_unit_test(adopt_with_bytes_that_were_read),
		cmocka_unit_test(adopt_tls_from_another_thread),
		cmocka_unit_test(adopt_keeps_the_descriptor_of_a_closing_bio),
		cmocka_unit_test(adopt_refuses_another_bio),
		cmocka_unit_test(adopt_refuses_and_takes_nothing),
		cmocka_unit_test(adopting_from_many_threads),
		cmocka_unit_test(listen_fd_takes_a_listening_socket),
		cmocka_unit_test(wrong_addresses_are_refused),
		cmocka_unit_test(a_taken_address_is_refused),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
