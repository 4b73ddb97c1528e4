/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets: Unix ones that survive a dead owner and respect a living one, TCP ones on
 * loopback, and those that the service manager passed in (LISTEN_FDS): a listener takes the one that
 * has its address, else one that has its name (LISTEN_FDNAMES: api, rpc, metrics) and its kind.
 *
 * A Unix socket, in order: lock PATH.lock; look what is at PATH; connect to it; unlink it when
 * nobody answers; bind with mode 0600; give it its group and mode; listen. Nobody can connect
 * before the last step. The lock file stays: to remove it would let two owners lock two files of
 * one name.
 *
 * Failure modes, each one line: the directory is missing or open to everybody, another daemon has
 * the lock or answers, something that is not a socket is at PATH, no such group, a descriptor of the
 * service manager that is bound further away than loopback, the system's own errors.
 */
#include "listener.h"

#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024
#define LISTEN_FDS_FIRST 3
#define LISTEN_FDS_MAX 64

static int refuse(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, OPTIONS_WHY_MAX, format, args);
	va_end(args);
	return -1;
}

/* Make the directory of the socket if it is missing, and refuse one that everybody can write. */
static int check_directory(const char *path, char *why)
{
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct stat st;
	char *slash;

	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (!slash)
		snprintf(directory, sizeof(directory), ".");
	else
		slash[slash == directory] = 0;
	if (stat(directory, &st) < 0 && errno == ENOENT && mkdir(directory, 0755) < 0)
		return refuse(why, "%s: %s", directory, strerror(errno));
	if (stat(directory, &st) < 0)
		return refuse(why, "%s: %s", directory, strerror(errno));
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		return refuse(why, "%s: everybody may write there", directory);
	return 0;
}

static int lock_path(const char *path, int *ret_fd, char *why)
{
	char lock[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 8];
	int fd;

	snprintf(lock, sizeof(lock), "%s.lock", path);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return refuse(why, "%s: %s", lock, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return refuse(why, "%s: another daemon is running there", path);
	}
	*ret_fd = fd;
	return 0;
}

/* Remove what a dead owner left at the path. */
static int clear_stale(const struct sockaddr_un *address, char *why)
{
	struct stat st;
	int fd, r;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : refuse(why, "%s", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return refuse(why, "%s: is there and is not a socket", address->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(why, "socket: %s", strerror(errno));
	r = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	r = r < 0 ? errno : 0;
	close(fd);
	if (r != ECONNREFUSED)
		return refuse(why, "%s: somebody else is listening there", address->sun_path);
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return refuse(why, "%s: %s", address->sun_path, strerror(errno));
	return 0;
}

static int set_owner(const struct listen_spec *spec, char *why)
{
	const struct group *group = spec->group ? getgrnam(spec->group) : NULL;

	if (spec->group && !group)
		return refuse(why, "no such group: %s", spec->group);
	if (group && chown(spec->path, (uid_t)-1, group->gr_gid) < 0)
		return refuse(why, "%s: group %s: %s", spec->path, spec->group, strerror(errno));
	if (chmod(spec->path, spec->mode) < 0)
		return refuse(why, "%s: %s", spec->path, strerror(errno));
	return 0;
}

static int bind_and_listen(int fd, const struct listen_spec *spec,
			   const struct sockaddr_un *address, char *why)
{
	mode_t before = umask(0177);
	int r = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(before);
	if (r < 0)
		return refuse(why, "%s: %s", spec->path, strerror(errno));
	if (set_owner(spec, why) < 0)
		return -1;
	if (listen(fd, LISTEN_BACKLOG) < 0)
		return refuse(why, "%s: %s", spec->path, strerror(errno));
	return 0;
}

static int open_unix(const struct listen_spec *spec, struct listener *ret, char *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct listener listener = {.open = true, .fd = -1, .lock_fd = -1};
	int r;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", spec->path);
	r = check_directory(spec->path, why);
	if (r == 0)
		r = lock_path(spec->path, &listener.lock_fd, why);
	if (r == 0)
		r = clear_stale(&address, why);
	if (r < 0)
		goto out;
	listener.path = strdup(spec->path);
	listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!listener.path || listener.fd < 0)
		r = refuse(why, "socket: %s", strerror(errno));
	else
		r = bind_and_listen(listener.fd, spec, &address, why);
	if (r == 0) {
		*ret = listener;
		listener.open = false; /* the caller owns it now */
	}
out:
	listener_close(&listener);
	return r;
}

static socklen_t address_length(const union socket_address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->ip6) : sizeof(address->ip4);
}

