/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets: a listener on every loop, accept, and connections that the host accepted
 * itself.
 *
 * Happy path: h2sess_server_listen() binds one socket a loop (SO_REUSEPORT: the kernel spreads) ->
 * poll -> accept4() a few at a time -> session_new(). h2sess_server_adopt() posts a connection to
 * the next loop.
 *
 * Failure modes: an address that is none, taken, or not ours to bind (errors); no descriptor left
 * (accepting pauses until a connection closes, instead of spinning); too many sessions (accepted
 * and closed at once, counted).
 */
#include "memory.h"
#include "server.h"
#include "session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 32
#define BACKLOG 4096
#define NOTSENT_LOWAT (128 * 1024) /* bytes that the kernel takes ahead of the peer's window */

struct listener_fd {
	struct list link; /* loop.listeners */
	struct loop *loop;
	uv_poll_t poll;
	int fd;
	bool tls;
};

static int error_of_errno(int e)
{
	switch (e) {
	case EADDRINUSE:
		return H2SESS_EADDRINUSE;
	case EACCES:
	case EPERM:
		return H2SESS_EACCES;
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EINVAL:
		return H2SESS_EADDRESS;
	case ENOMEM:
		return H2SESS_ENOMEM;
	default:
		return H2SESS_EIO;
	}
}

/* ---- accepting
 * ----------------------------------------------------------------------------------- */

static void on_listener_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

static void begin(struct listener_fd *l, int fd)
{
	struct h2sess_server *srv = l->loop->server;
	SSL *ssl;

	if (atomic_load_explicit(&srv->refusing, memory_order_relaxed)) {
		close(fd);
		return;
	}
	ssl = l->tls ? tls_accept_new(srv->tls) : NULL;
	if ((l->tls && !ssl) || session_new(l->loop, fd, ssl, NULL, 0) < 0) {
		SSL_free(ssl);
		close(fd);
	}
}

static bool out_of_descriptors(int e)
{
	return e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM;
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
	struct listener_fd *l = poll->data;
	int fd, i;

	(void)events;
	for (i = 0; i < ACCEPTS_A_TURN && status == 0; i++) {
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			begin(l, fd);
			continue;
		}
		if (out_of_descriptors(errno))
			listeners_pause(l->loop);
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

void listeners_pause(struct loop *loop)
{
	struct list *pos;

	if (loop->accept_paused || list_empty(&loop->conns))
		return; /* nothing of ours would ever wake it again: poll goes on asking */
	loop->accept_paused = true;
	server_count_limit(loop->server, LIMIT_max_sessions);
	server_log(loop->server, 4, "no descriptor left: accepting pauses");
	list_for_each(pos, &loop->listeners)
		uv_poll_stop(&container_of(pos, struct listener_fd, link)->poll);
}

void listeners_resume(struct loop *loop)
{
	struct list *pos;

	if (!loop->accept_paused)
		return;
	loop->accept_paused = false;
	list_for_each(pos, &loop->listeners)
		uv_poll_start(&container_of(pos, struct listener_fd, link)->poll, UV_READABLE,
			      on_acceptable);
}

/* What waits in the accept queue is served before the socket closes: closing it would reset them.
 */
static void accept_rest(struct listener_fd *l)
{
	int fd, i;

	for (i = 0; i < BACKLOG; i++) {
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		begin(l, fd);
	}
}

void listeners_close(struct loop *loop)
{
	struct list *link;

	while ((link = list_pop(&loop->listeners))) {
		struct listener_fd *l = container_of(link, struct listener_fd, link);

		accept_rest(l);
		uv_close((uv_handle_t *)&l->poll, on_listener_closed);
		close(l->fd);
	}
}

static int add_listener(struct loop *loop, int fd, bool tls)
{
	struct listener_fd *l = mem_calloc(1, sizeof(*l));
	int r;

	if (!l)
		return H2SESS_ENOMEM;
	l->loop = loop;
	l->fd = fd;
	l->tls = tls;
	r = uv_poll_init(&loop->uv, &l->poll, fd);
	if (r < 0) {
		mem_free(l);
		return r == UV_ENOMEM ? H2SESS_ENOMEM : H2SESS_EINVAL;
	}
	l->poll.data = l;
	list_add_tail(&loop->listeners, &l->link);
	r = loop->accept_paused ? 0 : uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
	return r < 0 ? H2SESS_EIO : 0;
}

/* ---- handing a listener to a loop
 * ---------------------------------------------------------------- */

struct listen_order {
	int fd;
	bool tls;
	int result;
	uv_sem_t done;
};

static void do_listen(struct loop *loop, void *arg)
{
	struct listen_order *order = arg;

	order->result = loop && !atomic_load(&loop->server->closing)
				? add_listener(loop, order->fd, order->tls)
				: H2SESS_ESTATE;
	uv_sem_post(&order->done);
}

/* fd is taken on success. */
static int give_to_loop(struct loop *loop, int fd, bool tls)
{
	struct listen_order order = {.fd = fd, .tls = tls};
	int r;

	if (uv_sem_init(&order.done, 0) != 0)
		return H2SESS_ENOMEM;
	r = loop_post(loop, do_listen, &order);
	if (r == 0) {
		uv_sem_wait(&order.done);
		r = order.result;
	}
	uv_sem_destroy(&order.done);
	return r;
}

/* ---- addresses
 * ----------------------------------------------------------------------------------- */

/* "192.0.2.1:80", "[2001:db8::1]:80". */
static int parse_address(const char *text, struct sockaddr_storage *ret)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	char host[64], *end;
	unsigned long port;
	size_t len;

	if (!colon || colon == text || !colon[1])
		return H2SESS_EADDRESS;
	port = strtoul(colon + 1, &end, 10);
	if (*end || port > 65535 || colon[1] == '-' || colon[1] == '+' || colon[1] == ' ')
		return H2SESS_EADDRESS;
	len = (size_t)(colon - text);
	if (text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return H2SESS_EADDRESS;
	memcpy(host, text, len);
	host[len] = '\0';
	if (uv_ip4_addr(host, (int)port, (struct sockaddr_in *)ret) == 0 ||
	    uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)ret) == 0)
		return 0;
	return H2SESS_EADDRESS;
}

