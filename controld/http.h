/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_HTTP_H
#define CONTROLD_HTTP_H

#include "list.h"
#include "listener.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <uv.h>

struct controld;

#define HTTP_HEAD_MS 30000	     /* from connect or the last answer to a complete head */
#define HTTP_BODY_MS 20000	     /* from the head to the body's end */
#define HTTP_STALL_S 60		     /* without a byte taken or given, in any phase */
#define HTTP_CONNECTION_MEMORY 32768 /* octets: head of a request, and buffers */
#define HTTP_CONNECTIONS_EXTRA 512   /* beside the event streams; counter "api_connections" */
#define HTTP_SWEEP_MS 1000

/* One listening socket with libmicrohttpd behind it. */
struct http_server {
	struct list link; /* controld.servers */
	struct controld *controld;
	struct MHD_Daemon *mhd;
	struct listener listener;
	bool metrics_only;
	bool tcp;
	enum role role;	  /* of whoever reaches a Unix socket */
	const char *path; /* Unix sockets; the listener's */
	char address[64];
	unsigned port;
	struct list connections; /* struct http_connection.link */
	unsigned connection_count;
	unsigned connection_max;
	bool dirty; /* something was resumed: MHD_run() before the loop sleeps */
	uv_poll_t poll;
	uv_timer_t timer;
	uv_timer_t sweep;
	uv_prepare_t prepare;
	unsigned handles;
};

struct http_connection {
	struct list link;
	struct http_server *server;
	int fd;
	uid_t uid;	       /* Unix sockets: whose */
	uint64_t deadline;     /* loop time; 0: a request is being answered */
	struct stream *stream; /* an event stream that this connection carries, or NULL */
	bool half_closed;      /* the peer will send no more; its stream was told once */
};

/* Returns 0, or -1 with one line in why[OPTIONS_WHY_MAX]. The server is in controld->servers then.
 */
int http_start(struct controld *controld, const struct listen_spec *spec, bool metrics_only,
	       char *why);

/* Stop accepting; running requests go on. */
void http_quiesce(struct http_server *server);

/* True when no connection is left that is not idle. */
bool http_is_idle(const struct http_server *server);

/* End what is left and give the server back; nothing of it may be suspended any more. */
void http_stop(struct http_server *server);

/* After MHD_resume_connection(). */
void http_mark_dirty(struct http_server *server);

#endif
