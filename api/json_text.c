/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scanner of JSON texts (RFC 8259). Owns nothing; the RPC codec and the daemon call it for values
 * that are passed on as text, where building them and writing them again would be most of the work.
 *
 * The happy path:
 *   - one pass from the first octet to the last, a value inside another by recursion;
 *   - strings are walked by runs of plain octets, UTF-8 and escapes are looked at one by one;
 *   - the keys of each object are kept as hashes as long as it is open, to see one that recurs;
 *   - the members of the outermost object that are wanted are noted.
 * What can go wrong:
 *   - it is no JSON; a key recurs; a string has a NUL or half a surrogate pair, which jansson
 *     refuses too: false;
 *   - it is in doubt: over a limit of json_text.h, a key with an escape (it might be another's
 *     equal), two keys of one hash, a number that might not fit: false too, and who asked has
 *     jansson decide. So whatever passes here passes there, and duplicate keys never pass.
 *
 * Numbers are passed on as they are written. One that jansson wrote with all 17 digits of a double
 * is longer than JSON_TEXT_NUMBER_MAX, so it is left to it.
 */
#include "json_text.h"

#include "utf8.h"

#include <stdint.h>
#include <string.h>

#define EXPONENT_MAX 2 /* digits: with JSON_TEXT_NUMBER_MAX, no double overflows */

struct scan {
	const char *at;
	const char *end;
	unsigned int depth;
	size_t n_keys;
	uint32_t keys
		[JSON_TEXT_KEYS_MAX]; /* hashes; of the objects that are open, outermost first */
};

static bool is_at(const struct scan *scan, char octet)
{
	return scan->at < scan->end && *scan->at == octet;
}

static bool take(struct scan *scan, char octet)
{
	if (!is_at(scan, octet))
		return false;
	scan->at++;
	return true;
}

static void skip_space(struct scan *scan)
{
	while (scan->at < scan->end &&
	       (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
		scan->at++;
}

/* A structural character, and the space around it. */
static bool take_mark(struct scan *scan, char octet)
{
	skip_space(scan);
	if (!take(scan, octet))
		return false;
	skip_space(scan);
	return true;
}

/* ---- strings --------------------------------------------------------------------------------- */

static bool is_plain(char octet)
{
	return (unsigned char)octet >= 0x20 && (unsigned char)octet < 0x80 && octet != '"' &&
	       octet != '\\';
}

static int hex_digit(char octet)
{
	if (octet >= '0' && octet <= '9')
		return octet - '0';
	octet |= 0x20;
	return octet >= 'a' && octet <= 'f' ? octet - 'a' + 10 : -1;
}

/* uXXXX, without its backslash. */
static bool take_unit(struct scan *scan, unsigned int *ret)
{
	unsigned int unit = 0;

	if (!take(scan, 'u') || scan->end - scan->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(*scan->at++);

		if (digit < 0)
			return false;
		unit = unit << 4 | (unsigned int)digit;
	}
	*ret = unit;
	return true;
}

/* What follows a backslash. */
static bool take_escape(struct scan *scan)
{
	unsigned int unit, low;

	if (scan->at < scan->end && *scan->at && strchr("\"\\/bfnrt", *scan->at)) {
		scan->at++;
		return true;
	}
	if (!take_unit(scan, &unit) || unit == 0)
		return false;
	if (unit < 0xd800 || unit > 0xdfff)
		return true;
	return unit < 0xdc00 && take(scan, '\\') && take_unit(scan, &low) && low >= 0xdc00 &&
	       low <= 0xdfff;
}

/* An octet over 0x7f begins a character; control characters do not pass. */
static bool take_character(struct scan *scan)
{
	size_t n = utf8_character(scan->at, (size_t)(scan->end - scan->at));

	scan->at += n;
	return n > 1;
}

static bool scan_string(struct scan *scan)
{
	if (!take(scan, '"'))
		return false;
	for (;;) {
		while (scan->at < scan->end && is_plain(*scan->at))
			scan->at++;
		if (take(scan, '"'))
			return true;
		if (take(scan, '\\') ? !take_escape(scan) : !take_character(scan))
			return false;
	}
}

/* ---- numbers and names ----------------------------------------------------------------------- */

static size_t skip_digits(struct scan *scan)
{
	const char *begin = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return (size_t)(scan->at - begin);
}

static bool scan_exponent(struct scan *scan)
{
	size_t digits;

	if (!take(scan, 'e') && !take(scan, 'E'))
		return true;
	if (!take(scan, '+'))
		take(scan, '-');
	digits = skip_digits(scan);
	return digits > 0 && digits <= EXPONENT_MAX;
}

static bool scan_number(struct scan *scan)
{
	const char *begin = scan->at;

	take(scan, '-');
	if (!take(scan, '0') && skip_digits(scan) == 0)
		return false;
	if (take(scan, '.') && skip_digits(scan) == 0)
		return false;
	return scan_exponent(scan) && scan->at - begin <= JSON_TEXT_NUMBER_MAX;
}

static bool scan_name(struct scan *scan, const char *name)
{
	size_t len = strlen(name);

	if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, name, len) != 0)
		return false;
	scan->at += len;
	return true;
}

