/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What selectors are made of, on both sides of the control protocol: globs, blocks of addresses,
 * samples. The shares are written down, since no version may have others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <address_block.h>
#include <cmocka.h>
#include <glob.h>
#include <h2sess/h2sess.h>
#include <sample.h>
#include <stdio.h>
#include <string.h>

/* ---- globs ----------------------------------------------------------------------------------- */

static void globs_match(void **state)
{
	static const struct {
		const char *glob;
		const char *text;
		bool matches;
	} rows[] = {
		{"www.*", "www.example.org", true},
		{"WWW.*.org", "www.example.ORG", true},
		{"*", "", true},
		{"?", "", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"*.???", "x.org", true},
		{"*a*b", "aab", true},
		{"*a*b", "aba", false},
		{"**x**", "yxy", true},
		{"abc", "abcd", false},
		{"", "", true},
		{"*", NULL, false},
	};
	static struct glob glob;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		glob_read(rows[i].glob, &glob);
		if (glob_matches(&glob, rows[i].text) != rows[i].matches)
			fail_msg("%s, %s", rows[i].glob, rows[i].text);
	}
}

/* The longest glob, and a text that makes one that tries again take for ever. */
static void globs_are_bounded(void **state)
{
	static struct glob glob;
	static char text[4096], longest[GLOB_MAX + 1];

	(void)state;
	memset(longest, 'a', GLOB_MAX);
	memcpy(text, longest, GLOB_MAX);
	glob_read(longest, &glob);
	assert_true(glob_matches(&glob, text));
	text[GLOB_MAX - 1] = 'b';
	assert_false(glob_matches(&glob, text));
	for (size_t i = 0; i < GLOB_MAX; i += 2)
		longest[i] = '*';
	longest[GLOB_MAX - 1] = 'b';
	memset(text, 'a', sizeof(text) - 1);
	glob_read(longest, &glob);
	assert_false(glob_matches(&glob, text));
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void blocks_have_addresses(void **state)
{
	static const struct {
		const char *block;
		const char *address;
		bool has;
	} rows[] = {
		{"192.0.2.0/24", "192.0.2.17", true},
		{"192.0.2.0/24", "192.0.3.17", false},
		{"192.0.2.99/24", "192.0.2.17", true},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"0.0.0.0/0", "198.51.100.1", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "2001:db8::1", true},
		{"::/0", "198.51.100.1", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"::ffff:192.0.2.1", "192.0.2.1", true},
	};
	struct address_block block;
	uint8_t address[16];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(address_block_read(rows[i].block, &block), 0);
		assert_true(address_read(rows[i].address, address));
		if (address_block_has(&block, address) != rows[i].has)
			fail_msg("%s, %s", rows[i].block, rows[i].address);
	}
}

static void blocks_are_refused(void **state)
{
	static const char *const malformed[] = {"",	      "x",	     "192.0.2",
						"192.0.2.0/", "192.0.2.0/x", "192.0.2.0/-1",
						"/24",	      "192.0.2.0/2 "};
	struct address_block block;

	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		assert_int_equal(address_block_read(malformed[i], &block), H2SESS_EINVAL);
	assert_int_equal(address_block_read("192.0.2.0/33", &block), H2SESS_ERANGE);
	assert_int_equal(address_block_read("::/129", &block), H2SESS_ERANGE);
}

/* ---- samples --------------------------------------------------------------------------------- */

static void shares_stay_as_they_are(void **state)
{
	static const struct {
		const char *who;
		bool by_peer;
		double share;
	} rows[] = {
		{"k3v9x2m1qp7a-64", false, 0.16294342765351566},
		{"k3v9x2m1qp7a-65", false, 0.7529841422922668},
		{"k3v9x2m1qp7a-128", false, 0.8850051741852577},
		{"192.0.2.1", true, 0.593575436405107},
		{"::ffff:192.0.2.1", true, 0.593575436405107},
		{"2001:db8::1", true, 0.5543848977059096},
		{"2001:db8:0:0::1", true, 0.5543848977059096},
		{"unix", true, 0.5853959566122474},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool (*has)(const char *, double) =
			rows[i].by_peer ? sample_has_peer : sample_has_session;

		assert_false(has(rows[i].who, rows[i].share - 1e-12));
		assert_true(has(rows[i].who, rows[i].share + 1e-12));
	}
}

static void smaller_samples_are_in_larger_ones(void **state)
{
	unsigned five = 0, quarter = 0;
	char id[32];

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(id, sizeof(id), "k3v9x2m1qp7a-%u", i * 64);
		five += sample_has_session(id, 0.05);
		quarter += sample_has_session(id, 0.25);
		if (sample_has_session(id, 0.05))
			assert_true(sample_has_session(id, 0.25));
		assert_true(sample_has_session(id, 1));
	}
	assert_in_range(five, 400, 600);
	assert_in_range(quarter, 2300, 2700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs_match),
		cmocka_unit_test(globs_are_bounded),
		cmocka_unit_test(blocks_have_addresses),
		cmocka_unit_test(blocks_are_refused),
		cmocka_unit_test(shares_stay_as_they_are),
		cmocka_unit_test(smaller_samples_are_in_larger_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
