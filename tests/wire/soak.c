/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short sessions, one after the other, and memory that stays as it is: what one of them leaves behind
 * is multiplied by all of them. `make check` has a few thousand; `make soak` 200,000 (SOAK=N).
 *
 * Most come over a pair of sockets, so that no port is left in TIME_WAIT; every sixteenth over TLS. A
 * sanitizer's allocator keeps what was freed, so there only the sessions run, and LeakSanitizer looks.
 */
#include "support/certificate.h"
#include "support/cmocka_all.h"
#include "support/server.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARM_UP 1000		/* sessions until everything that is kept is there */
#define GROWTH_MAX (512 * 1024) /* bytes; a leak of 200 a session is over it in `make check` */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SESSIONS 500
#define IS_SANITIZED true
#else
#define SESSIONS 5000
#define IS_SANITIZED false
#endif

static struct h2sess_server *server;
static int tls_port;

static void on_session(const struct h2sess_event *ev, void *user)
{
	static const char *const origins[] = {"https://a.example", "https://b.example"};

	(void)user;
	h2sess_session_altsvc(ev->session, "h2=\":8000\"", "https://example.org");
	h2sess_session_origin(ev->session, origins, 2);
	h2sess_session_set_label(ev->session, "tier", "gold");
}

static void on_stream(const struct h2sess_event *ev, void *user)
{
	static const struct h2sess_header head[] = {H2SESS_HEADER(":status", "200"),
						    H2SESS_HEADER("content-type", "text/plain")};

	(void)user;
	h2sess_stream_respond(ev->stream, head, 2, 0);
	h2sess_stream_end(ev->stream, "ok\n", 3);
}

static struct client *connect_plain(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(h2sess_server_adopt(server, fds[0], NULL, NULL), 0);
	return client_over(fds[1], NULL);
}

/* One that ends by itself, one by GOAWAY, one by a reset in the midst of a request. */
static void one_session(long i)
{
	struct client_options tls = {.tls = true};
	struct client *c = i % 16 == 0 ? client_open(tls_port, &tls) : connect_plain();

	client_check_get(c, "/", 200);
	if (i % 3 == 1)
		client_send_goaway(c, 0, H2SESS_NO_ERROR);
	else if (i % 3 == 2)
		client_send_reset(c, client_get(c, "/"), H2SESS_CANCEL);
	client_free(c);
}

/* A session more of our own for as long as others are there: it is an event to wait for. */
static void await_no_other_session(void)
{
	struct h2sess_server_stats stats = {.size = sizeof(stats)};
	struct client *c = client_open(tls_port, &(struct client_options){.tls = true});
	int64_t until = now_ms() + CLIENT_DEADLINE_MS;

	do {
		client_check_get(c, "/", 200);
		assert_int_equal(h2sess_server_stats(server, &stats), 0);
	} while (stats.sessions > 1 && now_ms() < until);
	assert_int_equal(stats.sessions, 1);
	client_free(c);
}

struct memory {
	size_t resident; /* bytes */
	size_t used;	 /* of malloc() */
};

static struct memory measure(void)
{
	struct memory m = {0};
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	m.resident = pages * (size_t)sysconf(_SC_PAGESIZE);
	m.used = mallinfo2().uordblks;
	return m;
}

static void run(long n)
{
	long i;

	for (i = 0; i < n; i++)
		one_session(i);
}

static void memory_stays_flat(void **state)
{
	const char *asked = getenv("SOAK");
	long n = asked ? strtol(asked, NULL, 10) : SESSIONS;
	struct memory before, after;

	(void)state;
	run(WARM_UP < n ? WARM_UP : n);
	await_no_other_session();
	before = measure();
	run(n);
	await_no_other_session();
	after = measure();
	print_message("# %ld sessions: resident %zu to %zu KiB, malloc %zu to %zu KiB\n", n,
		      before.resident / 1024, after.resident / 1024, before.used / 1024,
		      after.used / 1024);
	if (IS_SANITIZED)
		return;
	assert_true(after.used < before.used + GROWTH_MAX);
	assert_true(after.resident < before.resident + 4 * GROWTH_MAX); /* malloc's own holes */
}

static int start(void **state)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_certificate certificate = {certificate_default()->cert_file,
						 certificate_default()->key_file};

	(void)state;
	options.certificates = &certificate;
	options.n_certificates = 1;
	options.threads = 2;
	assert_int_equal(h2sess_server_new(&options, &server, NULL), 0);
	h2sess_on(h2sess_server_emitter(server), "session", on_session, NULL, NULL);
	h2sess_on(h2sess_server_emitter(server), "stream", on_stream, NULL, NULL);
	tls_port = h2sess_server_listen(server, "127.0.0.1:0", H2SESS_LISTEN_TLS);
	assert_true(tls_port > 0);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	h2sess_server_free(server);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(memory_stays_flat)};

	return cmocka_run_group_tests_name("soak", tests, start, stop);
}
