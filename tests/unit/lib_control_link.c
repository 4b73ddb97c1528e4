/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the daemon, against a socket that the test plays the daemon on, all in one
 * thread: the link's loop turns while the daemon's side waits for what it expects.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libh2sess/src/control_link.h"

#define PATIENCE_MS 30000

struct scene {
	uv_loop_t loop;
	struct control_link link;
	char dir[64];
	char path[96];
	int listener;
	int peer; /* the daemon's end of the connection */
	char *input;
	size_t input_len;
	int ups, downs, messages, rooms;
	char why[128];
	bool no_hello;
};

static json_t *make_hello(void *user)
{
	const struct scene *scene = user;

	return scene->no_hello ? NULL : json_pack("{s:s}", "name", "w1");
}

static void on_up(void *user, const json_t *result)
{
	struct scene *scene = user;

	assert_true(json_is_object(result));
	scene->ups++;
}

static void on_message(void *user, const struct rpc_message *message)
{
	struct scene *scene = user;

	(void)message;
	scene->messages++;
}

static void on_room(void *user)
{
	struct scene *scene = user;

	scene->rooms++;
}

static void on_down(void *user, const char *why)
{
	struct scene *scene = user;

	scene->downs++;
	snprintf(scene->why, sizeof(scene->why), "%s", why);
}

static const struct link_handler handler = {make_hello, on_up, on_message, on_room, on_down};

static void listen_again(struct scene *scene)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	unlink(scene->path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", scene->path);
	scene->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(scene->listener >= 0);
	assert_int_equal(bind(scene->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(scene->listener, 8), 0);
}

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	signal(SIGPIPE, SIG_IGN); /* the control thread blocks it */
	scene->peer = -1;
	snprintf(scene->dir, sizeof(scene->dir), "/tmp/h2sess-link.XXXXXX");
	assert_non_null(mkdtemp(scene->dir));
	snprintf(scene->path, sizeof(scene->path), "%s/rpc.sock", scene->dir);
	listen_again(scene);
	assert_int_equal(uv_loop_init(&scene->loop), 0);
	link_init(&scene->link, &scene->loop, scene->path, &handler, scene);
	link_start(&scene->link);
	*state = scene;
	return 0;
}

static void hang_up(struct scene *scene)
{
	if (scene->peer >= 0)
		close(scene->peer);
	scene->peer = -1;
	scene->input_len = 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	link_stop(&scene->link);
	uv_run(&scene->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&scene->loop), 0);
	hang_up(scene);
	close(scene->listener);
	unlink(scene->path);
	rmdir(scene->dir);
	free(scene->input);
	free(scene);
	return 0;
}

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

static void turn(struct scene *scene)
{
	uv_run(&scene->loop, UV_RUN_NOWAIT);
	usleep(500);
}

/* Take the link's next connection. Returns how long that took. */
static uint64_t take_connection(struct scene *scene)
{
	uint64_t start = now_ms();

	hang_up(scene);
	while (scene->peer < 0) {
		assert_true(now_ms() - start < PATIENCE_MS);
		turn(scene);
		scene->peer = accept4(scene->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	return now_ms() - start;
}

/* The next line that the link wrote, as JSON, or NULL when it closed. */
static json_t *take_line(struct scene *scene)
{
	uint64_t start = now_ms();
	char *newline;
	json_t *json;
	ssize_t n;

	scene->input = scene->input ? scene->input : malloc(1 << 20);
	assert_non_null(scene->input);
	while (!(newline = memchr(scene->input, '\n', scene->input_len))) {
		assert_true(now_ms() - start < PATIENCE_MS);
		turn(scene);
		n = read(scene->peer, scene->input + scene->input_len,
			 (1 << 20) - scene->input_len);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return NULL;
		scene->input_len += n > 0 ? (size_t)n : 0;
	}
	json = json_loadb(scene->input, (size_t)(newline - scene->input), 0, NULL);
	assert_non_null(json);
	scene->input_len -= (size_t)(newline + 1 - scene->input);
	memmove(scene->input, newline + 1, scene->input_len);
	return json;
}

static void say(struct scene *scene, const char *text)
{
	assert_int_equal(write(scene->peer, text, strlen(text)), strlen(text));
}

static void take_hello(struct scene *scene)
{
	json_t *hello = take_line(scene);

	assert_non_null(hello);
	assert_string_equal(json_string_value(json_object_get(hello, "method")), "hello");
	assert_int_equal(json_integer_value(json_object_get(hello, "id")), 1);
	json_decref(hello);
}

#define WELCOME "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1}}\n"

static void bring_up(struct scene *scene)
{
	int ups = scene->ups;

	take_connection(scene);
	take_hello(scene);
	say(scene, WELCOME);
	for (uint64_t start = now_ms(); scene->ups == ups;) {
		assert_true(now_ms() - start < PATIENCE_MS);
		turn(scene);
	}
	assert_true(scene->link.up);
}

/* Read away what the link still says, until it closes. */
static void wait_for_close(struct scene *scene)
{
	json_t *line;

	while ((line = take_line(scene)))
		json_decref(line);
}

static void hello_is_first_and_opens_the_link(void **state)
{
	struct scene *scene = *state;

	bring_up(scene);
	assert_int_equal(scene->ups, 1);
	assert_true(link_has_room(&scene->link));
	say(scene, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"worker.stats\"}\n");
	while (scene->messages == 0)
		turn(scene);
	assert_true(link_idle(&scene->link));
}

static void nothing_is_heard_before_the_hello_is_answered(void **state)
{
	struct scene *scene = *state;

	take_connection(scene);
	take_hello(scene);
	say(scene, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"worker.stats\"}\n" WELCOME);
	while (scene->ups == 0)
		turn(scene);
	assert_int_equal(scene->messages, 0);
}

static void it_comes_back_within_the_backoff(void **state)
{
	struct scene *scene = *state;
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t took;

		bring_up(scene);
		assert_true(scene->link.backoff_ms == LINK_BACKOFF_MIN_MS);
		hang_up(scene);
		took = take_connection(scene);
		shortest = took < shortest ? took : shortest;
		take_hello(scene);
		hang_up(scene);
	}
	/* 50 ms, and what a machine adds that is not busy all the time */
	assert_true(shortest < LINK_BACKOFF_MIN_MS + 450);
	assert_string_equal(scene->why, "the daemon closed the connection");
}

static void a_refused_hello_slows_it_down_to_a_second(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < 6; i++) {
		take_connection(scene);
		take_hello(scene);
		say(scene,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-48,\"message\":\"x\","
		    "\"data\":{\"code\":\"ERR_WORKER_NAME_IN_USE\"}}}\n");
		wait_for_close(scene);
	}
	assert_int_equal(scene->ups, 0);
	assert_int_equal(scene->downs, 6);
	assert_string_equal(scene->why,
			    "the daemon refuses this worker: x, ERR_WORKER_NAME_IN_USE");
	assert_int_equal(scene->link.backoff_ms, LINK_BACKOFF_MAX_MS);
}

