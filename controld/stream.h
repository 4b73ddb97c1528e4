/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_STREAM_H
#define CONTROLD_STREAM_H

struct controld;
struct events;
struct stream;
struct streams;

#include "list.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define STREAM_HEARTBEAT_MS 14000 /* of silence, then something is sent: at most 15 s */
#define STREAM_BATCH 16384	  /* octets that are written ahead for one reader */

/* Every open event stream. */
struct streams {
	struct controld *controld;
	struct list list; /* struct stream.link */
	size_t count;
	uint64_t gaps; /* sent, for /metrics */
	uv_timer_t heartbeat;
};

void streams_start(struct streams *streams, struct controld *controld);

/* Tell every reader that the daemon goes, and end its stream. */
void streams_stop(struct streams *streams);

/* New events are visible. */
void streams_wake(struct events *events);

/* Of http.c, for the stream of a connection. */
void stream_client_gone(struct stream *stream);
void stream_heartbeat(struct stream *stream);

#endif
