/* SPDX-License-Identifier: Apache-2.0 */
/* Origins of URLs: Node's rows, and the corners of the WHATWG parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libh2sess/src/origin.h"

#include <h2sess/h2sess.h>

static const struct {
	const char *row; /* of Node's table, or what it is about */
	const char *url;
	const char *origin; /* NULL: error */
	int error;
} rows[] = {
	{"1", "https://example.org:8111/this", "https://example.org:8111", 0},
	{"2", "https://example.org:80", "https://example.org:80", 0},
	{"3", "https://example.org:443/foo", "https://example.org", 0},
	{"3", "https://EXAMPLE.org:443/x", "https://example.org", 0},
	{"4",
	 "https://b\xc3\xbc"
	 "cher.example",
	 "https://xn--bcher-kva.example", 0},
	{"5", "https://user:pw@ex.org/?q#f", "https://ex.org", 0},
	{"6", "ftp://ex.org", "ftp://ex.org", 0},
	{"6", "ws://ex.org:81", "ws://ex.org:81", 0},
	{"7", "blob:https://ex.org/uuid", "https://ex.org", 0},
	{"8", "file:///x", NULL, H2SESS_EORIGIN},
	{"8", "abc:", NULL, H2SESS_EORIGIN},
	{"9", "nope", NULL, H2SESS_EURL},
	{"9", "", NULL, H2SESS_EURL},
	{"41", "foo://bar", NULL, H2SESS_EORIGIN},
	{"42", "not a valid url", NULL, H2SESS_EURL},
	{"45", "https://*.example.org", "https://*.example.org", 0},
	{"45", "https://[::1]:443", "https://[::1]", 0},
	{"45", "https://192.168.1", "https://192.168.0.1", 0},
	{"row 12's host, whole", "https://\xe4\xb8\xad.example", "https://xn--fiq.example", 0},
	{"spaces at the ends", "  https://a  ", "https://a", 0},
	{"tabs and newlines", "ht\ttps:/\n/a\r.b", "https://a.b", 0},
	{"slashes", "https:\\\\\\a", "https://a", 0},
	{"no slashes", "https:a", "https://a", 0},
	{"the last @ counts", "https://a@b@c:8", "https://c:8", 0},
	{"a backslash ends the authority", "https://a\\@evil", "https://a", 0},
	{"empty host", "https://", NULL, H2SESS_EURL},
	{"empty host", "https://u@/", NULL, H2SESS_EURL},
	{"empty host", "https://:80", NULL, H2SESS_EURL},
	{"empty port", "https://a:", "https://a", 0},
	{"zeros before a port", "https://a:00080", "https://a:80", 0},
	{"port 0", "https://a:0", "https://a:0", 0},
	{"port too large", "https://a:65536", NULL, H2SESS_EURL},
	{"port with a letter", "https://a:8x", NULL, H2SESS_EURL},
	{"percent", "https://EXA%4dPLE", "https://example", 0},
	{"percent of nothing", "https://%zz", NULL, H2SESS_EURL},
	{"a percent-encoded slash", "https://a%2fb", NULL, H2SESS_EURL},
	{"hexadecimal IPv4", "http://0x7f.1", "http://127.0.0.1", 0},
	{"octal IPv4", "http://0177.0.0.01", "http://127.0.0.1", 0},
	{"IPv4 with a dot behind", "http://1.2.3.4.", "http://1.2.3.4", 0},
	{"IPv4 in one part", "http://4294967295", "http://255.255.255.255", 0},
	{"IPv4 too large", "http://4294967296", NULL, H2SESS_EURL},
	{"five parts", "http://1.2.3.4.5", NULL, H2SESS_EURL},
	{"a last label that is a number", "http://a.09", NULL, H2SESS_EURL},
	{"full-width digits", "http://\xef\xbc\x91.2.3.4", "http://1.2.3.4", 0},
	{"IPv6 is compressed", "http://[1:0:0:2:0:0:0:3]", "http://[1:0:0:2::3]", 0},
	{"IPv6 with IPv4", "http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]", 0},
	{"IPv6 with a zone", "http://[::1%25eth0]", NULL, H2SESS_EURL},
	{"IPv6 without an end", "http://[::1", NULL, H2SESS_EURL},
	{"IPv6 compressed twice", "http://[1::2::3]", NULL, H2SESS_EURL},
	{"invalid UTF-8", "https://a\xff.b", NULL, H2SESS_EURL},
	{"an ideographic full stop",
	 "https://a\xe3\x80\x82"
	 "b",
	 "https://a.b", 0},
	{"an ASCII label may be long",
	 "https://"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaa.x",
	 "https://"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x",
	 0},
	{"a symbol", "https://\xe2\x98\x83.net", "https://xn--n3h.net", 0},
	{"a symbol's A-label", "https://XN--N3H.net", "https://xn--n3h.net", 0},
	{"a symbol by a joiner", "https://\xe2\x98\x83\xe2\x80\x8d.net", NULL, H2SESS_EURL},
	{"sharp s stays", "https://fa\xc3\x9f.de", "https://xn--fa-hia.de", 0},
	{"hyphens beside an IDN", "https://-a.b--c.\xc3\xbc", "https://-a.b--c.xn--tda", 0},
	{"a soft hyphen is nothing",
	 "https://a\xc2\xad"
	 "b",
	 "https://ab", 0},
	{"an A-label that hides one", "https://xn--ab-1ca", NULL, H2SESS_EURL},
	{"an A-label that would be mapped", "https://xn--fxn---hia.de", NULL, H2SESS_EURL},
	{"from right to left", "https://\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d.example",
	 "https://xn--9dbne9b.example", 0},
	{"two kinds of digits",
	 "https://\xda\xb1\xd9\xa6"
	 "4",
	 NULL, H2SESS_EURL},
	{"a hyphen and a mark", "https://\xdb\x85-\xcc\x98", NULL, H2SESS_EURL},
	{"a foreign scheme's bad host", "foo://b r", NULL, H2SESS_EURL},
	{"blob of nothing", "blob:abc", NULL, H2SESS_EORIGIN},
	{"blob of another scheme", "blob:ws://a", NULL, H2SESS_EORIGIN},
};

