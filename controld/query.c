/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query strings, strictly: each name must be one that the call knows, and stands once unless it may
 * be repeated; each %XX must be one, and none of them a NUL; the result is UTF-8.
 *
 * http.c parses once a request, after the route is known; handlers read values through the typed
 * getters. Each refusal is a 400 whose `field` is the parameter's name.
 */
#include "query.h"

#include "utf8.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int percent_decode(char *string, bool form)
{
	char *to = string;

	for (const char *from = string; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = form && *from == '+' ? ' ' : *from;
			continue;
		}
		high = hex_digit(from[1]);
		low = high < 0 ? -1 : hex_digit(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return -1;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = 0;
	return utf8_valid(string, (size_t)(to - string)) ? 0 : -1;
}

/* The row of a name: 0 unknown, 1 once, 2 repeatable. */
static int allowance(const char *name, const char *const *allowed)
{
	size_t len = strlen(name);

	for (; allowed && *allowed; allowed++) {
		if (strncmp(*allowed, name, len) != 0)
			continue;
		if (!(*allowed)[len])
			return 1;
		if ((*allowed)[len] == '*' && !(*allowed)[len + 1])
			return 2;
	}
	return 0;
}

static int refuse(struct query *query, const char *name, enum problem_kind kind, const char *detail,
		  struct problem *ret_problem)
{
	snprintf(query->wrong, sizeof(query->wrong), "%.63s", name);
	if (!utf8_valid(query->wrong, strlen(query->wrong)))
		snprintf(query->wrong, sizeof(query->wrong), "?");
	*ret_problem = problem_of(kind, query->wrong, detail);
	return -1;
}

static int take_pair(struct query *query, char *piece, const char *const *allowed,
		     struct problem *ret_problem)
{
	char *value = strchr(piece, '=');
	int allows;

	if (value)
		*value++ = 0;
	else
		value = piece + strlen(piece);
	if (percent_decode(piece, true) < 0 || percent_decode(value, true) < 0)
		return refuse(query, piece, PROBLEM_TARGET, "bad percent-encoding", ret_problem);
	allows = allowance(piece, allowed);
	if (!allows)
		return refuse(query, piece, PROBLEM_UNKNOWN_PARAMETER, NULL, ret_problem);
	if (allows == 1 && query_get(query, piece))
		return refuse(query, piece, PROBLEM_DUPLICATE_PARAMETER, NULL, ret_problem);
	if (query->count == QUERY_PAIRS_MAX)
		return refuse(query, piece, PROBLEM_TARGET, "too many parameters", ret_problem);
	query->pairs[query->count++] = (struct query_pair){piece, value};
	return 0;
}

int query_parse(struct query *query, const char *raw, const char *const *allowed,
		struct problem *ret_problem)
{
	char *save = NULL, *piece;

	query->count = 0;
	if (!raw || !*raw)
		return 0;
	query->buffer = strdup(raw);
	if (!query->buffer) {
		*ret_problem = problem_of(PROBLEM_MEMORY, NULL, NULL);
		return -1;
	}
	for (piece = strtok_r(query->buffer, "&", &save); piece; piece = strtok_r(NULL, "&", &save))
		if (take_pair(query, piece, allowed, ret_problem) < 0)
			return -1;
	return 0;
}

void query_done(struct query *query)
{
	free(query->buffer);
	query->buffer = NULL;
	query->count = 0;
}

const char *query_get(const struct query *query, const char *name)
{
	for (size_t i = 0; i < query->count; i++)
		if (strcmp(query->pairs[i].name, name) == 0)
			return query->pairs[i].value;
	return NULL;
}

int query_integer(const struct query *query, const char *name, int64_t min, int64_t max,
		  int64_t *ret, struct problem *ret_problem)
{
	const char *value = query_get(query, name);
	long long number;
	char *end;

	if (!value)
		return 0;
	errno = 0;
	number = strtoll(value, &end, 10);
	if (!isdigit((unsigned char)value[value[0] == '-']) || *end) {
		*ret_problem = problem_of(PROBLEM_TYPE, name, "not an integer");
		return -1;
	}
	if (errno || number < min || number > max) {
		*ret_problem = problem_of_range(name, (double)min, (double)max);
		return -1;
	}
	*ret = number;
	return 1;
}

int query_number(const struct query *query, const char *name, double min, double max, double *ret,
		 struct problem *ret_problem)
{
	const char *value = query_get(query, name);
	double number;
	char *end;

	if (!value)
		return 0;
	number = strtod(value, &end);
	if (!*value || *end || value[strspn(value, "0123456789.+-eE")]) {
		*ret_problem = problem_of(PROBLEM_TYPE, name, "not a number");
		return -1;
	}
	if (!isfinite(number) || number < min || number > max) {
		*ret_problem = problem_of_range(name, min, max);
		return -1;
	}
	*ret = number;
	return 1;
}

int query_boolean(const struct query *query, const char *name, bool *ret,
		  struct problem *ret_problem)
{
	const char *value = query_get(query, name);

	if (!value)
		return 0;
	*ret = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
	if (*ret || strcmp(value, "0") == 0 || strcmp(value, "false") == 0)
		return 1;
	*ret_problem = problem_of(PROBLEM_TYPE, name, "not true or false");
	return -1;
}