/* ---- arrays and objects ---------------------------------------------------------------------- */

static bool scan_value(struct scan *scan, struct json_span *ret);

/* NOLINTNEXTLINE(misc-no-recursion): JSON_TEXT_DEPTH_MAX bounds it */
static bool scan_elements(struct scan *scan, size_t *ret_count)
{
	struct json_span element;
	size_t count = 0;

	take_mark(scan, '[');
	if (!is_at(scan, ']')) {
		do {
			if (!scan_value(scan, &element))
				return false;
			count++;
		} while (take_mark(scan, ','));
	}
	*ret_count = count;
	return take(scan, ']');
}

static uint32_t hash_of(const char *data, size_t len)
{
	uint64_t hash = len;

	for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
		uint64_t word = 0;

		memcpy(&word, data + at, len - at < sizeof(word) ? len - at : sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

/* Keep the key; the hashes of its object begin at `first`. */
static bool add_key(struct scan *scan, size_t first, const struct json_span *key)
{
	uint32_t hash = hash_of(key->data, key->len);
	bool recurs = false;

	if (scan->n_keys == JSON_TEXT_KEYS_MAX)
		return false;
	for (size_t i = first; i < scan->n_keys; i++)
		recurs |= scan->keys[i] == hash;
	scan->keys[scan->n_keys++] = hash;
	return !recurs;
}

static bool scan_key(struct scan *scan, size_t first, struct json_span *ret)
{
	const char *begin = scan->at + 1;

	if (!scan_string(scan))
		return false;
	*ret = (struct json_span){.data = begin, .len = (size_t)(scan->at - begin) - 1};
	return !memchr(ret->data, '\\', ret->len) && add_key(scan, first, ret);
}

static void note(struct json_member *members, size_t n, const struct json_span *key,
		 const struct json_span *value)
{
	for (size_t i = 0; i < n; i++)
		if (json_span_is(key, members[i].key))
			members[i].value = *value;
}

/* NOLINTNEXTLINE(misc-no-recursion): JSON_TEXT_DEPTH_MAX bounds it */
static bool scan_members(struct scan *scan, struct json_member *members, size_t n,
			 size_t *ret_count)
{
	size_t first = scan->n_keys;
	struct json_span key, value;
	size_t count = 0;

	take_mark(scan, '{');
	if (!is_at(scan, '}')) {
		do {
			if (!scan_key(scan, first, &key) || !take_mark(scan, ':') ||
			    !scan_value(scan, &value))
				return false;
			note(members, n, &key, &value);
			count++;
		} while (take_mark(scan, ','));
	}
	scan->n_keys = first;
	*ret_count = count;
	return take(scan, '}');
}

/* NOLINTNEXTLINE(misc-no-recursion): JSON_TEXT_DEPTH_MAX bounds it */
static bool scan_container(struct scan *scan, size_t *ret_count)
{
	bool ok;

	if (scan->depth == JSON_TEXT_DEPTH_MAX)
		return false;
	scan->depth++;
	ok = is_at(scan, '[') ? scan_elements(scan, ret_count)
			      : scan_members(scan, NULL, 0, ret_count);
	scan->depth--;
	return ok;
}

static bool scan_scalar(struct scan *scan)
{
	switch (*scan->at) {
	case '"':
		return scan_string(scan);
	case 't':
		return scan_name(scan, "true");
	case 'f':
		return scan_name(scan, "false");
	case 'n':
		return scan_name(scan, "null");
	default:
		return scan_number(scan);
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): JSON_TEXT_DEPTH_MAX bounds it */
static bool scan_value(struct scan *scan, struct json_span *ret)
{
	struct json_span value = {.data = scan->at};
	bool ok;

	if (scan->at == scan->end)
		return false;
	if (is_at(scan, '[') || is_at(scan, '{'))
		ok = scan_container(scan, &value.count);
	else
		ok = scan_scalar(scan);
	value.len = (size_t)(scan->at - value.data);
	*ret = value;
	return ok;
}

bool json_text_object(const char *data, size_t len, struct json_member *members, size_t n)
{
	struct scan scan;
	size_t count;

	scan.at = data;
	scan.end = data + len;
	scan.depth = 1;
	scan.n_keys = 0;
	skip_space(&scan);
	if (!is_at(&scan, '{') || !scan_members(&scan, members, n, &count))
		return false;
	skip_space(&scan);
	return scan.at == scan.end;
}

bool json_span_is(const struct json_span *span, const char *text)
{
	return span->data && strlen(text) == span->len && memcmp(span->data, text, span->len) == 0;
}
