/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the daemon: it owns the socket, the reader, the lines that wait to be written,
 * and the times between two connections. The control thread calls it; what the messages mean is the
 * handler's.
 *
 * The happy path:
 *   - link_start() connects; the handler makes the hello, which is the first line;
 *   - its result comes: the link is up; requests go to the handler, lines out as the socket takes
 *     them, and the handler hears when there is room for more.
 * What can go wrong:
 *   - nobody listens, the daemon refuses the hello, breaks off, says nothing: the link is down, and
 *     connects again after a random time up to LINK_BACKOFF_MAX_MS;
 *   - a line that is no message: it is answered with an error, then the connection ends;
 *   - a line over RPC_LINE_MAX, output over LINK_OUTPUT_MAX, no memory: the connection ends.
 *
 * A write to a socket without a reader raises SIGPIPE; the control thread blocks it, like all
 * signals.
 */
#include "control_link.h"

#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELLO_ID 1 /* the only request that we ever send */
#define READ_MAX 65536

struct output_line {
	struct list link; /* link_connection.output or writing */
	char *text;
	size_t len;
};

/* One connection, from its connect to its close callback. */
struct link_connection {
	uv_pipe_t pipe;
	uv_connect_t connect;
	uv_write_t write;
	struct control_link *link; /* NULL once it was given up */
	struct rpc_reader reader;
	struct list output;  /* struct output_line.link: not given to libuv yet */
	struct list writing; /* ... and those that are */
	size_t output_bytes; /* of both */
	bool goodbye;	     /* a last error is on its way: nothing is read any more */
	char read_buf[READ_MAX];
};

/* ---- the end of a connection, and the next one ----------------------------------------------- */

