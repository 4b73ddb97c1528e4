/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emitter is Node's, in C: its order, its counts, its names; and it survives every reentrancy,
 * on an emitter of the host's own and on those of a server, a session and a stream.
 */
#include "support/cmocka_all.h"
#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUSTOM "x-test"

/* ---- a log that listeners write their letters to --------------------------------------------- */

struct scene {
	struct h2sess_emitter *emitter;
	char log[64];
	uint64_t ids[4]; /* whom a listener takes away */
	int result;
	int depth;
};

struct letter {
	struct scene *scene;
	char letter;
};

static void note(struct scene *scene, char letter)
{
	size_t n = strlen(scene->log);

	if (n + 1 < sizeof(scene->log))
		scene->log[n] = letter;
}

static void write_letter(const struct h2sess_event *ev, void *user)
{
	struct letter *letter = user;

	(void)ev;
	note(letter->scene, letter->letter);
}

static int begin(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	assert_int_equal(h2sess_emitter_new(&scene->emitter), 0);
	*state = scene;
	return 0;
}

static int finish(void **state)
{
	struct scene *scene = *state;

	h2sess_emitter_free(scene->emitter);
	free(scene);
	return 0;
}

static int emit(struct scene *scene)
{
	memset(scene->log, 0, sizeof(scene->log));
	return h2sess_emit(scene->emitter, CUSTOM, NULL, 0);
}

/* ---- order, counts, names -------------------------------------------------------------------- */

static void order_is_preponce_prep_on_once(void **state)
{
	struct scene *scene = *state;
	struct letter on = {scene, 'o'}, prep = {scene, 'p'}, once = {scene, '1'},
		      preponce = {scene, 'P'};

	assert_int_equal(h2sess_on(scene->emitter, CUSTOM, write_letter, &on, NULL), 0);
	assert_int_equal(h2sess_prepend(scene->emitter, CUSTOM, write_letter, &prep, NULL), 0);
	assert_int_equal(h2sess_once(scene->emitter, CUSTOM, write_letter, &once, NULL), 0);
	assert_int_equal(h2sess_prepend_once(scene->emitter, CUSTOM, write_letter, &preponce, NULL),
			 0);
	assert_int_equal(h2sess_listener_count(scene->emitter, CUSTOM), 4);
	assert_int_equal(emit(scene), 1);
	assert_string_equal(scene->log, "Ppo1");
	assert_int_equal(emit(scene), 1);
	assert_string_equal(scene->log, "po");
	assert_int_equal(h2sess_listener_count(scene->emitter, CUSTOM), 2);
}

static void add_listener_is_on(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'}, b = {scene, 'b'};
	uint64_t id = 0;

	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL);
	assert_int_equal(h2sess_add_listener(scene->emitter, CUSTOM, write_letter, &b, &id), 0);
	assert_int_not_equal(id, 0);
	emit(scene);
	assert_string_equal(scene->log, "ab");
}

static void the_same_function_twice_is_called_twice(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'};
	uint64_t first = 0, second = 0;

	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, &first);
	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, &second);
	assert_true(first != second);
	emit(scene);
	assert_string_equal(scene->log, "aa");
	assert_int_equal(h2sess_off(scene->emitter, first), 0);
	emit(scene);
	assert_string_equal(scene->log, "a");
}

static void emit_says_whether_anybody_listened(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'};

	assert_int_equal(emit(scene), 0);
	h2sess_once(scene->emitter, CUSTOM, write_letter, &a, NULL);
	assert_int_equal(emit(scene), 1);
	assert_int_equal(emit(scene), 0);
}

static void keep_event(const struct h2sess_event *ev, void *user)
{
	char *text = user;

	snprintf(text, 64, "%s %.*s %zu", ev->name, (int)ev->len, (const char *)ev->data, ev->size);
}

static void emit_hands_data_over(void **state)
{
	struct scene *scene = *state;
	char text[64] = "", want[64];

	h2sess_on(scene->emitter, CUSTOM, keep_event, text, NULL);
	h2sess_emit(scene->emitter, CUSTOM, "hello", 5);
	snprintf(want, sizeof(want), "x-test hello %zu", sizeof(struct h2sess_event));
	assert_string_equal(text, want);
}

