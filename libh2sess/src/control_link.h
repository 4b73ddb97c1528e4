/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_CONTROL_LINK_H
#define H2SESS_CONTROL_LINK_H

#include "list.h"

#include <rpc.h>
#include <uv.h>

#define LINK_BACKOFF_MIN_MS 50 /* the first retry comes within this time */
#define LINK_BACKOFF_MAX_MS 1000
#define LINK_HELLO_TIMEOUT_MS 10000    /* a daemon that accepts and says nothing */
#define LINK_GOODBYE_TIMEOUT_MS 1000   /* for a last error to be read before the end */
#define LINK_OUTPUT_ROOM (256u * 1024) /* events and updates wait above this many bytes */
#define LINK_OUTPUT_MAX ((size_t)16 * 1024 * 1024) /* answers too: the connection ends there */
#define LINK_WHY_MAX 256			   /* bytes of the reason that a link is down */
#define LINK_WRITE_LINES 64			   /* lines in one write */

/* Whom a link asks and tells; on the control thread. */
struct link_handler {
	/* Make the hello; NULL when out of memory. */
	json_t *(*hello)(void *user);
	/* The daemon took it: result is borrowed. From now on the link is up. */
	void (*up)(void *user, const json_t *result);
	/* A request or notification of the daemon's. */
	void (*message)(void *user, const struct rpc_message *message);
	/* There is room for more output. */
	void (*room)(void *user);
	/* The link is down; why is borrowed, one line. */
	void (*down)(void *user, const char *why);
};

struct link_connection;

/* A connection to the daemon that comes back. One thread. */
struct control_link {
	const struct link_handler *handler;
	void *user;
	const char *path; /* borrowed */
	uv_loop_t *loop;
	uv_timer_t retry;
	uv_timer_t deadline;		    /* of the hello, or of a goodbye */
	struct link_connection *connection; /* NULL between two */
	uint64_t generation; /* of the connection: answers to an older one are worth nothing */
	uint32_t backoff_ms;
	bool up;
	bool stopped;
};

void link_init(struct control_link *link, uv_loop_t *loop, const char *path,
	       const struct link_handler *handler, void *user);
/* Connect now, and again whenever it breaks, until link_stop(). */
void link_start(struct control_link *link);
/* Close everything at once; the loop has nothing of the link any more after its next turn. */
void link_stop(struct control_link *link);

/*
 * Queue a line; taken, freed with free(). NULL, no memory for it, ends the connection, since an
 * answer must not be lost in silence: the hello of the next one sets it right.
 */
void link_send(struct control_link *link, char *line, size_t len);
/* Up, and less than LINK_OUTPUT_ROOM is waiting. */
bool link_has_room(const struct control_link *link);
/* Everything that was queued has been written, or there is no connection to write to. */
bool link_idle(const struct control_link *link);

/* The time to wait after a failure, up to `backoff_ms`, by a random number. */
uint32_t link_jitter(uint32_t backoff_ms, uint32_t random);

#endif
