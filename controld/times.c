/* SPDX-License-Identifier: Apache-2.0 */
/* Times of the wall clock, and as RFC 3339 writes them. */
#include "times.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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
