/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain_http HZ: what libmicrohttpd itself costs, for the daemon's API to be compared with.
 *
 * GET / answers 200 octets of JSON and keeps the connection. GET /events is an event stream: HZ
 * events a second, each to every reader. One internal thread, epoll, cleartext.
 */
#include "support/bench.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READERS_MAX 4000
#define EVENT_LEN 250
#define JSON_LEN 200

struct reader {
	struct MHD_Connection *connection;
	uint64_t next;	/* event */
	size_t offset;	/* octets of it that have been sent */
	bool suspended; /* guarded by lock */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reader *readers[READERS_MAX]; /* guarded by lock */
static unsigned n_readers;
static atomic_uint_fast64_t n_events;
static char event_text[EVENT_LEN];
static struct MHD_Response *json;

/* The events that have happened since; the connection sleeps when there is none. */
static ssize_t read_events(void *user, uint64_t pos, char *buf, size_t max)
{
	struct reader *reader = user;
	size_t used = 0;

	(void)pos;
	pthread_mutex_lock(&lock);
	while (reader->next < atomic_load(&n_events) && used < max) {
		size_t left = EVENT_LEN - reader->offset;
		size_t n = left < max - used ? left : max - used;

		memcpy(buf + used, event_text + reader->offset, n);
		used += n;
		reader->offset += n;
		if (reader->offset == EVENT_LEN) {
			reader->offset = 0;
			reader->next++;
		}
	}
	if (!used) {
		reader->suspended = true;
		MHD_suspend_connection(reader->connection);
	}
	pthread_mutex_unlock(&lock);
	return (ssize_t)used;
}

static void forget_reader(void *user)
{
	struct reader *reader = user;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < n_readers; i++) {
		if (readers[i] == reader)
			readers[i] = readers[--n_readers];
	}
	pthread_mutex_unlock(&lock);
	free(reader);
}

static enum MHD_Result stream_events(struct MHD_Connection *connection)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	struct MHD_Response *response;
	enum MHD_Result result;

	if (!reader || n_readers == READERS_MAX)
		die("too many readers");
	reader->connection = connection;
	pthread_mutex_lock(&lock);
	reader->next = atomic_load(&n_events);
	readers[n_readers++] = reader;
	pthread_mutex_unlock(&lock);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, read_events, reader,
						     forget_reader);
	MHD_add_response_header(response, "Content-Type", "text/event-stream");
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

/* The first call of a request only has its head: an answer then would close the connection. */
static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **state)
{
	(void)user;
	(void)method;
	(void)version;
	(void)data;
	(void)data_len;
	if (!*state) {
		*state = connection;
		return MHD_YES;
	}
	if (strcmp(url, "/events") == 0)
		return stream_events(connection);
	return MHD_queue_response(connection, MHD_HTTP_OK, json);
}

static void happen(void)
{
	pthread_mutex_lock(&lock);
	atomic_fetch_add(&n_events, 1);
	for (unsigned i = 0; i < n_readers; i++) {
		if (!readers[i]->suspended)
			continue;
		readers[i]->suspended = false;
		MHD_resume_connection(readers[i]->connection);
	}
	pthread_mutex_unlock(&lock);
}

static void make_texts(void)
{
	static char text[JSON_LEN + 1];

	memset(event_text, 'x', sizeof(event_text));
	memcpy(event_text, "id: 1-1\nevent: ping\ndata: ", 26);
	memcpy(event_text + EVENT_LEN - 2, "\n\n", 2);
	memset(text, ' ', JSON_LEN);
	memcpy(text, "{\"workers\":[]}", 14);
	json = MHD_create_response_from_buffer(JSON_LEN, text, MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(json, "Content-Type", "application/json");
}

int main(int argc, char **argv)
{
	struct MHD_Daemon *daemon;
	unsigned hz;

	if (argc != 2)
		die("usage: plain_http HZ");
	hz = (unsigned)strtoul(argv[1], NULL, 10);
	raise_descriptor_limit();
	make_texts();
	daemon =
		MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
				 NULL, on_request, NULL, MHD_OPTION_LISTEN_SOCKET, listen_and_say(),
				 MHD_OPTION_CONNECTION_LIMIT, READERS_MAX, MHD_OPTION_END);
	if (!daemon)
		die("MHD_start_daemon");
	for (;;) {
		usleep(1000000 / hz);
		happen();
	}
}
