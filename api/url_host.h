/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_URL_HOST_H
#define API_URL_HOST_H

#include <stddef.h>

/* Room that a serialised host of len input bytes may need. */
#define URL_HOST_ROOM(len) ((len) + 320)

/*
 * The host of a special URL (http, https, ws, wss, ftp), as the WHATWG host parser has it: percent
 * decoding, IDNA, IPv4 and IPv6 in all their spellings. out has URL_HOST_ROOM(len) bytes; what is
 * stored is NUL-terminated. Returns its length, H2SESS_EURL, H2SESS_ENOMEM.
 */
int url_host_parse(const char *host, size_t len, char *out);

/* Whether the host of any other URL is one; its text does not matter to us. 0 or H2SESS_EURL. */
int url_host_check_opaque(const char *host, size_t len);

#endif
