/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of Alt-Svc and of ALTSVC frames: RFC 7838 3, from the side of the one who sends them.
 *
 * Owns nothing; pure, any thread, time linear in the value. The library checks the characters of
 * every value with it and reads those that are to be linted; the daemon says from it how long
 * clients will remember one.
 *
 * Happy path: characters -> `clear` alone, or elements between commas -> of each one the
 * protocol-id is decoded, the authority taken apart, the parameters read -> the visitor sees it.
 *
 * Where the grammar allows more than a sender should write, the sender's side is taken:
 *   - no empty list elements (RFC 9110 5.6.1.1), no whitespace at the ends or around "=";
 *   - `clear` is alone and in lower case;
 *   - a protocol-id is percent-encoded in its one canonical way: upper case hexadecimal digits, "%"
 *     and what is no token character, nothing else; 1 to 255 octets once decoded;
 *   - a host is an RFC 3986 reg-name, an IPv4 address, or an IPv6 address in brackets (no zone, no
 *     IPvFuture); the port is there, 1 to 65535;
 *   - ma is digits, quoted or not; persist is 1; the names of these two in any case; parameters
 *     that nobody knows are allowed, and so are repeated ones.
 */
#include "alt_value.h"

#include "error_values.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define PORT_MAX 65535

/* What is left to read. */
struct cursor {
	const char *at;
	const char *end;
};

struct slice {
	const char *p;
	size_t len;
};

/* ---- characters ------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* RFC 9110 5.6.2 */
static bool is_token_char(char c)
{
	return is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

/* RFC 3986 3.2.2, but for percent-encoding */
static bool is_host_char(char c)
{
	return is_alnum(c) || is_one_of(c, "-._~!$&'()*+,;=");
}

/* -1: no hexadecimal digit */
static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool is_allowed(char c)
{
	return c == '\t' || (c >= 0x20 && c <= 0x7e && c != '\\');
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool take(struct cursor *c, char expected)
{
	if (c->at == c->end || *c->at != expected)
		return false;
	c->at++;
	return true;
}

static void skip_space(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
}

static bool take_token(struct cursor *c, struct slice *ret)
{
	const char *from = c->at;

	while (c->at < c->end && is_token_char(*c->at))
		c->at++;
	*ret = (struct slice){from, (size_t)(c->at - from)};
	return ret->len > 0;
}

/* What stands between the quotes; there are no quoted pairs, since no backslash may be sent. */
static bool take_quoted(struct cursor *c, struct slice *ret)
{
	const char *from, *quote;

	if (!take(c, '"'))
		return false;
	from = c->at;
	quote = memchr(from, '"', (size_t)(c->end - from));
	if (!quote)
		return false;
	*ret = (struct slice){from, (size_t)(quote - from)};
	c->at = quote + 1;
	return true;
}

static bool is_name(struct slice s, const char *name)
{
	return s.len == strlen(name) && strncasecmp(s.p, name, s.len) == 0;
}

/* Digits alone; stops at max. */
static bool number_of(struct slice s, uint32_t max, uint32_t *ret)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (!is_digit(s.p[i]))
			return false;
		value = value * 10 + (uint64_t)(s.p[i] - '0');
		if (value > max)
			value = max;
	}
	*ret = (uint32_t)value;
	return s.len > 0;
}

/* ---- protocol-id ----------------------------------------------------------------------------- */

/* The octet that %XY at p stands for, or -1: not encoded as RFC 7838 3 wants it. */
static int decode_octet(const char *p, size_t len)
{
	int high, low, octet;

	if (len < 3 || is_one_of(p[1], "abcdef") || is_one_of(p[2], "abcdef"))
		return -1;
	high = hex_value(p[1]);
	low = hex_value(p[2]);
	if (high < 0 || low < 0)
		return -1;
	octet = high * 16 + low;
	return octet != '%' && is_token_char((char)octet) ? -1 : octet;
}

static bool decode_protocol(struct slice id, struct alt_alternative *alternative)
{
	size_t i = 0, n = 0;
	int octet;

	while (i < id.len) {
		octet = id.p[i] == '%' ? decode_octet(id.p + i, id.len - i) : id.p[i];
		if (octet < 0 || n == ALT_PROTOCOL_MAX)
			return false;
		i += id.p[i] == '%' ? 3 : 1;
		alternative->protocol[n++] = (char)octet;
	}
	alternative->protocol[n] = '\0';
	alternative->protocol_len = n;
	return true;
}