static void emit_event_hands_it_on_as_it_is(void **state)
{
	struct scene *scene = *state;
	struct h2sess_event ev = {.size = sizeof(ev), .name = "stream", .data = "abc", .len = 3};
	char text[64] = "", want[64];

	h2sess_on(scene->emitter, "stream", keep_event, text, NULL);
	assert_int_equal(h2sess_emit_event(scene->emitter, &ev), 1);
	snprintf(want, sizeof(want), "stream abc %zu", sizeof(ev));
	assert_string_equal(text, want);
	ev.name = "close";
	assert_int_equal(h2sess_emit_event(scene->emitter, &ev), 0);
}

static void names_in_the_order_of_their_first_listener(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'};
	const char *names[4] = {0};
	uint64_t id = 0;

	assert_int_equal(h2sess_event_names(scene->emitter, names, 4), 0);
	h2sess_on(scene->emitter, "x-b", write_letter, &a, &id);
	h2sess_on(scene->emitter, "session", write_letter, &a, NULL);
	h2sess_on(scene->emitter, "x-b", write_letter, &a, NULL);
	assert_int_equal(h2sess_event_names(scene->emitter, names, 4), 2);
	assert_string_equal(names[0], "x-b");
	assert_string_equal(names[1], "session");
	assert_int_equal(h2sess_event_names(scene->emitter, names, 1), 2);
	assert_int_equal(h2sess_event_names(scene->emitter, NULL, 0), 2);
	h2sess_off(scene->emitter, id);
	assert_int_equal(h2sess_event_names(scene->emitter, NULL, 0), 2);
	h2sess_off_all(scene->emitter, "x-b");
	assert_int_equal(h2sess_event_names(scene->emitter, names, 4), 1);
	assert_string_equal(names[0], "session");
}

static void off_all_by_name_and_of_all(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'};

	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL);
	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL);
	h2sess_on(scene->emitter, "session", write_letter, &a, NULL);
	assert_int_equal(h2sess_off_all(scene->emitter, CUSTOM), 0);
	assert_int_equal(h2sess_listener_count(scene->emitter, CUSTOM), 0);
	assert_int_equal(h2sess_listener_count(scene->emitter, "session"), 1);
	assert_int_equal(h2sess_off_all(scene->emitter, NULL), 0);
	assert_int_equal(h2sess_listener_count(scene->emitter, "session"), 0);
	assert_int_equal(emit(scene), 0);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void an_unknown_name_is_an_error(void **state)
{
	static const char *const wrong[] = {"conect",  "",	 "x",	   "X-test",
					    "Session", "altsvc", "origin", "data",
					    "x-",      "x-a b",	 "x-a,b",  "x-a\nid: 1"};
	struct scene *scene = *state;
	struct letter a = {scene, 'a'};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(h2sess_on(scene->emitter, wrong[i], write_letter, &a, NULL),
				 H2SESS_EEVENT);
		assert_int_equal(h2sess_once(scene->emitter, wrong[i], write_letter, &a, NULL),
				 H2SESS_EEVENT);
		assert_int_equal(h2sess_emit(scene->emitter, wrong[i], NULL, 0), H2SESS_EEVENT);
	}
	assert_int_equal(h2sess_listener_count(scene->emitter, "conect"), 0);
}

static void off_twice_is_not_found(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'};
	uint64_t id = 0;

	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, &id);
	assert_int_equal(h2sess_off(scene->emitter, id), 0);
	assert_int_equal(h2sess_off(scene->emitter, id), H2SESS_ENOTFOUND);
	assert_int_equal(h2sess_off(scene->emitter, 0), H2SESS_ENOTFOUND);
	assert_int_equal(h2sess_off(scene->emitter, 99999), H2SESS_ENOTFOUND);
}

