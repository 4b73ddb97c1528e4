/* SPDX-License-Identifier: Apache-2.0 */
/* Times as RFC 3339 writes them, and names that are safe in a URL. */
#include "controld/names.h"
#include "controld/times.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void times_that_are(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00.001Z", 1},
		{"1970-01-01t00:00:00z", 0},
		{"1970-01-01T01:00:00+01:00", 0},
		{"1969-12-31T19:00:00-05:00", 0},
		{"1970-01-01T00:00:00.5+00:00", 500},
		{"1970-01-01T00:00:00.123456789Z", 123}, /* what is finer is cut off */
		{"1970-01-01T00:00:00-00:00", 0},
		{"2000-02-29T12:34:56Z", 951827696000},
		{"2026-11-27T23:59:59.999Z", 1795823999999},
		{"2016-12-31T23:59:60Z", 1483228800000}, /* a leap second is the next one */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = -1;

		if (time_parse(rows[i].text, &ms) < 0 || ms != rows[i].ms)
			fail_msg("%s: %lld", rows[i].text, (long long)ms);
	}
}

static void times_that_are_none(void **state)
{
	static const char *const rows[] = {
		"",
		"now",
		"2026",
		"2026-01-01",
		"2026-01-01T00:00Z",
		"2026-01-01T00:00:00",
		"2026-01-01 00:00:00Z",
		"2026-1-01T00:00:00Z",
		"26-01-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-01-32T00:00:00Z",
		"2026-02-29T00:00:00Z", /* no leap year */
		"2026-04-31T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z",
		"2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00.1",
		"2026-01-01T00:00:00+1:00",
		"2026-01-01T00:00:00+01",
		"2026-01-01T00:00:00+0100",
		"2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+01:60",
		"2026-01-01T00:00:00Z ",
		"2026-01-01T00:00:00ZZ",
		"2026-01-01T00:00:00+01:00x",
		" 2026-01-01T00:00:00Z",
		"-026-01-01T00:00:00Z",
		"+2026-01-01T00:00:00Z",
	};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (time_parse(rows[i], &ms) == 0)
			fail_msg("taken: %s", rows[i]);
}

static void a_time_comes_back(void **state)
{
	static const int64_t rows[] = {0, 1, 999, 951827696000, 1795823999999, 253402300799999};
	char text[TIME_TEXT];
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		time_text(rows[i], text);
		assert_int_equal(time_parse(text, &ms), 0);
		assert_true(ms == rows[i]);
	}
	time_text(1795823999999, text);
	assert_string_equal(text, "2026-11-27T23:59:59.999Z");
}

static void random_names(void **state)
{
	char one[17], two[17];

	(void)state;
	random_name(one, 16);
	random_name(two, 16);
	assert_int_equal(strspn(one, "abcdefghijklmnopqrstuvwxyz0123456789"), 16);
	assert_int_equal(strlen(one), 16);
	assert_string_not_equal(one, two); /* one in 36^16 */
}

static void octets_come_back(void **state)
{
	unsigned char octets[64], back[64];
	char text[4 * sizeof(octets) / 3 + 4];

	(void)state;
	for (size_t len = 0; len <= sizeof(octets); len++) {
		for (size_t i = 0; i < len; i++)
			octets[i] = (unsigned char)(i * 89 + len * 7 + 251);
		base64url_encode(octets, len, text);
		assert_null(strpbrk(text, "+/="));
		assert_int_equal(base64url_decode(text, strlen(text), back, sizeof(back)), len);
		assert_memory_equal(back, octets, len);
	}
	base64url_encode("\xfb\xff\xfe", 3, text);
	assert_string_equal(text, "-__-");
}

static void octets_that_are_none(void **state)
{
	unsigned char back[4];

	(void)state;
	assert_int_equal(base64url_decode("AA==", 4, back, sizeof(back)), -1);
	assert_int_equal(base64url_decode("A/", 2, back, sizeof(back)), -1);
	assert_int_equal(base64url_decode("A\0A", 3, back, sizeof(back)), -1);
	assert_int_equal(base64url_decode("AAAAAAAA", 8, back, sizeof(back)), -1); /* no room */
	assert_int_equal(base64url_decode("AAAA", 4, back, sizeof(back)), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_that_are),    cmocka_unit_test(times_that_are_none),
		cmocka_unit_test(a_time_comes_back), cmocka_unit_test(random_names),
		cmocka_unit_test(octets_come_back),  cmocka_unit_test(octets_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
