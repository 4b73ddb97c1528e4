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

/* n digits and the character behind them (0: none). -1: not there. */
static int take_number(const char **at, int n, char behind)
{
	int number = 0;

	for (; n > 0; n--, (*at)++) {
		if (**at < '0' || **at > '9')
			return -1;
		number = number * 10 + (**at - '0');
	}
	if (!behind)
		return number;
	return *(*at)++ == behind ? number : -1;
}

/* Fractions of a second to milliseconds. */
static int take_fraction(const char **at)
{
	int ms = 0, scale = 100;

	if (**at != '.')
		return 0;
	(*at)++;
	if (**at < '0' || **at > '9')
		return -1;
	for (; **at >= '0' && **at <= '9'; (*at)++, scale /= 10)
		ms += (**at - '0') * scale;
	return ms;
}

/* Z or +hh:mm to minutes, to the end of the text. */
static int take_offset(const char *at, int *ret_minutes)
{
	int sign = *at == '-' ? -1 : 1, hours, minutes;

	*ret_minutes = 0;
	if (*at == 'Z' || *at == 'z')
		return at[1] ? -1 : 0;
	if (*at != '+' && *at != '-')
		return -1;
	at++;
	hours = take_number(&at, 2, ':');
	minutes = hours < 0 ? -1 : take_number(&at, 2, 0);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || *at)
		return -1;
	*ret_minutes = sign * (hours * 60 + minutes);
	return 0;
}

static bool is_date(const struct tm *tm)
{
	struct tm copy = *tm;

	if (tm->tm_mon < 0 || tm->tm_mon > 11 || tm->tm_mday < 1)
		return false;
	timegm(&copy); /* the 31st of June becomes the 1st of July */
	return copy.tm_mday == tm->tm_mday;
}

int time_parse(const char *text, int64_t *ret_ms)
{
	struct tm date = {0}, tm;
	const char *at = text;
	int ms, offset;

	date.tm_year = take_number(&at, 4, '-') - 1900;
	if (date.tm_year < 0)
		return -1;
	date.tm_mon = take_number(&at, 2, '-') - 1;
	date.tm_mday = date.tm_mon < 0 ? 0 : take_number(&at, 2, 0);
	if (!is_date(&date) || (*at != 'T' && *at != 't'))
		return -1;
	at++;
	tm = date;
	tm.tm_hour = take_number(&at, 2, ':');
	tm.tm_min = tm.tm_hour < 0 ? -1 : take_number(&at, 2, ':');
	tm.tm_sec = tm.tm_min < 0 ? -1 : take_number(&at, 2, 0);
	if (tm.tm_sec < 0 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -1;
	ms = take_fraction(&at);
	if (ms < 0 || take_offset(at, &offset) < 0)
		return -1;
	*ret_ms = ((int64_t)timegm(&tm) - offset * 60) * 1000 + ms;
	return 0;
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
