/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions are judged in the order of RFC 9110 13.2.2: If-Match, else If-Unmodified-Since;
 * If-None-Match, else If-Modified-Since; then If-Range, then Range. What cannot be understood is treated as absent, as the RFC wants:
 * several ranges, units other than bytes, dates in another form.
 *
 * Entity tags are strong: they hold the time of the last change in nanoseconds, and the size.
 */
#include "select.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void http_date(time_t when, char ret[HTTP_DATE_SIZE])
{
	struct tm tm;

	if (!gmtime_r(&when, &tm) ||
	    !strftime(ret, HTTP_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		ret[0] = '\0';
}

/* RFC 9110 5.6.7: the form of today, and the two that are obsolete and must be understood. */
static bool parse_http_date(const char *text, time_t *ret)
{
	static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT",
					    "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct tm tm = {0};
		const char *end = strptime(text, forms[i], &tm);

		if (!end || *end)
			continue;
		*ret = timegm(&tm);
		return true;
	}
	return false;
}

void version_init(struct version *version, int64_t size, struct timespec modified,
		  const char *encoding)
{
	version->size = size;
	version->modified = modified;
	snprintf(version->etag, sizeof(version->etag), "\"%" PRIx64 "-%lx-%" PRIx64 "%s%s\"",
		 (uint64_t)modified.tv_sec, (unsigned long)modified.tv_nsec, (uint64_t)size,
		 encoding ? "-" : "", encoding ? encoding : "");
	http_date(modified.tv_sec, version->last_modified);
}

/* Is etag one of the list? Weak comparison (RFC 9110 8.8.3.2) takes W/"x" for "x". */
static bool list_has(const char *list, const char *etag, bool weak)
{
	size_t len = strlen(etag);

	if (!strcmp(list, "*"))
		return true;
	while (*list) {
		list += strspn(list, " \t,");
		if (weak && !strncmp(list, "W/", 2))
			list += 2;
		if (!strncmp(list, etag, len) && strchr(" \t,", list[len]))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static bool is_unmodified(const struct version *version, const struct condition *condition)
{
	time_t since;

	if (condition->if_none_match)
		return list_has(condition->if_none_match, version->etag, true);
	return condition->if_modified_since &&
	       parse_http_date(condition->if_modified_since, &since) &&
	       version->modified.tv_sec <= since;
}

/* The client wants the version that it knows, and this is another one. */
static bool has_changed(const struct version *version, const struct condition *condition)
{
	time_t since;

	if (condition->if_match)
		return !list_has(condition->if_match, version->etag, false);
	return condition->if_unmodified_since &&
	       parse_http_date(condition->if_unmodified_since, &since) &&
	       version->modified.tv_sec > since;
}

/* If-Range is a strong comparison: an entity tag, or exactly our date. */
static bool range_applies(const struct version *version, const struct condition *condition)
{
	if (!condition->range)
		return false;
	return !condition->if_range || !strcmp(condition->if_range, version->etag) ||
	       !strcmp(condition->if_range, version->last_modified);
}

/* Digits at *p, which is moved behind them. -1: none, or over 18 of them. */
static int64_t take_number(const char **p)
{
	size_t digits = strspn(*p, "0123456789");
	int64_t number = digits && digits <= 18 ? strtoll(*p, NULL, 10) : -1;

	*p += digits;
	return number;
}

/* "bytes=FIRST-LAST", "bytes=FIRST-", "bytes=-SUFFIX"; -1 for what is not there. */
static bool parse_range(const char *text, int64_t *ret_first, int64_t *ret_last)
{
	if (strncmp(text, "bytes=", 6))
		return false;
	text += 6;
	*ret_first = take_number(&text);
	if (*text++ != '-')
		return false;
	*ret_last = take_number(&text);
	if (*text || (*ret_first < 0 && *ret_last < 0))
		return false;
	return *ret_first < 0 || *ret_last < 0 || *ret_first <= *ret_last;
}

static enum selection select_range(int64_t size, int64_t first, int64_t last, int64_t *ret_offset,
				   int64_t *ret_length)
{
	if (first < 0) {
		if (!last || !size)
			return SELECT_NOT_SATISFIABLE;
		first = last < size ? size - last : 0;
		last = size - 1;
	}
	if (first >= size)
		return SELECT_NOT_SATISFIABLE;
	if (last < 0 || last >= size)
		last = size - 1;
	*ret_offset = first;
	*ret_length = last - first + 1;
	return SELECT_PART;
}

enum selection select_part(const struct version *version, const struct condition *condition,
			   int64_t *ret_offset, int64_t *ret_length)
{
	int64_t first, last;

	if (has_changed(version, condition))
		return SELECT_FAILED;
	if (is_unmodified(version, condition))
		return SELECT_NOT_MODIFIED;
	*ret_offset = 0;
	*ret_length = version->size;
	if (!range_applies(version, condition) || !parse_range(condition->range, &first, &last))
		return SELECT_ALL;
	return select_range(version->size, first, last, ret_offset, ret_length);
}
