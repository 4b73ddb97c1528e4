/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The origin of a URL: WHATWG URL parsing as far as an origin needs it, RFC 6454 serialisation.
 *
 * Used by the library for what is pushed and by both sides for what is selected. Pure, any thread,
 * in room that the caller brings. Happy path: the ends are stripped, tabs and newlines taken out ->
 * the scheme -> for a special scheme: slashes in any number, the authority, its host and port ->
 * "scheme://host", and the port where it is not the scheme's own.
 *
 * `blob:` speaks for the origin of the URL in its path. `file:` and every scheme that is not
 * special have opaque origins: H2SESS_EORIGIN, if they are URLs at all. Hosts are url_host.c's;
 * what is refused here and accepted by Node is written down there, and:
 *   - a blob: URL whose path begins with a control or ends with one or a space before its query
 *     (implementations differ on whether that is encoded).
 */
#include "url_origin.h"

#include "error_values.h"
#include "url_host.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct special {
	const char *scheme;
	uint16_t port;
} specials[] = {{"https", 443}, {"http", 80}, {"wss", 443}, {"ws", 80}, {"ftp", 21}};

/* A piece of the URL. */
struct slice {
	const char *p;
	size_t len;
};

/* The authority's parts, once found. */
struct authority {
	struct slice host;
	int port; /* -1: none given */
};

/* Where it goes. */
struct output {
	char *host; /* room for the host, while it is parsed */
	char *buf;
	size_t cap;
};

/* ---- characters ------------------------------------------------------------------------------ */

static bool is_alpha(char c)
{
	c |= 0x20;
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_slash(char c)
{
	return c == '/' || c == '\\';
}

/* Copy without the controls and spaces at the ends, and without tabs and newlines anywhere. */
static size_t clean(const char *url, size_t len, char *out)
{
	size_t i = 0, n = 0;

	while (i < len && (unsigned char)url[i] <= ' ')
		i++;
	while (len > i && (unsigned char)url[len - 1] <= ' ')
		len--;
	for (; i < len; i++) {
		if (url[i] != '\t' && url[i] != '\n' && url[i] != '\r')
			out[n++] = url[i];
	}
	return n;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Take "scheme:" off; the scheme is lower case afterwards. */
static int take_scheme(char *url, size_t len, struct slice *ret_scheme, struct slice *ret_rest)
{
	size_t i;

	if (len == 0 || !is_alpha(url[0]))
		return H2SESS_EURL;
	for (i = 0; i < len && url[i] != ':'; i++) {
		if (!is_alpha(url[i]) && !is_digit(url[i]) && url[i] != '+' && url[i] != '-' &&
		    url[i] != '.')
			return H2SESS_EURL;
		if (url[i] >= 'A' && url[i] <= 'Z')
			url[i] |= 0x20;
	}
	if (i == len)
		return H2SESS_EURL;
	*ret_scheme = (struct slice){url, i};
	*ret_rest = (struct slice){url + i + 1, len - i - 1};
	return 0;
}

static bool is_scheme(const struct slice *scheme, const char *name)
{
	return scheme->len == strlen(name) && memcmp(scheme->p, name, scheme->len) == 0;
}

/* Up to the path, the query or the fragment; a special URL's path may begin with a backslash. */
static struct slice authority_of(struct slice rest, bool special)
{
	size_t i;

	for (i = 0; i < rest.len; i++) {
		char c = rest.p[i];

		if (c == '/' || c == '?' || c == '#' || (special && c == '\\'))
			break;
	}
	return (struct slice){rest.p, i};
}

/* What follows the last "@". */
static struct slice without_userinfo(struct slice authority, bool *ret_had)
{
	size_t i;

	*ret_had = false;
	for (i = authority.len; i > 0; i--) {
		if (authority.p[i - 1] != '@')
			continue;
		*ret_had = true;
		return (struct slice){authority.p + i, authority.len - i};
	}
	return authority;
}

/* Where the host ends: the first ":" outside of brackets. */
static size_t host_end(struct slice s)
{
	bool brackets = false;
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '[')
			brackets = true;
		else if (s.p[i] == ']')
			brackets = false;
		else if (s.p[i] == ':' && !brackets)
			break;
	}
	return i;
}

static int parse_port(struct slice text, int *ret_port)
{
	long port = 0;
	size_t i;

	*ret_port = -1;
	for (i = 0; i < text.len; i++) {
		if (!is_digit(text.p[i]))
			return H2SESS_EURL;
		port = port * 10 + (text.p[i] - '0');
		if (port > 65535)
			return H2SESS_EURL;
	}
	if (text.len)
		*ret_port = (int)port;
	return 0;
}

static int split_authority(struct slice rest, bool special, struct authority *ret)
{
	bool had_userinfo;
	struct slice s = without_userinfo(authority_of(rest, special), &had_userinfo);
	size_t end = host_end(s);

	ret->host = (struct slice){s.p, end};
	ret->port = -1;
	if (end == 0 && (special || had_userinfo || s.len))
		return H2SESS_EURL;
	if (end == s.len)
		return 0;
	return parse_port((struct slice){s.p + end + 1, s.len - end - 1}, &ret->port);
}