static void listeners_are_bounded(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'};
	size_t i;

	for (i = 0; i < H2SESS_LISTENERS_MAX; i++)
		assert_int_equal(h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL), 0);
	assert_int_equal(h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL), H2SESS_ELIMIT);
	assert_int_equal(h2sess_on(scene->emitter, "x-b", write_letter, &a, NULL), H2SESS_ELIMIT);
	h2sess_off_all(scene->emitter, NULL);
	assert_int_equal(h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL), 0);
}

/* ---- reentrancy ------------------------------------------------------------------------------ */

static void take_away(const struct h2sess_event *ev, void *user)
{
	struct scene *scene = user;
	size_t i;

	(void)ev;
	note(scene, 'x');
	for (i = 0; i < 4; i++)
		if (scene->ids[i])
			h2sess_off(scene->emitter, scene->ids[i]);
}

static void a_listener_takes_itself_away(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'}, b = {scene, 'b'};

	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL);
	h2sess_on(scene->emitter, CUSTOM, take_away, scene, &scene->ids[0]);
	h2sess_on(scene->emitter, CUSTOM, write_letter, &b, NULL);
	emit(scene);
	assert_string_equal(scene->log, "axb");
	emit(scene);
	assert_string_equal(scene->log, "ab");
}

static void a_listener_takes_all_others_away(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'}, b = {scene, 'b'}, c = {scene, 'c'};

	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, &scene->ids[0]);
	h2sess_on(scene->emitter, CUSTOM, take_away, scene, NULL);
	h2sess_on(scene->emitter, CUSTOM, write_letter, &b, &scene->ids[1]);
	h2sess_on(scene->emitter, CUSTOM, write_letter, &c, &scene->ids[2]);
	emit(scene);
	assert_string_equal(scene->log, "ax"); /* unlike Node: b and c are not called any more */
	assert_int_equal(h2sess_listener_count(scene->emitter, CUSTOM), 1);
	emit(scene);
	assert_string_equal(scene->log, "x");
}

/* A listener whose data is gone with it: the next one frees it and takes it away. */
static void free_the_next(const struct h2sess_event *ev, void *user)
{
	struct scene *scene = user;
	struct letter **next = (struct letter **)ev->data;

	h2sess_off(scene->emitter, scene->ids[0]);
	free(*next);
	*next = NULL;
}

static void user_data_may_be_freed_after_off(void **state)
{
	struct scene *scene = *state;
	struct letter *next = malloc(sizeof(*next));

	assert_non_null(next);
	next->scene = scene;
	next->letter = 'n';
	h2sess_once(scene->emitter, CUSTOM, free_the_next, scene, NULL);
	h2sess_on(scene->emitter, CUSTOM, write_letter, next, &scene->ids[0]);
	h2sess_emit(scene->emitter, CUSTOM, &next, sizeof(next));
	assert_string_equal(scene->log, "");
	assert_null(next);
}

static void add_one(const struct h2sess_event *ev, void *user)
{
	struct letter *letter = user;

	(void)ev;
	h2sess_on(letter->scene->emitter, CUSTOM, write_letter, letter, NULL);
	h2sess_prepend(letter->scene->emitter, CUSTOM, write_letter, letter, NULL);
}

static void added_during_emit_is_called_from_the_next_one(void **state)
{
	struct scene *scene = *state;
	struct letter n = {scene, 'n'}, a = {scene, 'a'};

	h2sess_once(scene->emitter, CUSTOM, add_one, &n, NULL);
	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL);
	emit(scene);
	assert_string_equal(scene->log, "a");
	emit(scene);
	assert_string_equal(scene->log, "nan");
}

static void emit_again(const struct h2sess_event *ev, void *user)
{
	struct scene *scene = user;

	note(scene, '(');
	if (scene->depth++ < 2)
		h2sess_emit(scene->emitter, ev->name, NULL, 0);
	note(scene, ')');
}

static void emit_within_emit(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'}, once = {scene, '1'};

	h2sess_once(scene->emitter, CUSTOM, write_letter, &once, NULL);
	h2sess_on(scene->emitter, CUSTOM, emit_again, scene, NULL);
	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL);
	emit(scene);
	assert_string_equal(scene->log, "1((()a)a)a");
}

