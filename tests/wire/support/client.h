/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A raw-frame HTTP/2 client. It sends the frames and bytes that it is told to, legal or not, and
 * keeps every frame that it gets. No HTTP/2 library is behind it, but for the decoding of header
 * blocks.
 *
 * It answers PING and SETTINGS and opens windows unless it is told to hold these back. Nothing here
 * sleeps: each wait is a poll() with a deadline, and a deadline that passes fails the test.
 */
#ifndef WIRE_CLIENT_H
#define WIRE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_DEADLINE_MS 30000

enum {
	FRAME_DATA = 0x0,
	FRAME_HEADERS = 0x1,
	FRAME_PRIORITY = 0x2,
	FRAME_RST_STREAM = 0x3,
	FRAME_SETTINGS = 0x4,
	FRAME_PUSH_PROMISE = 0x5,
	FRAME_PING = 0x6,
	FRAME_GOAWAY = 0x7,
	FRAME_WINDOW_UPDATE = 0x8,
	FRAME_CONTINUATION = 0x9,
	FRAME_ALTSVC = 0xa,
	FRAME_ORIGIN = 0xc,
	FRAME_UNKNOWN = 0xee,
};

enum {
	FLAG_ACK = 0x1,
	FLAG_END_STREAM = 0x1,
	FLAG_END_HEADERS = 0x4,
	FLAG_PADDED = 0x8,
};

enum {
	SETTING_HEADER_TABLE_SIZE = 1,
	SETTING_ENABLE_PUSH = 2,
	SETTING_MAX_CONCURRENT_STREAMS = 3,
	SETTING_INITIAL_WINDOW_SIZE = 4,
	SETTING_MAX_FRAME_SIZE = 5,
	SETTING_MAX_HEADER_LIST_SIZE = 6,
	SETTING_ENABLE_CONNECT_PROTOCOL = 8,
	SETTING_NO_RFC7540_PRIORITIES = 9,
};

struct field {
	const char *name;
	const char *value;
};

/* A frame as it came. fields are those of a whole header block, on its HEADERS frame. */
struct frame {
	uint32_t length; /* bytes of payload */
	uint8_t type;
	uint8_t flags;
	uint32_t stream_id;
	uint8_t *payload;
	struct field *fields;
	size_t n_fields;
};

struct client_setting {
	uint16_t id;
	uint32_t value;
};

struct client_options {
	bool tls;
	const char *alpn;	 /* NULL = "h2", "" = no ALPN */
	const char *servername;	 /* NULL = "localhost", "" = no SNI */
	const char *keylog_file; /* NULL = none */
	int receive_buffer;	 /* SO_RCVBUF, bytes; 0 = the kernel's choice */
	size_t piece;		 /* bytes a write; 0 = as many as the kernel takes */
	bool no_preface;	 /* connect and say nothing */
	bool hold_settings_ack;
	bool hold_ping_ack;
	bool hold_window; /* send no WINDOW_UPDATE for DATA */
	const struct client_setting *settings;
	size_t n_settings;
};

struct client {
	struct client_options options; /* the hold_ flags may be changed at any time */
	int fd;
	void *ssl;	     /* SSL *, NULL on cleartext */
	void *ssl_context;   /* SSL_CTX * */
	int handshake_error; /* reason code of OpenSSL's, 0 when all went well */
	void *inflater;	     /* nghttp2_hd_inflater * */
	bool stopped;	     /* does not read */
	bool spoke;	     /* the preface has left: it may answer */
	size_t unanswered;   /* SETTINGS that came before that */
	bool eof;	     /* the server has closed, or reset */
	bool broken;	     /* nothing can be sent any more */
	uint32_t next_stream_id;
	uint8_t *out; /* not sent yet */
	size_t out_len, out_cap;
	uint8_t *in; /* not a whole frame yet */
	size_t in_len, in_cap;
	struct frame **frames; /* all that came, in order */
	size_t n_frames, frames_cap;
	size_t next_frame; /* of client_read() */
};

