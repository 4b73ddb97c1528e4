/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words to the service manager: one datagram to $NOTIFY_SOCKET. Called by the programs (the library
 * does not hold it) at READY, STOPPING and RELOADING, and by a timer of the loop at WATCHDOG: a
 * loop that hangs is noticed. Failure modes: nobody listens, or not any more: nothing happens, as
 * sd_notify(3) recommends.
 */
#include "notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void notify_service_manager(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = 0; /* the abstract namespace */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, len);
	close(fd);
}

void notify_reloading(void)
{
	struct timespec now;
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify_service_manager(state);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	notify_service_manager("WATCHDOG=1");
}

/* sd_watchdog_enabled(3). Returns milliseconds, 0: not asked, or another process is. */
static uint64_t watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10) / 1000;
}

void notify_watchdog_start(uv_timer_t *timer, uv_loop_t *loop)
{
	uint64_t half = watchdog_ms() / 2;

	uv_timer_init(loop, timer);
	uv_unref((uv_handle_t *)timer); /* no reason to stay */
	if (half)
		uv_timer_start(timer, on_watchdog, 0, half);
}
