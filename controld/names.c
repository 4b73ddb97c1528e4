/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are safe in a URL: random ones, and octets as base64url. random_name() draws from the
 * kernel and cannot fail on kernels that have getrandom().
 */
#include "names.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>

void random_name(char *ret, size_t n)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char byte;

	for (size_t i = 0; i < n;) {
		if (getrandom(&byte, 1, 0) != 1 || byte >= 252) /* 252 = 7 * 36: no bias */
			continue;
		ret[i++] = set[byte % 36];
	}
	ret[n] = 0;
}

static const char base64_set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(const void *data, size_t len, char *ret)
{
	const unsigned char *in = data;
	uint32_t bits = 0;
	int have = 0;

	for (size_t i = 0; i < len; i++) {
		bits = (bits << 8 | in[i]) & 0xffffff;
		for (have += 8; have >= 6; have -= 6)
			*ret++ = base64_set[bits >> (have - 6) & 63];
	}
	if (have)
		*ret++ = base64_set[bits << (6 - have) & 63];
	*ret = 0;
}

long base64url_decode(const char *string, size_t len, void *ret, size_t room)
{
	unsigned char *out = ret;
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	for (size_t i = 0; i < len; i++) {
		const char *at = string[i] ? strchr(base64_set, string[i]) : NULL;

		if (!at)
			return -1;
		bits = (bits << 6 | (uint32_t)(at - base64_set)) & 0xffffff;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == room)
			return -1;
		out[n++] = (unsigned char)(bits >> have);
	}
	return (long)n;
}
