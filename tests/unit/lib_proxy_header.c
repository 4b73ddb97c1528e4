/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY headers: what is one, what is not, and what is none yet. */
#include "libh2sess/src/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4 "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\x30\x39\1\xbb"
#define SRC6 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
#define DST6 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"

struct row {
	const char *bytes;
	size_t len;
	const char *source; /* NULL: bad; "": good, but says nothing */
};

#define TEXT(t) t, sizeof(t) - 1

static const struct row ROWS[] = {
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.1 12345 443\r\n"), "192.0.2.1 12345"},
	{TEXT("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), "2001:db8::1 1"},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.1 0 443\r\n"), "192.0.2.1 0"},
	{TEXT("PROXY UNKNOWN\r\n"), ""},
	{TEXT("PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n"), ""},
	{TEXT("PROXY UNKNOWNX\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.1 12345 443\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.1 12345 65536\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.1 012 443\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.1 12345\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.1 12345 443 \r\n"), NULL},
	{TEXT("PROXY TCP4  192.0.2.1 198.51.100.1 12345 443\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1.5 198.51.100.1 12345 443\r\n"), NULL},
	{TEXT("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), NULL},
	{TEXT("PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n"), NULL},
	{TEXT("PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n"), NULL},
	{TEXT("PROXY \r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1\0 198.51.100.1 1 2\r\n"), NULL},
	{TEXT("proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n"), NULL},
	{TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), NULL},
	{TEXT("\x16\3\1\2\0\1\0\1\xfc\3\3"), NULL},
	{TEXT(SIGNATURE TCP4), "192.0.2.1 12345"},
	{TEXT(SIGNATURE "\x21\x21\0\x24" SRC6 DST6 "\x30\x39\1\xbb"), "2001:db8::1 12345"},
	{TEXT(SIGNATURE "\x21\x11\0\x12\xc0\0\2\1\xc6\x33\x64\1\x30\x39\1\xbb"
			"\1\0\3foo"),
	 "192.0.2.1 12345"}, /* a TLV */
	{TEXT(SIGNATURE "\x20\0\0\0"), ""},
	{TEXT(SIGNATURE "\x20\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\x30\x39\1\xbb"), ""}, /* LOCAL */
	{TEXT(SIGNATURE "\x21\0\0\3abc"), ""},
	{TEXT(SIGNATURE "\x11\x11\0\0"), NULL},				  /* version 1 in binary */
	{TEXT(SIGNATURE "\x22\x11\0\0"), NULL},				  /* no such command */
	{TEXT(SIGNATURE "\x21\x12\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0"), NULL}, /* UDP */
	{TEXT(SIGNATURE "\x21\x11\0\x0b\0\0\0\0\0\0\0\0\0\0\0"), NULL},	  /* too short */
	{TEXT(SIGNATURE "\x21\x11\0\x10\xc0\0\2\1\xc6\x33\x64\1\x30\x39\1\xbb\1\0\3f"),
	 NULL}, /* a TLV that goes beyond */
	{TEXT(SIGNATURE "\x21\x11\0\x0e\xc0\0\2\1\xc6\x33\x64\1\x30\x39\1\xbb\1\0"), NULL},
};

static void show(const struct proxy_addresses *a, char *ret, size_t size)
{
	char address[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *v4 = (const void *)&a->source;
	const struct sockaddr_in6 *v6 = (const void *)&a->source;
	int family = a->source.ss_family;

	*ret = '\0';
	if (!a->known)
		return;
	inet_ntop(family, family == AF_INET ? (const void *)&v4->sin_addr : &v6->sin6_addr, address,
		  sizeof(address));
	snprintf(ret, size, "%s %u", address,
		 ntohs(family == AF_INET ? v4->sin_port : v6->sin6_port));
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		struct proxy_addresses addresses;
		uint8_t bytes[256];
		char source[80];
		size_t len = 0;
		enum proxy_result result;

		memcpy(bytes, ROWS[i].bytes, ROWS[i].len);
		memcpy(bytes + ROWS[i].len, "PRI *", 5); /* what comes behind is not the header's */
		result = proxy_header_parse(bytes, ROWS[i].len + 5, &len, &addresses);
		if (result != (ROWS[i].source ? PROXY_DONE : PROXY_BAD))
			fail_msg("row %zu: %d", i, result);
		if (!ROWS[i].source)
			continue;
		assert_int_equal(len, ROWS[i].len);
		show(&addresses, source, sizeof(source));
		assert_string_equal(source, ROWS[i].source);
	}
}

/* Every beginning of a good header is a header that is not complete. */
static void test_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		struct proxy_addresses addresses;
		size_t len;

		for (size_t n = 1; ROWS[i].source && n < ROWS[i].len; n++)
			assert_int_equal(proxy_header_parse((const uint8_t *)ROWS[i].bytes, n, &len,
							    &addresses),
					 PROXY_MORE);
	}
}

static void test_a_line_has_its_length(void **state)
{
	struct proxy_addresses addresses;
	uint8_t line[200];
	size_t len;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(proxy_header_parse(line, 106, &len, &addresses), PROXY_MORE);
	assert_int_equal(proxy_header_parse(line, 107, &len, &addresses), PROXY_BAD);
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(proxy_header_parse(line, 200, &len, &addresses), PROXY_DONE);
	assert_int_equal(len, 107);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_a_line_has_its_length),
	};

	return cmocka_run_group_tests_name("lib_proxy_header", tests, NULL, NULL);
}
