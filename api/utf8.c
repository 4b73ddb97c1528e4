/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is it UTF-8 (RFC 3629)? Owns nothing. Refused are overlong forms, surrogates, what lies over
 * U+10FFFF, and a character that is cut off.
 */
#include "utf8.h"

/* How many octets the sequence at s must have; 0 when its first two begin none (RFC 3629 4). */
static size_t sequence_length(const unsigned char *s, size_t left)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		return 2;
	if (left < 2)
		return 0;
	if (s[0] >= 0xe0 && s[0] <= 0xef)
		return (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ? 0 : 3;
	if (s[0] >= 0xf0 && s[0] <= 0xf4)
		return (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ? 0 : 4;
	return 0;
}

size_t utf8_character(const char *data, size_t len)
{
	const unsigned char *s = (const unsigned char *)data;
	size_t n = len ? sequence_length(s, len) : 0;

	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool utf8_valid(const char *data, size_t len)
{
	while (len) {
		size_t n = utf8_character(data, len);

		if (!n)
			return false;
		data += n;
		len -= n;
	}
	return true;
}
