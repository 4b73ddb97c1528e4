/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_NAMES_H
#define CONTROLD_NAMES_H

#include <stddef.h>

/* n random characters of a-z0-9 and a NUL into ret. */
void random_name(char *ret, size_t n);

/* base64url without padding. encode: ret has room for 4 * len / 3 + 4. decode: -1 on bad input. */
void base64url_encode(const void *data, size_t len, char *ret);
long base64url_decode(const char *string, size_t len, void *ret, size_t room);

#endif
