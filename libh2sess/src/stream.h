/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_STREAM_H
#define H2SESS_STREAM_H

#include "emitter.h"
#include "header_list.h"
#include "list.h"
#include "session.h"

#include <nghttp2/nghttp2.h>

#define STREAM_HIGH_WATER 65536 /* bytes: write() says wait */
#define STREAM_LOW_WATER 16384	/* bytes: drain */

struct chunk {
	struct list link; /* h2sess_stream.outbox or inbox */
	size_t len;
	size_t offset; /* what has gone already */
	uint8_t data[];
};

enum stream_source { SOURCE_NONE, SOURCE_BUFFER, SOURCE_PULL, SOURCE_FD };

struct h2sess_stream {
	struct h2sess_emitter emitter;
	struct list link; /* h2sess_session.streams */
	struct h2sess_session *session;
	int32_t id;
	void *user;
	void *host;
	uint64_t began_ns;	      /* its `stream` event; 0: nobody asks */
	struct header_list *trailers; /* being collected, or those that came */

	bool announced; /* its `stream` event was emitted, or is about to be */
	bool end_after_headers;
	bool head_request; /* of method HEAD */
	bool head;	   /* the response has no body, and end() has not been called */
	bool responded;	   /* the response's header block was submitted */
	bool ended;	   /* the host has ended the response */
	bool local_end;	   /* END_STREAM has left */
	bool remote_end;   /* END_STREAM has come */
	bool closed;	   /* nghttp2 has closed it */
	bool destroyed;	   /* the host has */
	bool aborted;
	bool our_reset;	   /* the RST_STREAM is our own doing, not the peer's fault */
	bool reset_at_end; /* RST_STREAM(NO_ERROR) follows the end of the response */
	bool paused;
	bool end_queued; /* `end` waits behind what is in the inbox */
	bool trailers_queued;
	bool deferred; /* nghttp2 waits for more of the response */
	bool want_drain;
	bool want_trailers;  /* asked for by respond */
	bool trailers_ready; /* wantTrailers was emitted */
	bool trailers_sent;
	uint32_t rst_code;
	uint16_t status;     /* of the response; 0: none yet */
	uint64_t bytes_sent; /* of the bodies */
	uint64_t bytes_received;

	enum stream_source source;
	struct list outbox; /* struct chunk.link */
	size_t buffered;    /* bytes in it */
	h2sess_source_fn *pull;
	h2sess_source_free_fn *pull_free;
	void *pull_user;
	int fd;
	int64_t fd_offset;
	int64_t fd_left; /* -1: to the end */

	struct list inbox; /* struct chunk.link: body bytes that came while paused */
	size_t inbox_bytes;

	uint64_t active_at; /* loop_now(), where there is a timeout */
	uint32_t timeout_ms;

	struct header_list request; /* last: its room is not cleared, nor touched without need */
};

/* A copy of body bytes, and its end. NULL: no memory. */
struct chunk *chunk_new(struct h2sess_session *s, const void *data, size_t len);
void chunk_free(struct h2sess_session *s, struct chunk *chunk);

/* A new stream of s, linked. NULL: no memory. */
struct h2sess_stream *stream_new(struct h2sess_session *s, int32_t id);
/* Emit aborted, error and close as they apply, then free. */
void stream_finish(struct h2sess_stream *st);
/* Emit with the stream's and the session's members set. */
bool stream_emit(struct h2sess_stream *st, enum event_id id, struct h2sess_event *ev);
/* Something has happened on it: its timeout starts again. */
static inline void stream_active(struct h2sess_stream *st)
{
	if (st->timeout_ms)
		st->active_at = loop_now(st->session->loop);
}
/* Body bytes have come; borrowed. Returns 0, H2SESS_ENOMEM. */
int stream_receive(struct h2sess_stream *st, const uint8_t *data, size_t len);
/* The request is complete. */
void stream_receive_end(struct h2sess_stream *st);
void stream_receive_trailers(struct h2sess_stream *st);
/* Nothing can be sent on it any more. */
bool stream_is_over(const struct h2sess_stream *st);

/* ---- stream_body.c --------------------------------------------------------------------------- */
/* nghttp2 asks for a piece of the body; source->ptr is the stream. */
ssize_t stream_read_source(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t len,
			   uint32_t *flags, nghttp2_data_source *source, void *user);
/* Let go of what the body still holds. */
void stream_source_done(struct h2sess_stream *st);

#endif
