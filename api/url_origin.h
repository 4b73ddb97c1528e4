/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_URL_ORIGIN_H
#define API_URL_ORIGIN_H

#include "url_host.h"

#include <stddef.h>
#include <stdint.h>

/* Room for the work on a URL of len bytes. */
#define URL_ORIGIN_ROOM(len) ((len) + 1 + URL_HOST_ROOM(len))

/*
 * The origin of a URL, as Node's `new URL(url).origin`; at most cap bytes with the NUL are stored.
 * room has URL_ORIGIN_ROOM(len) bytes. Returns the length, H2SESS_EURL, H2SESS_EORIGIN (opaque),
 * H2SESS_ERANGE (cap), H2SESS_ENOMEM.
 */
int url_origin(const char *url, size_t len, char *room, char *buf, size_t cap);

/* The parts of a serialised origin, borrowed from it. */
struct origin_parts {
	const char *scheme;
	size_t scheme_len;
	const char *host; /* with its brackets, if it is an IPv6 address */
	size_t host_len;
	uint16_t port; /* the scheme's own where none is given */
};

/* Returns 0, H2SESS_EORIGIN: not a serialised origin. */
int origin_split(const char *origin, struct origin_parts *ret);

#endif
