/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns signals into callbacks on the main loop. The library's threads block every signal, so they
 * all come here.
 */
#include "signals.h"

#include <signal.h>

static void on_signal(uv_signal_t *handle, int number)
{
	const struct signals_callbacks *callbacks = &((struct signals *)handle->data)->callbacks;

	switch (number) {
	case SIGHUP:
		callbacks->on_reload(callbacks->user);
		break;
	case SIGUSR1:
		callbacks->on_reopen(callbacks->user);
		break;
	case SIGUSR2:
		callbacks->on_take_over(callbacks->user);
		break;
	default:
		callbacks->on_end(callbacks->user);
	}
}

void signals_start(struct signals *signals, uv_loop_t *loop,
		   const struct signals_callbacks *callbacks)
{
	static const int NUMBERS[SIGNALS_N] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

	signal(SIGPIPE, SIG_IGN);
	signals->callbacks = *callbacks;
	for (int i = 0; i < SIGNALS_N; i++) {
		uv_signal_init(loop, &signals->handles[i]);
		signals->handles[i].data = signals;
		uv_signal_start(&signals->handles[i], on_signal, NUMBERS[i]);
	}
}

void signals_stop(struct signals *signals)
{
	for (int i = 0; i < SIGNALS_N; i++)
		uv_close((uv_handle_t *)&signals->handles[i], NULL);
}
