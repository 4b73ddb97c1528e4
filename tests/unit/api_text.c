/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The growing string: what was added is there, in order, behind it a NUL; its bound holds to the
 * octet, and after a failure nothing is added.
 */
#include "api/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void adding(void **state)
{
	struct text text = {0};
	json_t *value = json_pack("{s:i, s:s}", "n", 7, "s", "\"");

	(void)state;
	text_add(&text, "");
	text_append(&text, "a\0b", 3);
	text_format(&text, "%d-%s", 12, "x");
	text_add_json(&text, value);
	text_add(&text, "!");
	assert_false(text.failed);
	assert_int_equal(text.len, strlen("a?b12-x{\"n\":7,\"s\":\"\\\"\"}!"));
	assert_memory_equal(text.data, "a\0b12-x{\"n\":7,\"s\":\"\\\"\"}!", text.len + 1);
	json_decref(value);
	text_done(&text);
	assert_null(text.data);
	assert_int_equal(text.len, 0);
}

static void growing(void **state)
{
	struct text text = {0};

	(void)state;
	for (int i = 0; i < 5000; i++) {
		text_format(&text, "%04d", i);
		assert_int_equal(text.len, 4 * (i + 1));
		assert_int_equal(text.data[text.len], 0);
	}
	assert_memory_equal(text.data + 4 * 1234, "12341235", 8);
	text_done(&text);
}

static void consuming(void **state)
{
	struct text text = {0};

	(void)state;
	text_consume(&text, 0); /* of nothing */
	text_add(&text, "first second");
	text_consume(&text, 6);
	assert_string_equal(text.data, "second");
	text_add(&text, "!");
	text_consume(&text, text.len);
	assert_int_equal(text.len, 0);
	assert_string_equal(text.data, "");
	text_done(&text);
}

static void the_bound(void **state)
{
	struct text text = {.max = 5};

	(void)state;
	text_add(&text, "123");
	text_format(&text, "%s", "45");
	assert_false(text.failed);
	text_add(&text, "");
	assert_false(text.failed);
	text_add(&text, "6");
	assert_true(text.failed);
	assert_string_equal(text.data, "12345");
	text_done(&text);

	text = (struct text){.max = 5};
	text_append(&text, "123456", 6);
	text_add(&text, "1"); /* has room, but comes too late */
	text_add_json(&text, json_null());
	assert_true(text.failed);
	assert_int_equal(text.len, 0);
	text_done(&text);
}

static void no_value(void **state)
{
	struct text text = {0};

	(void)state;
	text_add_json(&text, NULL);
	assert_true(text.failed);
	text_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adding),    cmocka_unit_test(growing),
		cmocka_unit_test(consuming), cmocka_unit_test(the_bound),
		cmocka_unit_test(no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
