/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connected socket, with or without TLS: bytes in, bytes out, goodbye.
 *
 * Owns the descriptor, the SSL object and what the socket did not take yet. Called by the session
 * above it, which it reaches by its handler alone.
 *
 * Happy path: poll says readable -> one recv() of at most the read budget into the loop's buffer ->
 * TLS takes all of it (it keeps the start of a record that is not whole, so nothing waits inside
 * OpenSSL for a poll that will never come) -> the handler gets plain bytes. conn_write(): TLS seals
 * into the loop's out buffer -> one send() -> what was not taken is kept, and poll is asked for
 * writable.
 *
 * What can go wrong: the peer leaves (handler's gone, once, from poll only), does not read
 * (blocked; the session stops), breaks TLS (an alert is sent, then gone), or does not close after
 * our goodbye (the linger timer). OpenSSL's error queue is the thread's: it is emptied before each
 * call.
 */
#include "connection.h"

#include "loop.h"
#include "memory.h"
#include "proxy_read.h"
#include "server.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sealed bytes that a peer can make us hold by handshakes and key updates that it does not read. */
#define PENDING_MAX (512 * 1024)

/* ---- a BIO over the loop's buffers ----------------------------------------------------------- */

static int bio_read(BIO *bio, char *buf, int len)
{
	struct conn *c = BIO_get_data(bio);
	size_t n = c->net_len < (size_t)len ? c->net_len : (size_t)len;

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(buf, c->net, n);
	c->net += n;
	c->net_len -= n;
	return (int)n;
}

static int out_reserve(struct loop *loop, size_t len)
{
	size_t cap = loop->out_cap ? loop->out_cap : 2 * LOOP_WRITE_MAX;
	uint8_t *buf;

	while (cap < loop->out_len + len)
		cap *= 2;
	if (cap == loop->out_cap)
		return 0;
	if (cap > 2 * PENDING_MAX)
		return H2SESS_ELIMIT;
	buf = mem_realloc(loop->out_buf, cap);
	if (!buf)
		return H2SESS_ENOMEM;
	loop->out_buf = buf;
	loop->out_cap = cap;
	return 0;
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct conn *c = BIO_get_data(bio);
	struct loop *loop = c->loop;

	BIO_clear_retry_flags(bio);
	if (len <= 0)
		return 0;
	if (out_reserve(loop, (size_t)len) < 0)
		return -1;
	memcpy(loop->out_buf + loop->out_len, data, (size_t)len);
	loop->out_len += (size_t)len;
	return len;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP || cmd == BIO_CTRL_PUSH ||
	       cmd == BIO_CTRL_POP;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "h2sess");

	if (!m)
		return;
	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	bio_method = m;
}

static BIO *bio_new(struct conn *c)
{
	static uv_once_t once = UV_ONCE_INIT;
	BIO *bio;

	uv_once(&once, make_bio_method);
	bio = bio_method ? BIO_new(bio_method) : NULL;
	if (!bio)
		return NULL;
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	return bio;
}

/* ---- closing --------------------------------------------------------------------------------- */

static void on_poll_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	SSL_free(c->ssl);
	proxy_read_free(c->proxy);
	mem_free(c->pending);
	mem_free(c);
}

/* The descriptor goes now, the memory when libuv has let go of the handle. */
static void close_now(struct conn *c)
{
	struct loop *loop = c->loop;

	if (c->closed)
		return;
	c->closed = true;
	c->handler = NULL;
	list_del(&c->link);
	list_del(&c->linger_link);
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	close(c->fd);
	c->fd = -1;
	listeners_resume(loop); /* a descriptor is free again */
}

