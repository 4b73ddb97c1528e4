/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_ALT_VALUE_H
#define H2SESS_ALT_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALT_PROTOCOL_MAX 255	  /* octets of an ALPN name, RFC 7301 3.1 */
#define ALT_MAX_AGE_MAX INT32_MAX /* seconds; more is this much, as RFC 9111 1.2.2 allows */
#define ALT_MAX_AGE_DEFAULT 86400 /* seconds, where no ma is given (RFC 7838 3.1) */
#define ALT_CLEAR "clear"

/* One alternative of a value. host is borrowed from the value. */
struct alt_alternative {
	char protocol[ALT_PROTOCOL_MAX + 1]; /* decoded: any octets; a NUL behind the last */
	size_t protocol_len;
	const char *host; /* with its brackets, if it is an IPv6 address */
	size_t host_len;  /* 0: the host of the origin */
	uint16_t port;	  /* 1 to 65535 */
	bool has_max_age;
	uint32_t max_age; /* seconds, at most ALT_MAX_AGE_MAX; the longest, where ma is repeated */
	bool persist;
};

typedef void alt_visit_fn(const struct alt_alternative *alternative, void *user);

/*
 * What may be sent at all: strict ASCII, that is TAB, 0x20 to 0x5b and 0x5d to 0x7e.
 * Returns 0, H2SESS_EINVAL (empty), H2SESS_ECHAR.
 */
int alt_check_chars(const char *alt, size_t len);

/*
 * Parse a value as we may send it: RFC 7838 3, with the rules of alt_value.c.
 *
 *   alt, len  no NUL is needed behind it
 *   fn        called for each alternative, in order, up to the first error; may be NULL
 *
 * Returns 0 (one alternative or more), 1 (`clear`), H2SESS_EINVAL (empty), H2SESS_ECHAR,
 * H2SESS_EALTGRAMMAR.
 */
int alt_value_parse(const char *alt, size_t len, alt_visit_fn *fn, void *user);

#endif
