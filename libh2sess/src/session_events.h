/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_SESSION_EVENTS_H
#define H2SESS_SESSION_EVENTS_H

/*
 * What nghttp2's callbacks record for session_dispatch(). The members of struct pending_event that
 * each one uses:
 */
enum pending_kind {
	PENDING_STREAM,		 /* stream, flags */
	PENDING_DATA,		 /* stream, data/len: borrowed from the read buffer */
	PENDING_TRAILERS,	 /* stream */
	PENDING_END,		 /* stream */
	PENDING_STREAM_CLOSE,	 /* stream, code */
	PENDING_DRAIN,		 /* stream */
	PENDING_WANT_TRAILERS,	 /* stream */
	PENDING_REMOTE_SETTINGS, /* data: struct h2sess_settings, owned */
	PENDING_SETTINGS_ACK,
	PENDING_PING,	     /* data: 8 bytes, owned */
	PENDING_PING_ACK,    /* data: 8 bytes, owned */
	PENDING_GOAWAY,	     /* code, stream_id (the last one), data/len: owned */
	PENDING_FRAME_ERROR, /* frame_type, stream_id, code: the library's error */
	PENDING_LIMIT,	     /* code: the HTTP/2 code; len: enum limit_id */
	PENDING_FATAL,	     /* code: the HTTP/2 code */
};

#endif
