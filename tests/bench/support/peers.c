/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256

static const struct peer_ops *ops;
static struct peer *peers;
static SSL_CTX *ctx;
static int epoll_fd;
static volatile sig_atomic_t push_asked;

ssize_t peer_read(struct peer *p, uint8_t *buf, size_t len)
{
	return p->ssl ? SSL_read(p->ssl, buf, (int)len) : recv(p->fd, buf, len, 0);
}

bool peer_waits(const struct peer *p, ssize_t n)
{
	if (p->ssl)
		return SSL_get_error(p->ssl, (int)n) == SSL_ERROR_WANT_READ;
	return n < 0 && errno == EAGAIN;
}

bool peer_write(struct peer *p, const uint8_t *buf, size_t len)
{
	ssize_t n = p->ssl ? SSL_write(p->ssl, buf, (int)len) : send(p->fd, buf, len, MSG_NOSIGNAL);

	return n == (ssize_t)len;
}

static void drop(struct peer *p)
{
	*p->at = p->next;
	if (p->next)
		p->next->at = p->at;
	if (ops->done)
		ops->done(p);
	SSL_free(p->ssl);
	close(p->fd);
	free(p);
}

static void take(int fd)
{
	struct peer *p = calloc(1, ops->size);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};

	if (!p)
		die("calloc");
	p->fd = fd;
	p->next = peers;
	p->at = &peers;
	if (peers)
		peers->at = &p->next;
	peers = p;
	if (ctx) {
		p->ssl = SSL_new(ctx);
		SSL_set_fd(p->ssl, fd);
		SSL_set_accept_state(p->ssl);
	}
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void push(void)
{
	struct peer *p, *next;

	push_asked = 0;
	for (p = peers; p; p = next) {
		next = p->next;
		if (!ops->push(p))
			drop(p);
	}
}

static void on_signal(int number)
{
	(void)number;
	push_asked = 1;
}

static void turn(int listening, const sigset_t *unblocked)
{
	struct epoll_event events[EVENTS];
	int n = epoll_pwait(epoll_fd, events, EVENTS, -1, unblocked), fd;

	for (int i = 0; i < n; i++) {
		struct peer *p = events[i].data.ptr;

		if (p && !ops->serve(p))
			drop(p);
		while (!p && (fd = accept_one(listening)) >= 0)
			take(fd);
	}
	if (push_asked)
		push();
}

void peers_serve(const char *cert_file, const char *key_file, const struct peer_ops *server_ops)
{
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t push_signal, unblocked;
	int listening;

	ops = server_ops;
	ctx = cert_file ? tls_server(cert_file, key_file) : NULL;
	raise_descriptor_limit();
	sigemptyset(&push_signal);
	sigaddset(&push_signal, SIGUSR1);
	sigprocmask(SIG_BLOCK, &push_signal, &unblocked);
	signal(SIGUSR1, on_signal);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listening = listen_and_say();
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listening, &event) < 0)
		die("epoll_ctl");
	for (;;)
		turn(listening, &unblocked);
}
