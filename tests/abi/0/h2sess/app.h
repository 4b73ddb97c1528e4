/* SPDX-License-Identifier: Apache-2.0 */
/*
 * App plugins of h2sess-worker: a shared object that exports one descriptor, `h2sess_app`.
 *
 * The worker dlopen()s it, checks size and abi, and calls init on the main thread: at the start,
 * before the server listens, and at each reload, before the app of before is let go. init registers
 * listeners on the context's emitter as any embedder does. fini is called once, on the main thread,
 * when no request and no session that its listeners have heard of is left; they do not run any more
 * then. Between the two, listeners run on the loop threads, several at a time.
 */
#ifndef H2SESS_APP_H
#define H2SESS_APP_H

#include <h2sess/h2sess.h>

#define H2SESS_APP_ABI 1

/* What the worker gives an app; valid until fini returns. */
struct h2sess_app_context {
	size_t size;
	struct h2sess_server *server;
	/*
	 * The emitter whose `stream` events are this app's: the requests that the worker routes to
	 * it. Its other events are the server's. Listeners are registered here, never on the server,
	 * and in init alone.
	 */
	struct h2sess_emitter *emitter;
	const char *config; /* what followed NAME: on the command line, or "" */
	const char *path;   /* "/a/b" that it answers at and below, or "" for every path */
};

struct h2sess_app {
	size_t size;  /* sizeof(struct h2sess_app) */
	uint32_t abi; /* H2SESS_APP_ABI */
	const char *name;
	/*
	 * Returns 0 and, in ret_state, what fini gets; or a negative error and, in error (at most
	 * error_len bytes with the NUL), one line that says what is wrong.
	 */
	int (*init)(const struct h2sess_app_context *context, void **ret_state, char *error,
		    size_t error_len);
	void (*fini)(void *state); /* may be NULL */
};

/* The symbol that the worker looks for. */
#define H2SESS_APP_SYMBOL "h2sess_app"

#endif
