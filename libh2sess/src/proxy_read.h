/* SPDX-License-Identifier: Apache-2.0 */
/* A PROXY header on its way in. */
#ifndef H2SESS_PROXY_READ_H
#define H2SESS_PROXY_READ_H

#include "proxy_header.h"

struct proxy_read;

/* max: bytes that a header may have. Returns 0, H2SESS_ENOMEM. */
int proxy_read_new(size_t max, struct proxy_read **ret);
void proxy_read_free(struct proxy_read *read); /* NULL is allowed */

/*
 * Take what has come of it from the socket, and not a byte more. Returns 1 when it is complete, 0
 * when more is to come, H2SESS_EPROTOCOL (no such header, or too long), H2SESS_EPEER (the peer is
 * gone).
 */
int proxy_read_more(struct proxy_read *read, int fd, struct proxy_addresses *ret);

#endif