static void once_that_emits_again(const struct h2sess_event *ev, void *user)
{
	struct scene *scene = user;

	note(scene, '!');
	scene->result = h2sess_emit(scene->emitter, ev->name, NULL, 0);
}

static void once_is_gone_before_it_is_called(void **state)
{
	struct scene *scene = *state;

	scene->result = -1;
	h2sess_once(scene->emitter, CUSTOM, once_that_emits_again, scene, NULL);
	assert_int_equal(emit(scene), 1);
	assert_string_equal(scene->log, "!");
	assert_int_equal(scene->result, 0);
}

static void off_all_in_a_listener(const struct h2sess_event *ev, void *user)
{
	struct scene *scene = user;

	note(scene, 'x');
	h2sess_off_all(scene->emitter, ev->name);
}

static void off_all_within_nested_emits(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'};

	h2sess_on(scene->emitter, CUSTOM, emit_again, scene, NULL);
	h2sess_on(scene->emitter, CUSTOM, off_all_in_a_listener, scene, NULL);
	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL);
	emit(scene);
	assert_string_equal(scene->log, "((("
					")x"
					"))");
	assert_int_equal(emit(scene), 0);
}

static void free_emitter(const struct h2sess_event *ev, void *user)
{
	struct scene *scene = user;

	(void)ev;
	h2sess_emitter_free(scene->emitter);
	scene->emitter = NULL;
}

static void the_emitter_may_be_freed_by_a_listener(void **state)
{
	struct scene *scene = *state;
	struct letter a = {scene, 'a'};

	h2sess_on(scene->emitter, CUSTOM, free_emitter, scene, NULL);
	h2sess_on(scene->emitter, CUSTOM, write_letter, &a, NULL);
	assert_int_equal(h2sess_emit(scene->emitter, CUSTOM, NULL, 0), 1);
	assert_string_equal(scene->log, ""); /* free is off for all */
}

/* ---- a session's emitter --------------------------------------------------------------------- */

enum verb { CLOSE, DESTROY, PUSH, OFF_ALL, POST };

struct live {
	struct test_server *server;
	enum verb verb;
	const char *event;
	int after; /* how often the listener behind it ran */
	int posted;
};

static void on_post(struct h2sess_session *s, void *user)
{
	struct live *live = user;

	(void)s;
	pthread_mutex_lock(&live->server->lock);
	live->posted++;
	pthread_cond_broadcast(&live->server->changed);
	pthread_mutex_unlock(&live->server->lock);
}

static void do_verb(const struct h2sess_event *ev, void *user)
{
	struct live *live = user;
	struct h2sess_session *s = ev->session;

	switch (live->verb) {
	case CLOSE:
		h2sess_session_close(s);
		break;
	case DESTROY:
		h2sess_session_destroy(s, H2SESS_CANCEL);
		h2sess_session_destroy(s, H2SESS_CANCEL);
		break;
	case PUSH:
		h2sess_session_altsvc(s, "clear", "https://example.org");
		break;
	case OFF_ALL:
		h2sess_off_all(h2sess_session_emitter(s), NULL);
		if (ev->stream)
			h2sess_off_all(h2sess_stream_emitter(ev->stream), NULL);
		break;
	case POST:
		h2sess_post(live->server->server, h2sess_session_id(s), on_post, live);
		break;
	}
}

static void count(const struct h2sess_event *ev, void *user)
{
	(void)ev;
	((struct live *)user)->after++;
}

static void add_verb(const struct h2sess_event *ev, void *user)
{
	struct live *live = user;

	h2sess_on(h2sess_session_emitter(ev->session), live->event, do_verb, live, NULL);
	h2sess_on(h2sess_session_emitter(ev->session), live->event, count, live, NULL);
}

/* A client that makes every session event happen. */
static void provoke(struct client *c)
{
	client_get(c, "/");
	client_send_ping(c, "provoked");
	client_send_goaway(c, 0, H2SESS_NO_ERROR);
	client_ends_within(c, CLIENT_DEADLINE_MS);
}