/* Connect to 127.0.0.1, shake hands, send preface and SETTINGS. NULL options are all defaults. */
struct client *client_open(int port, const struct client_options *options);
/* Over a connected socket, which is taken, with no TLS of the client's own. */
struct client *client_over(int fd, const struct client_options *options);
void client_free(struct client *c);

/* Bytes as they are. Reads what arrives meanwhile, so that a flood cannot lock both sides. */
void client_send(struct client *c, const void *data, size_t len);
void client_send_frame(struct client *c, uint8_t type, uint8_t flags, uint32_t stream_id,
		       const void *payload, size_t len);
void client_send_preface(struct client *c);
void client_send_settings(struct client *c, const struct client_setting *settings, size_t n);
void client_send_settings_ack(struct client *c);
void client_send_ping(struct client *c, const char payload[8]);
void client_send_ping_ack(struct client *c, const uint8_t payload[8]);
void client_send_window_update(struct client *c, uint32_t stream_id, uint32_t bytes);
void client_send_reset(struct client *c, uint32_t stream_id, uint32_t code);
void client_send_goaway(struct client *c, uint32_t last_stream_id, uint32_t code);
void client_send_data(struct client *c, uint32_t stream_id, uint8_t flags, const void *data,
		      size_t len);

/* HEADERS with END_HEADERS: each field a literal without indexing. */
void client_send_headers(struct client *c, uint32_t stream_id, uint8_t flags,
			 const struct field *fields, size_t n);
/* The same block encoded into buf; returns its length. */
size_t client_encode(uint8_t *buf, size_t cap, const struct field *fields, size_t n);
/* A whole request on the next stream. `flags` END_STREAM: without a body. Returns the stream's id.
 */
uint32_t client_request(struct client *c, const char *method, const char *path, uint8_t flags);
uint32_t client_get(struct client *c, const char *path);

/* The next frame that was not read yet; NULL at the end of the connection or the deadline. */
struct frame *client_read(struct client *c);
/* Skip to the next frame of a type (and stream). Fails the test at end and deadline. */
struct frame *client_await(struct client *c, uint8_t type);
struct frame *client_await_on(struct client *c, uint8_t type, uint32_t stream_id);
struct frame *client_await_ack(struct client *c, uint8_t type);
/* The connection's end. Fails the test at the deadline. */
void client_await_eof(struct client *c);
/* Whether the connection ends within ms. */
bool client_ends_within(struct client *c, int ms);
/*
 * Everything that the server had to send is here after this: two PINGs, one after the other, since
 * a PING's answer overtakes the frames of its own flush. Returns false when the connection ended.
 */
bool client_fence(struct client *c);

/* In all that came: how many frames of a type (ACKs excepted), and the nth (from 0) or NULL. */
size_t client_count(const struct client *c, uint8_t type);
struct frame *client_find(const struct client *c, uint8_t type, size_t nth);
/* The place of a frame in all that came: for asking what came first. */
size_t client_index(const struct client *c, const struct frame *frame);
uint32_t frame_u32(const struct frame *frame, size_t offset);
const char *frame_field(const struct frame *frame, const char *name);

/* What became of a request, once it is over. Freed by response_done(). */
struct response {
	int status;		     /* of the final header block, 0 when none came */
	const struct frame *head;    /* borrowed */
	const struct frame *trailer; /* borrowed, or NULL */
	uint8_t *body;
	size_t len;
	size_t cap;
	bool ended; /* END_STREAM came */
	bool reset; /* RST_STREAM came */
	uint32_t code;
};

/* Wait until the stream has ended or is reset, or the connection is over. */
void client_await_response(struct client *c, uint32_t stream_id, struct response *ret);
void response_done(struct response *r);
/* GET path, and assert the status. */
void client_check_get(struct client *c, const char *path, int status);

/* Milliseconds of a clock that never jumps. */
int64_t now_ms(void);

#endif
