/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor [CERT KEY]: what sockets and TLS cost, without any HTTP/2.
 *
 * It greets a client's first octets with a canned SETTINGS and its acknowledgement, reads and
 * forgets what else comes, and writes one canned ALTSVC frame to every connection on SIGUSR1.
 * Nothing that pushes to live HTTP/2 sessions can cost less. Without a certificate: cleartext.
 */
#include "support/bench.h"
#include "support/peers.h"

#define BUF_SIZE 65536

struct client {
	struct peer peer;
	bool greeted;
};

static const uint8_t greeting[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, /* SETTINGS */
				   0, 0, 0, 4, 1, 0, 0, 0, 0 /* SETTINGS, ACK */};
static const uint8_t altsvc[] = "\0\0\x1f\x0a\0\0\0\0\0\0\x13https://example.orgh2=\":8000\"";

/* Read and forget. A TLS handshake is a part of the first SSL_read(). */
static bool serve(struct peer *p)
{
	static uint8_t buf[BUF_SIZE];
	struct client *c = (struct client *)p;
	bool heard = false;
	ssize_t n;

	do {
		n = peer_read(p, buf, sizeof(buf));
		heard = heard || n > 0;
	} while (n > 0 && p->ssl);
	if (n == 0 || (n < 0 && !peer_waits(p, n)))
		return false;
	if (!heard || c->greeted)
		return true;
	c->greeted = true;
	return peer_write(p, greeting, sizeof(greeting));
}

static bool push(struct peer *p)
{
	struct client *c = (struct client *)p;

	return !c->greeted || peer_write(p, altsvc, sizeof(altsvc) - 1);
}

int main(int argc, char **argv)
{
	static const struct peer_ops ops = {sizeof(struct client), serve, push, NULL};

	if (argc != 1 && argc != 3)
		die("usage: floor [CERT KEY]");
	peers_serve(argv[1], argc == 3 ? argv[2] : NULL, &ops);
}