static void free_lines(struct list *lines)
{
	struct list *at;

	while ((at = list_pop(lines))) {
		struct output_line *line = container_of(at, struct output_line, link);

		free(line->text);
		mem_free(line);
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct link_connection *c = container_of(handle, struct link_connection, pipe);

	rpc_reader_done(&c->reader);
	free_lines(&c->output);
	free_lines(&c->writing);
	mem_free(c);
}

/* Give the connection up; its memory goes with the close callback. */
static void let_go(struct control_link *link)
{
	struct link_connection *c = link->connection;

	if (!c)
		return;
	link->connection = NULL;
	link->up = false;
	c->link = NULL;
	uv_timer_stop(&link->deadline);
	uv_close((uv_handle_t *)&c->pipe, on_closed);
}

uint32_t link_jitter(uint32_t backoff_ms, uint32_t random)
{
	return random % (backoff_ms + 1);
}

static uint32_t draw(void)
{
	uint32_t random = 0;

	uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
	return random;
}

static void connect_now(uv_timer_t *timer);

static void connect_later(struct control_link *link)
{
	uint32_t wait = link_jitter(link->backoff_ms, draw());

	if (link->stopped)
		return;
	link->backoff_ms *= 2;
	if (link->backoff_ms > LINK_BACKOFF_MAX_MS)
		link->backoff_ms = LINK_BACKOFF_MAX_MS;
	uv_timer_start(&link->retry, connect_now, wait, 0);
}

static void fail(struct control_link *link, const char *why)
{
	let_go(link);
	link->handler->down(link->user, why);
	connect_later(link);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void write_some(struct link_connection *c);

static void on_written(uv_write_t *write, int status)
{
	struct link_connection *c = container_of(write, struct link_connection, write);
	struct control_link *link = c->link;
	struct list *at;

	list_for_each(at, &c->writing)
		c->output_bytes -= container_of(at, struct output_line, link)->len;
	free_lines(&c->writing);
	if (!link)
		return;
	if (status < 0) {
		fail(link, uv_strerror(status));
		return;
	}
	write_some(c);
	if (!c->link)
		return;
	if (c->goodbye && list_empty(&c->writing))
		fail(link, "the daemon broke the protocol");
	else if (link_has_room(link))
		link->handler->room(link->user);
}

/* Give libuv the next lines, unless it still has some. */
static void write_some(struct link_connection *c)
{
	uv_buf_t bufs[LINK_WRITE_LINES];
	unsigned int n = 0;
	int r;

	if (!list_empty(&c->writing))
		return;
	while (n < LINK_WRITE_LINES && !list_empty(&c->output)) {
		struct list *at = list_pop(&c->output);
		struct output_line *line = container_of(at, struct output_line, link);

		bufs[n++] = uv_buf_init(line->text, (unsigned int)line->len);
		list_add_tail(&c->writing, at);
	}
	if (n == 0)
		return;
	r = uv_write(&c->write, (uv_stream_t *)&c->pipe, bufs, n, on_written);
	if (r < 0)
		fail(c->link, uv_strerror(r));
}

static struct output_line *line_new(char *text, size_t len)
{
	struct output_line *line = text ? mem_calloc(1, sizeof(*line)) : NULL;

	if (!line)
		return NULL;
	line->text = text;
	line->len = len;
	return line;
}

static void send_line(struct link_connection *c, char *text, size_t len)
{
	struct output_line *line = line_new(text, len);

	if (!line) {
		free(text);
		fail(c->link, "out of memory");
		return;
	}
	list_add_tail(&c->output, &line->link);
	c->output_bytes += len;
	if (c->output_bytes > LINK_OUTPUT_MAX)
		fail(c->link, "the daemon does not read");
	else
		write_some(c);
}

void link_send(struct control_link *link, char *line, size_t len)
{
	if (link->connection && !link->connection->goodbye)
		send_line(link->connection, line, len);
	else
		free(line);
}

bool link_has_room(const struct control_link *link)
{
	return link->up && link->connection && !link->connection->goodbye &&
	       link->connection->output_bytes < LINK_OUTPUT_ROOM;
}

bool link_idle(const struct control_link *link)
{
	return !link->up || !link->connection || link->connection->output_bytes == 0;
}

/* ---- input ----------------------------------------------------------------------------------- */

static void on_deadline(uv_timer_t *timer)
{
	struct control_link *link = timer->data;

	fail(link, link->connection->goodbye ? "the daemon broke the protocol"
					     : "the daemon did not answer in time");
}

static void hello_refused(struct control_link *link, const struct rpc_message *m)
{
	const char *name = json_string_value(json_object_get(m->error_data, "code"));
	char why[LINK_WHY_MAX];

	snprintf(why, sizeof(why), "the daemon refuses this worker: %s%s%s", m->error_message,
		 name ? ", " : "", name ? name : "");
	fail(link, why);
}

static void hello_answered(struct control_link *link, const struct rpc_message *m)
{
	link->up = true;
	link->backoff_ms = LINK_BACKOFF_MIN_MS;
	uv_timer_stop(&link->deadline);
	link->handler->up(link->user, m->result);
}

static bool answers_hello(const struct control_link *link, const struct rpc_message *m)
{
	return !link->up && m->id == HELLO_ID && (m->kind == RPC_RESULT || m->kind == RPC_ERROR);
}

static int on_message(const struct rpc_message *m, void *user)
{
	struct link_connection *c = user;
	struct control_link *link = c->link;

	if (answers_hello(link, m)) {
		if (m->kind == RPC_RESULT)
			hello_answered(link, m);
		else
			hello_refused(link, m);
	} else if (link->up && (m->kind == RPC_REQUEST || m->kind == RPC_NOTIFICATION)) {
		link->handler->message(link->user, m);
	}
	return c->link ? 0 : -1; /* a handler may have ended the connection */
}

/* Say what was wrong, then end the connection once that has left. */
static void say_goodbye(struct link_connection *c, int error)
{
	struct control_link *link = c->link;
	size_t len = 0;
	char *line = rpc_error(0, error, NULL, NULL, NULL, &len);

	c->goodbye = true;
	uv_read_stop((uv_stream_t *)&c->pipe);
	uv_timer_start(&link->deadline, on_deadline, LINK_GOODBYE_TIMEOUT_MS, 0);
	send_line(c, line, len);
}

static void bad_input(struct link_connection *c, int error)
{
	switch (error) {
	case RPC_EPARSE:
		say_goodbye(c, RPC_PARSE_ERROR);
		break;
	case RPC_EINVALID:
		say_goodbye(c, RPC_INVALID_REQUEST);
		break;
	case RPC_ETOOLONG:
		fail(c->link, "the daemon sent a line that is too long");
		break;
	default:
		fail(c->link, "out of memory");
	}
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct link_connection *c = container_of(stream, struct link_connection, pipe);
	int r;

	if (!c->link || n == 0)
		return;
	if (n < 0) {
		fail(c->link,
		     n == UV_EOF ? "the daemon closed the connection" : uv_strerror((int)n));
		return;
	}
	r = rpc_reader_feed(&c->reader, buf->base, (size_t)n, on_message, c);
	if (r < 0 && c->link)
		bad_input(c, r);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct link_connection *c = container_of(handle, struct link_connection, pipe);

	(void)suggested;
	*buf = uv_buf_init(c->read_buf, sizeof(c->read_buf));
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void say_hello(struct link_connection *c)
{
	struct control_link *link = c->link;
	json_t *params = link->handler->hello(link->user);
	char *line = NULL;
	size_t len = 0;

	if (params)
		line = rpc_request(HELLO_ID, RPC_HELLO, params, &len);
	uv_timer_start(&link->deadline, on_deadline, LINK_HELLO_TIMEOUT_MS, 0);
	send_line(c, line, len);
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct link_connection *c = container_of(connect, struct link_connection, connect);
	struct control_link *link = c->link;

	if (!link)
		return;
	if (status >= 0)
		status = uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
	if (status < 0)
		fail(link, uv_strerror(status));
	else
		say_hello(c);
}

static struct link_connection *connection_new(struct control_link *link)
{
	struct link_connection *c = mem_alloc(sizeof(*c));

	if (!c)
		return NULL;
	memset(c, 0, offsetof(struct link_connection, read_buf));
	c->link = link;
	rpc_reader_init(&c->reader);
	list_init(&c->output);
	list_init(&c->writing);
	uv_pipe_init(link->loop, &c->pipe, 0);
	return c;
}

static void connect_now(uv_timer_t *timer)
{
	struct control_link *link = timer->data;
	struct link_connection *c = connection_new(link);

	if (!c) {
		connect_later(link);
		return;
	}
	link->connection = c;
	link->generation++;
	uv_pipe_connect(&c->connect, &c->pipe, link->path, on_connected);
}

void link_init(struct control_link *link, uv_loop_t *loop, const char *path,
	       const struct link_handler *handler, void *user)
{
	*link = (struct control_link){
		.handler = handler,
		.user = user,
		.path = path,
		.loop = loop,
		.backoff_ms = LINK_BACKOFF_MIN_MS,
	};
	uv_timer_init(loop, &link->retry);
	uv_timer_init(loop, &link->deadline);
	link->retry.data = link;
	link->deadline.data = link;
}

void link_start(struct control_link *link)
{
	uv_timer_start(&link->retry, connect_now, 0, 0);
}

void link_stop(struct control_link *link)
{
	if (link->stopped)
		return;
	link->stopped = true;
	let_go(link);
	uv_close((uv_handle_t *)&link->retry, NULL);
	uv_close((uv_handle_t *)&link->deadline, NULL);
}