static void origins(void **state)
{
	char buf[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = h2sess_origin_of(rows[i].url, buf, sizeof(buf));

		if (rows[i].origin ? r < 0 || strcmp(buf, rows[i].origin) != 0 : r != rows[i].error)
			fail_msg("%s: %s gave %d %s", rows[i].row, rows[i].url, r,
				 r > 0 ? buf : h2sess_errname(r));
	}
}

static void a_small_buffer_is_said(void **state)
{
	char buf[10];

	(void)state;
	assert_int_equal(h2sess_origin_of("https://a", buf, 10), 9);
	assert_int_equal(h2sess_origin_of("https://ab", buf, 10), H2SESS_ERANGE);
	assert_int_equal(h2sess_origin_of(NULL, buf, 10), H2SESS_EURL);
}

static void long_urls_have_a_bound(void **state)
{
	static char url[ORIGIN_URL_MAX + 2], buf[ORIGIN_URL_MAX + 2];

	(void)state;
	memset(url, 'a', sizeof(url) - 1);
	memcpy(url, "https://", 8);
	assert_int_equal(origin_of(url, ORIGIN_URL_MAX, buf, sizeof(buf)), ORIGIN_URL_MAX);
	assert_int_equal(origin_of(url, ORIGIN_URL_MAX + 1, buf, sizeof(buf)), H2SESS_EURL);
}

static void a_nul_is_no_end(void **state)
{
	char buf[64];

	(void)state;
	assert_int_equal(origin_of("https://a\0b", 11, buf, sizeof(buf)), H2SESS_EURL);
	assert_int_equal(origin_of("blob:https://a\0b", 16, buf, sizeof(buf)), H2SESS_EORIGIN);
}

static void parts(void **state)
{
	struct origin_parts p;

	(void)state;
	assert_int_equal(origin_split("https://a.b", &p), 0);
	assert_int_equal(p.port, 443);
	assert_int_equal(p.host_len, 3);
	assert_int_equal(origin_split("http://[::1]:8080", &p), 0);
	assert_int_equal(p.port, 8080);
	assert_memory_equal(p.host, "[::1]", p.host_len);
	assert_int_equal(p.scheme_len, 4);
	assert_int_equal(origin_split("https://", &p), H2SESS_EORIGIN);
	assert_int_equal(origin_split("https://a:x", &p), H2SESS_EORIGIN);
	assert_int_equal(origin_split("abc", &p), H2SESS_EORIGIN);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(origins),
		cmocka_unit_test(a_small_buffer_is_said),
		cmocka_unit_test(long_urls_have_a_bound),
		cmocka_unit_test(a_nul_is_no_end),
		cmocka_unit_test(parts),
	};

	return cmocka_run_group_tests_name("lib_origin", tests, NULL, NULL);
}
