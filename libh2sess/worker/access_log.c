/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access log's writer.
 *
 *   1. loop threads append lines to one buffer, under a lock that is held for a memcpy
 *   2. the writer's thread exchanges it for an empty one and writes it: a slow disk stops nobody
 *   3. reopen: a flag that the writer sees before it takes the next buffer
 *
 * The journal gets a datagram for each line, by its native protocol; there is no newline within.
 *
 * Failures: no room (lines are lost, and their number is logged once there is room again); a file
 * that cannot be written or opened again (logged once until it goes well again; the old descriptor
 * is kept where the new one fails).
 */
#include "access_log.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include <uv.h>

#define JOURNAL "/run/systemd/journal/socket"

struct access_log {
	char *where;
	bool journal;
	bool failed; /* the last write */
	int fd;
	uv_thread_t thread;
	uv_mutex_t lock; /* guards the rest */
	uv_cond_t changed;
	char *buffer; /* ACCESS_LOG_ROOM */
	size_t len;
	uint64_t lost;
	bool reopen;
	bool closing;
};

/* ---- opening --------------------------------------------------------------------------------- */

static int open_journal(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int open_where(const struct access_log *log)
{
	if (log->journal)
		return open_journal();
	if (!strcmp(log->where, "stderr"))
		return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	return open(log->where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
}

static void do_reopen(struct access_log *log)
{
	int fd = open_where(log);

	if (fd < 0) {
		log_line(LOG_ERR, "access log %s: %s; the old file stays", log->where,
			 strerror(errno));
		return;
	}
	close(log->fd);
	log->fd = fd;
}

/* ---- writing: the writer's thread ------------------------------------------------------------ */

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool send_to_journal(int fd, const char *line, size_t len)
{
	static const char head[] = "PRIORITY=6\nSYSLOG_IDENTIFIER=" WORKER_NAME "\nMESSAGE=";
	struct iovec parts[2] = {
		{(void *)(uintptr_t)head, sizeof(head) - 1},
		{(void *)(uintptr_t)line, len},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	return sendmsg(fd, &message, MSG_NOSIGNAL) >= 0;
}

static bool write_lines(const struct access_log *log, const char *bytes, size_t len)
{
	bool ok = true;

	if (!log->journal)
		return write_all(log->fd, bytes, len);
	for (const char *end; len; len -= (size_t)(end - bytes), bytes = end) {
		end = (const char *)memchr(bytes, '\n', len) + 1;
		ok = send_to_journal(log->fd, bytes, (size_t)(end - bytes)) && ok;
	}
	return ok;
}

static void write_and_tell(struct access_log *log, const char *bytes, size_t len, uint64_t lost)
{
	bool ok = !len || write_lines(log, bytes, len);

	if (!ok && !log->failed)
		log_line(LOG_ERR, "access log %s: %s; its lines are lost", log->where,
			 strerror(errno));
	log->failed = !ok;
	if (lost)
		log_line(LOG_WARNING, "access log %s: %llu lines found no room and are lost",
			 log->where, (unsigned long long)lost);
}

static void run(void *arg)
{
	struct access_log *log = arg;
	char *spare = malloc(ACCESS_LOG_ROOM);

	uv_mutex_lock(&log->lock);
	while (spare && (log->len || log->reopen || !log->closing)) {
		char *taken = log->buffer;
		size_t len = log->len;
		uint64_t lost = log->lost;
		bool reopen = log->reopen;

		if (!len && !reopen) {
			uv_cond_wait(&log->changed, &log->lock);
			continue;
		}
		log->buffer = spare;
		log->len = 0;
		log->lost = 0;
		log->reopen = false;
		uv_mutex_unlock(&log->lock);
		write_and_tell(log, taken, len, lost);
		if (reopen)
			do_reopen(log);
		spare = taken;
		uv_mutex_lock(&log->lock);
	}
	uv_mutex_unlock(&log->lock);
	free(spare);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int start_thread(struct access_log *log)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = uv_thread_create(&log->thread, run, log);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

static void free_log(struct access_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	uv_cond_destroy(&log->changed);
	uv_mutex_destroy(&log->lock);
	free(log->buffer);
	free(log->where);
	free(log);
}

int access_log_open(const char *where, struct access_log **ret)
{
	struct access_log *log = calloc(1, sizeof(*log));

	if (!log)
		return log_refuse("--access-log", where, "out of memory");
	uv_mutex_init(&log->lock);
	uv_cond_init(&log->changed);
	log->where = strdup(where);
	log->buffer = malloc(ACCESS_LOG_ROOM);
	log->journal = !strcmp(where, "journal");
	log->fd = -1;
	if (log->where && log->buffer)
		log->fd = open_where(log);
	if (log->fd < 0 || start_thread(log)) {
		log_refuse("--access-log", where, strerror(errno));
		free_log(log);
		return -1;
	}
	*ret = log;
	return 0;
}

void access_log_add(struct access_log *log, const char *line, size_t len)
{
	uv_mutex_lock(&log->lock);
	if (log->len + len > ACCESS_LOG_ROOM) {
		log->lost++;
	} else {
		memcpy(log->buffer + log->len, line, len);
		log->len += len;
	}
	if (log->len == len)
		uv_cond_signal(&log->changed);
	uv_mutex_unlock(&log->lock);
}

void access_log_reopen(struct access_log *log)
{
	uv_mutex_lock(&log->lock);
	log->reopen = true;
	uv_cond_signal(&log->changed);
	uv_mutex_unlock(&log->lock);
}

void access_log_close(struct access_log *log)
{
	if (!log)
		return;
	uv_mutex_lock(&log->lock);
	log->closing = true;
	uv_cond_signal(&log->changed);
	uv_mutex_unlock(&log->lock);
	uv_thread_join(&log->thread);
	free_log(log);
}
