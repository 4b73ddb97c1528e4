/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner of JSON texts: what it takes jansson takes, what it is in doubt of it refuses, and the
 * members that it finds are the ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <json_text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In memory that ends where the text does, so that a step too far is seen. */
static bool scan(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	bool taken;

	assert_non_null(copy);
	memcpy(copy, text, len);
	taken = json_text_object(copy, len, NULL, 0);
	free(copy);
	return taken;
}

static bool jansson_takes(const char *text, size_t len)
{
	json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	bool taken = json_is_object(value);

	json_decref(value);
	return taken;
}

static void assert_both(const char *text, bool scanner, bool jansson)
{
	if (scan(text, strlen(text)) != scanner || jansson_takes(text, strlen(text)) != jansson)
		fail_msg("%s", text);
}

static const char *const good[] = {
	"{}",
	" \t\r\n{ \t\r\n} \t\r\n",
	"{\"a\":1}",
	"{\"\":0}",
	"{ \"a\" : [ 1 , -2 , { } , [ ] ] , \"b\" : null }",
	"{\"a\":true,\"b\":false,\"c\":null,\"d\":\"\"}",
	"{\"a\":0,\"b\":-0,\"c\":10,\"d\":1.5,\"e\":-0.5e+10,\"f\":1E5,\"g\":1e-99}",
	"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\uD7FF\\ue000\\uFFFF\"}",
	"{\"a\":\"\\ud83d\\ude00 \xf0\x9f\x98\x80 \xc3\xa9 \xe2\x82\xac \x7f\"}",
	"{\"\xc3\xa9\":1,\"e\":2}",
	"{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}",
	"{\"a\":[{\"k\":1},{\"k\":2}]}",
	"{\"aaaaaaaa\":1,\"aaaaaaaaa\":2,\"aaaaaaab\":3,\"aaaaaaa\":4}",
	"{\"a\":99999999999999999,\"b\":-9999999999999999,\"c\":0.123456789012345}",
};

static const char *const bad[] = {
	"",
	" ",
	"{",
	"}",
	"[]",
	"1",
	"null",
	"\"a\"",
	"{}{}",
	"{},",
	"{} x",
	"{a:1}",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{,\"a\":1}",
	"{\"a\":1 \"b\":2}",
	"{\"a\":1;\"b\":2}",
	"{\"a\":[1,]}",
	"{\"a\":[,1]}",
	"{\"a\":[1 2]}",
	"{\"a\":[1}",
	"{\"a\":{\"b\":1]}",
	"{\"a\":tru}",
	"{\"a\":truetrue}",
	"{\"a\":True}",
	"{\"a\":nul",
	"{\"a\":+1}",
	"{\"a\":-}",
	"{\"a\":01}",
	"{\"a\":-01}",
	"{\"a\":1.}",
	"{\"a\":.5}",
	"{\"a\":1e}",
	"{\"a\":1e+}",
	"{\"a\":0x10}",
	"{\"a\":NaN}",
	"{'a':1}",
	"{\"a\":\"\n\"}",
	"{\"a\":\"\x1f\"}",
	"{\"a\":\"\\x\"}",
	"{\"a\":\"\\u12\"}",
	"{\"a\":\"\\u123g\"}",
	"{\"a\":\"\\u0000\"}",
	"{\"a\":\"\\ud83d\"}",
	"{\"a\":\"\\ud83d\\n\"}",
	"{\"a\":\"\\ud83dx\\ude00\"}",
	"{\"a\":\"\\ud83d\\ud83d\"}",
	"{\"a\":\"\\ude00\"}",
	"{\"a\":\"\\\"}",
	"{\"a\":\"\xff\"}",
	"{\"a\":\"\xc3\"}",
	"{\"a\":\"\xc0\xaf\"}",
	"{\"a\":\"\xed\xa0\x80\"}",
	"{\"a\":\"\xf4\x90\x80\x80\"}",
	"{\"a\":\"\xe2\x82\"}",
	"{\"a\":1,\"a\":2}",
	"{\"a\":{\"b\":1,\"c\":2,\"b\":3}}",
	"{\"a\":[{\"b\":1,\"b\":1}]}",
	"{\"aaaaaaaaaaaa\":1,\"b\":1,\"aaaaaaaaaaaa\":2}",
	"{\"a\":1e999}",
	"{\"a\":99999999999999999999}",
	"\xef\xbb\xbf{}",
	"/**/{}",
};

/* Right, but not beyond doubt. */
static const char *const doubtful[] = {
	"{\"\\u0061\":1}",
	"{\"a\":{\"b\\n\":1}}",
	"{\"a\":100000000000000000}",
	"{\"a\":4.1600000000000001}",
	"{\"a\":1e100}",
	"{\"a\":1e-001}",
};

static void the_same_as_jansson(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_both(good[i], true, true);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_both(bad[i], false, false);
	for (size_t i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++)
		assert_both(doubtful[i], false, true);
	assert_false(scan("{\"a\":\"\0\"}", 9));
	assert_false(scan("{}\0", 3));
}

static void a_text_that_is_cut_off_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t whole = strlen(good[i]);

		while (good[i][whole - 1] != '}')
			whole--;
		for (size_t len = 0; len < whole; len++)
			assert_false(scan(good[i], len));
	}
}

