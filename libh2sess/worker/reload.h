/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the configuration is read again. */
#ifndef WORKER_RELOAD_H
#define WORKER_RELOAD_H

#include <h2sess/h2sess.h>

struct dispatch;

struct reload {
	int argc;
	char **argv;			/* of the program; borrowed */
	struct h2sess_control *control; /* to be told; NULL: nobody */
};

/*
 * Read the command line's file, certificates, ticket keys, apps and limits again. All or nothing: a
 * bad one is logged and told to the daemon, and everything is as it was.
 */
void reload_run(const struct reload *reload, struct h2sess_server *server,
		struct dispatch *dispatch);

#endif
