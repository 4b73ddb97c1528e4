/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small JSON values, made so that no input can make them fail but want of memory: texts of peers,
 * times, bytes. Owns nothing. The session object and the control link call it, on any thread.
 */
#include "values.h"

#include "memory.h"

#include <h2sess/h2sess.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODE_BYTES 64 /* what jansson spends on a value, and on its place in an object, about */

bool value_put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(object, key, value) == 0;
}

json_t *value_if(bool ok, json_t *object)
{
	if (ok)
		return object;
	json_decref(object);
	return NULL;
}

static bool continues(char octet)
{
	return ((unsigned char)octet & 0xc0) == 0x80;
}

/* The length of what fits, without the half of a character at its end. */
static size_t cut(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	len = max;
	while (len > 0 && continues(text[len]))
		len--;
	return len;
}

static json_t *text_from_latin1(const char *text, size_t len)
{
	char *utf8 = mem_alloc(2 * len + 1);
	json_t *value;
	size_t n = 0;

	if (!utf8)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		unsigned char octet = (unsigned char)text[i];

		if (octet >= 0x80)
			utf8[n++] = (char)(0xc0 | octet >> 6);
		utf8[n++] = (char)(octet >= 0x80 ? 0x80 | (octet & 0x3f) : octet);
	}
	value = json_stringn(utf8, n);
	mem_free(utf8);
	return value;
}

json_t *value_text(const char *text, size_t max)
{
	size_t len = cut(text, max);
	json_t *value = json_stringn(text, len);

	return value ? value : text_from_latin1(text, len);
}

json_t *value_text_or_null(const char *text, size_t max)
{
	return text ? value_text(text, max) : json_null();
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

json_t *value_base64(const void *data, size_t len)
{
	char *text = mem_alloc(4 * (len / 3 + 1) + 1);
	const uint8_t *octets = data;
	json_t *value;
	size_t n = 0;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t group = (uint32_t)octets[i] << 16;

		group |= left > 1 ? (uint32_t)octets[i + 1] << 8 : 0;
		group |= left > 2 ? octets[i + 2] : 0;
		text[n++] = base64_digits[group >> 18];
		text[n++] = base64_digits[group >> 12 & 63];
		text[n++] = left > 1 ? base64_digits[group >> 6 & 63] : '=';
		text[n++] = left > 2 ? base64_digits[group & 63] : '=';
	}
	value = json_stringn_nocheck(text, n);
	mem_free(text);
	return value;
}

int value_read_base64(const json_t *json, void *data, size_t max, size_t *ret_len)
{
	const char *text = json_string_value(json);
	size_t len = json_string_length(json);
	size_t digits = text ? strspn(text, base64_digits) : 0;
	unsigned char *octets = data;
	uint32_t group = 0;
	size_t i, n = 0;

	*ret_len = 0;
	if (!json)
		return 0;
	if (!text)
		return H2SESS_EARGTYPE;
	if (len % 4 || digits + strspn(text + digits, "=") != len || len - digits > 2)
		return H2SESS_EINVAL;
	if (digits / 4 * 3 + (digits % 4 ? digits % 4 - 1 : 0) > max)
		return H2SESS_ERANGE;
	for (i = 0; i < digits; i++) {
		group = group << 6 | (uint32_t)(strchr(base64_digits, text[i]) - base64_digits);
		if (i % 4)
			octets[n++] = (unsigned char)(group >> (6 - i % 4 * 2));
	}
	*ret_len = n;
	return 0;
}

int value_read_hex(const json_t *json, void *data, size_t len)
{
	const char *text = json_string_value(json);
	unsigned char *octets = data;

	if (!text)
		return H2SESS_EARGTYPE;
	if (json_string_length(json) != 2 * len ||
	    strspn(text, "0123456789abcdefABCDEF") != 2 * len)
		return H2SESS_EINVAL;
	for (size_t i = 0; i < len; i++) {
		const char two[3] = {text[2 * i], text[2 * i + 1], '\0'};

		octets[i] = (unsigned char)strtoul(two, NULL, 16);
	}
	return 0;
}

json_t *value_hex(const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *text = mem_alloc(2 * len + 1);
	const uint8_t *octets = data;
	json_t *value;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[octets[i] >> 4];
		text[2 * i + 1] = digits[octets[i] & 15];
	}
	value = json_stringn_nocheck(text, 2 * len);
	mem_free(text);
	return value;
}

json_t *value_time(uint64_t unix_ms)
{
	time_t seconds = (time_t)(unix_ms / 1000);
	char text[VALUES_TIME_MAX];
	struct tm tm;
	size_t len;

	if (!gmtime_r(&seconds, &tm))
		return json_null();
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	if (len == 0)
		return json_null();
	snprintf(text + len, sizeof(text) - len, ".%03uZ", (unsigned int)(unix_ms % 1000));
	return json_string(text);
}

int value_read_time(const json_t *json, uint64_t *ret_unix_ms)
{
	const char *text = json_string_value(json);
	unsigned int ms = 0;
	char digits[4] = "";
	struct tm tm = {0};
	const char *end;
	time_t seconds;
	size_t n;

	if (!text)
		return H2SESS_EARGTYPE;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end && *end == '.') {
		n = strspn(++end, "0123456789");
		if (n == 0)
			return H2SESS_EINVAL;
		memcpy(digits, "000", 4);
		memcpy(digits, end, n < 3 ? n : 3);
		ms = (unsigned int)strtoul(digits, NULL, 10);
		end += n;
	}
	seconds = end && strcmp(end, "Z") == 0 ? timegm(&tm) : -1;
	if (seconds < 0)
		return H2SESS_EINVAL;
	*ret_unix_ms = (uint64_t)seconds * 1000 + ms;
	return 0;
}

static size_t object_weight(const json_t *object)
{
	size_t weight = 0;
	void *at = json_object_iter((json_t *)object);

	for (; at; at = json_object_iter_next((json_t *)object, at))
		weight += NODE_BYTES + value_weight(json_object_iter_value(at));
	return weight;
}

static size_t array_weight(const json_t *array)
{
	size_t weight = 0;

	for (size_t i = 0; i < json_array_size(array); i++)
		weight += sizeof(void *) + value_weight(json_array_get(array, i));
	return weight;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as what we built ourselves */
size_t value_weight(const json_t *value)
{
	if (!value)
		return 0;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return NODE_BYTES + object_weight(value);
	case JSON_ARRAY:
		return NODE_BYTES + array_weight(value);
	case JSON_STRING:
		return NODE_BYTES + json_string_length(value);
	default:
		return NODE_BYTES;
	}
}