/* {"a":[[...]]} with so many objects and arrays in one another. */
static bool scan_depth(size_t depth, bool objects)
{
	const char *open = objects ? "{\"a\":" : "[";
	size_t len = 0;
	char text[1024];

	len += (size_t)snprintf(text + len, sizeof(text) - len, "{\"a\":");
	for (size_t i = 1; i < depth; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", open);
	text[len++] = '1';
	for (size_t i = 1; i < depth; i++)
		text[len++] = objects ? '}' : ']';
	text[len++] = '}';
	assert_true(jansson_takes(text, len));
	return scan(text, len);
}

/* {"a":{"k0":0,...}} with so many keys. */
static bool scan_keys(size_t keys)
{
	size_t len = 0;
	char text[4096];

	len += (size_t)snprintf(text + len, sizeof(text) - len, "{\"a\":[{\"b\":0,\"c\":1},{");
	for (size_t i = 1; i < keys; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\"k%zu\":0",
					i > 1 ? "," : "", i);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "}]}");
	assert_true(jansson_takes(text, len));
	return scan(text, len);
}

static void limits_are_where_they_are_said_to_be(void **state)
{
	(void)state;
	assert_true(scan_depth(JSON_TEXT_DEPTH_MAX, false));
	assert_false(scan_depth(JSON_TEXT_DEPTH_MAX + 1, false));
	assert_true(scan_depth(JSON_TEXT_DEPTH_MAX, true));
	assert_false(scan_depth(JSON_TEXT_DEPTH_MAX + 1, true));
	assert_true(scan_keys(JSON_TEXT_KEYS_MAX));
	assert_false(scan_keys(JSON_TEXT_KEYS_MAX + 1));
}

static void deep_nesting_is_not_run_into(void **state)
{
	size_t len = 4u << 20;
	char *deep = malloc(len);

	(void)state;
	assert_non_null(deep);
	memset(deep, '[', len);
	memcpy(deep, "{\"a\":", 5);
	assert_false(scan(deep, len));
	free(deep);
}

static void assert_span(const struct json_member *member, const char *text, size_t count)
{
	assert_true(json_span_is(&member->value, text));
	assert_int_equal(member->value.count, count);
}

static void members_are_found(void **state)
{
	static const char text[] =
		" { \"b\" : [ {\"a\":1} , \"a\" ,[ ]] , \"x\":{\"a\":0} ,\"a\": \"\\\"\xc3\xa9\" ,"
		"\"c\":{\"d\":1,\"e\":[2,3]},\"n\":-1 , \"o\":[ ] } ";
	struct json_member members[] = {{.key = "a"}, {.key = "b"}, {.key = "c"}, {.key = "d"},
					{.key = "n"}, {.key = "o"}, {.key = ""}};

	(void)state;
	assert_true(json_text_object(text, sizeof(text) - 1, members, 7));
	assert_span(&members[0], "\"\\\"\xc3\xa9\"", 0);
	assert_span(&members[1], "[ {\"a\":1} , \"a\" ,[ ]]", 3);
	assert_span(&members[2], "{\"d\":1,\"e\":[2,3]}", 2);
	assert_null(members[3].value.data);
	assert_false(json_span_is(&members[3].value, ""));
	assert_span(&members[4], "-1", 0);
	assert_span(&members[5], "[ ]", 0);
	assert_null(members[6].value.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_as_jansson),
		cmocka_unit_test(a_text_that_is_cut_off_is_none),
		cmocka_unit_test(limits_are_where_they_are_said_to_be),
		cmocka_unit_test(deep_nesting_is_not_run_into),
		cmocka_unit_test(members_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
