/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate says of itself, for lists. Pure. */
#ifndef H2SESS_TLS_NAMES_H
#define H2SESS_TLS_NAMES_H

#include <openssl/x509.h>
#include <stddef.h>
#include <time.h>

#define TLS_NAMES_MAX 128 /* of one certificate that are listed */

/* DNS names and addresses of its subjectAltName; each one is to be freed with mem_free(). */
size_t tls_names_of(X509 *x509, char *names[TLS_NAMES_MAX]);

/* Unix time; 0 when it cannot be told. */
time_t tls_not_after_of(X509 *x509);

#endif
