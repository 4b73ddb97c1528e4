/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bare BODY_BYTES [CERT KEY]: what the libraries themselves cost.
 *
 * The least that serves HTTP/2 with nghttp2, OpenSSL and epoll, and keeps no other books. It
 * answers every request with BODY_BYTES octets, and sends one ALTSVC to every session on SIGUSR1.
 * Without a certificate it speaks cleartext. Any error of a peer ends that connection.
 */
#include "support/bench.h"
#include "support/peers.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_SIZE 65536
#define FRAME_MAX (16384 + 9)

struct client {
	struct peer peer;
	nghttp2_session *ng; /* NULL until TLS is done */
};

static size_t body_len;
static uint8_t body[BUF_SIZE];
static nghttp2_session_callbacks *callbacks;
static nghttp2_option *option;

/* How far a response has come is the stream's user data. */
static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t len, uint32_t *flags,
			 nghttp2_data_source *source, void *user)
{
	size_t sent = (size_t)nghttp2_session_get_stream_user_data(ng, id);
	size_t n = body_len - sent < len ? body_len - sent : len;

	(void)source;
	(void)user;
	memcpy(buf, body + sent, n);
	nghttp2_session_set_stream_user_data(ng, id, (void *)(sent + n));
	if (sent + n == body_len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

#define FIELD(name, value)                                                                    \
	{                                                                                     \
		(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1, 0 \
	}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
	char length[24];
	nghttp2_data_provider provider = {.read_callback = read_body};
	nghttp2_nv fields[] = {FIELD(":status", "200"), FIELD("content-type", "text/plain"),
			       FIELD("content-length", length)};

	(void)user;
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) || frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	fields[2].valuelen = (size_t)snprintf(length, sizeof(length), "%zu", body_len);
	return nghttp2_submit_response(ng, frame->hd.stream_id, fields, 3, &provider);
}

static void make_callbacks(void)
{
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_closed_streams(option, 1);
}

static bool flush(struct client *c)
{
	static uint8_t buf[BUF_SIZE];
	const uint8_t *data;
	size_t used = 0;
	ssize_t n;

	do {
		n = nghttp2_session_mem_send(c->ng, &data);
		if (n > 0) {
			memcpy(buf + used, data, (size_t)n);
			used += (size_t)n;
		}
		if (used && (n <= 0 || used + FRAME_MAX > sizeof(buf))) {
			if (!peer_write(&c->peer, buf, used))
				return false;
			used = 0;
		}
	} while (n > 0);
	return n == 0;
}

static bool begin(struct client *c)
{
	nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100}};

	return nghttp2_session_server_new2(&c->ng, callbacks, c, option) == 0 &&
	       nghttp2_submit_settings(c->ng, NGHTTP2_FLAG_NONE, settings, 1) == 0;
}

static bool serve(struct peer *p)
{
	static uint8_t buf[BUF_SIZE];
	struct client *c = (struct client *)p;
	ssize_t n;

	if (!c->ng) {
		n = p->ssl ? SSL_do_handshake(p->ssl) : 1;
		if (n != 1)
			return peer_waits(p, n);
		if (!begin(c))
			return false;
	}
	do {
		n = peer_read(p, buf, sizeof(buf));
		if (n > 0 && nghttp2_session_mem_recv(c->ng, buf, (size_t)n) != n)
			return false;
	} while (n > 0 && p->ssl);
	if (n == 0 || (n < 0 && !peer_waits(p, n)))
		return false;
	return flush(c);
}

static bool push(struct peer *p)
{
	static const uint8_t origin[] = "https://example.org", alt[] = "h2=\":8000\"";
	struct client *c = (struct client *)p;

	if (!c->ng)
		return true;
	nghttp2_submit_altsvc(c->ng, NGHTTP2_FLAG_NONE, 0, origin, sizeof(origin) - 1, alt,
			      sizeof(alt) - 1);
	return flush(c);
}

static void done(struct peer *p)
{
	nghttp2_session_del(((struct client *)p)->ng);
}

int main(int argc, char **argv)
{
	static const struct peer_ops ops = {sizeof(struct client), serve, push, done};

	if (argc != 2 && argc != 4)
		die("usage: bare BODY_BYTES [CERT KEY]");
	body_len = strtoul(argv[1], NULL, 10);
	memset(body, 'x', sizeof(body));
	make_callbacks();
	peers_serve(argv[2], argc == 4 ? argv[3] : NULL, &ops);
}
