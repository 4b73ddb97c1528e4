/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request targets. This is the first of two walls around the root: nothing that could climb out of
 * it is passed on. The second is the kernel's (root.c), for links in the tree itself.
 *
 * Decoding and judging are one pass: each byte is decoded once, and what a segment *is* is judged
 * after decoding, so no spelling of ".." gets by.
 */
#include "target.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

struct output {
	char *bytes;
	size_t size;
	size_t len;
	size_t segment; /* where the current segment begins */
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte at *p, decoded, and *p moved past it. Returns -1 for a broken %XX and for NUL. */
static int next_byte(const char **p)
{
	int high, low, byte;

	if (**p != '%')
		return (unsigned char)*(*p)++;
	high = hex_value((*p)[1]);
	if (high < 0)
		return -1;
	low = hex_value((*p)[2]);
	if (low < 0)
		return -1;
	*p += 3;
	byte = high << 4 | low;
	return byte ? byte : -1;
}

static bool put(struct output *out, int byte)
{
	if (out->len + 1 >= out->size)
		return false;
	out->bytes[out->len++] = (char)byte;
	return true;
}

static bool is_dot_segment(const struct output *out)
{
	const char *segment = out->bytes + out->segment;
	size_t len = out->len - out->segment;

	return (len == 1 && segment[0] == '.') ||
	       (len == 2 && segment[0] == '.' && segment[1] == '.');
}

/* A slash in the target: the segment is complete. Empty ones leave no trace. */
static bool end_segment(struct output *out)
{
	if (is_dot_segment(out))
		return false;
	if (out->len > out->segment && !put(out, '/'))
		return false;
	out->segment = out->len;
	return true;
}

static enum target_result parse(const char *p, struct output *out)
{
	while (*p && *p != '?' && *p != '#') {
		bool slash = *p == '/';
		int byte = next_byte(&p);

		if (byte < 0)
			return TARGET_MALFORMED;
		if (slash ? !end_segment(out) : byte == '/' || !put(out, byte))
			return TARGET_FORBIDDEN;
	}
	if (is_dot_segment(out))
		return TARGET_FORBIDDEN;
	out->bytes[out->len] = '\0';
	return out->len == out->segment ? TARGET_DIRECTORY : TARGET_FILE;
}

enum target_result target_parse(const char *target, char *ret, size_t size)
{
	struct output out = {.bytes = ret, .size = size};

	if (*target != '/' || !size)
		return TARGET_MALFORMED;
	return parse(target, &out);
}

size_t target_encode(const char *path, char *ret, size_t size)
{
	static const char HEX[] = "0123456789ABCDEF";
	struct output out = {.bytes = ret, .size = size};
	bool fits = size && put(&out, '/');

	for (; fits && *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (c < 0x80 && (isalnum(c) || strchr("-._~/!$&'()*+,;=:@", c)))
			fits = put(&out, c);
		else
			fits = put(&out, '%') && put(&out, HEX[c >> 4]) && put(&out, HEX[c & 15]);
	}
	if (!fits)
		return 0;
	ret[out.len] = '\0';
	return out.len;
}
