/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values to text. Owns nothing; the RPC codec calls it, on any thread.
 *
 * jansson looks at each dump, object by object, whether a value contains itself, and prints keys of
 * a hash table with printf() for that: half of what a line costs. Values that were parsed, or are
 * built from the leaves to the root, never do, so nothing is looked for here.
 *
 * The happy path:
 *   - a walk in the order of the members; what is written collects in a buffer on the stack, which
 *     goes to the callback when it is full, and at the end;
 *   - strings are copied by runs of octets that need no escape: jansson holds UTF-8 alone.
 * What can go wrong: the callback says so; then nothing more is written, and -1 comes back.
 *
 * A value is as deep as jansson's parser lets it be, or as we built it: the recursion too.
 */
#include "json_write.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BUFFER_SIZE 1024 /* octets that the callback gets at once */
#define NUMBER_SIZE 32	 /* holds any number as text */

struct writer {
	json_dump_callback_t fn;
	void *user;
	bool failed;
	size_t len;
	char buf[BUFFER_SIZE];
};

static void flush(struct writer *writer)
{
	if (writer->len > 0 && !writer->failed)
		writer->failed = writer->fn(writer->buf, writer->len, writer->user) < 0;
	writer->len = 0;
}

static void put(struct writer *writer, const char *data, size_t len)
{
	if (len > sizeof(writer->buf) - writer->len)
		flush(writer);
	if (len > sizeof(writer->buf)) {
		if (!writer->failed)
			writer->failed = writer->fn(data, len, writer->user) < 0;
		return;
	}
	memcpy(writer->buf + writer->len, data, len);
	writer->len += len;
}

static void put_octet(struct writer *writer, char octet)
{
	if (writer->len == sizeof(writer->buf))
		flush(writer);
	writer->buf[writer->len++] = octet;
}

static void put_word(struct writer *writer, const char *word)
{
	put(writer, word, strlen(word));
}

/* ---- strings --------------------------------------------------------------------------------- */

static bool needs_escape(char octet)
{
	return (unsigned char)octet < 0x20 || octet == '"' || octet == '\\';
}

static void put_escape(struct writer *writer, char octet)
{
	static const char plain[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	const char *at = octet ? strchr(plain, octet) : NULL;
	char text[8];

	if (at) {
		put_octet(writer, '\\');
		put_octet(writer, letters[at - plain]);
		return;
	}
	snprintf(text, sizeof(text), "\\u%04X", (unsigned int)octet);
	put_word(writer, text);
}

static void put_string(struct writer *writer, const char *text, size_t len)
{
	const char *end = text + len;

	put_octet(writer, '"');
	while (text < end) {
		const char *run = text;

		while (text < end && !needs_escape(*text))
			text++;
		put(writer, run, (size_t)(text - run));
		if (text < end)
			put_escape(writer, *text++);
	}
	put_octet(writer, '"');
}

/* ---- values ---------------------------------------------------------------------------------- */

static void put_integer(struct writer *writer, json_int_t value)
{
	unsigned long long left =
		value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
	char text[NUMBER_SIZE];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (value < 0)
		text[--at] = '-';
	put(writer, text + at, sizeof(text) - at);
}

/* jansson knows how many digits bring it back, and is not misled by the locale. */
static void put_real(struct writer *writer, const json_t *value)
{
	char text[NUMBER_SIZE] = "";

	put(writer, text, json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY));
}

static void put_value(struct writer *writer, const json_t *value);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the value */
static void put_object(struct writer *writer, const json_t *object)
{
	json_t *walked = (json_t *)object; /* jansson's iterators are not const */
	char mark = '{';

	for (void *at = json_object_iter(walked); at; at = json_object_iter_next(walked, at)) {
		put_octet(writer, mark);
		put_string(writer, json_object_iter_key(at), strlen(json_object_iter_key(at)));
		put_octet(writer, ':');
		put_value(writer, json_object_iter_value(at));
		mark = ',';
	}
	if (mark == '{')
		put_octet(writer, '{');
	put_octet(writer, '}');
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the value */
static void put_array(struct writer *writer, const json_t *array)
{
	put_octet(writer, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			put_octet(writer, ',');
		put_value(writer, json_array_get(array, i));
	}
	put_octet(writer, ']');
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the value */
static void put_value(struct writer *writer, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		put_object(writer, value);
		break;
	case JSON_ARRAY:
		put_array(writer, value);
		break;
	case JSON_STRING:
		put_string(writer, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		put_integer(writer, json_integer_value(value));
		break;
	case JSON_REAL:
		put_real(writer, value);
		break;
	case JSON_TRUE:
		put_word(writer, "true");
		break;
	case JSON_FALSE:
		put_word(writer, "false");
		break;
	case JSON_NULL:
		put_word(writer, "null");
		break;
	}
}

int json_write(const json_t *value, json_dump_callback_t fn, void *user)
{
	struct writer writer;

	writer.fn = fn;
	writer.user = user;
	writer.failed = false;
	writer.len = 0;
	put_value(&writer, value);
	flush(&writer);
	return writer.failed ? -1 : 0;
}
