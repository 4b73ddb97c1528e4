/* SPDX-License-Identifier: Apache-2.0 */
/* The library's server as the options ask for it, and its refusals in the operator's words. */
#ifndef WORKER_HOST_H
#define WORKER_HOST_H

#include <h2sess/h2sess.h>

struct options;
struct listening;

/* Make the server. Refusals are logged. Returns 0, or -1. */
int host_new_server(const struct options *o, struct h2sess_server **ret);

/*
 * Listen on every address of the options.
 *
 *   listening  room for all of them; filled in the order TLS, cleartext
 *
 * Refusals are logged. Returns 0, or -1.
 */
int host_listen(const struct options *o, struct h2sess_server *server, struct listening *listening);

/* Start the control link under `name`. Refusals are logged. Returns 0, or -1. */
int host_start_control(const struct options *o, const char *name, struct h2sess_server *server,
		       struct h2sess_control **ret);

#endif
