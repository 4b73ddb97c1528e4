/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns signals into callbacks on the main loop. The library's threads block every signal, so they
 * all come here.
 */
#include "signals.h"

#include <signal.h>

static void on_signal(uv_signal_t *handle, int number)
{
	const struct signals *signals = handle->data;

	if (number == SIGHUP)
		signals->callbacks.on_reload(signals->callbacks.user);
	else
		signals->callbacks.on_end(signals->callbacks.user);
}

void signals_start(struct signals *signals, uv_loop_t *loop,
		   const struct signals_callbacks *callbacks)
{
	static const int NUMBERS[] = {SIGTERM, SIGINT, SIGHUP};

	signal(SIGPIPE, SIG_IGN);
	signals->callbacks = *callbacks;
	for (int i = 0; i < 3; i++) {
		uv_signal_init(loop, &signals->handles[i]);
		signals->handles[i].data = signals;
		uv_signal_start(&signals->handles[i], on_signal, NUMBERS[i]);
	}
}

void signals_stop(struct signals *signals)
{
	for (int i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&signals->handles[i], NULL);
}
