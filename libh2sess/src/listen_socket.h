/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_LISTEN_SOCKET_H
#define H2SESS_LISTEN_SOCKET_H

#include <stdint.h>
#include <sys/socket.h>

int listen_is_listening(int fd);

/*
 * A socket that somebody else opened gets the options of ours. ret: where it listens. Returns 0, or
 * H2SESS_EINVAL: it does not listen.
 */
int listen_prepare(int fd, struct sockaddr_storage *ret);

uint16_t listen_port(const struct sockaddr_storage *ss);

/* What every socket of ours has: no delay, keep-alive, little ahead of the peer's window. */
void listen_set_options(int fd);

/* An errno of socket(), bind() and their like as an error of ours. */
int listen_error(int e);

#endif
