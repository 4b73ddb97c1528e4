/* SPDX-License-Identifier: Apache-2.0 */
/* Fixtures of programs whose tests share one server; each test has its own clients. */
#ifndef WIRE_SHARED_H
#define WIRE_SHARED_H

#include "server.h"

extern struct test_server *server;

/* Of a group. A program that wants other options starts `server` by itself. */
int shared_start(void **state);
int shared_stop(void **state);

/* Of a test: a client in *state, and the numbers of routes.h at 0. */
int shared_connect(void **state);
int shared_disconnect(void **state);

#define WITH_CLIENT(name) cmocka_unit_test_setup_teardown(name, shared_connect, shared_disconnect)

#endif
