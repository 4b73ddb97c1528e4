/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses as the WHATWG URL standard reads and writes them. Pure.
 */
#ifndef API_URL_IP_H
#define API_URL_IP_H

#include <stdbool.h>
#include <stddef.h>

#define URL_IP_ROOM 48

/* A host whose last label is a number must be an IPv4 address. */
bool url_ends_in_number(const char *host, size_t len);
/* Decimal, octal and hexadecimal parts, one to four of them. Returns the length or H2SESS_EURL. */
int url_ip4_parse(const char *host, size_t len, char out[URL_IP_ROOM]);
/* Without the brackets; with them in out. Returns the length or H2SESS_EURL. */
int url_ip6_parse(const char *host, size_t len, char out[URL_IP_ROOM]);

#endif
