/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses in URLs. "192.168.1", "0x7f.1" and "017700000001" are addresses there, and so the
 * same origin as their usual spelling; what merely looks like one is an error.
 */
#include "url_ip.h"

#include "error_values.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define OVERFLOW (UINT64_C(1) << 40) /* more than any part may be */

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* ---- IPv4
 * ---------------------------------------------------------------------------------------- */

/* One part. False: not a number. */
static bool part_value(const char *s, size_t len, uint64_t *ret)
{
	unsigned base = 10;
	uint64_t value = 0;
	size_t i;

	if (len == 0)
		return false;
	if (len >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
		len -= 2;
	} else if (len >= 2 && s[0] == '0') {
		base = 8;
		s++;
		len--;
	}
	for (i = 0; i < len; i++) {
		unsigned digit = (unsigned)digit_value(s[i]);

		if (digit >= base)
			return false;
		value = value * base + digit;
		if (value > OVERFLOW)
			value = OVERFLOW;
	}
	*ret = value;
	return true;
}

static size_t without_last_dot(const char *host, size_t len)
{
	return len > 1 && host[len - 1] == '.' ? len - 1 : len;
}

/* Where the last label begins. */
static size_t last_label(const char *host, size_t len)
{
	while (len > 0 && host[len - 1] != '.')
		len--;
	return len;
}

static bool all_digits(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
	}
	return len > 0;
}

bool url_ends_in_number(const char *host, size_t len)
{
	uint64_t value;
	size_t start;

	len = without_last_dot(host, len);
	start = last_label(host, len);
	return all_digits(host + start, len - start) ||
	       part_value(host + start, len - start, &value);
}

static int split_parts(const char *host, size_t len, uint64_t parts[4])
{
	size_t start = 0, i;
	int n = 0;

	for (i = 0; i <= len; i++) {
		if (i < len && host[i] != '.')
			continue;
		if (n == 4 || !part_value(host + start, i - start, &parts[n]))
			return H2SESS_EURL;
		n++;
		start = i + 1;
	}
	return n;
}

int url_ip4_parse(const char *host, size_t len, char out[URL_IP_ROOM])
{
	uint64_t parts[4], address;
	int i, n;

	n = split_parts(host, without_last_dot(host, len), parts);
	if (n < 0)
		return n;
	address = parts[n - 1];
	if (address >= UINT64_C(1) << (8 * (5 - n)))
		return H2SESS_EURL;
	for (i = 0; i < n - 1; i++) {
		if (parts[i] > 255)
			return H2SESS_EURL;
		address |= parts[i] << (8 * (3 - i));
	}
	return snprintf(out, URL_IP_ROOM, "%u.%u.%u.%u", (unsigned)(address >> 24) & 255,
			(unsigned)(address >> 16) & 255, (unsigned)(address >> 8) & 255,
			(unsigned)address & 255);
}

/* ---- IPv6
 * ---------------------------------------------------------------------------------------- */

struct ip6 {
	uint16_t pieces[8];
	int n;	      /* pieces read */
	int compress; /* where "::" stands, -1: nowhere */
	const char *p;
	const char *end;
};

static bool at(const struct ip6 *ip, char c)
{
	return ip->p < ip->end && *ip->p == c;
}

/* 1 to 3 decimal digits without a leading zero, at most 255; or -1. */
static int read_octet(struct ip6 *ip)
{
	const char *start = ip->p;
	int value = 0;

	while (ip->p < ip->end && *ip->p >= '0' && *ip->p <= '9') {
		if (ip->p > start && *start == '0')
			return -1;
		value = value * 10 + (*ip->p++ - '0');
		if (value > 255)
			return -1;
	}
	return ip->p == start ? -1 : value;
}

