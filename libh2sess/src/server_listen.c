/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners: one on every loop, accept, and connections that the host accepted itself.
 *
 * Happy path: h2sess_server_listen() opens one socket a loop (listen_socket.c) -> poll -> accept4()
 * a few at a time -> session_new(). h2sess_server_adopt() posts a connection to the next loop.
 *
 * Failure modes: an address that is none, taken, or not ours to bind (errors); no descriptor left
 * (accepting pauses until a connection closes, instead of spinning); too many sessions (accepted
 * and closed at once, counted).
 */
#include "listen_socket.h"
#include "memory.h"
#include "open_struct.h"
#include "server.h"
#include "session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 32
#define ACCEPTS_AT_THE_END 4096

struct listener_fd {
	struct list link; /* loop.listeners */
	struct loop *loop;
	uv_poll_t poll;
	int fd;
	bool tls;
};

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
	if ((l->tls && !ssl) || session_accept(l->loop, fd, ssl) < 0) {
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

	for (i = 0; i < ACCEPTS_AT_THE_END; i++) {
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		begin(l, fd);
	}
}

static void drop_listeners(struct loop *loop)
{
	struct list *link;

	while ((link = list_pop(&loop->listeners))) {
		struct listener_fd *l = container_of(link, struct listener_fd, link);

		uv_close((uv_handle_t *)&l->poll, on_listener_closed);
		close(l->fd);
	}
}

void listeners_close(struct loop *loop)
{
	struct list *pos;

	list_for_each(pos, &loop->listeners)
		accept_rest(container_of(pos, struct listener_fd, link));
	drop_listeners(loop);
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

/* ---- public ---------------------------------------------------------------------------------- */

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
		l->port = listen_port(ss);
		l->tls = tls;
	}
	if (srv->hooks && srv->hooks->changed)
		srv->hooks->changed(srv, srv->hooks->user);
	uv_mutex_unlock(&srv->lock);
}

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
	int fds[H2SESS_THREADS_MAX];
	size_t i, n = srv->n_loops;
	int port, r;

	port = h2sess_listen_open(address, fds, n);
	if (port < 0)
		return port;
	r = h2sess_server_listen_fds(srv, fds, n, flags);
	for (i = 0; i < n && r < 0; i++)
		close(fds[i]);
	return r < 0 ? r : port;
}

static int give_copy(struct loop *loop, int fd, bool tls)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int r;

	if (copy < 0)
		return listen_error(errno);
	r = give_to_loop(loop, copy, tls);
	if (r < 0)
		close(copy);
	return r;
}

/* Every loop gets a socket, and every socket a loop, whichever are more. */
static int give_to_loops(struct h2sess_server *srv, const int *fds, size_t n, bool tls)
{
	size_t n_loops = srv->n_loops, rounds = n > n_loops ? n : n_loops;
	int r = 0;

	assert(n > 0 && n_loops > 0);
	for (size_t i = 0; i < rounds && r == 0; i++)
		r = give_copy(&srv->loops[i % n_loops], fds[i % n], tls);
	return r;
}

int h2sess_server_listen_fds(struct h2sess_server *srv, const int *fds, size_t n, uint32_t flags)
{
	struct sockaddr_storage ss;
	size_t i;
	int r;

	if (!n || !fds)
		return H2SESS_EINVAL;
	for (i = n; i-- > 0;) {
		r = listen_prepare(fds[i], &ss);
		if (r < 0)
			return r;
	}
	r = check_listen(srv, flags);
	if (r == 0)
		r = give_to_loops(srv, fds, n, flags & H2SESS_LISTEN_TLS);
	if (r < 0)
		return r;
	for (i = 0; i < n; i++)
		close(fds[i]); /* the loops have copies */
	if (ss.ss_family != AF_UNIX)
		note_listener(srv, &ss, flags & H2SESS_LISTEN_TLS);
	return 0;
}

int h2sess_server_listen_fd(struct h2sess_server *srv, int fd, uint32_t flags)
{
	return h2sess_server_listen_fds(srv, &fd, 1, flags);
}

static void do_stop_listening(struct loop *loop, void *arg)
{
	if (loop)
		drop_listeners(loop);
	uv_sem_post(arg);
}

int h2sess_server_stop_listening(struct h2sess_server *srv)
{
	size_t i, posted = 0;
	uv_sem_t done;
	int r = 0;

	if (uv_sem_init(&done, 0) != 0)
		return H2SESS_ENOMEM;
	for (i = 0; i < srv->n_loops && srv->started && r == 0; i++) {
		r = loop_post(&srv->loops[i], do_stop_listening, &done);
		posted += r == 0;
	}
	while (posted--)
		uv_sem_wait(&done);
	uv_sem_destroy(&done);
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

	listen_set_options(order->fd); /* an accepted socket has them of its listener */
	if (!loop || session_new(loop, order->fd, order->ssl, order->data, order->len) < 0) {
		SSL_free(order->ssl);
		close(order->fd);
	}
	mem_free(order);
}

static bool is_connected(int fd)
{
	struct sockaddr_storage ss;
	int type = 0;
	socklen_t len = sizeof(type), ss_len = sizeof(ss);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
	       getpeername(fd, (struct sockaddr *)&ss, &ss_len) == 0;
}

static int check_adopt(struct h2sess_server *srv, int fd, SSL *ssl,
		       const struct h2sess_adopt_options *options)
{
	if ((options->len && !options->data) || !is_connected(fd))
		return H2SESS_EINVAL;
	if (atomic_load(&srv->closing) || (ssl && !SSL_is_init_finished(ssl)))
		return H2SESS_ESTATE;
	if (ssl && (tls_protocol_of(ssl) != TLS_PROTOCOL_H2 || SSL_get_rfd(ssl) != fd ||
		    SSL_get_wfd(ssl) != fd))
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
	struct h2sess_adopt_options own = {.size = sizeof(own)};
	struct adopt_order *order;
	struct loop *loop;
	int r = options ? open_struct_read(&own, sizeof(own), options) : 0;

	if (r == 0)
		r = check_adopt(srv, fd, ssl, &own);
	if (r < 0)
		return r;
	order = mem_alloc(sizeof(*order) + own.len);
	if (!order)
		return H2SESS_ENOMEM;
	order->fd = fd;
	order->ssl = ssl;
	order->len = own.len;
	if (own.len)
		memcpy(order->data, own.data, own.len);
	loop = &srv->loops[atomic_fetch_add(&srv->next_loop, 1) % srv->n_loops];
	r = loop_post(loop, do_adopt, order);
	if (r < 0)
		mem_free(order);
	return r;
}
