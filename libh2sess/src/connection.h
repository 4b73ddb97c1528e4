/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_CONNECTION_H
#define H2SESS_CONNECTION_H

#include "list.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop;
struct proxy_addresses;
struct proxy_read;

/* Whom a connection tells. Calls come on the loop's thread, never from within conn_write(). */
struct conn_handler {
	/* The PROXY header has come, where one was expected. Returns 0, or an error: then gone. */
	int (*proxied)(void *user, const struct proxy_addresses *addresses);
	/* TLS has ended its handshake (at once on cleartext). */
	void (*ready)(void *user);
	/* Plain bytes; borrowed. */
	void (*data)(void *user, const uint8_t *data, size_t len);
	/* That was all for now. */
	void (*read)(void *user);
	/* What was pending has left. */
	void (*writable)(void *user);
	/* The peer is gone: 0 (end of stream) or H2SESS_E... Comes once, last. */
	void (*gone)(void *user, int error);
};

struct conn {
	struct list link; /* loop.conns */
	struct loop *loop;
	const struct conn_handler *handler; /* NULL once let go */
	void *user;
	uv_poll_t poll;
	struct list linger_link;  /* loop.lingering */
	uint64_t linger_until;	  /* loop_now() */
	SSL *ssl;		  /* NULL: cleartext */
	struct proxy_read *proxy; /* a PROXY header comes first; NULL: it has come, or none does */
	int fd;
	uint8_t *pending; /* bytes that the socket did not take yet (sealed, under TLS) */
	size_t pending_len;
	size_t pending_sent;
	uint64_t bytes_in;  /* plain */
	uint64_t produced;  /* plain bytes given to conn_write() */
	uint64_t written;   /* plain bytes whose write has returned */
	const uint8_t *net; /* of loop.read_buf: what TLS has not taken yet */
	size_t net_len;
	bool handshaking;
	bool released;	 /* nobody listens any more: lingering */
	bool unknown;	 /* it lingers for limits.unknown_protocol_timeout_ms */
	bool goodbye;	 /* close_notify and FIN have been sent */
	bool closed;	 /* the descriptor is gone; the handle ends soon */
	bool tls_failed; /* no SSL_shutdown() after that */
};

/*
 * Take over fd (and ssl, may be NULL). On failure both stay the caller's. The connection starts
 * with conn_start(), which may call the handler at once.
 */
int conn_new(struct loop *loop, int fd, SSL *ssl, const struct conn_handler *handler, void *user,
	     struct conn **ret);
int conn_start(struct conn *c);
/* Before conn_start(): a PROXY header comes first. Returns 0, H2SESS_ENOMEM. */
int conn_expect_proxy(struct conn *c);

bool conn_blocked(const struct conn *c);
/* It is about to be written to: have what that reads of it come into the cache meanwhile. */
static inline void conn_fetch_ahead(const struct conn *c)
{
	__builtin_prefetch(&c->loop);
	__builtin_prefetch(&c->ssl);
	__builtin_prefetch(&c->written);
}

/*
 * Send len bytes (at most LOOP_WRITE_MAX). What the socket does not take is kept: conn_blocked()
 * until the handler's writable. Must not be called while blocked. Returns 0 or H2SESS_EPEER,
 * H2SESS_ENOMEM, H2SESS_ETLS.
 */
int conn_write(struct conn *c, const uint8_t *data, size_t len);

/*
 * Let the connection go. It sends what is pending, says goodbye (close_notify, FIN), reads until
 * the peer closes or limits.linger_timeout_ms have passed (a close() with unread bytes would be a
 * reset, and could destroy our last frames on their way), then frees itself. The handler is not
 * called again.
 */
void conn_release(struct conn *c);

/* The same for a peer to whom we spoke in a protocol of our own choice: it has longer to go. */
void conn_release_unknown(struct conn *c);

/* The same without waiting for anything. */
void conn_abort(struct conn *c);

/* End the connections that have lingered long enough; arm the loop's timer for the next. */
void conn_end_lingering(struct loop *loop);

#endif
