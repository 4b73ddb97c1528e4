/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of the library in this process, for a client to talk to: cleartext and TLS, each on a
 * free port of 127.0.0.1. It records every event, and brings functions to a session's thread and
 * back.
 *
 * Only the main thread may assert: listeners and posted functions run on the server's threads, so
 * they store what they saw, and the test looks at it when the call has come back.
 */
#ifndef WIRE_SERVER_H
#define WIRE_SERVER_H

#include "client.h"

#include <h2sess/h2sess.h>
#include <pthread.h>

/* An event as it came. */
struct record {
	char name[24];
	char session[H2SESS_SESSION_ID_MAX];
	uint16_t peer_port; /* of a `session` */
	char emitter;	    /* 'S'erver, 's'ession, 't' stream */
	int error;
	uint32_t code;
	int32_t stream_id;
	int32_t last_stream_id;
	uint8_t frame_type;
	uint8_t flags;
	size_t len;
	uint8_t data[64]; /* the first bytes */
	struct h2sess_settings settings;
};

struct test_server {
	struct h2sess_server *server;
	int port;     /* cleartext, prior knowledge */
	int tls_port; /* 0: no certificate */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct record **records;
	size_t n_records;
	const struct test_hooks *hooks;
};

/* What a test wants to do beside the recording. All may be NULL. Borrowed until the server is
 * freed. */
struct test_hooks {
	h2sess_listener_fn *session; /* of the server's, in place of nothing */
	h2sess_listener_fn *stream;  /* in place of the app: 200 and "ok\n", but for /hold */
	void *user;
	bool no_timeout_listener; /* so that `timeout` destroys, as without listeners */
};

/*
 * Start; NULL options are the defaults with the default certificate, which is also put in where the
 * options name none.
 */
struct test_server *test_server_start(const struct h2sess_options *options,
				      const struct test_hooks *hooks);
/* Not listening yet: for the server's own verbs. */
struct test_server *test_server_new(const struct h2sess_options *options,
				    const struct test_hooks *hooks);
void test_server_listen(struct test_server *t);
/* Destroys what is left. NULL is allowed. */
void test_server_free(struct test_server *t);

/* Connect a client and learn the id of its session. */
struct client *test_server_connect(struct test_server *t, const struct client_options *options,
				   char ret_id[H2SESS_SESSION_ID_MAX]);
/* The same, and wait until the client's SETTINGS were read: the session is not connecting any more.
 */
struct client *test_server_ready(struct test_server *t, const struct client_options *options,
				 char ret_id[H2SESS_SESSION_ID_MAX]);

/* Run fn on the session's thread and wait. Returns false when the session was gone. */
bool test_server_run(struct test_server *t, const char *session_id, h2sess_post_fn *fn, void *user);

/* The nth record (from 1) of a name, waited for. emitter 0 = any; session NULL = any. */
const struct record *test_server_await(struct test_server *t, const char *name, char emitter,
				       const char *session, size_t nth);
size_t test_server_count(struct test_server *t, const char *name, char emitter,
			 const char *session);
/* Names of a session's and its streams' records from the nth on, as "s:error s:close", into buf. */
void test_server_story(struct test_server *t, const char *session, char *buf, size_t cap);
/* Record an event: for listeners that a test registers itself. */
void test_server_record(struct test_server *t, const struct h2sess_event *ev, char emitter);
/* Record every event of a stream. From its `stream` event. */
void test_server_watch_stream(struct test_server *t, struct h2sess_stream *st);

/* A client that was there before and must go on being served. */
struct bystander {
	struct client *client;
};

void bystander_start(struct bystander *b, struct test_server *t);
void bystander_check(struct bystander *b);
void bystander_stop(struct bystander *b);

#endif
