/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See proxy_header.h. Version 1 is a line of text of at most 107 bytes, version 2 has a signature,
 * a length, addresses in binary and TLVs. What the specification does not allow is bad: a header
 * decides whom limits and selectors see, so nothing in it is guessed.
 *
 * Addresses that are not of TCP over IP (a Unix socket, "unspecified") say nothing about the client
 * that we could use: the connection's own peer stays.
 */
#include "proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define V1_MAX 107 /* with its CR LF */
#define V2_HEAD 16 /* signature, version and command, family, length */

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* ---- version 1 ------------------------------------------------------------------------------- */

/* "1" to "65535" or "0": no sign, no leading zero. */
static bool read_port(const char *text, in_port_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port;

	if (!digits || digits > 5 || text[digits] || (text[0] == '0' && digits > 1))
		return false;
	port = strtoul(text, NULL, 10);
	if (port > 65535)
		return false;
	*ret = htons((uint16_t)port);
	return true;
}

static bool read_place(int family, const char *address, const char *port,
		       struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (void *)ret;
	struct sockaddr_in6 *v6 = (void *)ret;

	ret->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		return inet_pton(family, address, &v4->sin_addr) == 1 &&
		       read_port(port, &v4->sin_port);
	return inet_pton(family, address, &v6->sin6_addr) == 1 && read_port(port, &v6->sin6_port);
}

/* Cut line at its single blanks. Returns how many words, or 0 when there are not n of them. */
static bool cut(char *line, char *words[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *blank = strchr(line, ' ');

		words[i] = line;
		if (!*line || !blank != (i + 1 == n))
			return false;
		if (blank) {
			*blank = '\0';
			line = blank + 1;
		}
	}
	return true;
}

/* line is what stands behind "PROXY ". */
static bool read_line(char *line, struct proxy_addresses *ret)
{
	char *words[5];
	int family;

	if (strncmp(line, "UNKNOWN", 7) == 0 && (!line[7] || line[7] == ' '))
		return true;
	if (!cut(line, words, 5))
		return false;
	if (strcmp(words[0], "TCP4") == 0)
		family = AF_INET;
	else if (strcmp(words[0], "TCP6") == 0)
		family = AF_INET6;
	else
		return false;
	ret->known = true;
	return read_place(family, words[1], words[3], &ret->source) &&
	       read_place(family, words[2], words[4], &ret->destination);
}

static enum proxy_result parse_v1(const uint8_t *data, size_t len, size_t *ret_len,
				  struct proxy_addresses *ret)
{
	char line[V1_MAX + 1];
	const uint8_t *end = memchr(data, '\n', len < V1_MAX ? len : V1_MAX);
	size_t n;

	if (!end)
		return len < V1_MAX && !memchr(data, '\0', len) ? PROXY_MORE : PROXY_BAD;
	n = (size_t)(end - data);
	if (n < 6 || data[n - 1] != '\r' || memchr(data, '\0', n))
		return PROXY_BAD;
	memcpy(line, data, n - 1);
	line[n - 1] = '\0';
	if (!read_line(line + 6, ret))
		return PROXY_BAD;
	*ret_len = n + 1;
	return PROXY_DONE;
}

/* ---- version 2 ------------------------------------------------------------------------------- */

/* The rest behind the addresses: type, two bytes of length, value, to the end and not beyond. */
static bool tlvs_fit(const uint8_t *data, size_t len)
{
	while (len) {
		size_t value = len >= 3 ? (size_t)data[1] << 8 | data[2] : 0;

		if (len < 3 || len - 3 < value)
			return false;
		data += 3 + value;
		len -= 3 + value;
	}
	return true;
}

static void take_ip4(const uint8_t *data, struct proxy_addresses *ret)
{
	struct sockaddr_in *source = (void *)&ret->source;
	struct sockaddr_in *destination = (void *)&ret->destination;

	source->sin_family = AF_INET;
	destination->sin_family = AF_INET;
	memcpy(&source->sin_addr, data, 4);
	memcpy(&destination->sin_addr, data + 4, 4);
	memcpy(&source->sin_port, data + 8, 2);
	memcpy(&destination->sin_port, data + 10, 2);
	ret->known = true;
}

static void take_ip6(const uint8_t *data, struct proxy_addresses *ret)
{
	struct sockaddr_in6 *source = (void *)&ret->source;
	struct sockaddr_in6 *destination = (void *)&ret->destination;

	source->sin6_family = AF_INET6;
	destination->sin6_family = AF_INET6;
	memcpy(&source->sin6_addr, data, 16);
	memcpy(&destination->sin6_addr, data + 16, 16);
	memcpy(&source->sin6_port, data + 32, 2);
	memcpy(&destination->sin6_port, data + 34, 2);
	ret->known = true;
}

static void take_nothing(const uint8_t *data, struct proxy_addresses *ret)
{
	(void)data;
	(void)ret;
}

/* Families over a stream, and how long their addresses are. */
static const struct family {
	uint8_t code;
	size_t len;
	void (*take)(const uint8_t *data, struct proxy_addresses *ret);
} families[] = {
	{0x00, 0, take_nothing},   /* unspecified */
	{0x11, 12, take_ip4},	   /* TCP over IPv4 */
	{0x21, 36, take_ip6},	   /* TCP over IPv6 */
	{0x31, 216, take_nothing}, /* a Unix stream socket */
};

static bool read_block(uint8_t code, const uint8_t *data, size_t len, struct proxy_addresses *ret)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		if (families[i].code != code)
			continue;
		if (len < families[i].len)
			return false;
		families[i].take(data, ret);
		/* What follows an unspecified address is for nobody to read. */
		return code == 0 || tlvs_fit(data + families[i].len, len - families[i].len);
	}
	return false;
}

static enum proxy_result parse_v2(const uint8_t *data, size_t len, size_t *ret_len,
				  struct proxy_addresses *ret)
{
	size_t body;
	bool local;

	if (len < V2_HEAD)
		return PROXY_MORE;
	if (data[12] != 0x20 && data[12] != 0x21)
		return PROXY_BAD;
	local = data[12] == 0x20; /* the balancer speaks for itself: its addresses are skipped */
	body = (size_t)data[14] << 8 | data[15];
	if (len - V2_HEAD < body)
		return PROXY_MORE;
	if (!local && !read_block(data[13], data + V2_HEAD, body, ret))
		return PROXY_BAD;
	*ret_len = V2_HEAD + body;
	return PROXY_DONE;
}

/* ---- either ---------------------------------------------------------------------------------- */

static bool begins_with(const uint8_t *data, size_t len, const void *start, size_t start_len)
{
	return memcmp(data, start, len < start_len ? len : start_len) == 0;
}

enum proxy_result proxy_header_parse(const uint8_t *data, size_t len, size_t *ret_len,
				     struct proxy_addresses *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (begins_with(data, len, signature, sizeof(signature)))
		return parse_v2(data, len, ret_len, ret);
	if (begins_with(data, len, "PROXY ", 6))
		return parse_v1(data, len, ret_len, ret);
	return PROXY_BAD;
}
