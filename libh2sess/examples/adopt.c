/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that exists already, and gets HTTP/2: adopt CERT KEY PORT.
 *
 * It has an accept loop, a SSL_CTX and HTTP/1.1 code of its own, and keeps them. What changes: its
 * ALPN callback offers h2 too, and a connection that chose it is handed over. From then on the
 * library owns the descriptor and the SSL; answers come from the listener.
 */
#include <h2sess/h2sess.h>

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct h2sess_server *server;
static SSL_CTX *context;

/* ---- HTTP/2: what is new --------------------------------------------------------------------- */

static void on_stream(const struct h2sess_event *ev, void *user)
{
	(void)user;
	h2sess_stream_end(ev->stream, "HTTP/2, adopted\n", 16); /* responds with 200 by itself */
}

static int start_library(void)
{
	int r = h2sess_server_new(NULL, &server, NULL); /* no certificate: TLS is the host's */

	if (r == 0)
		r = h2sess_on(h2sess_server_emitter(server), "stream", on_stream, NULL, NULL);
	return r;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
			   const unsigned char *in, unsigned int in_len, void *user)
{
	static const unsigned char ours[] = "\2h2\10http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)user;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int is_h2(SSL *ssl)
{
	const unsigned char *name;
	unsigned int len;

	SSL_get0_alpn_selected(ssl, &name, &len);
	return len == 2 && memcmp(name, "h2", 2) == 0;
}

/* ---- HTTP/1.1: what was there ---------------------------------------------------------------- */

static void answer_http1(SSL *ssl)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"
				     "Connection: close\r\n\r\nHTTP/1.1\n";
	char request[4096];

	if (SSL_read(ssl, request, sizeof(request)) > 0)
		SSL_write(ssl, answer, sizeof(answer) - 1);
	SSL_shutdown(ssl);
}

static void *serve(void *user)
{
	int fd = *(int *)user;
	SSL *ssl = SSL_new(context);

	free(user);
	if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1) {
		if (is_h2(ssl) && h2sess_server_adopt(server, fd, ssl, NULL) == 0)
			return NULL; /* the library owns both now */
		if (!is_h2(ssl))
			answer_http1(ssl);
	}
	SSL_free(ssl);
	close(fd);
	return NULL;
}

static void begin(int fd)
{
	int *argument = malloc(sizeof(*argument));
	pthread_t thread;

	if (!argument) {
		close(fd);
		return;
	}
	*argument = fd;
	if (pthread_create(&thread, NULL, serve, argument) != 0) {
		free(argument);
		close(fd);
		return;
	}
	pthread_detach(thread);
}

static SSL_CTX *make_context(const char *cert_file, const char *key_file)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	return ctx;
}

/* Listening on 127.0.0.1; ret_port: which one it is. */
static int listen_on(int port, int *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 128) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
		close(fd);
		return -1;
	}
	*ret_port = ntohs(address.sin_port);
	return fd;
}

int main(int argc, char **argv)
{
	int listener, fd, port = 0;

	if (argc != 4) {
		fprintf(stderr, "adopt CERT KEY PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN); /* for the host's own writes; the library needs none of it */
	context = make_context(argv[1], argv[2]);
	listener = listen_on(atoi(argv[3]), &port);
	if (!context || listener < 0 || start_library() < 0)
		return 1;
	fprintf(stderr, "port %d\n", port);
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		begin(fd);
	h2sess_server_free(server);
	SSL_CTX_free(context);
	return 0;
}
