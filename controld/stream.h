/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_STREAM_H
#define CONTROLD_STREAM_H

#include "event_count.h"
#include "list.h"
#include "text.h"
#include "tokens.h"
#include "turns.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct controld;
struct http_connection;
struct http_server;
struct MHD_Connection;
struct request;
struct snapshot;

#define STREAM_HEARTBEAT_MS \
	13000 /* of silence, then something is sent: at most 15 s with the tick */
#define STREAM_TICK_MS 1000
#define STREAM_BATCH 16384 /* octets that are written ahead for one reader */
#define STREAM_SLICE 1024  /* events that are judged for one reader before others have their turn */

/* One reader of GET /v1/events. */
struct stream {
	struct list link; /* streams.list */
	struct controld *controld;
	struct http_server *server;
	struct MHD_Connection *connection;
	struct http_connection *from; /* NULL: closed */
	struct event_filter filter;
	uint64_t position;	   /* of the next event to look at */
	uint64_t seq;		   /* of the last one looked at */
	uint64_t told_seq;	   /* of the last id that the reader has */
	int64_t left;		   /* events until the end; -1: no end */
	uint64_t poll_end;	   /* loop time at which a long poll ends; 0: not one */
	uint64_t sent_at;	   /* loop time of the last byte */
	struct snapshot *learning; /* of sessions whose connect we did not see, or NULL */
	struct snapshot *snapshot; /* NULL: none asked for */
	struct text out;
	size_t out_sent;
	struct event_count count; /* of what the log dropped before position, while counting */
	struct turn_taker turn;	  /* waits only while suspended */
	bool counting;
	bool unknown_id; /* it counts all there was: the gap is told if it is of none, too */
	bool ndjson;
	bool suspended;
	bool ended; /* when out is sent */
	bool gone;  /* the client is */
	bool has_token;
	unsigned char token[TOKEN_HASH_SIZE]; /* that it was opened with */
};

/* Every open event stream. */
struct streams {
	struct controld *controld;
	struct list list; /* struct stream.link */
	size_t count;
	uint64_t gaps; /* sent, for /metrics */
	struct turns turns;
	uv_timer_t tick;
	uv_timer_t poll; /* until the first of the long polls that sleep is over */
	uint64_t poll_due;
	bool started;
};

/*
 * Make a reader at the log's end, with an empty filter; fill it in, then answer with it: the answer
 * owns it from there on, on failure too. NULL: out of memory.
 */
struct stream *stream_new(struct request *request);
void stream_reply(struct stream *stream, struct request *request);

void streams_start(struct streams *streams, struct controld *controld);

/* Tell every reader that the daemon goes, and end its stream. */
void streams_stop(struct streams *streams);

/* Other tokens count from here on: those that were opened with one that is gone end. */
void streams_check_tokens(struct streams *streams, const struct tokens *tokens);

/* New events are visible. */
void streams_wake(struct events *events);

/*
 * The log has dropped what comes after stream->seq: count it, as long as that takes, and tell of it in
 * a gap before all else. unknown_id: there was no telling where the reader was.
 */
void stream_count_dropped(struct stream *stream, bool unknown_id);

/* Of http.c, for the stream of a connection. */
void stream_client_gone(struct stream *stream);
void stream_heartbeat(struct stream *stream);
void stream_detach(struct stream *stream); /* the connection is closed */

/* Of snapshot.c. json has no newline; id and type as an SSE reader needs them, id NULL: none. */
void stream_write(struct stream *stream, const char *id, const char *type, const char *json,
		  size_t len);
void stream_write_gap(struct stream *stream, int64_t count, uint64_t from, uint64_t to,
		      const char *reason);
void stream_resume(struct stream *stream);

#endif
