/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See encoding.h. Weights are thousandths. What is preferred less than identity is not sent; of
 * equal weights the one that compresses better wins. A weight that is none counts as 0: nobody gets
 * an encoding by a typing error.
 */
#include "encoding.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define ABSENT (-1)

static const struct {
	const char *name;
	const char *suffix;
} ENCODING_ROWS[ENCODINGS] = {
	[ENCODING_IDENTITY] = {"identity", ""},
	[ENCODING_GZIP] = {"gzip", ".gz"},
	[ENCODING_BR] = {"br", ".br"},
};

const char *encoding_name(enum encoding encoding)
{
	return encoding == ENCODING_IDENTITY ? NULL : ENCODING_ROWS[encoding].name;
}

const char *encoding_suffix(enum encoding encoding)
{
	return ENCODING_ROWS[encoding].suffix;
}

/* "1", "0.5", "1.000": at most three digits behind the point. */
static int parse_weight(const char *text, size_t len)
{
	int weight, scale = 100;

	if (!len || (text[0] != '0' && text[0] != '1') || (len > 1 && text[1] != '.') || len > 5)
		return 0;
	weight = text[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < len; i++, scale /= 10) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		weight += (text[i] - '0') * scale;
	}
	return weight > 1000 ? 0 : weight;
}

/* The weight of an element "NAME;q=W" whose name ends at name_len. */
static int weight_of(const char *element, size_t name_len, size_t len)
{
	const char *p = element + name_len, *end = element + len;

	while (p < end && strchr(" \t;", *p))
		p++;
	if (p == end)
		return 1000;
	if (end - p < 2 || strncasecmp(p, "q=", 2) != 0)
		return 0;
	for (p += 2; end > p && strchr(" \t", end[-1]);)
		end--;
	return parse_weight(p, (size_t)(end - p));
}

static bool is_named(const char *element, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(element, name, len) == 0;
}

static void take_element(const char *element, size_t len, int weights[ENCODINGS], int *any)
{
	size_t name_len = strcspn(element, " \t;,");
	int weight;

	if (name_len > len)
		name_len = len;
	weight = weight_of(element, name_len, len);
	if (is_named(element, name_len, "*"))
		*any = weight;
	for (int i = 0; i < ENCODINGS; i++) {
		if (is_named(element, name_len, ENCODING_ROWS[i].name))
			weights[i] = weight;
	}
	if (is_named(element, name_len, "x-gzip"))
		weights[ENCODING_GZIP] = weight;
}

static void take_list(const char *accept, int weights[ENCODINGS])
{
	int any = ABSENT;

	while (*accept) {
		size_t len = strcspn(accept, ",");

		if (strspn(accept, " \t") < len) {
			size_t blank = strspn(accept, " \t");

			take_element(accept + blank, len - blank, weights, &any);
		}
		accept += len + (accept[len] == ',');
	}
	for (int i = 0; i < ENCODINGS; i++) {
		if (weights[i] == ABSENT && any != ABSENT)
			weights[i] = any;
	}
}

size_t encoding_order(const char *accept, enum encoding ret[ENCODINGS])
{
	int weights[ENCODINGS] = {ABSENT, ABSENT, ABSENT};
	size_t n = 0;

	if (accept)
		take_list(accept, weights);
	for (int i = ENCODINGS - 1; i > ENCODING_IDENTITY; i--) {
		if (weights[i] > 0 && weights[i] >= weights[ENCODING_IDENTITY])
			ret[n++] = (enum encoding)i;
	}
	if (n == 2 && weights[ret[1]] > weights[ret[0]]) {
		enum encoding first = ret[0];

		ret[0] = ret[1];
		ret[1] = first;
	}
	ret[n++] = ENCODING_IDENTITY;
	return n;
}
