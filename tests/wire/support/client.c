/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The raw-frame client: one socket, one buffer each way, one list of frames.
 *
 *   send: append to `out`, then pump() until it is empty
 *   read: pump() until `in` holds whole frames; each is kept, and answered by appending to `out`
 *
 * pump() is the only place that waits. A deadline that passes fails the running test; the end of
 * the connection is a fact to be asked for (eof), not a failure.
 */
#include "client.h"

#include "cmocka_all.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_LEN 9
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void *grow(void *p, size_t *cap, size_t want, size_t item)
{
	if (want <= *cap)
		return p;
	*cap = want * 2;
	p = realloc(p, *cap * item);
	assert_non_null(p);
	return p;
}

static void put_u32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	p[1] = (uint8_t)(value >> 16);
	p[2] = (uint8_t)(value >> 8);
	p[3] = (uint8_t)value;
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- out ------------------------------------------------------------------------------------- */

static void append(struct client *c, const void *data, size_t len)
{
	if (c->broken || len == 0)
		return;
	c->out = grow(c->out, &c->out_cap, c->out_len + len, 1);
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
}

static void append_frame(struct client *c, uint8_t type, uint8_t flags, uint32_t stream_id,
			 const void *payload, size_t len)
{
	uint8_t head[HEAD_LEN];

	put_u32(head, (uint32_t)len << 8);
	head[3] = type;
	head[4] = flags;
	put_u32(head + 5, stream_id);
	append(c, head, sizeof(head));
	append(c, payload, len);
}

/* Bytes taken; 0 = not now; -1 = never again. */
static ssize_t write_some(struct client *c, const void *data, size_t len)
{
	ssize_t n;

	if (c->ssl) {
		ERR_clear_error();
		n = SSL_write(c->ssl, data, (int)len);
		if (n > 0)
			return n;
		switch (SSL_get_error(c->ssl, (int)n)) {
		case SSL_ERROR_WANT_READ:
		case SSL_ERROR_WANT_WRITE:
			return 0;
		default:
			return -1;
		}
	}
	n = send(c->fd, data, len, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n;
}

static void flush(struct client *c)
{
	size_t len, piece = c->options.piece;
	ssize_t n;

	while (c->out_len > 0) {
		len = piece > 0 && piece < c->out_len ? piece : c->out_len;
		n = write_some(c, c->out, len);
		if (n == 0)
			return;
		if (n < 0) {
			c->broken = true;
			c->out_len = 0;
			return;
		}
		c->out_len -= (size_t)n;
		memmove(c->out, c->out + n, c->out_len);
	}
}

/* ---- in -------------------------------------------------------------------------------------- */

static void keep_field(struct frame *frame, const nghttp2_nv *nv)
{
	struct field *field;

	frame->fields = realloc(frame->fields, (frame->n_fields + 1) * sizeof(*field));
	assert_non_null(frame->fields);
	field = &frame->fields[frame->n_fields++];
	field->name = strndup((const char *)nv->name, nv->namelen);
	field->value = strndup((const char *)nv->value, nv->valuelen);
}

static void decode(struct client *c, struct frame *frame, const uint8_t *block, size_t len,
		   bool final)
{
	nghttp2_nv nv;
	ssize_t used;
	int flags;

	for (;;) {
		flags = 0;
		used = nghttp2_hd_inflate_hd2(c->inflater, &nv, &flags, block, len, final);
		assert_true(used >= 0);
		block += used;
		len -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			keep_field(frame, &nv);
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && len == 0)
			return;
	}
	nghttp2_hd_inflate_end_headers(c->inflater);
}

/* The HEADERS frame that a CONTINUATION belongs to: the last one. */
static struct frame *block_owner(struct client *c, struct frame *frame)
{
	size_t i;

	if (frame->type == FRAME_HEADERS)
		return frame;
	for (i = c->n_frames; i-- > 0;)
		if (c->frames[i]->type == FRAME_HEADERS)
			return c->frames[i];
	return frame;
}

static void answer_data(struct client *c, const struct frame *frame)
{
	uint8_t bytes[4];

	if (c->options.hold_window || frame->length == 0)
		return;
	put_u32(bytes, frame->length);
	append_frame(c, FRAME_WINDOW_UPDATE, 0, 0, bytes, 4);
	if (!(frame->flags & FLAG_END_STREAM))
		append_frame(c, FRAME_WINDOW_UPDATE, 0, frame->stream_id, bytes, 4);
}

