/* SPDX-License-Identifier: Apache-2.0 */
/* The library's server as the options ask for it, and its refusals in the operator's words. */
#ifndef WORKER_HOST_H
#define WORKER_HOST_H

#include <h2sess/h2sess.h>

struct dispatch;
struct inheritance;
struct options;
struct sockets;

/* Make the server, with the dispatch's hooks. Refusals are logged. Returns 0, or -1. */
int host_new_server(const struct options *o, struct dispatch *dispatch, struct h2sess_server **ret);

/* Give a running server these options. Refusals are logged, and nothing has changed then. */
int host_reload_server(const struct options *o, struct h2sess_server *server);

/* Listen on copies of the sockets. Refusals are logged. Returns 0, or -1. */
int host_listen(const struct sockets *sockets, struct h2sess_server *server);

/*
 * Start the control link under `name`. Refusals are logged. Returns 0, or -1.
 *
 *   succeeds  boot id of the predecessor, or NULL
 */
int host_start_control(const struct options *o, const char *name, const char *succeeds,
		       struct h2sess_server *server, struct h2sess_control **ret);

#endif