/* The dotted end of "::ffff:192.0.2.1": two pieces. */
static int read_ip4_end(struct ip6 *ip)
{
	int octets[4], i;

	if (ip->n > 6)
		return H2SESS_EURL;
	for (i = 0; i < 4; i++) {
		if (i > 0 && !at(ip, '.'))
			return H2SESS_EURL;
		ip->p += i > 0;
		octets[i] = read_octet(ip);
		if (octets[i] < 0)
			return H2SESS_EURL;
	}
	ip->pieces[ip->n++] = (uint16_t)(octets[0] << 8 | octets[1]);
	ip->pieces[ip->n++] = (uint16_t)(octets[2] << 8 | octets[3]);
	return ip->p == ip->end ? 0 : H2SESS_EURL;
}

/* One piece of up to four hexadecimal digits and the ":" behind it. */
static int read_piece(struct ip6 *ip)
{
	const char *start = ip->p;
	unsigned value = 0;

	while (ip->p < ip->end && ip->p - start < 4 && digit_value(*ip->p) < 16)
		value = value * 16 + (unsigned)digit_value(*ip->p++);
	if (at(ip, '.')) {
		if (ip->p == start)
			return H2SESS_EURL;
		ip->p = start;
		return read_ip4_end(ip);
	}
	if (at(ip, ':')) {
		if (++ip->p == ip->end)
			return H2SESS_EURL;
	} else if (ip->p < ip->end) {
		return H2SESS_EURL;
	}
	ip->pieces[ip->n++] = (uint16_t)value;
	return 0;
}

static int read_all(struct ip6 *ip)
{
	int r;

	if (at(ip, ':')) {
		if (ip->end - ip->p < 2 || ip->p[1] != ':')
			return H2SESS_EURL;
		ip->p += 2;
		ip->compress = 0;
	}
	while (ip->p < ip->end) {
		if (ip->n == 8)
			return H2SESS_EURL;
		if (at(ip, ':')) {
			if (ip->compress >= 0)
				return H2SESS_EURL;
			ip->p++;
			ip->compress = ip->n;
			continue;
		}
		r = read_piece(ip);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Put the zeros of "::" where they belong. */
static int expand(struct ip6 *ip)
{
	int behind;

	if (ip->compress < 0)
		return ip->n == 8 ? 0 : H2SESS_EURL;
	if (ip->n == 8)
		return H2SESS_EURL;
	behind = ip->n - ip->compress;
	memmove(&ip->pieces[8 - behind], &ip->pieces[ip->compress],
		(size_t)behind * sizeof(ip->pieces[0]));
	memset(&ip->pieces[ip->compress], 0, (size_t)(8 - ip->n) * sizeof(ip->pieces[0]));
	return 0;
}

/* The first longest run of two zeros or more. Returns its start, or -1. */
static int longest_zeros(const uint16_t pieces[8], int *ret_len)
{
	int i, start = -1, best = -1, best_len = 1;

	for (i = 0; i <= 8; i++) {
		if (i < 8 && pieces[i] == 0) {
			start = start < 0 ? i : start;
			continue;
		}
		if (start >= 0 && i - start > best_len) {
			best = start;
			best_len = i - start;
		}
		start = -1;
	}
	*ret_len = best_len;
	return best;
}

static int write_ip6(const uint16_t pieces[8], char out[URL_IP_ROOM])
{
	int i, skip, skip_len, len = 1;

	skip = longest_zeros(pieces, &skip_len);
	out[0] = '[';
	for (i = 0; i < 8; i++) {
		if (i == skip) {
			len += snprintf(out + len, URL_IP_ROOM - (size_t)len, i ? ":" : "::");
			i += skip_len - 1;
			continue;
		}
		len += snprintf(out + len, URL_IP_ROOM - (size_t)len, i < 7 ? "%x:" : "%x",
				pieces[i]);
	}
	len += snprintf(out + len, URL_IP_ROOM - (size_t)len, "]");
	return len;
}

int url_ip6_parse(const char *host, size_t len, char out[URL_IP_ROOM])
{
	struct ip6 ip = {.compress = -1, .p = host, .end = host + len};
	int r;

	if (len == 0)
		return H2SESS_EURL;
	r = read_all(&ip);
	if (r == 0)
		r = expand(&ip);
	return r < 0 ? r : write_ip6(ip.pieces, out);
}
