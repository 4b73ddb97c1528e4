/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The n-th allocation fails, for each n until none does: for every public verb that allocates, and
 * for what a peer can make the library allocate. nghttp2 allocates through the same hook.
 *
 * Whatever fails: the call returns 0 or H2SESS_ENOMEM, or the session ends; nothing crashes; another
 * session, which was there before, is served; and in the end every block has come back.
 */
#include "support/certificate.h"
#include "support/cmocka_all.h"
#include "support/server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS_MAX 1000 /* a verb that allocates more often than this does not end */

/* ---- the allocator --------------------------------------------------------------------------- */

static atomic_long countdown; /* the allocation that fails; 0: none */
static atomic_long failed;
static atomic_long blocks; /* not given back */

static bool is_its_turn(void)
{
	if (atomic_load(&countdown) == 0 || atomic_fetch_sub(&countdown, 1) != 1)
		return false;
	atomic_fetch_add(&failed, 1);
	return true;
}

static void *hook_malloc(size_t n, void *user)
{
	void *p = is_its_turn() ? NULL : malloc(n);

	(void)user;
	atomic_fetch_add(&blocks, p != NULL);
	return p;
}

static void *hook_realloc(void *old, size_t n, void *user)
{
	void *p = is_its_turn() ? NULL : realloc(old, n);

	(void)user;
	atomic_fetch_add(&blocks, p != NULL && old == NULL);
	return p;
}

static void hook_free(void *p, void *user)
{
	(void)user;
	atomic_fetch_sub(&blocks, 1);
	free(p);
}

static void arm(long n)
{
	atomic_store(&failed, 0);
	atomic_store(&countdown, n);
}

/* Returns whether an allocation has failed since arm(). */
static bool disarm(void)
{
	atomic_store(&countdown, 0);
	return atomic_load(&failed) > 0;
}

/* ---- verbs of a session and a stream --------------------------------------------------------- */

struct act {
	struct h2sess_session *session;
	struct h2sess_stream *stream; /* open, with nothing sent */
};

typedef int act_fn(struct act *act);

static void on_ping(struct h2sess_session *s, int error, uint64_t us, const uint8_t *payload,
		    void *user)
{
	(void)s, (void)error, (void)us, (void)payload, (void)user;
}

static void on_settings(struct h2sess_session *s, int error, uint64_t us, void *user)
{
	(void)s, (void)error, (void)us, (void)user;
}

static void on_event(const struct h2sess_event *ev, void *user)
{
	(void)ev, (void)user;
}

static int do_altsvc(struct act *a)
{
	return h2sess_session_altsvc(a->session, "h2=\":1\"",
				     "https://b\xc3\xbc"
				     "cher.example");
}

static int do_altsvc_stream(struct act *a)
{
	return h2sess_session_altsvc_stream(a->session, "h2=\":1\"", 1);
}

static int do_origin(struct act *a)
{
	static const char *const origins[] = {"https://a.example", "https://b.example"};

	return h2sess_session_origin(a->session, origins, 2);
}

/* Over 16 KiB: two frames. */
static int do_long_origin(struct act *a)
{
	static char texts[3][8200];
	const char *origins[3];
	size_t i;

	for (i = 0; i < 3; i++) {
		memset(texts[i], 'a', sizeof(texts[i]) - 1);
		memcpy(texts[i], "https://", 8);
		origins[i] = texts[i];
	}
	return h2sess_session_origin(a->session, origins, 3);
}

static int do_push(struct act *a)
{
	static const char *const origins[] = {"https://example.org"};
	struct h2sess_push push = H2SESS_PUSH_INIT;

	push.kind = H2SESS_PUSH_ORIGIN;
	push.origins = origins;
	push.n_origins = 1;
	push.lint = true;
	push.by = "ops";
	return h2sess_session_push(a->session, &push, NULL);
}

static int do_lint(struct act *a)
{
	static const char *const origins[] = {"https://example.org", "https://localhost"};
	struct h2sess_push push = H2SESS_PUSH_INIT;
	uint32_t rules;

	push.kind = H2SESS_PUSH_ORIGIN;
	push.origins = origins;
	push.n_origins = 2;
	return h2sess_lint(a->session, &push, &rules);
}

static int do_goaway(struct act *a)
{
	return h2sess_session_goaway(a->session, H2SESS_NO_ERROR, 1, "bye", 3);
}

