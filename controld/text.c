/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings, times and random names: what the rest of the daemon writes its answers with.
 *
 * A struct text grows by doubling. When memory runs out it keeps what it has and says `failed`; the
 * one who sends it checks once, at the end. random_name() draws from the kernel and cannot fail on
 * kernels that have getrandom().
 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static bool text_reserve(struct text *text, size_t more)
{
	size_t cap = text->cap ? text->cap : 256;
	char *data;

	if (text->failed)
		return false;
	while (cap < text->len + more + 1)
		cap *= 2;
	if (cap == text->cap)
		return true;
	data = realloc(text->data, cap);
	if (!data) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->cap = cap;
	return true;
}

void text_append(struct text *text, const void *data, size_t len)
{
	if (!text_reserve(text, len))
		return;
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = 0;
}

void text_add(struct text *text, const char *string)
{
	text_append(text, string, strlen(string));
}

void text_format(struct text *text, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !text_reserve(text, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
	va_end(args);
	text->len += (size_t)len;
}

void text_consume(struct text *text, size_t len)
{
	text->len -= len;
	if (text->len)
		memmove(text->data, text->data + len, text->len);
	if (text->data)
		text->data[text->len] = 0;
}

void text_done(struct text *text)
{
	free(text->data);
	*text = (struct text){0};
}

int64_t time_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void time_text(int64_t ms, char ret[TIME_TEXT])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(ret, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + n, TIME_TEXT - n, ".%03dZ", (int)(ms % 1000));
}

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

/* How many octets the sequence at s must have; 0 when its first octet begins none (RFC 3629 4). */
static size_t utf8_length(const unsigned char *s, size_t left)
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

bool utf8_valid(const char *data, size_t len)
{
	const unsigned char *s = (const unsigned char *)data;

	while (len) {
		size_t n = utf8_length(s, len);

		if (!n || n > len)
			return false;
		for (size_t i = 1; i < n; i++)
			if ((s[i] & 0xc0) != 0x80)
				return false;
		s += n;
		len -= n;
	}
	return true;
}
