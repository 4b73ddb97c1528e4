/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subscribers N PORT PATH [TOKEN]: readers of an event stream over HTTP/1.1, in one thread.
 *
 * Each connects, asks for PATH and counts the "data:" lines that come. "ready" is printed once all
 * have a response. A line on stdin is answered by "counted TOTAL MIN MAX", MIN and MAX being those
 * of one reader. The end of stdin ends it; a reader that the server leaves is exit status 1.
 */
#include "support/bench.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READERS_MAX 4000
#define EVENTS 256

static const char mark[] = "\ndata:";

struct reader {
	int fd;
	bool asked, answered;
	size_t matched; /* octets of mark that have come */
	uint64_t count;
};

static struct reader readers[READERS_MAX];
static unsigned n_readers, n_answered;
static char request[1024];
static int epoll_fd;

static void watch(int fd, struct reader *reader, uint32_t events, int op)
{
	struct epoll_event event = {.events = events, .data.ptr = reader};

	if (epoll_ctl(epoll_fd, op, fd, &event) < 0)
		die("epoll_ctl");
}

static void count(struct reader *reader, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != mark[reader->matched])
			reader->matched = data[i] == mark[0];
		else if (++reader->matched == sizeof(mark) - 1) {
			reader->matched = 0;
			reader->count++;
		}
	}
}

static void on_answer(struct reader *reader, const char *data, size_t len)
{
	reader->answered = true;
	if (len < 12 || memcmp(data, "HTTP/1.1 200", 12) != 0) {
		errno = 0;
		die("the answer is not 200");
	}
	if (++n_answered == n_readers)
		printf("ready\n");
}

static void on_reader(struct reader *reader)
{
	static char buf[65536];
	ssize_t n;

	if (!reader->asked) {
		if (send(reader->fd, request, strlen(request), MSG_NOSIGNAL) < 0)
			die("send");
		reader->asked = true;
		watch(reader->fd, reader, EPOLLIN, EPOLL_CTL_MOD);
		return;
	}
	n = recv(reader->fd, buf, sizeof(buf), 0);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("the server has left");
	if (n < 0)
		return;
	if (!reader->answered)
		on_answer(reader, buf, (size_t)n);
	count(reader, buf, (size_t)n);
}

static void on_stdin(void)
{
	uint64_t total = 0, min = UINT64_MAX, max = 0;
	char line[64];

	if (read(0, line, sizeof(line)) <= 0)
		exit(0);
	for (unsigned i = 0; i < n_readers; i++) {
		total += readers[i].count;
		min = readers[i].count < min ? readers[i].count : min;
		max = readers[i].count > max ? readers[i].count : max;
	}
	printf("counted %llu %llu %llu\n", (unsigned long long)total, (unsigned long long)min,
	       (unsigned long long)max);
}

static void set_up(int argc, char **argv)
{
	if (argc < 4 || argc > 5)
		die("usage: subscribers N PORT PATH [TOKEN]");
	n_readers = (unsigned)strtoul(argv[1], NULL, 10);
	if (n_readers > READERS_MAX)
		die("too many readers");
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost:%s\r\n%s%s%s\r\n",
		 argv[3], argv[2], argc == 5 ? "Authorization: Bearer " : "",
		 argc == 5 ? argv[4] : "", argc == 5 ? "\r\n" : "");
	raise_descriptor_limit();
	setvbuf(stdout, NULL, _IOLBF, 0);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch(0, NULL, EPOLLIN, EPOLL_CTL_ADD);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];

	set_up(argc, argv);
	for (unsigned i = 0; i < n_readers; i++) {
		readers[i].fd = connect_from(i, (uint16_t)strtoul(argv[2], NULL, 10));
		watch(readers[i].fd, &readers[i], EPOLLOUT, EPOLL_CTL_ADD);
	}
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_reader(events[i].data.ptr);
			else
				on_stdin();
		}
	}
}
