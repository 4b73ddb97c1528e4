/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd inside the daemon's loop: one MHD daemon for each listening socket, without
 * threads.
 *
 * main.c starts one a listener. MHD's epoll descriptor is polled by the loop; before the loop
 * sleeps a prepare hook runs MHD when something was resumed (MHD would sleep on it otherwise) and
 * arms a timer from MHD_get_timeout(). request.c has the callbacks of requests.
 *
 * MHD has one timeout, for silence. A sweep each second ends what is slow without being silent: a
 * head that is not complete HTTP_HEAD_MS after the last answer, a body after HTTP_BODY_MS. It also
 * looks after suspended connections, which MHD does not: one whose client is gone ends its event
 * stream.
 *
 * Failure modes: MHD cannot start: one line. Out of descriptors: MHD stops accepting until one is
 * free.
 */
#include "http.h"

#include "controld.h"
#include "log.h"
#include "request.h"
#include "stream.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RUNS_BEFORE_SLEEP 4 /* of MHD_run() in a row, while it resumes itself */

static void run(struct http_server *server)
{
	server->dirty = false;
	MHD_run(server->mhd);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(container_of(poll, struct http_server, poll));
}

static void on_timer(uv_timer_t *timer)
{
	run(container_of(timer, struct http_server, timer));
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct http_server *server = container_of(prepare, struct http_server, prepare);
	MHD_UNSIGNED_LONG_LONG ms;

	for (int i = 0; server->dirty && i < RUNS_BEFORE_SLEEP; i++)
		run(server);
	if (server->dirty)
		uv_timer_start(&server->timer, on_timer, 0, 0);
	else if (MHD_get_timeout(server->mhd, &ms) == MHD_YES)
		uv_timer_start(&server->timer, on_timer, ms, 0);
	else
		uv_timer_stop(&server->timer);
}

/* What the kernel knows of a connection that MHD does not look at. */
static void check_stream(struct http_connection *connection)
{
	struct pollfd fd = {.fd = connection->fd, .events = POLLRDHUP};

	if (poll(&fd, 1, 0) <= 0)
		return;
	if (fd.revents & (POLLHUP | POLLERR))
		stream_client_gone(connection->stream);
	else if (!connection->half_closed)
		stream_heartbeat(connection->stream); /* fails if the client is gone */
	connection->half_closed = true;
}

static void on_sweep(uv_timer_t *timer)
{
	struct http_server *server = container_of(timer, struct http_server, sweep);
	uint64_t now = uv_now(timer->loop);

	list_for_each(at, &server->connections) {
		struct http_connection *connection = container_of(at, struct http_connection, link);

		if (connection->stream)
			check_stream(connection);
		else if (connection->deadline && now >= connection->deadline)
			shutdown(connection->fd, SHUT_RDWR); /* MHD sees it and closes */
	}
}

static uid_t peer_uid(int fd)
{
	struct ucred credentials = {.uid = (uid_t)-1};
	socklen_t len = sizeof(credentials);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len);
	return credentials.uid;
}

static void connection_open(struct http_server *server, struct MHD_Connection *mhd, void **ret)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_connection *connection = calloc(1, sizeof(*connection));

	*ret = connection;
	if (++server->connection_count == server->connection_max) {
		server->controld->metrics.limits[LIMIT_API_CONNECTIONS]++;
		log_limited("http: %u connections: the next ones wait", server->connection_count);
	}
	if (!connection)
		return;
	connection->server = server;
	connection->fd = info ? info->connect_fd : -1;
	connection->uid = server->tcp ? (uid_t)-1 : peer_uid(connection->fd);
	connection->deadline = uv_now(server->controld->loop) + HTTP_HEAD_MS;
	list_append(&server->connections, &connection->link);
}

void http_mark_dirty(struct http_server *server)
{
	server->dirty = true;
}

static void on_connection(void *user, struct MHD_Connection *mhd, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http_connection *connection = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_open(user, mhd, socket_context);
		return;
	}
	/* Out of descriptors MHD takes its listening socket out of its epoll set. One is free now, but
	 * it is put back at the begin of the next MHD_run() only. */
	http_mark_dirty(user);
	((struct http_server *)user)->connection_count--;
	if (connection)
		list_remove(&connection->link);
	if (connection && connection->stream)
		stream_detach(connection->stream);
	free(connection);
	*socket_context = NULL;
}

