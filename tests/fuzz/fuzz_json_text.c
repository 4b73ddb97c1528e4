/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes into the scanner of JSON texts, with jansson beside it. What the scanner takes jansson
 * takes, and the members that it finds have the values that jansson finds. What jansson takes, and
 * is within the scanner's limits, the scanner takes as jansson writes it. And what jansson reads, of
 * whatever type, our writer writes as jansson does.
 */
#include <jansson.h>
#include <json_text.h>
#include <json_write.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_of(const json_t *value)
{
	return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

static void compare(const struct json_member *member, const json_t *root)
{
	const json_t *expected = json_object_get(root, member->key);
	const struct json_span *span = &member->value;
	json_t *value;

	if (!span->data != !expected)
		abort();
	if (!expected)
		return;
	value = json_loadb(span->data, span->len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (!json_equal(value, expected) || span->count != count_of(expected))
		abort();
	json_decref(value);
}

/* Written without an escape, whether or not others than ASCII get one. */
static bool is_plain_key(const char *key)
{
	while (*key >= 0x20 && *key < 0x7f && *key != '"' && *key != '\\')
		key++;
	return *key == '\0';
}

static bool is_within_limits(const json_t *value, size_t depth, size_t *keys);

static bool members_are_within_limits(const json_t *object, size_t depth, size_t *keys)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		if (!is_plain_key(key) || ++*keys > JSON_TEXT_KEYS_MAX ||
		    !is_within_limits(value, depth, keys))
			return false;
	}
	return true;
}

static bool is_within_limits(const json_t *value, size_t depth, size_t *keys)
{
	const json_t *element;
	size_t i;

	if (json_is_integer(value))
		return snprintf(NULL, 0, "%lld", json_integer_value(value)) <= JSON_TEXT_NUMBER_MAX;
	if (json_is_real(value))
		return false;
	if (json_is_object(value))
		return depth < JSON_TEXT_DEPTH_MAX &&
		       members_are_within_limits(value, depth + 1, keys);
	if (!json_is_array(value))
		return true;
	json_array_foreach(value, i, element) {
		if (!is_within_limits(element, depth + 1, keys))
			return false;
	}
	return depth < JSON_TEXT_DEPTH_MAX;
}

static void expect_taken(const json_t *root, size_t flags)
{
	char *text = json_dumps(root, flags);

	if (!text || !json_text_object(text, strlen(text), NULL, 0))
		abort();
	free(text);
}

/* What is left of jansson's text, which ours must be the same as. */
struct expected {
	const char *at;
	size_t len;
};

static int expect_piece(const char *data, size_t len, void *user)
{
	struct expected *expected = user;

	if (len > expected->len || memcmp(data, expected->at, len) != 0)
		abort();
	expected->at += len;
	expected->len -= len;
	return 0;
}

static void compare_writers(const uint8_t *data, size_t size)
{
	json_t *value = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
	struct expected expected;
	char *text;

	if (!value)
		return;
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (!text)
		abort();
	expected = (struct expected){.at = text, .len = strlen(text)};
	if (json_write(value, expect_piece, &expected) < 0 || expected.len > 0)
		abort();
	free(text);
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_member members[] = {{.key = "result"}, {.key = "id"}, {.key = "a"}};
	bool taken = json_text_object((const char *)data, size, members, 3);
	json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	size_t keys = 0;

	if (taken && !json_is_object(root))
		abort();
	for (size_t i = 0; taken && i < 3; i++)
		compare(&members[i], root);
	if (json_is_object(root) && is_within_limits(root, 0, &keys)) {
		expect_taken(root, JSON_COMPACT);
		expect_taken(root, JSON_ENSURE_ASCII | JSON_INDENT(2));
	}
	json_decref(root);
	compare_writers(data, size);
	return 0;
}
