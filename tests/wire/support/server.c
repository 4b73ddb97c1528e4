/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server under test. Its listeners only append to a list; the main thread waits on a condition.
 */
#include "server.h"

#include "certificate.h"
#include "cmocka_all.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static const char *const SESSION_EVENTS[] = {
	"connect", "stream",	    "close",	      "error",	 "frameError", "goaway",
	"ping",	   "localSettings", "remoteSettings", "timeout", NULL,
};
static const char *const SERVER_EVENTS[] = {
	"session", "sessionError", "unknownProtocol", "close", NULL,
};
static const char *const STREAM_EVENTS[] = {
	"data",	      "end",	 "drain", "wantTrailers", "trailers", "aborted",
	"frameError", "timeout", "error", "close",	  NULL,
};

/* ---- records --------------------------------------------------------------------------------- */

static uint16_t peer_port(struct h2sess_session *s)
{
	struct h2sess_peer peer = {.size = sizeof(peer)};

	return h2sess_session_peer(s, &peer) == 0 ? peer.port : 0;
}

static struct record *record_new(const struct h2sess_event *ev, char emitter)
{
	struct record *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	snprintf(r->name, sizeof(r->name), "%s", ev->name);
	if (ev->session)
		snprintf(r->session, sizeof(r->session), "%s", h2sess_session_id(ev->session));
	if (strcmp(ev->name, "session") == 0)
		r->peer_port = peer_port(ev->session);
	r->emitter = emitter;
	r->error = ev->error;
	r->code = ev->code;
	r->stream_id = ev->stream ? h2sess_stream_id(ev->stream) : ev->stream_id;
	r->last_stream_id = ev->last_stream_id;
	r->frame_type = ev->frame_type;
	r->flags = ev->flags;
	r->len = ev->len;
	if (ev->data)
		memcpy(r->data, ev->data, ev->len < sizeof(r->data) ? ev->len : sizeof(r->data));
	if (ev->settings)
		r->settings = *ev->settings;
	return r;
}

