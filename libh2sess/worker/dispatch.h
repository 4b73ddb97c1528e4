/* SPDX-License-Identifier: Apache-2.0 */
/* Hands the server's events to the apps of the current generation. */
#ifndef WORKER_DISPATCH_H
#define WORKER_DISPATCH_H

#include "generation.h"

#include <uv.h>

struct dispatch {
	_Atomic(struct generation *) current;
	struct generation *newest; /* the main thread's: all of them, by older */
	uv_async_t over;	   /* a retired one may have lost its last user */
	bool hears_timeout; /* so registered: without a listener the library acts by itself */
};

/* Before the server is made: its hooks need it. */
void dispatch_init(struct dispatch *d, uv_loop_t *loop);
/* End all apps; after the last session is gone, before the server is freed. */
void dispatch_end(struct dispatch *d);
/* After the server was freed. */
void dispatch_done(struct dispatch *d);

/* options.stream_end and session_end of the server; user is the dispatch. */
h2sess_stream_end_fn dispatch_stream_end;
h2sess_session_end_fn dispatch_session_end;

/* Register on the server's emitter, for the first generation. Returns 0, or an error. */
int dispatch_start(struct dispatch *d, struct h2sess_server *server, struct generation *first);

/* Could g be used? Not when it needs an event that dispatch_start() could not know of. */
bool dispatch_suits(const struct dispatch *d, const struct generation *g);

/* New requests and sessions are g's from here on; the one before ends with its last user. The main
 * thread. */
void dispatch_use(struct dispatch *d, struct generation *g);

/* Every generation's log is opened again. The main thread. */
void dispatch_reopen_logs(struct dispatch *d);

#endif