/* ---- alt-authority --------------------------------------------------------------------------- */

static bool is_ip6_literal(struct slice host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t len = host.len - 2;

	if (host.len < 4 || host.p[host.len - 1] != ']' || len >= sizeof(text))
		return false;
	memcpy(text, host.p + 1, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_reg_name(struct slice host)
{
	size_t i = 0;

	while (i < host.len) {
		if (is_host_char(host.p[i])) {
			i++;
			continue;
		}
		if (host.p[i] != '%' || host.len - i < 3 || hex_value(host.p[i + 1]) < 0 ||
		    hex_value(host.p[i + 2]) < 0)
			return false;
		i += 3;
	}
	return true;
}

static bool is_port(struct slice text, uint16_t *ret)
{
	uint32_t port;

	if (!number_of(text, PORT_MAX + 1, &port) || port == 0 || port > PORT_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool split_authority(struct slice authority, struct alt_alternative *alternative)
{
	const char *colon = memrchr(authority.p, ':', authority.len);
	struct slice host, port;

	if (!colon)
		return false;
	host = (struct slice){authority.p, (size_t)(colon - authority.p)};
	port = (struct slice){colon + 1, authority.len - host.len - 1};
	if (host.len && host.p[0] == '[' ? !is_ip6_literal(host) : !is_reg_name(host))
		return false;
	alternative->host = host.p;
	alternative->host_len = host.len;
	return is_port(port, &alternative->port);
}

/* ---- parameters ------------------------------------------------------------------------------ */

static bool use_max_age(struct slice value, struct alt_alternative *alternative)
{
	uint32_t seconds;

	if (!number_of(value, ALT_MAX_AGE_MAX, &seconds))
		return false;
	if (!alternative->has_max_age || seconds > alternative->max_age)
		alternative->max_age = seconds;
	alternative->has_max_age = true;
	return true;
}

static bool use_persist(struct slice value, struct alt_alternative *alternative)
{
	alternative->persist = true;
	return value.len == 1 && value.p[0] == '1';
}

static bool take_parameter(struct cursor *c, struct alt_alternative *alternative)
{
	struct slice name, value;

	if (!take_token(c, &name) || !take(c, '='))
		return false;
	if (!take_quoted(c, &value) && !take_token(c, &value))
		return false;
	if (is_name(name, "ma"))
		return use_max_age(value, alternative);
	if (is_name(name, "persist"))
		return use_persist(value, alternative);
	return true;
}

/* ---- the list -------------------------------------------------------------------------------- */

/* OWS and the delimiter, or nothing: whitespace that no delimiter follows is left where it is. */
static bool take_delimiter(struct cursor *c, char delimiter)
{
	struct cursor ahead = *c;

	skip_space(&ahead);
	if (!take(&ahead, delimiter))
		return false;
	skip_space(&ahead);
	*c = ahead;
	return true;
}

static bool take_alternative(struct cursor *c, struct alt_alternative *alternative)
{
	struct slice protocol, authority;

	if (!take_token(c, &protocol) || !take(c, '=') || !take_quoted(c, &authority))
		return false;
	if (!decode_protocol(protocol, alternative) || !split_authority(authority, alternative))
		return false;
	while (take_delimiter(c, ';')) {
		if (!take_parameter(c, alternative))
			return false;
	}
	return true;
}

static int parse_list(struct cursor *c, alt_visit_fn *fn, void *user)
{
	do {
		struct alt_alternative alternative = {.max_age = ALT_MAX_AGE_DEFAULT};

		if (!take_alternative(c, &alternative))
			return H2SESS_EALTGRAMMAR;
		if (fn)
			fn(&alternative, user);
	} while (take_delimiter(c, ','));
	return c->at == c->end ? 0 : H2SESS_EALTGRAMMAR;
}

int alt_check_chars(const char *alt, size_t len)
{
	size_t i;

	if (len == 0)
		return H2SESS_EINVAL;
	for (i = 0; i < len; i++) {
		if (!is_allowed(alt[i]))
			return H2SESS_ECHAR;
	}
	return 0;
}

int alt_value_parse(const char *alt, size_t len, alt_visit_fn *fn, void *user)
{
	struct cursor c = {alt, alt + len};
	int r = alt_check_chars(alt, len);

	if (r < 0)
		return r;
	if (len == strlen(ALT_CLEAR) && memcmp(alt, ALT_CLEAR, len) == 0)
		return 1;
	return parse_list(&c, fn, user);
}
