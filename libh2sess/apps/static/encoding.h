/* SPDX-License-Identifier: Apache-2.0 */
/* Which encoding of a file a client gets (RFC 9110 12.5.3). Pure. */
#ifndef STATIC_ENCODING_H
#define STATIC_ENCODING_H

#include <stddef.h>

enum encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_BR, ENCODINGS };

/* "gzip", "br"; NULL for identity. */
const char *encoding_name(enum encoding encoding);
/* ".gz", ".br"; "" for identity: what the file beside it ends with. */
const char *encoding_suffix(enum encoding encoding);

/*
 * What an Accept-Encoding field accepts, the best first; identity is always the last, for that there
 * is. Returns how many.
 *
 *   accept  may be NULL: identity alone
 */
size_t encoding_order(const char *accept, enum encoding ret[ENCODINGS]);

#endif
