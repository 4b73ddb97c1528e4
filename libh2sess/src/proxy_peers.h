/* SPDX-License-Identifier: Apache-2.0 */
/* From whom a PROXY header is expected: a list of address blocks that does not change once made. */
#ifndef H2SESS_PROXY_PEERS_H
#define H2SESS_PROXY_PEERS_H

#include <stdbool.h>
#include <stddef.h>

struct proxy_peers;

/*
 * Addresses or blocks ("192.0.2.0/24"). *ret is NULL where n is 0. Returns 0, H2SESS_EARGTYPE,
 * H2SESS_EADDRESS, H2SESS_ENOMEM.
 */
int proxy_peers_new(const char *const *blocks, size_t n, struct proxy_peers **ret);
/* NULL is allowed in both. */
void proxy_peers_free(struct proxy_peers *peers);
bool proxy_peers_have(const struct proxy_peers *peers, const char *address);

#endif
