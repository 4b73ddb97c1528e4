/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening sockets of this worker: opened before privileges are given up, or inherited from
 * the worker that it succeeds; and kept, so that a successor can have them.
 */
#ifndef WORKER_SOCKETS_H
#define WORKER_SOCKETS_H

#include <h2sess/h2sess.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options;

enum socket_kind { SOCKET_TLS, SOCKET_H2C, SOCKET_HEALTH };

/* The sockets of one address: one a loop thread of the worker that opened them. */
struct socket_set {
	enum socket_kind kind;
	char *address; /* as the options have it; owned */
	uint16_t port; /* the real one */
	int fds[H2SESS_THREADS_MAX];
	size_t n;
};

struct sockets {
	struct socket_set *items; /* in the order TLS, cleartext, health; then of the options */
	size_t n;
};

/*
 * Open those of the options, or take them out of inherited where it has them. What is left there is
 * for nobody any more. Refusals are logged. Returns 0, or -1; sockets_close() is right after both.
 */
int sockets_open(const struct options *o, struct sockets *inherited, struct sockets *ret);

/* Add an empty set; NULL: out of memory. */
struct socket_set *sockets_add(struct sockets *sockets, enum socket_kind kind, const char *address);

/* Copies of a set's descriptors, for somebody who takes them. Returns 0, or -1. */
int sockets_copy(const struct socket_set *set, int *ret_fds);

/* The health port's set, or NULL. */
const struct socket_set *sockets_health(const struct sockets *sockets);

void sockets_close(struct sockets *sockets);

const char *socket_kind_name(enum socket_kind kind);
bool socket_kind_by_name(const char *name, enum socket_kind *ret);

#endif