static void check_verb_in_listener(enum verb verb, const char *event)
{
	struct live live = {.verb = verb, .event = event};
	struct test_hooks hooks = {.session = add_verb, .user = &live};
	struct test_server *t = test_server_start(NULL, &hooks);
	struct client *c = client_open(t->port, NULL);
	struct client *other;

	live.server = t;
	provoke(c);
	client_free(c);
	if (verb != OFF_ALL)
		test_server_await(t, "close", 's', NULL, 1);
	other = client_open(t->port, NULL); /* the server lives */
	client_ends_within(other, 0);
	client_free(other);
	test_server_free(t);
}

static void any_verb_in_any_listener(void **state)
{
	static const char *const events[] = {"connect",	      "stream", "ping", "remoteSettings",
					     "localSettings", "goaway", "close"};
	size_t i;
	int verb;

	(void)state;
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		for (verb = CLOSE; verb <= OFF_ALL; verb++)
			check_verb_in_listener((enum verb)verb, events[i]);
}

static void listeners_behind_a_destroy_are_still_called(void **state)
{
	struct live live = {.verb = DESTROY, .event = "ping"};
	struct test_hooks hooks = {.session = add_verb, .user = &live};
	struct test_server *t = test_server_start(NULL, &hooks);
	struct client *c = client_open(t->port, NULL);

	(void)state;
	live.server = t;
	client_send_ping(c, "12345678");
	client_await_eof(c);
	test_server_await(t, "close", 's', NULL, 1);
	assert_int_equal(live.after, 1);
	client_free(c);
	test_server_free(t);
}

struct names {
	int on[4];
	size_t count;
};

static void session_names(struct h2sess_session *s, void *user)
{
	struct h2sess_emitter *e = h2sess_session_emitter(s);
	struct names *names = user;

	names->on[0] = h2sess_on(e, "data", count, user, NULL);
	names->on[1] = h2sess_on(e, "session", count, user, NULL);
	names->on[2] = h2sess_on(e, "altsvc", count, user, NULL);
	names->on[3] = h2sess_on(e, "x-mine", count, user, NULL);
	names->count = h2sess_listener_count(e, "x-mine");
	h2sess_off_all(e, "x-mine");
}

static void a_session_knows_its_own_names(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(t, NULL, id);
	struct names names = {0};

	(void)state;
	assert_true(test_server_run(t, id, session_names, &names));
	assert_int_equal(names.on[0], H2SESS_EEVENT);
	assert_int_equal(names.on[1], H2SESS_EEVENT);
	assert_int_equal(names.on[2], H2SESS_EEVENT);
	assert_int_equal(names.on[3], 0);
	assert_int_equal(names.count, 1);
	client_free(c);
	test_server_free(t);
}

static void emit_session_error(struct h2sess_session *s, void *user)
{
	*(int *)user = h2sess_emit(h2sess_session_emitter(s), "error", NULL, 0);
}

static void emit_unheard_error(struct h2sess_session *s, void *user)
{
	h2sess_off_all(h2sess_session_emitter(s), "error");
	emit_session_error(s, user);
}

static void emit_unheard_stream_error(struct h2sess_session *s, void *user)
{
	struct h2sess_emitter *e = h2sess_stream_emitter(h2sess_session_stream(s, 1));

	h2sess_off_all(e, "error");
	*(int *)user = h2sess_emit(e, "error", NULL, 0);
}

/* Node throws; here the object that the error is about ends. */
static void an_error_that_nobody_hears_destroys(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(t, NULL, id);
	int result = -1;

	(void)state;
	client_get(c, "/hold");
	test_server_await(t, "stream", 's', id, 1);
	assert_true(test_server_run(t, id, emit_unheard_stream_error, &result));
	assert_int_equal(result, 0);
	assert_int_equal(frame_u32(client_await(c, FRAME_RST_STREAM), 0), H2SESS_INTERNAL_ERROR);
	assert_true(test_server_run(t, id, emit_unheard_error, &result));
	assert_int_equal(result, 0);
	assert_int_equal(frame_u32(client_await(c, FRAME_GOAWAY), 4), H2SESS_INTERNAL_ERROR);
	client_await_eof(c);
	client_free(c);
	test_server_free(t);
}