static int open_tcp(const struct listen_spec *spec, struct listener *ret, char *why)
{
	int family = spec->address.any.sa_family, one = 1, fd;

	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(why, "socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &spec->address.any, address_length(&spec->address)) < 0 ||
	    listen(fd, LISTEN_BACKLOG) < 0) {
		refuse(why, "port %u: %s", ntohs(spec->address.ip4.sin_port), strerror(errno));
		close(fd);
		return -1;
	}
	*ret = (struct listener){.open = true, .fd = fd, .lock_fd = -1};
	return 0;
}

union bound_address {
	union socket_address ip;
	struct sockaddr_un local;
};

static bool read_address(int fd, union bound_address *ret)
{
	socklen_t len = sizeof(*ret);

	*ret = (union bound_address){0};
	return getsockname(fd, &ret->ip.any, &len) == 0;
}

static bool has_address(int fd, const struct listen_spec *spec)
{
	union bound_address bound;

	if (!read_address(fd, &bound))
		return false;
	if (!spec->path)
		return address_equal(&bound.ip, &spec->address);
	return bound.local.sun_family == AF_UNIX && strcmp(bound.local.sun_path, spec->path) == 0;
}

static bool has_kind(int fd, const struct listen_spec *spec)
{
	union bound_address bound;

	return read_address(fd, &bound) && (bound.ip.any.sa_family == AF_UNIX) == !!spec->path;
}

/* sd_listen_fds(3): how many descriptors there are from 3 on, when LISTEN_PID is us. */
static int count_inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int n = count ? atoi(count) : 0;

	if (!pid || strtol(pid, NULL, 10) != getpid() || n < 1)
		return 0;
	return n < LISTEN_FDS_MAX ? n : LISTEN_FDS_MAX;
}

/* The index-th of the names that colons separate. */
static bool is_named(int index, const char *name)
{
	const char *names = getenv("LISTEN_FDNAMES");
	size_t len;

	for (; names && index > 0; index--) {
		names = strchr(names, ':');
		names = names ? names + 1 : NULL;
	}
	len = names ? strcspn(names, ":") : 0;
	return names && len == strlen(name) && strncmp(names, name, len) == 0;
}

static uint64_t taken; /* a bit for each inherited descriptor that a listener has */

/* By address first, for every listener that has one; -1: none fits. */
static int find_inherited(const struct listen_spec *spec, const char *name)
{
	int n = count_inherited();

	for (int i = 0; i < n; i++)
		if (!(taken & 1ull << i) && has_address(LISTEN_FDS_FIRST + i, spec))
			return i;
	for (int i = 0; i < n; i++)
		if (!(taken & 1ull << i) && is_named(i, name) &&
		    has_kind(LISTEN_FDS_FIRST + i, spec))
			return i;
	return -1;
}

static int take_inherited(int index, struct listener *ret, char *why)
{
	int fd = LISTEN_FDS_FIRST + index;
	struct listener listener = {.open = true, .fd = fd, .lock_fd = -1};
	union bound_address bound;

	if (!read_address(fd, &bound))
		return refuse(why, "descriptor %d: %s", fd, strerror(errno));
	if (bound.ip.any.sa_family != AF_UNIX && !address_is_loopback(&bound.ip))
		return refuse(why, "descriptor %d: TCP listeners are for loopback addresses only",
			      fd);
	if (bound.ip.any.sa_family == AF_UNIX) {
		listener.path = strdup(bound.local.sun_path);
		if (!listener.path)
			return refuse(why, "out of memory");
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	taken |= 1ull << index;
	*ret = listener;
	return 0;
}

int listener_open(const struct listen_spec *spec, const char *name, struct listener *ret, char *why)
{
	int inherited = find_inherited(spec, name);

	if (inherited >= 0)
		return take_inherited(inherited, ret, why);
	return spec->path ? open_unix(spec, ret, why) : open_tcp(spec, ret, why);
}

void listener_report_unused(void)
{
	int n = count_inherited();

	for (int i = 0; i < n; i++)
		if (!(taken & 1ull << i))
			log_line("descriptor %d of the service manager fits no listener",
				 LISTEN_FDS_FIRST + i);
}

void listener_close(struct listener *listener)
{
	if (!listener->open)
		return;
	if (listener->path && listener->lock_fd >= 0 && listener->fd >= 0)
		unlink(listener->path);
	if (listener->fd >= 0)
		close(listener->fd);
	if (listener->lock_fd >= 0)
		close(listener->lock_fd);
	free(listener->path);
	*listener = (struct listener){0};
}

void listener_address(const struct listener *listener, char *ret, size_t room, unsigned *ret_port)
{
	union socket_address address = {0};
	socklen_t len = sizeof(address);

	getsockname(listener->fd, &address.any, &len);
	if (address.any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &address.ip6.sin6_addr, ret, (socklen_t)room);
	else
		inet_ntop(AF_INET, &address.ip4.sin_addr, ret, (socklen_t)room);
	*ret_port = ntohs(address.ip4.sin_port);
}