static void answer_settings(struct client *c)
{
	if (!c->spoke)
		c->unanswered++;
	else if (!c->options.hold_settings_ack)
		append_frame(c, FRAME_SETTINGS, FLAG_ACK, 0, NULL, 0);
}

static void answer(struct client *c, struct frame *frame)
{
	switch (frame->type) {
	case FRAME_SETTINGS:
		if (!(frame->flags & FLAG_ACK))
			answer_settings(c);
		break;
	case FRAME_PING:
		if (!(frame->flags & FLAG_ACK) && !c->options.hold_ping_ack)
			append_frame(c, FRAME_PING, FLAG_ACK, 0, frame->payload, 8);
		break;
	case FRAME_DATA:
		answer_data(c, frame);
		break;
	case FRAME_HEADERS:
	case FRAME_CONTINUATION:
		decode(c, block_owner(c, frame), frame->payload, frame->length,
		       frame->flags & FLAG_END_HEADERS);
		break;
	default:
		break;
	}
}

static void keep_frame(struct client *c, const uint8_t *bytes, uint32_t length)
{
	struct frame *frame = calloc(1, sizeof(*frame));

	assert_non_null(frame);
	frame->length = length;
	frame->type = bytes[3];
	frame->flags = bytes[4];
	frame->stream_id = get_u32(bytes + 5) & 0x7fffffff;
	frame->payload = malloc(length + 1);
	assert_non_null(frame->payload);
	memcpy(frame->payload, bytes + HEAD_LEN, length);
	c->frames = grow(c->frames, &c->frames_cap, c->n_frames + 1, sizeof(struct frame *));
	c->frames[c->n_frames++] = frame;
	answer(c, frame);
}

static void parse(struct client *c)
{
	size_t at = 0;
	uint32_t length;

	while (c->in_len - at >= HEAD_LEN) {
		length = get_u32(c->in + at) >> 8;
		if (c->in_len - at < HEAD_LEN + length)
			break;
		keep_frame(c, c->in + at, length);
		at += HEAD_LEN + length;
	}
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
}