/* Tell whoever listens that the peer is gone; a lingering connection just ends. */
static void gone(struct conn *c, int error)
{
	const struct conn_handler *handler = c->handler;

	if (!handler || c->released) {
		close_now(c);
		return;
	}
	c->handler = NULL;
	uv_poll_stop(&c->poll);
	handler->gone(c->user, error);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void on_poll(uv_poll_t *handle, int status, int events);

static int watch(struct conn *c)
{
	int events = UV_READABLE | (conn_blocked(c) ? UV_WRITABLE : 0);

	return uv_poll_start(&c->poll, events, on_poll) < 0 ? H2SESS_EIO : 0;
}

bool conn_blocked(const struct conn *c)
{
	return c->pending_len > c->pending_sent;
}

/* send() what it takes. Returns how much, or H2SESS_EPEER. */
static ssize_t send_some(struct conn *c, const uint8_t *data, size_t len)
{
	ssize_t n;

	do {
		n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : H2SESS_EPEER;
}

static int keep_pending(struct conn *c, const uint8_t *data, size_t len)
{
	size_t unsent = c->pending_len - c->pending_sent;
	uint8_t *buf;

	if (unsent + len > PENDING_MAX)
		return H2SESS_ELIMIT;
	buf = mem_alloc(unsent + len);
	if (!buf)
		return H2SESS_ENOMEM;
	if (unsent)
		memcpy(buf, c->pending + c->pending_sent, unsent);
	memcpy(buf + unsent, data, len);
	mem_free(c->pending);
	c->pending = buf;
	c->pending_len = unsent + len;
	c->pending_sent = 0;
	return watch(c);
}

/* Send bytes behind what is pending already. */
static int send_or_keep(struct conn *c, const uint8_t *data, size_t len)
{
	ssize_t n = 0;

	if (!conn_blocked(c))
		n = send_some(c, data, len);
	if (n < 0)
		return (int)n;
	if ((size_t)n < len)
		return keep_pending(c, data + n, len - (size_t)n);
	c->written = c->produced;
	return 0;
}

/* Send what TLS has sealed. */
static int flush_out(struct conn *c)
{
	struct loop *loop = c->loop;
	size_t len = loop->out_len;

	loop->out_len = 0;
	return len ? send_or_keep(c, loop->out_buf, len) : 0;
}

int conn_write(struct conn *c, const uint8_t *data, size_t len)
{
	int r;

	c->produced += len;
	if (!c->ssl)
		return send_or_keep(c, data, len);
	ERR_clear_error();
	r = SSL_write(c->ssl, data, (int)len);
	if (r <= 0) {
		c->tls_failed = true;
		c->loop->out_len = 0;
		return H2SESS_ETLS;
	}
	return flush_out(c);
}

/* Poll says that the socket takes bytes again. */
static int send_pending(struct conn *c)
{
	ssize_t n = send_some(c, c->pending + c->pending_sent, c->pending_len - c->pending_sent);

	if (n < 0)
		return (int)n;
	c->pending_sent += (size_t)n;
	if (conn_blocked(c))
		return 0;
	mem_free(c->pending);
	c->pending = NULL;
	c->pending_len = 0;
	c->pending_sent = 0;
	c->written = c->produced;
	return watch(c);
}

/* ---- goodbye --------------------------------------------------------------------------------- */

static void say_goodbye(struct conn *c)
{
	if (c->goodbye || conn_blocked(c))
		return;
	c->goodbye = true;
	if (c->ssl && !c->handshaking && !c->tls_failed) {
		ERR_clear_error();
		SSL_shutdown(c->ssl);
		if (flush_out(c) < 0)
			c->tls_failed = true;
		if (conn_blocked(c)) {
			c->goodbye = false; /* the FIN comes after the rest */
			c->tls_failed = true;
			return;
		}
	}
	shutdown(c->fd, SHUT_WR);
}

static void on_linger_timer(uv_timer_t *timer)
{
	conn_end_lingering(timer->data);
}

static void arm_linger_timer(struct loop *loop)
{
	struct conn *first;
	uint64_t now = loop_now(loop);

	if (list_empty(&loop->lingering) || uv_is_active((uv_handle_t *)&loop->linger_timer))
		return;
	first = container_of(loop->lingering.next, struct conn, linger_link);
	if (first->linger_until == UINT64_MAX)
		return;
	loop->linger_timer.data = loop;
	uv_timer_start(&loop->linger_timer, on_linger_timer,
		       first->linger_until > now ? first->linger_until - now : 0, 0);
}

void conn_end_lingering(struct loop *loop)
{
	struct list *pos, *following;

	list_for_each_safe(pos, following, &loop->lingering) {
		struct conn *c = container_of(pos, struct conn, linger_link);

		if (c->linger_until > loop_now(loop))
			break;
		server_count_limit(loop->server, c->unknown ? LIMIT_unknown_protocol_timeout_ms
							    : LIMIT_linger_timeout_ms);
		close_now(c);
	}
	arm_linger_timer(loop);
}

/* Behind those that end sooner, which are most of them in front, so it is looked for from the end. */
static void linger(struct conn *c, uint32_t ms)
{
	struct loop *loop = c->loop;
	struct list *pos = loop->lingering.prev;

	c->linger_until = ms == UINT32_MAX ? UINT64_MAX : loop_now(loop) + ms;
	while (pos != &loop->lingering &&
	       container_of(pos, struct conn, linger_link)->linger_until > c->linger_until)
		pos = pos->prev;
	list_add_head(pos, &c->linger_link);
	if (loop->lingering.next == &c->linger_link)
		uv_timer_stop(&loop->linger_timer);
	arm_linger_timer(loop);
}

static void release(struct conn *c, uint32_t linger_ms)
{
	bool lost = !c->handler;

	if (c->closed)
		return;
	c->handler = NULL;
	c->released = true;
	if (lost) {
		close_now(c);
		return;
	}
	say_goodbye(c);
	linger(c, linger_ms);
}

void conn_release(struct conn *c)
{
	release(c, server_limits(c->loop->server)->linger_timeout_ms);
}

void conn_release_unknown(struct conn *c)
{
	c->unknown = true;
	release(c, server_limits(c->loop->server)->unknown_protocol_timeout_ms);
}

void conn_abort(struct conn *c)
{
	close_now(c);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void deliver(struct conn *c, const uint8_t *data, size_t len)
{
	c->bytes_in += len;
	if (c->handler)
		c->handler->data(c->user, data, len);
}

/* Returns true when TLS is through its handshake. */
static bool handshake(struct conn *c)
{
	int r, error;

	ERR_clear_error();
	r = SSL_do_handshake(c->ssl);
	error = SSL_get_error(c->ssl, r);
	if (flush_out(c) < 0) {
		gone(c, H2SESS_EPEER);
		return false;
	}
	if (r == 1) {
		c->handshaking = false;
		c->handler->ready(c->user);
		return c->handler != NULL;
	}
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
		c->tls_failed = true;
		gone(c, H2SESS_ETLS);
	}
	return false;
}

/* Open the records that have come. Stops when the connection is let go. */
static void open_records(struct conn *c)
{
	int r = -1, error;

	while (c->handler) {
		ERR_clear_error();
		r = SSL_read(c->ssl, c->loop->plain_buf, LOOP_PLAIN_MAX);
		if (r <= 0)
			break;
		deliver(c, c->loop->plain_buf, (size_t)r);
	}
	if (!c->handler)
		return;
	error = SSL_get_error(c->ssl, r);
	if (flush_out(c) < 0)
		gone(c, H2SESS_EPEER);
	else if (error == SSL_ERROR_ZERO_RETURN)
		gone(c, 0);
	else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
		c->tls_failed = true;
		gone(c, H2SESS_ETLS);
	}
}

static void tls_turn(struct conn *c, const uint8_t *data, size_t len)
{
	c->net = data;
	c->net_len = len;
	if (!c->handshaking || handshake(c))
		open_records(c);
	c->net = NULL;
	c->net_len = 0;
}

static void on_readable(struct conn *c)
{
	struct loop *loop = c->loop;
	size_t budget = server_limits(loop->server)->read_budget;
	ssize_t n;

	do {
		n = recv(c->fd, loop->read_buf, budget < LOOP_READ_MAX ? budget : LOOP_READ_MAX,
			 MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n <= 0)
		gone(c, n == 0 ? 0 : H2SESS_EPEER);
	else if (c->released)
		return; /* nobody reads this any more */
	else if (c->ssl)
		tls_turn(c, loop->read_buf, (size_t)n);
	else
		deliver(c, loop->read_buf, (size_t)n);
	if (c->handler)
		c->handler->read(c->user);
}

/* What follows the header is read when poll comes back. */
static void on_proxy_header(struct conn *c)
{
	struct proxy_addresses addresses;
	int r = proxy_read_more(c->proxy, c->fd, &addresses);

	if (r == 0)
		return;
	if (r == 1) {
		proxy_read_free(c->proxy);
		c->proxy = NULL;
		r = c->handler->proxied(c->user, &addresses);
	} else if (r == H2SESS_EPROTOCOL) {
		server_count_limit(c->loop->server, LIMIT_max_proxy_header);
	}
	if (r < 0)
		gone(c, r);
	else if (!c->handshaking)
		c->handler->ready(c->user);
}

static void on_writable(struct conn *c)
{
	int r = send_pending(c);

	if (r < 0)
		gone(c, r);
	else if (conn_blocked(c))
		return;
	else if (c->released)
		say_goodbye(c);
	else if (c->handler)
		c->handler->writable(c->user);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct conn *c = handle->data;

	loop_run_posts(c->loop);
	if (c->closed)
		return;
	if (status < 0) {
		gone(c, H2SESS_EPEER);
		return;
	}
	if (events & UV_WRITABLE)
		on_writable(c);
	if (c->proxy && c->handler)
		on_proxy_header(c);
	else if (events & UV_READABLE && !c->closed && (c->handler || c->released))
		on_readable(c);
}

/* ---- life ------------------------------------------------------------------------------------ */

int conn_new(struct loop *loop, int fd, SSL *ssl, const struct conn_handler *handler, void *user,
	     struct conn **ret)
{
	struct conn *c = mem_calloc(1, sizeof(*c));
	BIO *bio = c && ssl ? bio_new(c) : NULL;
	int r = H2SESS_ENOMEM;

	if (!c || (ssl && !bio))
		goto out;
	r = H2SESS_EIO;
	if (uv_poll_init(&loop->uv, &c->poll, fd) < 0)
		goto out;
	list_init(&c->linger_link);
	c->loop = loop;
	c->handler = handler;
	c->user = user;
	c->fd = fd;
	c->poll.data = c;
	c->ssl = ssl;
	if (ssl) {
		c->handshaking = !SSL_is_init_finished(ssl);
		if (SSL_get_rbio(ssl)) /* a host's, which goes now: the descriptor stays */
			BIO_set_close(SSL_get_rbio(ssl), BIO_NOCLOSE);
		if (SSL_get_wbio(ssl))
			BIO_set_close(SSL_get_wbio(ssl), BIO_NOCLOSE);
		SSL_set_bio(ssl, bio, bio);
		bio = NULL; /* ssl owns it now */
	}
	list_add_tail(&loop->conns, &c->link);
	*ret = c;
	c = NULL;
	r = 0;
out:
	BIO_free(bio);
	mem_free(c);
	return r;
}

int conn_expect_proxy(struct conn *c)
{
	return proxy_read_new(server_limits(c->loop->server)->max_proxy_header, &c->proxy);
}

int conn_start(struct conn *c)
{
	int r = watch(c);

	if (r < 0)
		return r;
	if (c->handshaking || c->proxy)
		return 0;
	c->handler->ready(c->user);
	if (c->ssl && c->handler && SSL_has_pending(c->ssl))
		tls_turn(c, NULL, 0); /* an adopted connection: OpenSSL has read ahead */
	return 0;
}
