/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts in URLs, after the WHATWG URL standard's host parser.
 *
 * Happy path: percent decoding -> domain to ASCII -> no forbidden code point -> a last label that
 * is a number makes it an IPv4 address.
 *
 * "Domain to ASCII" of an ASCII host without an xn-- label is lower case and nothing else; only
 * other hosts see libidn2. It is stricter than browsers: what Node accepts and we refuse is written
 * down in url_idna.c.
 */
#include "url_host.h"

#include "error_values.h"
#include "url_idna.h"
#include "url_ip.h"

#include <stdbool.h>
#include <string.h>

/* "Forbidden host code points"; a domain forbids controls, "%" and DEL beside them. */
static bool is_forbidden(unsigned char c)
{
	return c == 0 || c == '\t' || c == '\n' || c == '\r' || strchr(" #/:<>?@[\\]^|", c);
}

static bool is_forbidden_in_domain(unsigned char c)
{
	return c < 0x20 || c == '%' || c == 0x7f || is_forbidden(c);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t percent_decode(const char *in, size_t len, char *out)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (in[i] == '%' && i + 2 < len && hex_value(in[i + 1]) >= 0 &&
		    hex_value(in[i + 2]) >= 0) {
			out[n++] = (char)(hex_value(in[i + 1]) << 4 | hex_value(in[i + 2]));
			i += 2;
		} else {
			out[n++] = in[i];
		}
	}
	out[n] = '\0';
	return n;
}

static void lower_ascii(char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] >= 'A' && s[i] <= 'Z')
			s[i] |= 0x20;
	}
}

/* In place; the room is URL_HOST_ROOM. */
static int domain_to_ascii(char *host, size_t len)
{
	int n = (int)len;

	if (url_idna_is_needed(host, len))
		n = url_idna_to_ascii(host, len);
	else
		lower_ascii(host, len);
	return n == 0 ? H2SESS_EURL : n;
}

static int parse_domain(const char *host, size_t len, char *out)
{
	char ip[URL_IP_ROOM];
	int i, n;

	n = domain_to_ascii(out, percent_decode(host, len, out));
	for (i = 0; i < n; i++) {
		if (is_forbidden_in_domain((unsigned char)out[i]))
			return H2SESS_EURL;
	}
	if (n < 0 || !url_ends_in_number(out, (size_t)n))
		return n;
	n = url_ip4_parse(out, (size_t)n, ip);
	if (n > 0)
		memcpy(out, ip, (size_t)n + 1);
	return n;
}

int url_host_parse(const char *host, size_t len, char *out)
{
	if (len == 0)
		return H2SESS_EURL;
	if (host[0] != '[')
		return parse_domain(host, len, out);
	return host[len - 1] == ']' ? url_ip6_parse(host + 1, len - 2, out) : H2SESS_EURL;
}

int url_host_check_opaque(const char *host, size_t len)
{
	char out[URL_IP_ROOM];
	size_t i;

	if (len && host[0] == '[') {
		if (host[len - 1] != ']')
			return H2SESS_EURL;
		return url_ip6_parse(host + 1, len - 2, out) < 0 ? H2SESS_EURL : 0;
	}
	for (i = 0; i < len; i++) {
		if (is_forbidden((unsigned char)host[i]))
			return H2SESS_EURL;
	}
	return 0;
}
