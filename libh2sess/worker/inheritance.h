/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker gives its successor, in the environment: a JSON object in $H2SESS_TAKEOVER that says
 * whom it succeeds, under which name, and which descriptor is what.
 */
#ifndef WORKER_INHERITANCE_H
#define WORKER_INHERITANCE_H

#include "sockets.h"

#include <stdbool.h>

#define INHERITANCE_VARIABLE "H2SESS_TAKEOVER"
#define INHERITANCE_FIRST_FD 3 /* the channel; then the sockets, in order */

/* Of a worker that succeeds nobody: boot NULL, channel -1, no sockets. */
struct inheritance {
	char *boot; /* of the predecessor */
	char *name;
	struct sockets sockets;
	int channel; /* a socket to the predecessor */
};

/*
 * Take it from the environment, where it is not found a second time. Refusals are logged. Returns 0,
 * or -1; inheritance_done() is right after both.
 */
int inheritance_take(struct inheritance *ret);
void inheritance_done(struct inheritance *inheritance);

/* "VARIABLE={...}" for a successor whose descriptors are numbered as above; NULL: out of memory. */
char *inheritance_write(const char *boot, const char *name, const struct sockets *sockets);

#endif
