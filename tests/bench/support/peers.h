/* SPDX-License-Identifier: Apache-2.0 */
/* The accept loop of the servers that ours is compared with: one thread, epoll, no books. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The head of a server's own struct. */
struct peer {
	struct peer *next, **at; /* the list of all */
	int fd;
	SSL *ssl; /* NULL: cleartext */
};

/* What a server does; false ends that connection. */
struct peer_ops {
	size_t size;		       /* of the server's own struct, which comes zeroed */
	bool (*serve)(struct peer *p); /* there is something to read */
	bool (*push)(struct peer *p);  /* SIGUSR1: one ALTSVC to each */
	void (*done)(struct peer *p);  /* may be NULL */
};

/* Listens, prints "port N" and serves until it is killed. Without certificate files: cleartext. */
void peers_serve(const char *cert_file, const char *key_file, const struct peer_ops *ops);

/* > 0: octets; 0: the peer has left; < 0: peer_waits() tells whether that is all right. */
ssize_t peer_read(struct peer *p, uint8_t *buf, size_t len);
bool peer_waits(const struct peer *p, ssize_t n);
/* All of it or false: the clients of a benchmark read, and one that does not is dropped. */
bool peer_write(struct peer *p, const uint8_t *buf, size_t len);

#endif
