/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See sockets.h.
 *
 * Happy path: each address of the options -> the inherited set of the same kind and text, if there
 * is one, however many sockets it has -> else as many new ones as there are threads.
 *
 * Failure modes: an address that is busy or not ours to bind (one line), no descriptors left.
 */
#include "sockets.h"

#include "address.h"
#include "log.h"
#include "options.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct {
	const char *name;
	const char *flag;
} KINDS[] = {
	[SOCKET_TLS] = {"tls", "--listen"},
	[SOCKET_H2C] = {"h2c", "--listen-h2c"},
	[SOCKET_HEALTH] = {"health", "--health"},
};

const char *socket_kind_name(enum socket_kind kind)
{
	return KINDS[kind].name;
}

bool socket_kind_by_name(const char *name, enum socket_kind *ret)
{
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(*KINDS); i++) {
		if (strcmp(KINDS[i].name, name))
			continue;
		*ret = (enum socket_kind)i;
		return true;
	}
	return false;
}

struct socket_set *sockets_add(struct sockets *sockets, enum socket_kind kind, const char *address)
{
	struct socket_set *items;

	items = realloc(sockets->items, (sockets->n + 1) * sizeof(*items));
	if (!items)
		return NULL;
	sockets->items = items;
	items += sockets->n;
	memset(items, 0, sizeof(*items));
	items->kind = kind;
	items->address = strdup(address);
	if (!items->address)
		return NULL;
	sockets->n++;
	return items;
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool inherit(struct sockets *inherited, struct socket_set *set)
{
	for (size_t i = 0; i < inherited->n; i++) {
		struct socket_set *from = &inherited->items[i];

		if (!from->n || from->kind != set->kind || strcmp(from->address, set->address))
			continue;
		memcpy(set->fds, from->fds, sizeof(set->fds));
		set->n = from->n;
		from->n = 0; /* set owns them now */
		return true;
	}
	return false;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage where = {0};
	socklen_t len = sizeof(where);

	return getsockname(fd, (struct sockaddr *)&where, &len) < 0 ? 0 : address_port(&where);
}

static int open_one(struct sockets *sockets, enum socket_kind kind, const char *address, size_t n,
		    struct sockets *inherited)
{
	struct socket_set *set = sockets_add(sockets, kind, address);
	int r;

	if (!set)
		return log_refuse(KINDS[kind].flag, address, h2sess_strerror(H2SESS_ENOMEM));
	if (!inherit(inherited, set)) {
		r = h2sess_listen_open(address, set->fds, n);
		if (r < 0)
			return log_refuse(KINDS[kind].flag, address, h2sess_strerror(r));
		set->n = n;
	}
	set->port = port_of(set->fds[0]);
	return 0;
}

int sockets_open(const struct options *o, struct sockets *inherited, struct sockets *ret)
{
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < o->listen.n && r == 0; i++)
		r = open_one(ret, SOCKET_TLS, o->listen.items[i], o->threads, inherited);
	for (size_t i = 0; i < o->listen_h2c.n && r == 0; i++)
		r = open_one(ret, SOCKET_H2C, o->listen_h2c.items[i], o->threads, inherited);
	if (o->health && r == 0)
		r = open_one(ret, SOCKET_HEALTH, o->health, 1, inherited);
	return r;
}

int sockets_copy(const struct socket_set *set, int *ret_fds)
{
	for (size_t i = 0; i < set->n; i++) {
		ret_fds[i] = fcntl(set->fds[i], F_DUPFD_CLOEXEC, 0);
		if (ret_fds[i] >= 0)
			continue;
		while (i)
			close(ret_fds[--i]);
		return -1;
	}
	return 0;
}

const struct socket_set *sockets_health(const struct sockets *sockets)
{
	const struct socket_set *last = sockets->n ? &sockets->items[sockets->n - 1] : NULL;

	return last && last->kind == SOCKET_HEALTH ? last : NULL;
}

void sockets_close(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->n; i++) {
		struct socket_set *set = &sockets->items[i];

		while (set->n)
			close(set->fds[--set->n]);
		free(set->address);
	}
	free(sockets->items);
	memset(sockets, 0, sizeof(*sockets));
}