static void it_waits_for_a_socket_that_is_not_there(void **state)
{
	struct scene *scene = *state;

	close(scene->listener);
	unlink(scene->path);
	while (scene->downs < 3)
		turn(scene);
	listen_again(scene);
	bring_up(scene);
}

static void expect_goodbye(struct scene *scene, const char *line, int code)
{
	json_t *error;

	bring_up(scene);
	say(scene, line);
	error = take_line(scene);
	assert_non_null(error);
	assert_true(json_is_null(json_object_get(error, "id")));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(error, "error"), "code")), code);
	json_decref(error);
	wait_for_close(scene);
}

static void what_is_no_message_is_answered_and_ends_it(void **state)
{
	struct scene *scene = *state;

	expect_goodbye(scene, "nonsense\n", RPC_PARSE_ERROR);
	expect_goodbye(scene, "{\"a\":1,\"a\":2}\n", RPC_PARSE_ERROR);
	expect_goodbye(scene, "[]\n", RPC_INVALID_REQUEST);
	assert_int_equal(scene->downs, 3);
	bring_up(scene);
}

static void an_endless_line_ends_it(void **state)
{
	struct scene *scene = *state;
	static char piece[65536];
	size_t sent = 0;
	ssize_t n;

	memset(piece, ' ', sizeof(piece));
	bring_up(scene);
	while (scene->downs == 0) {
		n = write(scene->peer, piece, sizeof(piece));
		sent += n > 0 ? (size_t)n : 0;
		assert_true(sent < 2 * RPC_LINE_MAX);
		turn(scene);
	}
	assert_string_equal(scene->why, "the daemon sent a line that is too long");
	bring_up(scene);
}

static char *blank_line(size_t len)
{
	char *line = malloc(len);

	assert_non_null(line);
	memset(line, ' ', len);
	line[len - 1] = '\n';
	return line;
}

static void a_daemon_that_does_not_read_is_left(void **state)
{
	struct scene *scene = *state;
	size_t sent = 0;

	bring_up(scene);
	while (scene->downs == 0) {
		assert_true(sent < 2 * LINK_OUTPUT_MAX);
		link_send(&scene->link, blank_line(1 << 20), 1 << 20);
		assert_false(link_has_room(&scene->link));
		sent += 1 << 20;
	}
	assert_true(sent > LINK_OUTPUT_MAX);
	assert_string_equal(scene->why, "the daemon does not read");
	assert_true(link_idle(&scene->link));
}

static void it_says_when_there_is_room_again(void **state)
{
	struct scene *scene = *state;
	size_t got = 0;
	ssize_t n;

	bring_up(scene);
	link_send(&scene->link, blank_line(2 << 20), 2 << 20);
	assert_false(link_has_room(&scene->link));
	scene->rooms = 0;
	while (scene->rooms == 0) {
		turn(scene);
		n = read(scene->peer, scene->input, 1 << 20);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_true(got > 1 << 20);
	assert_true(link_has_room(&scene->link));
}

static void an_answer_that_cannot_be_made_ends_it(void **state)
{
	struct scene *scene = *state;

	bring_up(scene);
	link_send(&scene->link, NULL, 0);
	assert_int_equal(scene->downs, 1);
	scene->no_hello = true;
	take_connection(scene);
	wait_for_close(scene);
	assert_string_equal(scene->why, "out of memory");
}

static void jitter_stays_within_its_bound(void **state)
{
	(void)state;
	for (uint32_t random = 0; random < 100000; random += 7)
		assert_true(link_jitter(50, random * 65537u) <= 50);
	assert_int_equal(link_jitter(1000, 1000), 1000);
	assert_int_equal(link_jitter(1000, 1001), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define SCENE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		SCENE(hello_is_first_and_opens_the_link),
		SCENE(nothing_is_heard_before_the_hello_is_answered),
		SCENE(it_comes_back_within_the_backoff),
		SCENE(a_refused_hello_slows_it_down_to_a_second),
		SCENE(it_waits_for_a_socket_that_is_not_there),
		SCENE(what_is_no_message_is_answered_and_ends_it),
		SCENE(an_endless_line_ends_it),
		SCENE(a_daemon_that_does_not_read_is_left),
		SCENE(it_says_when_there_is_room_again),
		SCENE(an_answer_that_cannot_be_made_ends_it),
		cmocka_unit_test(jitter_stays_within_its_bound),
#undef SCENE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
