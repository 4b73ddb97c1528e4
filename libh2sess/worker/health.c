/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health responder, on the main thread's loop.
 *
 *   1. accept; a timer bounds the connection's whole life
 *   2. read until the head is complete (its empty line)
 *   3. write one answer with "Connection: close", then close
 *
 * Failures: too many connections, a head that is too long or too slow, a peer that goes: closed
 * without a word. The body of a request is never read.
 */
#include "health.h"

#include <stdlib.h>
#include <string.h>

struct health {
	uv_tcp_t listener;
	uv_loop_t *loop;
	struct connection *connections;
	unsigned n_connections;
	bool (*serving)(void *user);
	void *user;
	bool stopped; /* the listener is closed: freed with the last connection */
};

struct connection {
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	struct health *health;
	struct connection *next;
	unsigned open_handles; /* of tcp and timer */
	size_t len;	       /* of head */
	char head[HEALTH_HEAD_MAX + 1];
};

struct reply {
	const char *head; /* without its empty line */
	const char *body;
};

#define COMMON "Content-Type: text/plain\r\nCache-Control: no-store\r\nConnection: close\r\n"

static const struct reply OK = {"HTTP/1.1 200 OK\r\n" COMMON "Content-Length: 3\r\n\r\n", "ok\n"};
static const struct reply DRAINING = {
	"HTTP/1.1 503 Service Unavailable\r\n" COMMON "Content-Length: 9\r\n\r\n", "draining\n"};
static const struct reply NOT_ALLOWED = {
	"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n" COMMON
	"Content-Length: 12\r\n\r\n",
	"GET or HEAD\n"};

/* ---- one connection -------------------------------------------------------------------------- */

static void free_if_last(struct health *health)
{
	if (health->stopped && !health->connections)
		free(health);
}

static void unlink_connection(struct connection *c)
{
	struct connection **link = &c->health->connections;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	c->health->n_connections--;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;
	struct health *health = c->health;

	if (--c->open_handles)
		return;
	unlink_connection(c);
	free(c);
	free_if_last(health);
}

static void close_connection(struct connection *c)
{
	if (uv_is_closing((uv_handle_t *)&c->tcp))
		return;
	uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

static void on_timeout(uv_timer_t *timer)
{
	close_connection(timer->data);
}

static void on_written(uv_write_t *write, int status)
{
	(void)status;
	close_connection(write->data);
}

static const struct reply *choose_reply(const struct connection *c)
{
	if (strncmp(c->head, "GET ", 4) && strncmp(c->head, "HEAD ", 5))
		return &NOT_ALLOWED;
	return c->health->serving(c->health->user) ? &OK : &DRAINING;
}

static void answer(struct connection *c)
{
	const struct reply *reply = choose_reply(c);
	unsigned n = strncmp(c->head, "HEAD ", 5) ? 2 : 1;
	uv_buf_t parts[2] = {
		uv_buf_init((char *)reply->head, (unsigned)strlen(reply->head)),
		uv_buf_init((char *)reply->body, (unsigned)strlen(reply->body)),
	};

	uv_read_stop((uv_stream_t *)&c->tcp);
	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, parts, n, on_written))
		close_connection(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct connection *c = handle->data;

	(void)suggested;
	*ret = uv_buf_init(c->head + c->len, (unsigned)(HEALTH_HEAD_MAX - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct connection *c = stream->data;

	(void)buf;
	if (n < 0) {
		close_connection(c);
		return;
	}
	c->len += (size_t)n;
	c->head[c->len] = '\0';
	if (strstr(c->head, "\r\n\r\n"))
		answer(c);
	else if (c->len == HEALTH_HEAD_MAX)
		close_connection(c);
}

static struct connection *connection_new(struct health *health)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->health = health;
	c->tcp.data = c;
	c->timer.data = c;
	uv_tcp_init(health->loop, &c->tcp);
	uv_timer_init(health->loop, &c->timer);
	c->open_handles = 2;
	c->next = health->connections;
	health->connections = c;
	health->n_connections++;
	return c;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct health *health = listener->data;
	struct connection *c;

	if (status < 0)
		return;
	c = connection_new(health);
	if (!c)
		return;
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) ||
	    health->n_connections > HEALTH_CONNECTIONS_MAX ||
	    uv_timer_start(&c->timer, on_timeout, HEALTH_TIMEOUT_MS, 0) ||
	    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read))
		close_connection(c);
}

/* ---- the listener ---------------------------------------------------------------------------- */

static void on_listener_closed(uv_handle_t *handle)
{
	struct health *health = handle->data;

	health->stopped = true;
	free_if_last(health);
}

int health_start(uv_loop_t *loop, int fd, bool (*serving)(void *user), void *user,
		 struct health **ret)
{
	struct health *health = calloc(1, sizeof(*health));
	int r;

	if (!health)
		return UV_ENOMEM;
	health->loop = loop;
	health->serving = serving;
	health->user = user;
	health->listener.data = health;
	uv_tcp_init(loop, &health->listener);
	r = uv_tcp_open(&health->listener, fd);
	if (!r)
		r = uv_listen((uv_stream_t *)&health->listener, HEALTH_CONNECTIONS_MAX,
			      on_connection);
	if (r) {
		health_stop(health);
		return r;
	}
	*ret = health;
	return 0;
}

void health_stop(struct health *health)
{
	if (!health)
		return;
	for (struct connection *c = health->connections; c; c = c->next)
		close_connection(c);
	uv_close((uv_handle_t *)&health->listener, on_listener_closed);
}