static int do_ping(struct act *a)
{
	return h2sess_session_ping(a->session, NULL, 0, on_ping, NULL);
}

static int do_settings(struct act *a)
{
	struct h2sess_settings settings = H2SESS_SETTINGS_INIT;

	settings.present = H2SESS_SETTING_INITIAL_WINDOW_SIZE;
	settings.initial_window_size = 100000;
	settings.n_custom = 1;
	settings.custom[0].id = 0xf000;
	return h2sess_session_settings(a->session, &settings, on_settings, NULL);
}

static int do_close(struct act *a)
{
	return h2sess_session_close(a->session);
}

static int do_drain(struct act *a)
{
	return h2sess_session_drain(a->session, 100);
}

static int do_destroy(struct act *a)
{
	return h2sess_session_destroy(a->session, H2SESS_INTERNAL_ERROR);
}

static int do_window(struct act *a)
{
	return h2sess_session_set_local_window_size(a->session, 1 << 20);
}

static int do_label(struct act *a)
{
	int r = h2sess_session_set_label(a->session, "tier", "gold");

	return r < 0 ? r : h2sess_session_set_label(a->session, "tier", "silver");
}

static int do_peer(struct act *a)
{
	struct h2sess_peer peer = {.size = sizeof(peer)};

	return h2sess_session_peer(a->session, &peer);
}

static int do_on(struct act *a)
{
	struct h2sess_emitter *e = h2sess_session_emitter(a->session);
	int r = h2sess_on(e, "goaway", on_event, NULL, NULL);

	if (r == 0)
		r = h2sess_prepend_once(e, "x-mine", on_event, NULL, NULL);
	if (r == 0)
		h2sess_emit(e, "x-mine", NULL, 0);
	return r;
}

static const struct h2sess_header HEAD[] = {
	H2SESS_HEADER(":status", "200"),
	H2SESS_HEADER("x-a", "a value of some length, for the table of HPACK"),
};

static int do_respond(struct act *a)
{
	return h2sess_stream_respond(a->stream, HEAD, 2, H2SESS_RESPOND_END_STREAM);
}

/* More than fit on the stack. */
static int do_respond_much(struct act *a)
{
	struct h2sess_header fields[40];
	size_t i;

	for (i = 0; i < 40; i++)
		fields[i] = HEAD[1];
	return h2sess_stream_respond(a->stream, fields, 40, H2SESS_RESPOND_END_STREAM);
}

static int do_informational(struct act *a)
{
	static const struct h2sess_header early[] = {H2SESS_HEADER(":status", "103"),
						     H2SESS_HEADER("link", "</a>")};

	return h2sess_stream_additional_headers(a->stream, early, 2);
}

static int do_write(struct act *a)
{
	int r = h2sess_stream_write(a->stream, "some", 4);

	return r < 0 ? r : h2sess_stream_write(a->stream, "more", 4);
}

static int do_end(struct act *a)
{
	return h2sess_stream_end(a->stream, "all", 3);
}

static ssize_t pull(void *buf, size_t len, bool *ret_eof, void *user)
{
	(void)len, (void)user;
	memcpy(buf, "pulled", 6);
	*ret_eof = true;
	return 6;
}

static int do_source(struct act *a)
{
	return h2sess_stream_respond_with_source(a->stream, HEAD, 2, 0, pull, NULL, NULL);
}

static int do_fd(struct act *a)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r = h2sess_stream_respond_with_fd(a->stream, HEAD, 2, 0, fd, 0, -1);

	if (r < 0)
		close(fd); /* taken on success only */
	return r;
}

static void send_trailers(const struct h2sess_event *ev, void *user)
{
	static const struct h2sess_header trailer = H2SESS_HEADER("x-sum", "1");

	(void)user;
	h2sess_stream_send_trailers(ev->stream, &trailer, 1);
}

static int do_trailers(struct act *a)
{
	int r = h2sess_on(h2sess_stream_emitter(a->stream), "wantTrailers", send_trailers, NULL,
			  NULL);

	if (r == 0)
		r = h2sess_stream_respond(a->stream, HEAD, 2, H2SESS_RESPOND_WAIT_FOR_TRAILERS);
	return r < 0 ? r : h2sess_stream_end(a->stream, "body", 4);
}

static int do_stream_close(struct act *a)
{
	return h2sess_stream_close(a->stream, H2SESS_CANCEL);
}