static socklen_t address_length(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static uint16_t port_of(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET ? ((const struct sockaddr_in *)ss)->sin_port
					      : ((const struct sockaddr_in6 *)ss)->sin6_port);
}

/* Accepted sockets inherit these: no call for each of them. */
static void set_options(int fd)
{
	int on = 1, lowat = NOTSENT_LOWAT;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
}

/* A bound, listening socket, or a negative error. */
static int open_listener(struct sockaddr_storage *ss)
{
	socklen_t len = sizeof(*ss);
	int fd, on = 1, r;

	fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_of_errno(errno);
	set_options(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)ss, address_length(ss)) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)ss, &len) < 0) {
		r = error_of_errno(errno);
		close(fd);
		return r;
	}
	return fd;
}

/*
 * SO_REUSEPORT lets another process of ours share the port, so a busy port is found by asking
 * without it. Port 0 is never busy.
 */
static int check_free(const struct sockaddr_storage *ss)
{
	int fd, on = 1, r = 0;

	if (port_of(ss) == 0)
		return 0;
	fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_of_errno(errno);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)ss, address_length(ss)) < 0)
		r = error_of_errno(errno);
	close(fd);
	return r;
}

static void note_listener(struct h2sess_server *srv, const struct sockaddr_storage *ss, bool tls)
{
	struct server_listener *l;

	uv_mutex_lock(&srv->lock);
	if (srv->n_listeners < SERVER_LISTENERS_MAX) {
		l = &srv->listeners[srv->n_listeners++];
		if (ss->ss_family == AF_INET)
			uv_ip4_name((const struct sockaddr_in *)ss, l->address, sizeof(l->address));
		else
			uv_ip6_name((const struct sockaddr_in6 *)ss, l->address,
				    sizeof(l->address));
		l->port = port_of(ss);
		l->tls = tls;
	}
	if (srv->hooks && srv->hooks->changed)
		srv->hooks->changed(srv, srv->hooks->user);
	uv_mutex_unlock(&srv->lock);
}

/* ---- public
 * -------------------------------------------------------------------------------------- */

