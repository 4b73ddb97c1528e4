/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to functions by their path, and numbers that those functions note for the test.
 */
#ifndef WIRE_ROUTES_H
#define WIRE_ROUTES_H

#include "server.h"

typedef void route_fn(struct h2sess_stream *st);

struct route {
	const char *path; /* all of :path up to a '?' */
	route_fn *fn;
};

/* A server whose requests go to routes, which end with a NULL path. Their events are recorded. */
struct test_server *routes_start(const struct h2sess_options *options, const struct route *routes);

/* The server that routes_start() made last. */
struct test_server *routes_server(void);

/* A number with a name, written on any thread, read on any. 0 until set. */
void number_set(const char *name, long value);
void number_add(const char *name, long value);
long number_get(const char *name);
/* Wait until it is at least that. */
void number_await(const char *name, long at_least);
void numbers_clear(void);

#endif