static int do_stream_on(struct act *a)
{
	return h2sess_once(h2sess_stream_emitter(a->stream), "close", on_event, NULL, NULL);
}

static void on_post(struct h2sess_session *s, void *user)
{
	(void)s;
	*(bool *)user = true;
}

static int do_post(struct act *a)
{
	static bool ran;

	return h2sess_post(h2sess_session_server(a->session), h2sess_session_id(a->session),
			   on_post, &ran);
}

struct verb {
	const char *name;
	act_fn *fn;
	bool tls;
	bool idle; /* no stream is open */
};

static const struct verb VERBS[] = {
	{"altsvc", do_altsvc, true, false},
	{"altsvc on a stream", do_altsvc_stream, false, false},
	{"origin", do_origin, true, false},
	{"origin, split", do_long_origin, false, false},
	{"push with lint", do_push, true, false},
	{"lint", do_lint, true, false},
	{"goaway", do_goaway, false, false},
	{"ping", do_ping, false, false},
	{"settings", do_settings, false, false},
	{"close", do_close, false, true},
	{"close with a stream", do_close, false, false},
	{"drain", do_drain, false, true},
	{"destroy", do_destroy, false, false},
	{"set_local_window_size", do_window, false, false},
	{"set_label", do_label, false, false},
	{"peer", do_peer, true, false},
	{"on", do_on, false, false},
	{"post", do_post, false, false},
	{"respond", do_respond, false, false},
	{"respond with many fields", do_respond_much, false, false},
	{"additional_headers", do_informational, false, false},
	{"write", do_write, false, false},
	{"end", do_end, false, false},
	{"respond_with_source", do_source, false, false},
	{"respond_with_fd", do_fd, false, false},
	{"send_trailers", do_trailers, false, false},
	{"stream close", do_stream_close, false, false},
	{"stream on", do_stream_on, false, false},
};

#define N_VERBS (sizeof(VERBS) / sizeof(VERBS[0]))

/* ---- running them ---------------------------------------------------------------------------- */

static struct test_server *server;
static struct bystander bystander;

struct order {
	const struct verb *verb;
	long n;
	int result;
};

static void run_verb(struct h2sess_session *s, void *user)
{
	struct order *order = user;
	struct act act = {.session = s, .stream = h2sess_session_stream(s, 1)};

	arm(order->n);
	order->result = order->verb->fn(&act);
}

/* One round. Returns whether an allocation failed. */
static bool round_of(const struct verb *verb, long n)
{
	struct client_options options = {.tls = verb->tls};
	struct order order = {.verb = verb, .n = n};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, &options, id);
	bool some;

	if (!verb->idle) {
		client_get(c, "/hold");
		test_server_await(server, "stream", 's', id, 1);
	}
	assert_true(test_server_run(server, id, run_verb, &order));
	client_fence(c); /* may end the connection */
	some = disarm();
	if (order.result < 0 && order.result != H2SESS_ENOMEM)
		fail_msg("allocation %ld: %s", n, h2sess_errname(order.result));
	if (!some)
		assert_true(order.result >= 0);
	client_free(c);
	bystander_check(&bystander);
	return some;
}

static void test_verb(void **state)
{
	const struct verb *verb = *state;
	long n = 1;

	while (round_of(verb, n)) {
		n++;
		assert_true(n < ROUNDS_MAX);
	}
}

/* ---- what a peer does ------------------------------------------------------------------------ */

typedef void scene_fn(struct client *c);

static void say_nothing(struct client *c)
{
	(void)c;
}

static void ask(struct client *c)
{
	client_get(c, "/");
}

static void send_a_body(struct client *c)
{
	uint32_t id = client_request(c, "POST", "/hold", 0);

	client_send_data(c, id, 0, "some", 4);
	client_send_data(c, id, FLAG_END_STREAM, "more", 4);
}