static void an_error_that_somebody_hears_does_not(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(t, NULL, id);
	int result = -1;

	(void)state;
	assert_true(test_server_run(t, id, emit_session_error, &result));
	assert_int_equal(result, 1);
	client_check_get(c, "/", 200);
	client_free(c);
	test_server_free(t);
}

/* ---- the server's emitter -------------------------------------------------------------------- */

static void the_servers_listeners_freeze_at_listen(void **state)
{
	struct test_server *t = test_server_new(NULL, NULL);
	struct h2sess_emitter *e = h2sess_server_emitter(t->server);
	struct live live = {0};
	uint64_t id = 0;

	(void)state;
	assert_int_equal(h2sess_on(e, "session", count, &live, &id), 0);
	assert_int_equal(h2sess_off(e, id), 0);
	assert_int_equal(h2sess_on(e, "session", count, &live, &id), 0);
	test_server_listen(t);
	assert_int_equal(h2sess_on(e, "session", count, &live, NULL), H2SESS_ESTATE);
	assert_int_equal(h2sess_once(e, "session", count, &live, NULL), H2SESS_ESTATE);
	assert_int_equal(h2sess_prepend(e, "x-mine", count, &live, NULL), H2SESS_ESTATE);
	assert_int_equal(h2sess_off(e, id), H2SESS_ESTATE);
	assert_int_equal(h2sess_off_all(e, NULL), H2SESS_ESTATE);
	test_server_free(t);
}

static void a_stream_on_server_and_session(void **state)
{
	struct test_server *t = test_server_start(NULL, NULL);
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(t, NULL, id);
	const struct record *r;

	(void)state;
	client_check_get(c, "/", 200);
	r = test_server_await(t, "stream", 's', id, 1);
	assert_int_equal(r->stream_id, 1);
	assert_int_equal(r->flags, 5); /* END_STREAM and END_HEADERS, as in Node */
	client_free(c);
	test_server_free(t);
}

int main(void)
{
#define ALONE(name) cmocka_unit_test_setup_teardown(name, begin, finish)
	static const struct CMUnitTest tests[] = {
		ALONE(order_is_preponce_prep_on_once),
		ALONE(add_listener_is_on),
		ALONE(the_same_function_twice_is_called_twice),
		ALONE(emit_says_whether_anybody_listened),
		ALONE(emit_hands_data_over),
		ALONE(emit_event_hands_it_on_as_it_is),
		ALONE(names_in_the_order_of_their_first_listener),
		ALONE(off_all_by_name_and_of_all),
		ALONE(an_unknown_name_is_an_error),
		ALONE(off_twice_is_not_found),
		ALONE(listeners_are_bounded),
		ALONE(a_listener_takes_itself_away),
		ALONE(a_listener_takes_all_others_away),
		ALONE(user_data_may_be_freed_after_off),
		ALONE(added_during_emit_is_called_from_the_next_one),
		ALONE(emit_within_emit),
		ALONE(once_is_gone_before_it_is_called),
		ALONE(off_all_within_nested_emits),
		ALONE(the_emitter_may_be_freed_by_a_listener),
		cmocka_unit_test(any_verb_in_any_listener),
		cmocka_unit_test(listeners_behind_a_destroy_are_still_called),
		cmocka_unit_test(a_session_knows_its_own_names),
		cmocka_unit_test(an_error_that_nobody_hears_destroys),
		cmocka_unit_test(an_error_that_somebody_hears_does_not),
		cmocka_unit_test(the_servers_listeners_freeze_at_listen),
		cmocka_unit_test(a_stream_on_server_and_session),
	};

	return cmocka_run_group_tests_name("emitter", tests, NULL, NULL);
}
