/* SPDX-License-Identifier: Apache-2.0 */
/* SIGUSR2: a successor is started, and either it is ready, or everything stays as it was. */
#ifndef WORKER_TAKEOVER_H
#define WORKER_TAKEOVER_H

#include "sockets.h"

#include <stdbool.h>
#include <uv.h>

#define TAKEOVER_TIMEOUT_MS 60000 /* for a successor to be ready */

struct takeover_callbacks {
	/* It accepts connections: the sockets are its own from here on. */
	void (*on_ready)(int pid, void *user);
	void *user;
};

struct takeover;

/* argv: of this process; borrowed. Notes the program's path, for it may be replaced on disk. */
struct takeover *takeover_new(uv_loop_t *loop, char **argv,
			      const struct takeover_callbacks *callbacks);

/*
 * Start a successor under `name` with all these sockets. What becomes of it is logged. False when
 * it could not be started, or one is on its way.
 */
bool takeover_start(struct takeover *t, const char *name, const struct sockets *sockets);

/* The sockets are let go: the successor may say that it is the service now. */
void takeover_confirm(struct takeover *t);

/* A successor that is not ready yet is told to end. Freed when the loop has run. NULL is allowed. */
void takeover_stop(struct takeover *t);

#endif
