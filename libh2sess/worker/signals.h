/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's signals, on the main thread's loop. */
#ifndef WORKER_SIGNALS_H
#define WORKER_SIGNALS_H

#include <uv.h>

/* Callbacks run on the loop, never in a signal handler. */
struct signals_callbacks {
	void (*on_end)(void *user);	  /* SIGTERM, SIGINT */
	void (*on_reload)(void *user);	  /* SIGHUP */
	void (*on_reopen)(void *user);	  /* SIGUSR1 */
	void (*on_take_over)(void *user); /* SIGUSR2 */
	void *user;
};

#define SIGNALS_N 5

struct signals {
	uv_signal_t handles[SIGNALS_N];
	struct signals_callbacks callbacks;
};

/* SIGPIPE is ignored from here on, too. */
void signals_start(struct signals *signals, uv_loop_t *loop,
		   const struct signals_callbacks *callbacks);

/* The loop must run once more before signals may be freed. */
void signals_stop(struct signals *signals);

#endif
