/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of the PROXY protocol, versions 1 and 2, in which a balancer says whom it speaks for.
 * Pure.
 */
#ifndef H2SESS_PROXY_HEADER_H
#define H2SESS_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct proxy_addresses {
	bool known; /* false: a health check of the balancer's own, or nothing to say (v1 UNKNOWN) */
	struct sockaddr_storage source;	     /* the client */
	struct sockaddr_storage destination; /* where it connected to */
};

enum proxy_result { PROXY_MORE, PROXY_DONE, PROXY_BAD };

/*
 * Look at the first len bytes of a connection.
 *
 *   ret_len  PROXY_DONE: how many of them are the header
 *   ret      PROXY_DONE: what it says
 */
enum proxy_result proxy_header_parse(const uint8_t *data, size_t len, size_t *ret_len,
				     struct proxy_addresses *ret);

#endif