static void send_many_fields(struct client *c)
{
	struct field fields[44] = {
		{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
	size_t i;

	for (i = 4; i < 44; i++)
		fields[i] = (struct field){"x-a", "b"};
	client_send_headers(c, 1, FLAG_END_STREAM, fields, 44);
}

static void send_trailer(struct client *c)
{
	static const struct field trailer = {"x-sum", "1"};
	uint32_t id = client_request(c, "POST", "/hold", 0);

	client_send_headers(c, id, FLAG_END_STREAM, &trailer, 1);
}

static void reset(struct client *c)
{
	client_send_reset(c, client_get(c, "/hold"), H2SESS_CANCEL);
}

static void ping(struct client *c)
{
	client_send_ping(c, "12345678");
}

static void send_settings(struct client *c)
{
	static const struct client_setting settings[] = {{SETTING_HEADER_TABLE_SIZE, 8192},
							 {0xf001, 5}};

	client_send_settings(c, settings, 2);
}

static void say_goaway(struct client *c)
{
	client_send_goaway(c, 0, H2SESS_NO_ERROR);
}

static void break_a_rule(struct client *c)
{
	client_send_frame(c, FRAME_DATA, 0, 77, "x", 1);
}

struct scene {
	const char *name;
	scene_fn *fn;
	bool tls;
};

static const struct scene SCENES[] = {
	{"a connection", say_nothing, false},
	{"a connection with TLS", say_nothing, true},
	{"a request", ask, false},
	{"a request with a body", send_a_body, false},
	{"a request with many fields", send_many_fields, false},
	{"a request with trailers", send_trailer, false},
	{"a reset", reset, false},
	{"a PING", ping, false},
	{"SETTINGS", send_settings, false},
	{"a GOAWAY", say_goaway, false},
	{"an error of the connection", break_a_rule, false},
};

#define N_SCENES (sizeof(SCENES) / sizeof(SCENES[0]))

static bool play(const struct scene *scene, long n)
{
	struct client_options options = {.tls = scene->tls};
	struct client *c;
	bool some;

	arm(n);
	c = client_open(scene->tls ? server->tls_port : server->port, &options);
	scene->fn(c);
	client_fence(c);
	client_free(c);
	some = disarm();
	bystander_check(&bystander);
	return some;
}

static void test_scene(void **state)
{
	const struct scene *scene = *state;
	long n = 1;

	while (play(scene, n)) {
		n++;
		assert_true(n < ROUNDS_MAX);
	}
	assert_true(n > 1); /* a session is not made of nothing */
}

/* ---- a server's ------------------------------------------------------------------------------ */

/* Everything that there is to allocate for. Returns the first error. */
static int server_life(void)
{
	static const char *const origins[] = {"https://a.example", "https://b.example"};
	const struct certificate *made = certificate_default();
	struct h2sess_certificate certificate = {made->cert_file, made->key_file};
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_server *srv = NULL;
	int r, fds[2];

	options.certificates = &certificate;
	options.n_certificates = 1;
	options.origins = origins;
	options.n_origins = 2;
	options.threads = 2;
	options.tls_groups = "P-256";
	r = h2sess_server_new(&options, &srv, NULL);
	if (r < 0)
		return r;
	r = h2sess_on(h2sess_server_emitter(srv), "session", on_event, NULL, NULL);
	if (r == 0)
		r = h2sess_server_listen(srv, "127.0.0.1:0", H2SESS_LISTEN_TLS);
	if (r >= 0)
		r = h2sess_server_reload_tls(srv, NULL);
	if (r >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0) {
		r = h2sess_server_adopt(srv, fds[0], NULL, NULL);
		close(fds[1]);
		if (r < 0)
			close(fds[0]);
	}
	if (r >= 0)
		r = h2sess_server_close(srv, 0);
	h2sess_server_free(srv);
	return r;
}

static void a_servers_life(void **state)
{
	long n = 1;
	bool some;
	int r;

	(void)state;
	do {
		arm(n);
		r = server_life();
		some = disarm();
		if (r < 0 && r != H2SESS_ENOMEM)
			fail_msg("allocation %ld: %s", n, h2sess_errname(r));
		n++;
		assert_true(n < ROUNDS_MAX);
	} while (some);
	assert_int_equal(r, 0);
	assert_true(n > 10);
}

/* ---- a fan-out ------------------------------------------------------------------------------- */

static void on_fanout_done(struct h2sess_fanout *f, void *user)
{
	(void)f;
	atomic_store((atomic_bool *)user, true);
}

/* To one session; what it came to is accounted for, whatever failed. */
static int fan_out(const char *id, enum h2sess_fanout_kind kind)
{
	struct h2sess_fanout_options options = H2SESS_FANOUT_OPTIONS_INIT;
	struct h2sess_push push = H2SESS_PUSH_INIT;
	struct h2sess_fanout_counts counts = {.size = sizeof(counts)};
	struct h2sess_selector *selector = NULL;
	struct h2sess_fanout *f = NULL;
	atomic_bool done = false;
	char json[128];
	int r;

	snprintf(json, sizeof(json), "{\"ids\":[\"%s\"]}", id);
	r = h2sess_selector_new(json, strlen(json), &selector, NULL);
	if (r < 0)
		return r;
	push.alt = "h2=\":1\"";
	push.origin = "https://example.org";
	push.by = "somebody";
	options.kind = kind;
	options.push = kind == H2SESS_FANOUT_PUSH ? &push : NULL;
	options.select = selector;
	options.worker = "w1";
	options.receipt = H2SESS_RECEIPT_WRITTEN;
	options.lint = true;
	options.deadline_ms = 5000;
	options.done = on_fanout_done;
	options.user = &done;
	r = h2sess_fanout_start(server->server, &options, &f);
	h2sess_selector_free(selector);
	if (r < 0)
		return r;
	while (!atomic_load(&done))
		poll(NULL, 0, 1);
	assert_int_equal(h2sess_fanout_counts(f, &counts), 0);
	assert_int_equal(counts.queued, 0);
	assert_int_equal(counts.written + counts.received + counts.not_sent, counts.matched);
	h2sess_fanout_free(f);
	return 0;
}

static void check_fan_outs(enum h2sess_fanout_kind kind)
{
	long n = 1;
	bool some;
	int r;

	do {
		char id[H2SESS_SESSION_ID_MAX];
		struct client *c = test_server_ready(server, NULL, id);

		arm(n++);
		r = fan_out(id, kind);
		some = disarm();
		assert_true(r == 0 || r == H2SESS_ENOMEM);
		client_free(c);
		bystander_check(&bystander);
		assert_true(n < ROUNDS_MAX);
	} while (some);
	assert_int_equal(r, 0);
	assert_true(n > 5);
}

static void a_fan_out(void **state)
{
	(void)state;
	check_fan_outs(H2SESS_FANOUT_PUSH);
	check_fan_outs(H2SESS_FANOUT_GOAWAY);
}

static int pure_calls(void)
{
	struct h2sess_emitter *e;
	char buf[64];
	int r = h2sess_origin_of("https://b\xc3\xbc"
				 "cher.example/a?b#c",
				 buf, sizeof(buf));

	if (r < 0)
		return r;
	r = h2sess_emitter_new(&e);
	if (r < 0)
		return r;
	r = h2sess_on(e, "stream", on_event, NULL, NULL);
	h2sess_emitter_free(e);
	return r;
}

static void calls_without_a_server(void **state)
{
	long n = 1;
	int r;

	(void)state;
	do {
		arm(n++);
		r = pure_calls();
		assert_true(r >= 0 || r == H2SESS_ENOMEM);
	} while (disarm());
	assert_true(r >= 0);
	assert_true(n > 2);
}

/* ---- main ------------------------------------------------------------------------------------ */

static int start(void **state)
{
	const struct h2sess_allocator allocator = {.size = sizeof(allocator),
						   .malloc_fn = hook_malloc,
						   .realloc_fn = hook_realloc,
						   .free_fn = hook_free};

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* the client's OpenSSL finds connections closed */
	assert_int_equal(h2sess_set_allocator(&allocator), 0);
	server = test_server_start(NULL, NULL);
	bystander_start(&bystander, server);
	return 0;
}

static void every_block_has_come_back(void **state)
{
	(void)state;
	bystander_stop(&bystander);
	test_server_free(server);
	assert_int_equal(atomic_load(&blocks), 0);
}

int main(void)
{
	static struct CMUnitTest tests[N_VERBS + N_SCENES + 4];
	size_t i, n = 0;

	for (i = 0; i < N_VERBS; i++)
		tests[n++] = (struct CMUnitTest){VERBS[i].name, test_verb, NULL, NULL,
						 (void *)&VERBS[i]};
	for (i = 0; i < N_SCENES; i++)
		tests[n++] = (struct CMUnitTest){SCENES[i].name, test_scene, NULL, NULL,
						 (void *)&SCENES[i]};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_fan_out);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_servers_life);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(calls_without_a_server);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_block_has_come_back);
	return cmocka_run_group_tests_name("allocations", tests, start, NULL);
}