/* Bytes read; 0 = none now; -1 = the end. */
static ssize_t read_some(struct client *c, void *buf, size_t len)
{
	ssize_t n;

	if (c->ssl) {
		ERR_clear_error();
		n = SSL_read(c->ssl, buf, (int)len);
		if (n > 0)
			return n;
		switch (SSL_get_error(c->ssl, (int)n)) {
		case SSL_ERROR_WANT_READ:
		case SSL_ERROR_WANT_WRITE:
			return 0;
		default:
			return -1;
		}
	}
	n = recv(c->fd, buf, len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n > 0 ? n : -1;
}

static void fill(struct client *c)
{
	ssize_t n;

	c->in = grow(c->in, &c->in_cap, c->in_len + 65536, 1);
	n = read_some(c, c->in + c->in_len, 65536);
	if (n < 0) {
		c->eof = true;
		c->broken = true;
		c->out_len = 0;
		return;
	}
	c->in_len += (size_t)n;
	parse(c);
}

/* Wait for one turn of reading and writing. Returns false when `until` has passed. */
static bool pump(struct client *c, int64_t until)
{
	int64_t left = until - now_ms();
	bool pending = c->ssl && !c->stopped && SSL_has_pending(c->ssl);
	struct pollfd p = {.fd = c->fd};

	if (left < 0)
		return false;
	if (!c->stopped && !c->eof)
		p.events |= POLLIN;
	if (c->out_len > 0)
		p.events |= POLLOUT;
	if (poll(&p, 1, pending ? 0 : (int)left) < 0 && errno != EINTR)
		return false;
	if (!c->stopped && !c->eof && (pending || (p.revents & (POLLIN | POLLHUP | POLLERR))))
		fill(c);
	else if (p.revents & POLLERR)
		c->broken = true;
	flush(c);
	return true;
}

static int64_t deadline(void)
{
	return now_ms() + CLIENT_DEADLINE_MS;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int connect_to(int port, int receive_buffer)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	assert_true(fd >= 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (receive_buffer > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

static void write_keylog(const SSL *ssl, const char *line)
{
	const struct client *c = SSL_get_app_data(ssl);
	FILE *file = fopen(c->options.keylog_file, "a");

	if (!file)
		return;
	fprintf(file, "%s\n", line);
	fclose(file);
}

static void offer_alpn(SSL *ssl, const char *alpn)
{
	unsigned char list[64];
	size_t len = strlen(alpn);

	if (len == 0)
		return;
	assert_true(len < sizeof(list));
	list[0] = (unsigned char)len;
	memcpy(list + 1, alpn, len);
	assert_int_equal(SSL_set_alpn_protos(ssl, list, (unsigned)len + 1), 0);
}

static void make_ssl(struct client *c)
{
	const char *name = c->options.servername ? c->options.servername : "localhost";

	c->ssl_context = SSL_CTX_new(TLS_client_method());
	assert_non_null(c->ssl_context);
	SSL_CTX_set_mode(c->ssl_context,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (c->options.keylog_file)
		SSL_CTX_set_keylog_callback(c->ssl_context, write_keylog);
	c->ssl = SSL_new(c->ssl_context);
	assert_non_null(c->ssl);
	SSL_set_app_data(c->ssl, c);
	SSL_set_fd(c->ssl, c->fd);
	offer_alpn(c->ssl, c->options.alpn ? c->options.alpn : "h2");
	if (*name)
		SSL_set_tlsext_host_name(c->ssl, name);
}

static void handshake(struct client *c)
{
	int64_t until = deadline();
	struct pollfd p = {.fd = c->fd};
	int r, error;

	for (;;) {
		ERR_clear_error();
		r = SSL_connect(c->ssl);
		if (r == 1)
			return;
		error = SSL_get_error(c->ssl, r);
		if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
			break;
		p.events = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
		if (poll(&p, 1, (int)(until - now_ms())) <= 0)
			break;
	}
	c->handshake_error = ERR_GET_REASON(ERR_peek_last_error());
	if (c->handshake_error == 0)
		c->handshake_error = -1;
	c->eof = true;
	c->broken = true;
}

struct client *client_over(int fd, const struct client_options *options)
{
	struct client *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	if (options)
		c->options = *options;
	c->fd = fd;
	c->next_stream_id = 1;
	assert_int_equal(nghttp2_hd_inflate_new((nghttp2_hd_inflater **)&c->inflater), 0);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (c->options.tls) {
		make_ssl(c);
		handshake(c);
	}
	if (!c->options.no_preface && !c->broken)
		client_send_preface(c);
	return c;
}

struct client *client_open(int port, const struct client_options *options)
{
	return client_over(connect_to(port, options ? options->receive_buffer : 0), options);
}

static void frame_free(struct frame *frame)
{
	size_t i;

	for (i = 0; i < frame->n_fields; i++) {
		free((char *)frame->fields[i].name);
		free((char *)frame->fields[i].value);
	}
	free(frame->fields);
	free(frame->payload);
	free(frame);
}

void client_free(struct client *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->n_frames; i++)
		frame_free(c->frames[i]);
	free(c->frames);
	free(c->in);
	free(c->out);
	nghttp2_hd_inflate_del(c->inflater);
	SSL_free(c->ssl);
	SSL_CTX_free(c->ssl_context);
	close(c->fd);
	free(c);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void drain(struct client *c)
{
	int64_t until = deadline();

	flush(c);
	while (c->out_len > 0)
		if (!pump(c, until))
			fail_msg("the server does not read: %zu bytes left", c->out_len);
}

void client_send(struct client *c, const void *data, size_t len)
{
	append(c, data, len);
	drain(c);
}

void client_send_frame(struct client *c, uint8_t type, uint8_t flags, uint32_t stream_id,
		       const void *payload, size_t len)
{
	append_frame(c, type, flags, stream_id, payload, len);
	drain(c);
}

void client_send_settings(struct client *c, const struct client_setting *settings, size_t n)
{
	uint8_t payload[6 * 64];
	size_t i;

	assert_true(n <= 64);
	for (i = 0; i < n; i++) {
		payload[6 * i] = (uint8_t)(settings[i].id >> 8);
		payload[6 * i + 1] = (uint8_t)settings[i].id;
		put_u32(payload + 6 * i + 2, settings[i].value);
	}
	client_send_frame(c, FRAME_SETTINGS, 0, 0, payload, 6 * n);
}

void client_send_preface(struct client *c)
{
	append(c, PREFACE, sizeof(PREFACE) - 1);
	client_send_settings(c, c->options.settings, c->options.n_settings);
	c->spoke = true;
	for (; c->unanswered > 0; c->unanswered--)
		answer_settings(c);
	drain(c);
}

void client_send_settings_ack(struct client *c)
{
	client_send_frame(c, FRAME_SETTINGS, FLAG_ACK, 0, NULL, 0);
}

void client_send_ping(struct client *c, const char payload[8])
{
	client_send_frame(c, FRAME_PING, 0, 0, payload, 8);
}

void client_send_ping_ack(struct client *c, const uint8_t payload[8])
{
	client_send_frame(c, FRAME_PING, FLAG_ACK, 0, payload, 8);
}

void client_send_window_update(struct client *c, uint32_t stream_id, uint32_t bytes)
{
	uint8_t payload[4];

	put_u32(payload, bytes);
	client_send_frame(c, FRAME_WINDOW_UPDATE, 0, stream_id, payload, 4);
}

void client_send_reset(struct client *c, uint32_t stream_id, uint32_t code)
{
	uint8_t payload[4];

	put_u32(payload, code);
	client_send_frame(c, FRAME_RST_STREAM, 0, stream_id, payload, 4);
}

void client_send_goaway(struct client *c, uint32_t last_stream_id, uint32_t code)
{
	uint8_t payload[8];

	put_u32(payload, last_stream_id);
	put_u32(payload + 4, code);
	client_send_frame(c, FRAME_GOAWAY, 0, 0, payload, 8);
}

void client_send_data(struct client *c, uint32_t stream_id, uint8_t flags, const void *data,
		      size_t len)
{
	client_send_frame(c, FRAME_DATA, flags, stream_id, data, len);
}

/* RFC 7541 5.1 and 5.2: a string, never Huffman coded. */
static size_t encode_string(uint8_t *p, const char *text)
{
	size_t len = strlen(text), rest, n = 0;

	if (len < 127) {
		p[n++] = (uint8_t)len;
	} else {
		p[n++] = 127;
		for (rest = len - 127; rest >= 128; rest /= 128)
			p[n++] = (uint8_t)(rest % 128 + 128);
		p[n++] = (uint8_t)rest;
	}
	memcpy(p + n, text, len);
	return n + len;
}

size_t client_encode(uint8_t *buf, size_t cap, const struct field *fields, size_t n)
{
	size_t i, at = 0;

	for (i = 0; i < n; i++) {
		assert_true(at + strlen(fields[i].name) + strlen(fields[i].value) + 16 <= cap);
		buf[at++] = 0; /* RFC 7541 6.2.2: literal, not indexed, new name */
		at += encode_string(buf + at, fields[i].name);
		at += encode_string(buf + at, fields[i].value);
	}
	return at;
}

void client_send_headers(struct client *c, uint32_t stream_id, uint8_t flags,
			 const struct field *fields, size_t n)
{
	static uint8_t block[16384];
	size_t len = client_encode(block, sizeof(block), fields, n);

	client_send_frame(c, FRAME_HEADERS, flags | FLAG_END_HEADERS, stream_id, block, len);
}

uint32_t client_request(struct client *c, const char *method, const char *path, uint8_t flags)
{
	struct field fields[] = {
		{":method", method},
		{":scheme", c->options.tls ? "https" : "http"},
		{":path", path},
		{":authority", "localhost"},
	};
	uint32_t id = c->next_stream_id;

	c->next_stream_id += 2;
	client_send_headers(c, id, flags, fields, 4);
	return id;
}

uint32_t client_get(struct client *c, const char *path)
{
	return client_request(c, "GET", path, FLAG_END_STREAM);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct frame *client_read(struct client *c)
{
	int64_t until = deadline();

	while (c->next_frame == c->n_frames) {
		if (c->eof || !pump(c, until))
			return NULL;
	}
	return c->frames[c->next_frame++];
}

static void say_what_came(const struct client *c)
{
	size_t i;

	for (i = 0; i < c->n_frames; i++)
		print_message("  got type %#x flags %#x stream %u length %u\n", c->frames[i]->type,
			      c->frames[i]->flags, c->frames[i]->stream_id, c->frames[i]->length);
	print_message("  then %s\n", c->eof ? "the end of the connection" : "nothing");
}

static bool is_ack(const struct frame *frame)
{
	return (frame->type == FRAME_SETTINGS || frame->type == FRAME_PING) &&
	       (frame->flags & FLAG_ACK);
}

static struct frame *await(struct client *c, uint8_t type, int64_t stream_id, bool ack)
{
	struct frame *frame;

	while ((frame = client_read(c)) != NULL)
		if (frame->type == type && is_ack(frame) == ack &&
		    (stream_id < 0 || frame->stream_id == stream_id))
			return frame;
	say_what_came(c);
	fail_msg("no frame of type %#x came", type);
	return NULL;
}

struct frame *client_await(struct client *c, uint8_t type)
{
	return await(c, type, -1, false);
}

struct frame *client_await_on(struct client *c, uint8_t type, uint32_t stream_id)
{
	return await(c, type, stream_id, false);
}

struct frame *client_await_ack(struct client *c, uint8_t type)
{
	return await(c, type, -1, true);
}

bool client_ends_within(struct client *c, int ms)
{
	int64_t until = now_ms() + ms;

	while (!c->eof)
		if (!pump(c, until))
			return false;
	return true;
}

void client_await_eof(struct client *c)
{
	if (client_ends_within(c, CLIENT_DEADLINE_MS))
		return;
	say_what_came(c);
	fail_msg("the connection did not end");
}

static bool ping_came_back(const struct client *c, const char payload[8])
{
	size_t i;

	for (i = c->n_frames; i-- > 0;)
		if (c->frames[i]->type == FRAME_PING && is_ack(c->frames[i]) &&
		    memcmp(c->frames[i]->payload, payload, 8) == 0)
			return true;
	return false;
}

bool client_fence(struct client *c)
{
	static unsigned count;
	int64_t until = deadline();
	char payload[16];
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(payload, sizeof(payload), "F%07u", count++ % 10000000);
		client_send_ping(c, payload);
		while (!ping_came_back(c, payload)) {
			if (c->eof)
				return false;
			if (!pump(c, until))
				fail_msg("the server does not answer PING");
		}
	}
	return true;
}

size_t client_count(const struct client *c, uint8_t type)
{
	size_t i, n = 0;

	for (i = 0; i < c->n_frames; i++)
		n += c->frames[i]->type == type && !is_ack(c->frames[i]);
	return n;
}

struct frame *client_find(const struct client *c, uint8_t type, size_t nth)
{
	size_t i;

	for (i = 0; i < c->n_frames; i++)
		if (c->frames[i]->type == type && !is_ack(c->frames[i]) && nth-- == 0)
			return c->frames[i];
	return NULL;
}

size_t client_index(const struct client *c, const struct frame *frame)
{
	size_t i;

	for (i = 0; i < c->n_frames && c->frames[i] != frame; i++)
		;
	assert_true(i < c->n_frames);
	return i;
}

uint32_t frame_u32(const struct frame *frame, size_t offset)
{
	assert_true(offset + 4 <= frame->length);
	return get_u32(frame->payload + offset);
}

const char *frame_field(const struct frame *frame, const char *name)
{
	size_t i;

	for (i = 0; i < frame->n_fields; i++)
		if (strcmp(frame->fields[i].name, name) == 0)
			return frame->fields[i].value;
	return NULL;
}

/* ---- responses ------------------------------------------------------------------------------- */

static void take_headers(struct response *r, const struct frame *frame)
{
	const char *status = frame_field(frame, ":status");

	if (status && atoi(status) >= 200) {
		r->status = atoi(status);
		r->head = frame;
	} else if (!status) {
		r->trailer = frame;
	}
}

static void take_data(struct response *r, const struct frame *frame)
{
	r->body = grow(r->body, &r->cap, r->len + frame->length + 1, 1);
	memcpy(r->body + r->len, frame->payload, frame->length);
	r->len += frame->length;
	r->body[r->len] = '\0';
}

static void take(struct response *r, const struct frame *frame)
{
	if (frame->type == FRAME_HEADERS)
		take_headers(r, frame);
	if (frame->type == FRAME_DATA)
		take_data(r, frame);
	if (frame->type == FRAME_RST_STREAM) {
		r->reset = true;
		r->code = frame_u32(frame, 0);
	}
	if (frame->type <= FRAME_HEADERS && (frame->flags & FLAG_END_STREAM))
		r->ended = true;
}

void client_await_response(struct client *c, uint32_t stream_id, struct response *ret)
{
	struct response r = {0};
	int64_t until = deadline();
	size_t i = 0;

	while (!r.ended && !r.reset) {
		for (; i < c->n_frames; i++)
			if (c->frames[i]->stream_id == stream_id)
				take(&r, c->frames[i]);
		if (r.ended || r.reset || c->eof)
			break;
		if (!pump(c, until)) {
			say_what_came(c);
			fail_msg("the response on stream %u does not end", stream_id);
		}
	}
	*ret = r;
}

void response_done(struct response *r)
{
	free(r->body);
	memset(r, 0, sizeof(*r));
}

void client_check_get(struct client *c, const char *path, int status)
{
	struct response r;

	client_await_response(c, client_get(c, path), &r);
	assert_int_equal(r.status, status);
	assert_true(r.ended);
	response_done(&r);
}
