/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets as the library wants them. Owns nothing; called by the server, and by hosts
 * that open sockets before they give up the right to.
 *
 * Happy path: the address is free -> n sockets share it (SO_REUSEPORT: the kernel spreads
 * connections over them), the first one choosing the port for all where that is 0.
 *
 * Failure modes: an address that is none, taken, or not ours to bind. Then all that was opened is
 * closed again.
 */
#include "listen_socket.h"

#include <errno.h>
#include <h2sess/h2sess.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define BACKLOG 4096
#define NOTSENT_LOWAT (128 * 1024) /* bytes that the kernel takes ahead of the peer's window */

int listen_error(int e)
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

uint16_t listen_port(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET ? ((const struct sockaddr_in *)ss)->sin_port
					      : ((const struct sockaddr_in6 *)ss)->sin6_port);
}

/* Accepted sockets inherit these: no call for each of them. */
void listen_set_options(int fd)
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
		return listen_error(errno);
	listen_set_options(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)ss, address_length(ss)) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)ss, &len) < 0) {
		r = listen_error(errno);
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

	if (listen_port(ss) == 0)
		return 0;
	fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return listen_error(errno);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)ss, address_length(ss)) < 0)
		r = listen_error(errno);
	close(fd);
	return r;
}

int listen_is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

int listen_prepare(int fd, struct sockaddr_storage *ret)
{
	socklen_t len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	if (!listen_is_listening(fd) || getsockname(fd, (struct sockaddr *)ret, &len) < 0)
		return H2SESS_EINVAL;
	if (ret->ss_family != AF_UNIX)
		listen_set_options(fd);
	return 0;
}

int h2sess_listen_open(const char *address, int *ret_fds, size_t n)
{
	struct sockaddr_storage ss;
	size_t opened = 0;
	int r;

	memset(&ss, 0, sizeof(ss));
	r = n && n <= H2SESS_THREADS_MAX ? parse_address(address, &ss) : H2SESS_ERANGE;
	if (r == 0)
		r = check_free(&ss);
	while (r == 0 && opened < n) {
		int fd = open_listener(&ss);

		if (fd < 0)
			r = fd;
		else
			ret_fds[opened++] = fd;
	}
	if (r == 0)
		return listen_port(&ss);
	while (opened)
		close(ret_fds[--opened]);
	return r;
}
