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
 * Listen on "ADDR:PORT" and answer on loop: 200 until health_set_draining(), 503 from then on.
 * Returns 0 or a negative errno (libuv's).
 */
int health_start(uv_loop_t *loop, const char *address, struct health **ret);

uint16_t health_port(const struct health *health);
void health_set_draining(struct health *health);

/* Closes everything; freed when the loop has run once more. NULL is allowed. */
void health_stop(struct health *health);

#endif
