/* SPDX-License-Identifier: Apache-2.0 */
/* --health: what a balancer asks. Plain HTTP/1.1; every path is the same. */
#ifndef WORKER_HEALTH_H
#define WORKER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define HEALTH_CONNECTIONS_MAX 64 /* over that, new ones are closed at once */
#define HEALTH_TIMEOUT_MS 5000	  /* from accept to the last byte of the answer */
#define HEALTH_HEAD_MAX 4096	  /* bytes of a request's head */

struct health;

/*
 * Answer on loop at a listening socket, which is taken on success: 200 while serving() says so, 503
 * else. Returns 0 or a negative errno (libuv's).
 */
int health_start(uv_loop_t *loop, int fd, bool (*serving)(void *user), void *user,
		 struct health **ret);

/* Closes everything; freed when the loop has run once more. NULL is allowed. */
void health_stop(struct health *health);

#endif