static int check_listen(struct h2sess_server *srv, uint32_t flags)
{
	if (flags & ~H2SESS_LISTEN_TLS || (flags & H2SESS_LISTEN_TLS && !srv->tls))
		return H2SESS_EINVAL;
	if (atomic_load(&srv->closing))
		return H2SESS_ESTATE;
	return server_start(srv);
}

int h2sess_server_listen(struct h2sess_server *srv, const char *address, uint32_t flags)
{
	struct sockaddr_storage ss;
	int fd, r;
	size_t i;

	memset(&ss, 0, sizeof(ss));
	r = parse_address(address, &ss);
	if (r == 0)
		r = check_free(&ss);
	if (r == 0)
		r = check_listen(srv, flags);
	for (i = 0; i < srv->n_loops && r == 0; i++) {
		fd = open_listener(&ss); /* the first one picks the port for all */
		if (fd < 0)
			return fd;
		r = give_to_loop(&srv->loops[i], fd, flags & H2SESS_LISTEN_TLS);
		if (r < 0)
			close(fd);
	}
	if (r < 0)
		return r;
	note_listener(srv, &ss, flags & H2SESS_LISTEN_TLS);
	return port_of(&ss);
}

static int is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

int h2sess_server_listen_fd(struct h2sess_server *srv, int fd, uint32_t flags)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int copy, r;
	size_t i;

	memset(&ss, 0, sizeof(ss));
	if (!is_listening(fd) || getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return H2SESS_EINVAL;
	r = check_listen(srv, flags);
	if (ss.ss_family != AF_UNIX)
		set_options(fd);
	for (i = 1; i < srv->n_loops && r == 0; i++) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		r = copy < 0 ? error_of_errno(errno)
			     : give_to_loop(&srv->loops[i], copy, flags & H2SESS_LISTEN_TLS);
		if (r < 0 && copy >= 0)
			close(copy);
	}
	if (r == 0)
		r = give_to_loop(&srv->loops[0], fd, flags & H2SESS_LISTEN_TLS);
	if (r == 0 && ss.ss_family != AF_UNIX)
		note_listener(srv, &ss, flags & H2SESS_LISTEN_TLS);
	return r;
}

struct adopt_order {
	int fd;
	SSL *ssl;
	size_t len;
	uint8_t data[];
};

static void do_adopt(struct loop *loop, void *arg)
{
	struct adopt_order *order = arg;

	if (!loop || session_new(loop, order->fd, order->ssl, order->data, order->len) < 0) {
		SSL_free(order->ssl);
		close(order->fd);
	}
	mem_free(order);
}

static int check_adopt(struct h2sess_server *srv, int fd, SSL *ssl,
		       const struct h2sess_adopt_options *options)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (options && (options->size < sizeof(*options) || (options->len && !options->data)))
		return H2SESS_EINVAL;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM ||
	    is_listening(fd))
		return H2SESS_EINVAL;
	if (atomic_load(&srv->closing) || (ssl && !SSL_is_init_finished(ssl)))
		return H2SESS_ESTATE;
	if (ssl && tls_protocol_of(ssl) != TLS_PROTOCOL_H2)
		return H2SESS_EINVAL;
	if (atomic_load(&srv->counters.connections) >= server_limits(srv)->max_sessions) {
		server_count_limit(srv, LIMIT_max_sessions);
		return H2SESS_ELIMIT;
	}
	return server_start(srv);
}

int h2sess_server_adopt(struct h2sess_server *srv, int fd, void *ssl,
			const struct h2sess_adopt_options *options)
{
	size_t len = options ? options->len : 0;
	struct adopt_order *order;
	struct loop *loop;
	int r;

	r = check_adopt(srv, fd, ssl, options);
	if (r < 0)
		return r;
	order = mem_alloc(sizeof(*order) + len);
	if (!order)
		return H2SESS_ENOMEM;
	order->fd = fd;
	order->ssl = ssl;
	order->len = len;
	if (len)
		memcpy(order->data, options->data, len);
	loop = &srv->loops[atomic_fetch_add(&srv->next_loop, 1) % srv->n_loops];
	r = loop_post(loop, do_adopt, order);
	if (r < 0)
		mem_free(order);
	return r;
}
