/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_NOTIFY_H
#define API_NOTIFY_H

#include <uv.h>

/* sd_notify(3) by hand: nothing when there is no $NOTIFY_SOCKET. */
void notify_service_manager(const char *state);

/* RELOADING=1 with the time, as Type=notify-reload wants it; READY=1 follows. */
void notify_reloading(void);

/* WATCHDOG=1 from the loop at half of $WATCHDOG_USEC; nothing when the manager does not ask. */
void notify_watchdog_start(uv_timer_t *timer, uv_loop_t *loop);

#endif
