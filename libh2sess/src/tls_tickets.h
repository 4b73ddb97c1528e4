/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session ticket keys (RFC 5077, RFC 8446 4.6.1) that outlive a reload of the certificates and can
 * be shared by several workers: without them, resumption ends with every SSL_CTX.
 */
#ifndef H2SESS_TLS_TICKETS_H
#define H2SESS_TLS_TICKETS_H

#include <openssl/ssl.h>

struct ticket_keys;

/*
 * Keys from a file (80 bytes a key, newest first: the newest seals, all open), or one drawn at
 * random where file is NULL. Returns 0, H2SESS_EACCES, H2SESS_EINVAL (size), H2SESS_ENOMEM,
 * H2SESS_ETLS.
 */
int ticket_keys_new(const char *file, struct ticket_keys **ret);
void ticket_keys_free(struct ticket_keys *keys);
/* keys must outlive ctx. */
int ticket_keys_use(struct ticket_keys *keys, SSL_CTX *ctx);

#endif
