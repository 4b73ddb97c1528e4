/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller PORT PATH TOKEN: one caller of the API, who asks for PATH on a kept connection.
 *
 *   call MS   a request MS after the answer to the one before, from now on    -> "calling"
 *   told      -> "told N P50 P99 MAX": the times to the whole answer, in us; and no more of them
 *
 * The end of stdin ends it; an answer that is not 200, or has no Content-Length, is exit status 1.
 */
#include "support/bench.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAMPLES_MAX 1000000
#define ANSWER_MAX (4u << 20) /* octets of an answer: a page of 1,000 sessions has more than one */

static char request[1024];
static size_t request_len;
static uint32_t latencies[SAMPLES_MAX];
static size_t n_latencies;

static void send_request(int fd)
{
	size_t sent = 0;

	while (sent < request_len) {
		ssize_t n = send(fd, request + sent, request_len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			die("send");
		sent += n > 0 ? (size_t)n : 0;
	}
}

/* Octets that the whole answer has, or 0: its head has not come. */
static size_t length_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");
	const char *length = strcasestr(answer, "\r\nContent-Length: ");

	if (!end)
		return 0;
	errno = 0;
	if (strncmp(answer, "HTTP/1.1 200", 12) != 0 || !length || length > end)
		die("the answer is not 200 with a length");
	length += strlen("\r\nContent-Length: ");
	return (size_t)(end + 4 - answer) + strtoul(length, NULL, 10);
}

static void receive_answer(int fd)
{
	static char answer[ANSWER_MAX + 1];
	size_t have = 0, length;

	do {
		struct pollfd waiting = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&waiting, 1, -1) < 0)
			die("poll");
		n = recv(fd, answer + have, ANSWER_MAX - have, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			die("the server has left");
		have += n > 0 ? (size_t)n : 0;
		answer[have] = 0;
		length = length_of(answer);
	} while (!length || have < length);
}

static void call(int fd)
{
	uint64_t begin = now_us();

	send_request(fd);
	receive_answer(fd);
	if (n_latencies < SAMPLES_MAX)
		latencies[n_latencies++] = (uint32_t)(now_us() - begin);
}

/* One line of stdin. Returns the time between two calls; -1: none are wanted. */
static int obey(void)
{
	char line[64] = "";

	if (read(0, line, sizeof(line) - 1) <= 0)
		exit(0);
	if (strncmp(line, "call ", 5) == 0) {
		printf("calling\n");
		return (int)strtoul(line + 5, NULL, 10);
	}
	tell_latencies(latencies, n_latencies);
	n_latencies = 0;
	return -1;
}

int main(int argc, char **argv)
{
	struct pollfd lines = {.fd = 0, .events = POLLIN};
	int fd, pause = -1;

	if (argc != 4)
		die("usage: caller PORT PATH TOKEN");
	request_len = (size_t)snprintf(request, sizeof(request),
				       "GET %s HTTP/1.1\r\nHost: localhost:%s\r\n"
				       "Authorization: Bearer %s\r\n\r\n",
				       argv[2], argv[1], argv[3]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = connect_from(0, (uint16_t)strtoul(argv[1], NULL, 10));
	for (;;) {
		if (poll(&lines, 1, pause) > 0)
			pause = obey();
		else
			call(fd);
	}
}
