/* SPDX-License-Identifier: Apache-2.0 */
/* The writer of JSON texts: the same octets as jansson's, and a callback that can end it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json_write.h>
#include <stdlib.h>
#include <string.h>

struct sink {
	char text[65536];
	size_t len;
	int calls;
	int fails_at; /* call; 0: none */
};

static int take(const char *data, size_t len, void *user)
{
	struct sink *sink = user;

	if (++sink->calls == sink->fails_at)
		return -1;
	assert_true(sink->len + len <= sizeof(sink->text));
	memcpy(sink->text + sink->len, data, len);
	sink->len += len;
	return 0;
}

static void assert_same(const json_t *value)
{
	static struct sink sink;
	char *expected = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_non_null(expected);
	sink = (struct sink){0};
	assert_int_equal(json_write(value, take, &sink), 0);
	assert_int_equal(sink.len, strlen(expected));
	assert_memory_equal(sink.text, expected, sink.len);
	free(expected);
}

static void assert_same_text(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(value);
	assert_same(value);
	json_decref(value);
}

static void every_type_is_written_as_jansson_does(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"null",
		"[true,false,null]",
		"0",
		"-1",
		"9223372036854775807",
		"-9223372036854775808",
		"[4.16,1e300,-0.0,1e-7,1.0,5e-324,-1.7976931348623157e308]",
		"\"\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u000b\\u001f\x7f\xc3\xa9\xf0\x9f\x98\x80\"",
		"{\"a\\n\\u0002\":{\"\":[]},\"b\":[{\"c\":[1,[2]]},{}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_same_text(texts[i]);
}

static void texts_of_every_length_are_whole(void **state)
{
	char text[2100];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t len = 0; len < sizeof(text); len += len < 900 || len > 1150 ? 97 : 1) {
		json_t *value = json_pack("{s:[s#,s#,i],s:s}", "k", text, (int)len, text, (int)len,
					  7, "e", "\n");

		assert_same(value);
		json_decref(value);
	}
}

static void the_callback_ends_it(void **state)
{
	static struct sink sink;
	json_t *value = json_array();

	(void)state;
	for (int i = 0; i < 2000; i++)
		json_array_append_new(value, json_integer(i));
	sink = (struct sink){0};
	assert_int_equal(json_write(value, take, &sink), 0);
	assert_true(sink.calls > 3);
	for (int call = sink.calls; call > 0; call--) {
		sink = (struct sink){.fails_at = call};
		assert_int_equal(json_write(value, take, &sink), -1);
		assert_int_equal(sink.calls, call);
	}
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_written_as_jansson_does),
		cmocka_unit_test(texts_of_every_length_are_whole),
		cmocka_unit_test(the_callback_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