/* Targets are decoded by request.c, a segment at a time; MHD would cut at %00 and merge %2F. */
static size_t keep_escaped(void *user, struct MHD_Connection *connection, char *string)
{
	(void)user;
	(void)connection;
	return strlen(string);
}

static void on_mhd_log(void *user, const char *format, va_list args)
{
	char line[256];

	(void)user;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = 0;
	log_limited("http: %s", line);
}

static struct MHD_Daemon *start_mhd(struct http_server *server)
{
	server->connection_max = HTTP_CONNECTIONS_EXTRA;
	if (!server->metrics_only)
		server->connection_max += (unsigned)server->controld->options.event_streams;
	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		request_on_call, server, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, server->listener.fd, MHD_OPTION_CONNECTION_LIMIT,
		server->connection_max, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_STALL_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_MEMORY,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, request_on_completed,
		server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_URI_LOG_CALLBACK, request_on_target, server,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL, MHD_OPTION_END);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct http_server *server = handle->data;

	if (--server->handles == 0)
		free(server);
}

static void watch(struct http_server *server, int epoll_fd)
{
	uv_loop_t *loop = server->controld->loop;

	uv_poll_init(loop, &server->poll, epoll_fd);
	uv_timer_init(loop, &server->timer);
	uv_timer_init(loop, &server->sweep);
	uv_prepare_init(loop, &server->prepare);
	server->poll.data = server->timer.data = server->sweep.data = server->prepare.data = server;
	server->handles = 4;
	uv_poll_start(&server->poll, UV_READABLE, on_poll);
	uv_timer_start(&server->sweep, on_sweep, HTTP_SWEEP_MS, HTTP_SWEEP_MS);
	uv_prepare_start(&server->prepare, on_prepare);
}

int http_start(struct controld *controld, const struct listen_spec *spec, bool metrics_only,
	       char *why)
{
	struct http_server *server = calloc(1, sizeof(*server));
	const union MHD_DaemonInfo *info = NULL;

	if (!server ||
	    listener_open(spec, metrics_only ? "metrics" : "api", &server->listener, why) < 0) {
		if (!server)
			snprintf(why, OPTIONS_WHY_MAX, "out of memory");
		free(server);
		return -1;
	}
	server->controld = controld;
	server->metrics_only = metrics_only;
	server->path = server->listener.path;
	server->tcp = !spec->path;
	server->role = metrics_only ? ROLE_READ : spec->role;
	list_init(&server->connections);
	if (server->tcp)
		listener_address(&server->listener, server->address, sizeof(server->address),
				 &server->port);
	server->mhd = start_mhd(server);
	if (server->mhd)
		info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info) {
		snprintf(why, OPTIONS_WHY_MAX, "libmicrohttpd cannot start");
		listener_close(&server->listener);
		free(server);
		return -1;
	}
	watch(server, info->epoll_fd);
	list_append(&controld->servers, &server->link);
	return 0;
}

void http_quiesce(struct http_server *server)
{
	MHD_quiesce_daemon(server->mhd); /* the descriptor stays the listener's */
	server->dirty = true;
}

bool http_is_idle(const struct http_server *server)
{
	list_for_each(at, &server->connections)
		if (!container_of(at, struct http_connection, link)->deadline)
			return false;
	return true;
}

void http_stop(struct http_server *server)
{
	list_remove(&server->link);
	uv_prepare_stop(&server->prepare);
	uv_poll_stop(&server->poll); /* before MHD closes the descriptor under it */
	uv_close((uv_handle_t *)&server->poll, on_handle_closed);
	uv_close((uv_handle_t *)&server->timer, on_handle_closed);
	uv_close((uv_handle_t *)&server->sweep, on_handle_closed);
	uv_close((uv_handle_t *)&server->prepare, on_handle_closed);
	MHD_stop_daemon(server->mhd);
	server->mhd = NULL;
	listener_close(&server->listener);
}