/* ---- schemes --------------------------------------------------------------------------------- */

static int write_origin(const struct special *special, int port, const struct output *out)
{
	int n;

	if (port < 0 || port == special->port)
		n = snprintf(out->buf, out->cap, "%s://%s", special->scheme, out->host);
	else
		n = snprintf(out->buf, out->cap, "%s://%s:%d", special->scheme, out->host, port);
	return n < 0 || (size_t)n >= out->cap ? H2SESS_ERANGE : n;
}

static int special_origin(const struct special *special, struct slice rest,
			  const struct output *out)
{
	struct authority authority;
	int r;

	while (rest.len && is_slash(rest.p[0])) {
		rest.p++;
		rest.len--;
	}
	r = split_authority(rest, true, &authority);
	if (r < 0)
		return r;
	r = url_host_parse(authority.host.p, authority.host.len, out->host);
	return r > 0 ? write_origin(special, authority.port, out) : r;
}

/* "C:" and "C|" are drives, not hosts. */
static bool is_drive(struct slice s)
{
	return s.len == 2 && is_alpha(s.p[0]) && (s.p[1] == ':' || s.p[1] == '|');
}

static int file_origin(struct slice rest, const struct output *out)
{
	struct slice host;
	int r;

	if (rest.len < 2 || !is_slash(rest.p[0]) || !is_slash(rest.p[1]))
		return H2SESS_EORIGIN;
	host = authority_of((struct slice){rest.p + 2, rest.len - 2}, true);
	if (host.len == 0 || is_drive(host))
		return H2SESS_EORIGIN;
	r = url_host_parse(host.p, host.len, out->host);
	return r < 0 ? r : H2SESS_EORIGIN;
}

static int opaque_origin(struct slice rest)
{
	struct authority authority;
	int r;

	if (rest.len < 2 || rest.p[0] != '/' || rest.p[1] != '/')
		return H2SESS_EORIGIN;
	r = split_authority((struct slice){rest.p + 2, rest.len - 2}, false, &authority);
	if (r == 0)
		r = url_host_check_opaque(authority.host.p, authority.host.len);
	return r < 0 ? r : H2SESS_EORIGIN;
}

static int origin_of_clean(char *url, size_t len, const struct output *out, bool in_blob);

/* The origin of the URL in the path, if that is http or https. */
static int blob_origin(struct slice rest, const struct output *out)
{
	size_t len = 0;
	int r;

	while (len < rest.len && rest.p[len] != '?' && rest.p[len] != '#')
		len++;
	r = opaque_origin(rest);
	if (r != H2SESS_EORIGIN || len == 0 || rest.p[0] == '/')
		return r;
	if ((unsigned char)rest.p[0] < ' ' || (unsigned char)rest.p[len - 1] <= ' ')
		return H2SESS_EORIGIN;
	while (len && rest.p[0] == ' ') {
		rest.p++;
		len--;
	}
	r = origin_of_clean((char *)(uintptr_t)rest.p, len, out, true);
	return r == H2SESS_EURL ? H2SESS_EORIGIN : r;
}

static int origin_of_clean(char *url, size_t len, const struct output *out, bool in_blob)
{
	size_t i, n = in_blob ? 2 : sizeof(specials) / sizeof(specials[0]);
	struct slice scheme, rest;
	int r;

	r = take_scheme(url, len, &scheme, &rest);
	if (r < 0)
		return r;
	for (i = 0; i < n; i++) {
		if (is_scheme(&scheme, specials[i].scheme))
			return special_origin(&specials[i], rest, out);
	}
	if (in_blob)
		return H2SESS_EORIGIN;
	if (is_scheme(&scheme, "file"))
		return file_origin(rest, out);
	if (is_scheme(&scheme, "blob"))
		return blob_origin(rest, out);
	return opaque_origin(rest);
}

int url_origin(const char *url, size_t len, char *room, char *buf, size_t cap)
{
	struct output out = {.host = room + len + 1, .buf = buf, .cap = cap};

	len = clean(url, len, room);
	room[len] = '\0';
	return origin_of_clean(room, len, &out, false);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static int default_port(const char *scheme, size_t len)
{
	struct slice s = {scheme, len};
	size_t i;

	for (i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
		if (is_scheme(&s, specials[i].scheme))
			return specials[i].port;
	}
	return -1;
}

int origin_split(const char *origin, struct origin_parts *ret)
{
	const char *sep = strstr(origin, "://");
	struct slice rest;
	int port;
	size_t end;

	if (!sep)
		return H2SESS_EORIGIN;
	ret->scheme = origin;
	ret->scheme_len = (size_t)(sep - origin);
	rest = (struct slice){sep + 3, strlen(sep + 3)};
	end = host_end(rest);
	ret->host = rest.p;
	ret->host_len = end;
	if (end == 0)
		return H2SESS_EORIGIN;
	if (end == rest.len)
		port = default_port(origin, ret->scheme_len);
	else if (parse_port((struct slice){rest.p + end + 1, rest.len - end - 1}, &port) < 0)
		return H2SESS_EORIGIN;
	if (port < 0)
		return H2SESS_EORIGIN;
	ret->port = (uint16_t)port;
	return 0;
}
