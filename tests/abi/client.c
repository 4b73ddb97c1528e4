/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of this ABI's first day: compiled against the frozen header in tests/abi/0, run with
 * today's library. It hands in open structs as they are there, smaller ones, as a program of an older
 * header would, and larger ones, as one of a newer header would; and looks that no byte is written
 * beyond the size that it gave.
 */
#include <h2sess/h2sess.h>

#include <semaphore.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UP_TO(type, member) (offsetof(struct type, member) + sizeof(((struct type *)0)->member))
#define UNTOUCHED 0xa5

static sem_t done;
static int failures;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	failures++;
	printf("%s\n", what);
}

/* ---- structs that come out ------------------------------------------------------------------- */

union out {
	size_t size;
	unsigned char bytes[1024];
};

static void prepare(union out *out, size_t size)
{
	memset(out, UNTOUCHED, sizeof(*out));
	out->size = size;
}

/* The size stands as it was, and nothing behind it was written. */
static void check_out(const union out *out, size_t size, int result, const char *what)
{
	size_t i;

	check(result == 0, what);
	check(out->size == size, what);
	for (i = size; i < sizeof(out->bytes); i++) {
		if (out->bytes[i] != UNTOUCHED) {
			check(0, what);
			return;
		}
	}
}

#define CHECK_OUT(call, type, member, ...)                                                        \
	do {                                                                                      \
		size_t sizes[] = {sizeof(size_t), UP_TO(type, member), sizeof(struct type)};      \
		union out out;                                                                    \
		size_t n;                                                                         \
		for (n = 0; n < 3; n++) {                                                         \
			prepare(&out, sizes[n]);                                                  \
			check_out(&out, sizes[n], call(__VA_ARGS__, (struct type *)(void *)&out), \
				  #call);                                                         \
		}                                                                                 \
		prepare(&out, 0);                                                                 \
		check(call(__VA_ARGS__, (struct type *)(void *)&out) == H2SESS_EINVAL,            \
		      #call " without a size");                                                   \
	} while (0)

/* ---- on a session ---------------------------------------------------------------------------- */

struct newer_push {
	struct h2sess_push push;
	char more[64];
};

static void push_all_sizes(struct h2sess_session *s)
{
	struct h2sess_push push = H2SESS_PUSH_INIT;
	struct newer_push newer = {.push = {.size = sizeof(newer)}};
	uint32_t rules = 0;

	push.kind = H2SESS_PUSH_ALTSVC;
	push.alt = "h2=\":1\"; ma=60";
	push.origin = "https://example.org";
	check(h2sess_session_push(s, &push, NULL) == 0, "push");
	push.size = UP_TO(h2sess_push, origin);
	check(h2sess_session_push(s, &push, NULL) == 0, "a smaller push");
	check(h2sess_lint(s, &push, &rules) == 0, "lint of a smaller push");
	memcpy(&newer.push.kind, &push.kind, sizeof(push) - offsetof(struct h2sess_push, kind));
	check(h2sess_session_push(s, &newer.push, NULL) == 0, "a larger push");
	push.size = 0;
	check(h2sess_session_push(s, &push, NULL) == H2SESS_EINVAL, "a push without a size");
}

static void announce_all_sizes(struct h2sess_session *s)
{
	struct h2sess_settings settings = H2SESS_SETTINGS_INIT;

	settings.present = H2SESS_SETTING_HEADER_TABLE_SIZE;
	settings.header_table_size = 4096;
	settings.n_custom = 1000; /* behind the size: not looked at */
	settings.size = UP_TO(h2sess_settings, header_table_size);
	check(h2sess_session_settings(s, &settings, NULL, NULL) == 0, "smaller settings");
	settings.size = 0;
	check(h2sess_session_settings(s, &settings, NULL, NULL) == H2SESS_ESETTING,
	      "settings without a size");
}

static void on_session(const struct h2sess_event *ev, void *user)
{
	struct h2sess_session *s = ev->session;

	(void)user;
	check(ev->size >= sizeof(*ev), "the event's size");
	CHECK_OUT(h2sess_session_peer, h2sess_peer, port, s);
	CHECK_OUT(h2sess_session_state, h2sess_session_state, next_stream_id, s);
	CHECK_OUT(h2sess_session_local_settings, h2sess_settings, enable_push, s);
	CHECK_OUT(h2sess_session_remote_settings, h2sess_settings, enable_push, s);
	CHECK_OUT(h2sess_server_stats, h2sess_server_stats, sessions, ev->server);
	push_all_sizes(s);
	CHECK_OUT(h2sess_session_pushed, h2sess_pushed, origin, s, 0);
	announce_all_sizes(s);
}

/* To nobody: what is looked at is that smaller structs are taken, and only what fits is given. */
static void fan_out(struct h2sess_server *srv)
{
	struct h2sess_push push = {.size = UP_TO(h2sess_push, origin), .alt = "clear"};
	struct h2sess_fanout_options options = {.size = UP_TO(h2sess_fanout_options, push)};
	struct h2sess_selector *nobody = NULL;
	struct h2sess_fanout *fanout = NULL;

	push.origin = "https://example.org";
	check(h2sess_selector_new("{\"ids\":[\"none-1\"]}", 18, &nobody, NULL) == 0, "a selector");
	options.select = nobody;
	options.push = &push;
	check(h2sess_fanout_start(srv, &options, &fanout) == 0, "smaller fan-out options");
	CHECK_OUT(h2sess_fanout_counts, h2sess_fanout_counts, queued, fanout);
	h2sess_fanout_free(fanout);
	h2sess_selector_free(nobody);
}

static void on_stream(const struct h2sess_event *ev, void *user)
{
	struct h2sess_event smaller = *ev;

	CHECK_OUT(h2sess_stream_state, h2sess_stream_state, state, ev->stream);
	smaller.size = offsetof(struct h2sess_event, data);
	check(h2sess_emit_event(user, &smaller) == 1, "a smaller event");
	fan_out(ev->server);
	h2sess_stream_end(ev->stream, "old\n", 4);
	sem_post(&done);
}

static void on_handed_on(const struct h2sess_event *ev, void *user)
{
	(void)user;
	check(ev->stream && !ev->data && ev->size >= sizeof(*ev), "an event that was handed on");
}

/* ---- a server -------------------------------------------------------------------------------- */

static void *host_malloc(size_t n, void *user)
{
	(void)user;
	return malloc(n);
}

static void *host_realloc(void *p, size_t n, void *user)
{
	(void)user;
	return realloc(p, n);
}

static void host_free(void *p, void *user)
{
	(void)user;
	free(p);
}

static void bring_an_allocator(void)
{
	struct h2sess_allocator allocator = {.size = UP_TO(h2sess_allocator, free_fn),
					     .malloc_fn = host_malloc,
					     .realloc_fn = host_realloc,
					     .free_fn = host_free};

	check(h2sess_set_allocator(&allocator) == 0, "a smaller allocator");
}

static struct h2sess_server *make_server(struct h2sess_emitter *own)
{
	struct h2sess_limits limits = {.size = UP_TO(h2sess_limits, header_timeout_ms),
				       .header_timeout_ms = 5000};
	struct h2sess_options options = {.size = UP_TO(h2sess_options, limits), .limits = &limits};
	struct h2sess_server *srv = NULL;

	check(h2sess_server_new(&options, &srv, NULL) == 0, "smaller options and limits");
	h2sess_on(h2sess_server_emitter(srv), H2SESS_EVENT_SESSION, on_session, NULL, NULL);
	h2sess_on(h2sess_server_emitter(srv), H2SESS_EVENT_STREAM, on_stream, own, NULL);
	return srv;
}

/* Preface, SETTINGS, and GET / with :authority a: no table, no Huffman. */
static const char REQUEST[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			      "\0\0\0\4\0\0\0\0\0"
			      "\0\0\6\1\5\0\0\0\1\x82\x86\x84\x41\1a";

/* Everything up to the body, which only the answer has in it. */
static int has_answer(int fd)
{
	char bytes[4096];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(bytes) && (n = read(fd, bytes + len, sizeof(bytes) - len)) > 0) {
		len += (size_t)n;
		if (memmem(bytes, len, "old\n", 4))
			return 1;
	}
	return 0;
}

int main(void)
{
	struct h2sess_adopt_options adopt = {.size = sizeof(size_t)};
	struct h2sess_emitter *own = NULL;
	struct h2sess_server *srv;
	int fds[2] = {-1, -1};

	check(h2sess_abi() == H2SESS_ABI, "the ABI's number");
	sem_init(&done, 0, 0);
	bring_an_allocator();
	check(h2sess_emitter_new(&own) == 0, "an emitter");
	h2sess_on(own, H2SESS_EVENT_STREAM, on_handed_on, NULL, NULL);
	srv = make_server(own);
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "a pair of sockets");
	check(h2sess_server_adopt(srv, fds[0], NULL, &adopt) == 0, "smaller adopt options");
	check(write(fds[1], REQUEST, sizeof(REQUEST) - 1) == sizeof(REQUEST) - 1, "a request");
	sem_wait(&done);
	check(has_answer(fds[1]), "the answer");
	close(fds[1]);
	h2sess_server_free(srv);
	h2sess_emitter_free(own);
	return failures != 0;
}
