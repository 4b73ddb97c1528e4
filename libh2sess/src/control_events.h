/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_CONTROL_EVENTS_H
#define H2SESS_CONTROL_EVENTS_H

#include "event_moment.h"
#include "list.h"

#include <h2sess/h2sess.h>
#include <jansson.h>
#include <stdatomic.h>
#include <uv.h>

#define CONTROL_EVENTS_MAX 8192				  /* events that wait for the daemon */
#define CONTROL_EVENT_BYTES_MAX ((size_t)8 * 1024 * 1024) /* memory that they hold, about */

/* One event on its way to the daemon. */
struct control_event {
	struct list link; /* event_queue.events */
	uint64_t seq;
	uint64_t time_ms; /* Unix time */
	const char *type; /* static, or custom_type */
	char *custom_type;
	char session[H2SESS_SESSION_ID_MAX];
	int32_t stream; /* 0: the event has none */
	struct event_moment at;
	json_t *news;  /* an object, what `at` tells beside the numbers; NULL: nothing */
	json_t *data;  /* an object; any value where the type begins with x- */
	size_t weight; /* bytes of memory, about */
};

/*
 * Numbered events in order, bounded: the oldest make room. Numbers that are missing between the
 * last one taken and the next one kept are the gap; nothing else is written down about it.
 */
struct event_queue {
	uv_mutex_t lock; /* guards the rest */
	struct list events;
	size_t n;
	size_t bytes;
	size_t max_n;
	size_t max_bytes;
	uint64_t last_seq;  /* the last number given */
	uint64_t taken_seq; /* everything up to here was taken, as an event or in a gap */
	uint64_t dropped;
	atomic_uint_fast64_t generation; /* from 1 on: see event_queue_generation() */
};

/* What event_queue_take() found: an event, now the caller's, or a gap from..to, both included. */
struct event_item {
	struct control_event *event; /* NULL: a gap */
	uint64_t from;
	uint64_t to;
};

int event_queue_init(struct event_queue *q, size_t max_n, size_t max_bytes);
void event_queue_done(struct event_queue *q);

/* Number ev and queue it; taken. NULL is an event that could not be made: it is numbered and lost.
 */
void event_queue_add(struct event_queue *q, struct control_event *ev);
/* The next event or gap. Returns false when there is none. */
bool event_queue_take(struct event_queue *q, struct event_item *ret);
uint64_t event_queue_taken(struct event_queue *q);
uint64_t event_queue_dropped(struct event_queue *q);

/*
 * Changes when what events have told before may be lost: one was dropped, or the daemon may be
 * another one. A session tells all of it again with its next event.
 */
uint64_t event_queue_generation(const struct event_queue *q);
void event_queue_begin_generation(struct event_queue *q);

/*
 * An event of ev, its data built, in a generation of the queue; the session's thread. NULL when out
 * of memory.
 */
struct control_event *control_event_new(const struct h2sess_event *ev, const char *worker,
					uint64_t generation);
void control_event_free(struct control_event *ev);

/* What the messages hold: params of `event` and `events.gap`. NULL when out of memory. */
json_t *control_event_params(struct control_event *ev);
json_t *control_gap_params(uint64_t from, uint64_t to);

#endif
