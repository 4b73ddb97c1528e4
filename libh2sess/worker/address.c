/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses "ADDRESS:PORT". Pure functions: options.c validates with them, health.c binds, ready.c
 * prints.
 *
 * Nothing is resolved: a name server that is slow or wrong has no part in where a worker listens.
 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define HOST_MAX (INET6_ADDRSTRLEN + 2) /* with brackets, NUL included */

/* "443" and nothing else: no sign, no blank, no leading text. */
static bool parse_port(const char *text, int *ret_port)
{
	size_t digits = strspn(text, "0123456789");
	long port;

	if (!digits || digits > 5 || text[digits])
		return false;
	port = strtol(text, NULL, 10);
	if (port > 65535)
		return false;
	*ret_port = (int)port;
	return true;
}

/* The part before the last colon, brackets taken off; ret_port is its port. */
static bool split(const char *text, char host[HOST_MAX], bool *ret_ipv6, int *ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (!colon || !parse_port(colon + 1, ret_port))
		return false;
	len = (size_t)(colon - text);
	*ret_ipv6 = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	if (*ret_ipv6) {
		text++;
		len -= 2;
	}
	if (!len || len >= HOST_MAX)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

bool address_parse(const char *text, struct sockaddr_storage *ret_address)
{
	struct sockaddr_storage address = {0};
	char host[HOST_MAX];
	bool ipv6;
	int port;

	if (!split(text, host, &ipv6, &port))
		return false;
	if (ipv6 ? uv_ip6_addr(host, port, (struct sockaddr_in6 *)&address)
		 : uv_ip4_addr(host, port, (struct sockaddr_in *)&address))
		return false;
	*ret_address = address;
	return true;
}

bool address_host(const char *text, char *ret, size_t size)
{
	char host[HOST_MAX];
	bool ipv6;
	int port;

	if (!split(text, host, &ipv6, &port) || strlen(host) >= size)
		return false;
	memcpy(ret, host, strlen(host) + 1);
	return true;
}

uint16_t address_port(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return ntohs(((const struct sockaddr_in *)address)->sin_port);
}