void test_server_record(struct test_server *t, const struct h2sess_event *ev, char emitter)
{
	struct record *r = record_new(ev, emitter);

	pthread_mutex_lock(&t->lock);
	t->records = realloc(t->records, (t->n_records + 1) * sizeof(*t->records));
	if (!t->records)
		abort();
	t->records[t->n_records++] = r;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static void record_server(const struct h2sess_event *ev, void *user)
{
	test_server_record(user, ev, 'S');
}

static void record_session(const struct h2sess_event *ev, void *user)
{
	test_server_record(user, ev, 's');
}

static void record_stream(const struct h2sess_event *ev, void *user)
{
	test_server_record(user, ev, 't');
}

static bool matches(const struct record *r, const char *name, char emitter, const char *session)
{
	return strcmp(r->name, name) == 0 && (emitter == 0 || r->emitter == emitter) &&
	       (!session || strcmp(r->session, session) == 0);
}

static struct record *find(struct test_server *t, const char *name, char emitter,
			   const char *session, size_t nth)
{
	size_t i;

	for (i = 0; i < t->n_records; i++)
		if (matches(t->records[i], name, emitter, session) && --nth == 0)
			return t->records[i];
	return NULL;
}

static void deadline_of(struct timespec *ret)
{
	clock_gettime(CLOCK_MONOTONIC, ret);
	ret->tv_sec += CLIENT_DEADLINE_MS / 1000;
}

const struct record *test_server_await(struct test_server *t, const char *name, char emitter,
				       const char *session, size_t nth)
{
	const struct record *r;
	struct timespec until;
	char story[1024];
	int late = 0;

	deadline_of(&until);
	pthread_mutex_lock(&t->lock);
	while ((r = find(t, name, emitter, session, nth)) == NULL && late == 0)
		late = pthread_cond_timedwait(&t->changed, &t->lock, &until);
	pthread_mutex_unlock(&t->lock);
	if (!r) {
		test_server_story(t, session, story, sizeof(story));
		fail_msg("no event %s (%zu) came; there were: %s", name, nth, story);
	}
	return r;
}

size_t test_server_count(struct test_server *t, const char *name, char emitter, const char *session)
{
	size_t i, n = 0;

	pthread_mutex_lock(&t->lock);
	for (i = 0; i < t->n_records; i++)
		n += matches(t->records[i], name, emitter, session);
	pthread_mutex_unlock(&t->lock);
	return n;
}

void test_server_story(struct test_server *t, const char *session, char *buf, size_t cap)
{
	size_t i, at = 0;

	buf[0] = '\0';
	pthread_mutex_lock(&t->lock);
	for (i = 0; i < t->n_records; i++) {
		if (session && strcmp(t->records[i]->session, session) != 0)
			continue;
		if (at + 32 > cap)
			break;
		at += (size_t)snprintf(buf + at, cap - at, "%s%c:%s", at ? " " : "",
				       t->records[i]->emitter, t->records[i]->name);
	}
	pthread_mutex_unlock(&t->lock);
}

/* ---- listeners ------------------------------------------------------------------------------- */

void test_server_watch_stream(struct test_server *t, struct h2sess_stream *st)
{
	struct h2sess_emitter *e = h2sess_stream_emitter(st);
	size_t i;

	for (i = 0; STREAM_EVENTS[i]; i++)
		h2sess_on(e, STREAM_EVENTS[i], record_stream, t, NULL);
}

static void watch_session(const struct h2sess_event *ev, void *user)
{
	struct test_server *t = user;
	struct h2sess_emitter *e = h2sess_session_emitter(ev->session);
	size_t i;

	for (i = 0; SESSION_EVENTS[i]; i++) {
		if (t->hooks->no_timeout_listener && strcmp(SESSION_EVENTS[i], "timeout") == 0)
			continue;
		h2sess_on(e, SESSION_EVENTS[i], record_session, t, NULL);
	}
}

/* The app: 200 and "ok\n"; nothing for /hold. */
static void app(const struct h2sess_event *ev, void *user)
{
	static const struct h2sess_header head[] = {
		H2SESS_HEADER(":status", "200"),
		H2SESS_HEADER("content-type", "text/plain"),
	};
	const char *path = h2sess_stream_header(ev->stream, ":path");

	test_server_watch_stream(user, ev->stream);
	if (path && strncmp(path, "/hold", 5) == 0)
		return;
	h2sess_stream_respond(ev->stream, head, 2, 0);
	h2sess_stream_end(ev->stream, "ok\n", 3);
}

static void add_listeners(struct test_server *t)
{
	struct h2sess_emitter *e = h2sess_server_emitter(t->server);
	size_t i;

	for (i = 0; SERVER_EVENTS[i]; i++)
		assert_int_equal(h2sess_on(e, SERVER_EVENTS[i], record_server, t, NULL), 0);
	if (!t->hooks->no_timeout_listener)
		assert_int_equal(h2sess_on(e, "timeout", record_server, t, NULL), 0);
	assert_int_equal(h2sess_on(e, "session", watch_session, t, NULL), 0);
	if (t->hooks->session)
		assert_int_equal(h2sess_on(e, "session", t->hooks->session, t->hooks->user, NULL),
				 0);
	if (t->hooks->stream)
		assert_int_equal(h2sess_on(e, "stream", t->hooks->stream, t->hooks->user, NULL), 0);
	else
		assert_int_equal(h2sess_on(e, "stream", app, t, NULL), 0);
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct test_server *alloc_server(const struct test_hooks *hooks)
{
	static const struct test_hooks none;
	struct test_server *t = calloc(1, sizeof(*t));
	pthread_condattr_t attributes;

	assert_non_null(t);
	t->hooks = hooks ? hooks : &none;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return t;
}

struct test_server *test_server_new(const struct h2sess_options *options,
				    const struct test_hooks *hooks)
{
	struct h2sess_options copy = H2SESS_OPTIONS_INIT;
	struct h2sess_certificate certificate;
	struct test_server *t = alloc_server(hooks);
	const char *field = NULL;
	int r;

	if (options)
		copy = *options;
	if (copy.n_certificates == 0) {
		certificate.cert_file = certificate_default()->cert_file;
		certificate.key_file = certificate_default()->key_file;
		copy.certificates = &certificate;
		copy.n_certificates = 1;
	}
	r = h2sess_server_new(&copy, &t->server, &field);
	if (r < 0)
		fail_msg("h2sess_server_new: %s (%s)", h2sess_errname(r), field ? field : "");
	add_listeners(t);
	return t;
}

void test_server_listen(struct test_server *t)
{
	t->port = h2sess_server_listen(t->server, "127.0.0.1:0", 0);
	assert_true(t->port > 0);
	t->tls_port = h2sess_server_listen(t->server, "127.0.0.1:0", H2SESS_LISTEN_TLS);
	assert_true(t->tls_port > 0);
}

struct test_server *test_server_start(const struct h2sess_options *options,
				      const struct test_hooks *hooks)
{
	struct test_server *t = test_server_new(options, hooks);

	test_server_listen(t);
	return t;
}

void test_server_free(struct test_server *t)
{
	size_t i;

	if (!t)
		return;
	h2sess_server_free(t->server);
	for (i = 0; i < t->n_records; i++)
		free(t->records[i]);
	free(t->records);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static uint16_t local_port(const struct client *c)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	assert_int_equal(getsockname(c->fd, (struct sockaddr *)&sin, &len), 0);
	return ntohs(sin.sin_port);
}

struct client *test_server_connect(struct test_server *t, const struct client_options *options,
				   char ret_id[H2SESS_SESSION_ID_MAX])
{
	size_t nth = test_server_count(t, "session", 'S', NULL);
	struct client *c = client_open(options && options->tls ? t->tls_port : t->port, options);
	const struct record *r;

	do
		r = test_server_await(t, "session", 'S', NULL, ++nth);
	while (r->peer_port != local_port(c));
	strcpy(ret_id, r->session);
	return c;
}

struct client *test_server_ready(struct test_server *t, const struct client_options *options,
				 char ret_id[H2SESS_SESSION_ID_MAX])
{
	struct client *c = test_server_connect(t, options, ret_id);

	test_server_await(t, "remoteSettings", 's', ret_id, 1);
	client_await(c, FRAME_SETTINGS);
	assert_true(client_fence(c));
	return c;
}

/* ---- calls to a session's thread ------------------------------------------------------------- */

struct call {
	struct test_server *server;
	h2sess_post_fn *fn;
	void *user;
	bool done;
	bool gone;
};

static void run_call(struct h2sess_session *s, void *user)
{
	struct call *call = user;
	struct test_server *t = call->server;

	if (s)
		call->fn(s, call->user);
	pthread_mutex_lock(&t->lock);
	call->gone = !s;
	call->done = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

bool test_server_run(struct test_server *t, const char *session_id, h2sess_post_fn *fn, void *user)
{
	struct call call = {.server = t, .fn = fn, .user = user};
	struct timespec until;
	int late = 0;

	deadline_of(&until);
	assert_int_equal(h2sess_post(t->server, session_id, run_call, &call), 0);
	pthread_mutex_lock(&t->lock);
	while (!call.done && late == 0)
		late = pthread_cond_timedwait(&t->changed, &t->lock, &until);
	pthread_mutex_unlock(&t->lock);
	if (!call.done) {
		print_error("a posted function did not run\n");
		abort(); /* it may still: call is on this stack */
	}
	return !call.gone;
}

/* ---- the bystander --------------------------------------------------------------------------- */

void bystander_start(struct bystander *b, struct test_server *t)
{
	b->client = client_open(t->port, NULL);
	bystander_check(b);
}

void bystander_check(struct bystander *b)
{
	client_check_get(b->client, "/", 200);
}

void bystander_stop(struct bystander *b)
{
	client_free(b->client);
	b->client = NULL;
}
