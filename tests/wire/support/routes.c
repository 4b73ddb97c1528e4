/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of routes and one of numbers a program; a lock around the numbers.
 */
#include "routes.h"

#include "cmocka_all.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NUMBERS_MAX 64

static const struct route *table;
static struct test_server *server;
static struct test_hooks hooks;

static struct {
	char name[32];
	long value;
} numbers[NUMBERS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static long *find(const char *name)
{
	size_t i;

	for (i = 0; i < NUMBERS_MAX; i++) {
		if (numbers[i].name[0] == '\0')
			strncpy(numbers[i].name, name, sizeof(numbers[i].name) - 1);
		if (strcmp(numbers[i].name, name) == 0)
			return &numbers[i].value;
	}
	abort();
}

void number_set(const char *name, long value)
{
	pthread_mutex_lock(&lock);
	*find(name) = value;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void number_add(const char *name, long value)
{
	pthread_mutex_lock(&lock);
	*find(name) += value;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

long number_get(const char *name)
{
	long value;

	pthread_mutex_lock(&lock);
	value = *find(name);
	pthread_mutex_unlock(&lock);
	return value;
}

void number_await(const char *name, long at_least)
{
	struct timespec until;
	int late = 0;
	long value;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLIENT_DEADLINE_MS / 1000;
	pthread_mutex_lock(&lock);
	while ((value = *find(name)) < at_least && late == 0)
		late = pthread_cond_timedwait(&changed, &lock, &until);
	pthread_mutex_unlock(&lock);
	if (value < at_least)
		fail_msg("%s is %ld, not %ld", name, value, at_least);
}

void numbers_clear(void)
{
	pthread_mutex_lock(&lock);
	memset(numbers, 0, sizeof(numbers));
	pthread_mutex_unlock(&lock);
}

static void route(const struct h2sess_event *ev, void *user)
{
	const char *path = h2sess_stream_header(ev->stream, ":path");
	size_t len = path ? strcspn(path, "?") : 0;
	const struct route *r;

	(void)user;
	test_server_watch_stream(server, ev->stream);
	for (r = table; r->path; r++) {
		if (path && strlen(r->path) == len && strncmp(r->path, path, len) == 0) {
			r->fn(ev->stream);
			return;
		}
	}
	h2sess_stream_end(ev->stream, "ok\n", 3);
}

struct test_server *routes_start(const struct h2sess_options *options, const struct route *routes)
{
	table = routes;
	hooks.stream = route;
	server = test_server_new(options, &hooks);
	test_server_listen(server);
	return server;
}

struct test_server *routes_server(void)
{
	return server;
}
