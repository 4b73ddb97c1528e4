/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_TLS_H
#define H2SESS_TLS_H

#include <h2sess/h2sess.h>
#include <openssl/ssl.h>
#include <time.h>

struct tls;

/* Read certificates, keys and the rest of the options. ret_field names what is wrong. */
int tls_new(const struct h2sess_options *options, struct tls **ret, const char **ret_field);
void tls_free(struct tls *tls);

/*
 * Read certificates, keys and ticket keys again, all or nothing: from the files that options names,
 * or, where it is NULL, from those of the last time. Ticket keys that were drawn stay. Any thread.
 */
int tls_reload(struct tls *tls, const struct h2sess_options *options, const char **ret_field);

/* A server-side SSL for a new connection, or NULL. Any thread. */
SSL *tls_accept_new(struct tls *tls);

enum tls_protocol { TLS_PROTOCOL_H2, TLS_PROTOCOL_NONE, TLS_PROTOCOL_OTHER };
/* What ALPN chose. */
enum tls_protocol tls_protocol_of(SSL *ssl);

/* Each certificate's names (borrowed during the call) and its end. */
void tls_each_certificate(struct tls *tls,
			  void (*fn)(const char *const *names, size_t n, time_t not_after,
				     void *user),
			  void *user);

#endif
