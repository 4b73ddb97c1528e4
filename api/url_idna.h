/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_URL_IDNA_H
#define API_URL_IDNA_H

#include <stdbool.h>
#include <stddef.h>

#define URL_IDNA_INPUT_MAX 1024 /* bytes of UTF-8 */
#define URL_IDNA_ASCII_MAX 254	/* octets: a DNS name and its last dot */

/* Whether a name needs more than lower case: a label is not ASCII, or begins with xn--. */
bool url_idna_is_needed(const char *name, size_t len);

/*
 * "Domain to ASCII" of the URL standard, in place; name has room for URL_IDNA_ASCII_MAX and a NUL,
 * which is stored. Returns the length, which can be 0, H2SESS_EURL, H2SESS_ENOMEM.
 */
int url_idna_to_ascii(char *name, size_t len);

#endif
