/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session ticket keys (RFC 5077, RFC 8446 4.6.1) that outlive a reload of the certificates and can
 * be shared by several workers: without them, resumption ends with every SSL_CTX. A set of keys
 * does not change once made; each SSL_CTX that uses it holds a reference.
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
struct ticket_keys *ticket_keys_ref(struct ticket_keys *keys);
void ticket_keys_unref(struct ticket_keys *keys); /* NULL is allowed */
/* ctx holds a reference from here on. */
int ticket_keys_use(struct ticket_keys *keys, SSL_CTX *ctx);

#endif
