/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where to listen, as text: `unix:PATH[,role=ROLE][,group=GROUP][,mode=OCTAL]` or `ADDR:PORT`,
 * where ADDR is a loopback address or localhost. Called by options.c; resolves no names, so it
 * never waits.
 */
#include "options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define SOCKET_MODE_DEFAULT 0660

static int refuse(char *why, const char *text, const char *what)
{
	snprintf(why, OPTIONS_WHY_MAX, "%s: %.100s", text, what);
	return -1;
}

static int parse_mode(const char *text, mode_t *ret, char *why)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (!isdigit((unsigned char)*text) || *end || mode > 0777)
		return refuse(why, "not an octal mode up to 0777", text);
	*ret = (mode_t)mode;
	return 0;
}

/* `seen` has a bit for each of names: none may stand twice, least of all role. */
static int check_once(const char *name, unsigned *seen, char *why)
{
	static const char *const names[] = {"mode", "role", "group"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		if (*seen & 1u << i)
			return refuse(why, "an attribute stands twice", name);
		*seen |= 1u << i;
	}
	return 0;
}

static int parse_attribute(char *attribute, struct listen_spec *spec, unsigned *seen, char *why)
{
	char *value = strchr(attribute, '=');

	if (!value || !value[1])
		return refuse(why, "not NAME=VALUE", attribute);
	*value++ = 0;
	if (check_once(attribute, seen, why) < 0)
		return -1;
	if (strcmp(attribute, "mode") == 0)
		return parse_mode(value, &spec->mode, why);
	if (strcmp(attribute, "role") == 0) {
		spec->role = role_by_name(value);
		return spec->role == ROLE_NONE ? refuse(why, "no such role", value) : 0;
	}
	if (strcmp(attribute, "group") == 0) {
		spec->group = strdup(value);
		return spec->group ? 0 : refuse(why, "out of memory", "");
	}
	return refuse(why, "no such attribute", attribute);
}

static int parse_unix(const char *value, struct listen_spec *spec, char *why)
{
	size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	char *save = NULL, *piece;
	unsigned seen = 0;

	spec->mode = SOCKET_MODE_DEFAULT;
	spec->role = ROLE_ADMIN;
	spec->path = strdup(value);
	if (!spec->path || !strtok_r(spec->path, ",", &save) || value[0] == ',')
		return refuse(why, "a path is missing", value);
	while ((piece = strtok_r(NULL, ",", &save)))
		if (parse_attribute(piece, spec, &seen, why) < 0)
			return -1;
	if (strlen(spec->path) <= room)
		return 0;
	snprintf(why, OPTIONS_WHY_MAX, "the path has %zu octets, a Unix socket's may have %zu",
		 strlen(spec->path), room);
	return -1;
}

static int parse_port(const char *text, uint16_t *ret, char *why)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || port > 65535)
		return refuse(why, "not a port", text);
	*ret = htons((uint16_t)port);
	return 0;
}

bool address_is_loopback(const union socket_address *address)
{
	if (address->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->ip6.sin6_addr);
	return ntohl(address->ip4.sin_addr.s_addr) >> 24 == 127;
}

bool address_equal(const union socket_address *a, const union socket_address *b)
{
	if (a->any.sa_family != b->any.sa_family || a->ip4.sin_port != b->ip4.sin_port)
		return false;
	if (a->any.sa_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a->ip6.sin6_addr, &b->ip6.sin6_addr);
	return a->ip4.sin_addr.s_addr == b->ip4.sin_addr.s_addr;
}

static int parse_address(const char *host, union socket_address *address, char *why)
{
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &address->ip4.sin_addr) == 1)
		address->any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &address->ip6.sin6_addr) == 1)
		address->any.sa_family = AF_INET6;
	else
		return refuse(why, "not unix:PATH and not an address", host);
	if (!address_is_loopback(address))
		return refuse(why, "TCP listeners are for loopback addresses only", host);
	return 0;
}

static int parse_tcp(const char *value, struct listen_spec *spec, char *why)
{
	const char *colon = strrchr(value, ':'), *from = value, *to = colon;
	char host[64];

	if (!colon)
		return refuse(why, "not unix:PATH and not ADDR:PORT", value);
	if (*from == '[' && to > from && to[-1] == ']') {
		from++;
		to--;
	}
	if ((size_t)(to - from) >= sizeof(host))
		return refuse(why, "not an address", value);
	snprintf(host, sizeof(host), "%.*s", (int)(to - from), from);
	if (parse_address(host, &spec->address, why) < 0)
		return -1;
	return parse_port(colon + 1, &spec->address.ip4.sin_port, why); /* the same place in both */
}

int listen_spec_parse(const char *value, struct listen_spec *ret, char *why)
{
	struct listen_spec spec = {0};
	int r;

	if (strncmp(value, "unix:", 5) == 0)
		r = parse_unix(value + 5, &spec, why);
	else
		r = parse_tcp(value, &spec, why);
	if (r < 0) {
		listen_spec_done(&spec);
		return -1;
	}
	*ret = spec;
	return 0;
}

void listen_spec_done(struct listen_spec *spec)
{
	free(spec->path);
	free(spec->group);
	*spec = (struct listen_spec){0};
}
