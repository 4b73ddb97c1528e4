/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes of apps: said, checked, found. Pure but for memory.
 *
 * A host is compared without its port, without regard to case and to a dot at its end, as DNS does.
 * A path is compared by whole segments: "/api" has "/api", "/api/x" and "/api?x", not "/apix". It is
 * compared as it was sent: a client that spells "/api" as "/%61pi" asks for something else, which at
 * worst is not found.
 */
#include "app_route.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OUT_OF_MEMORY "out of memory"
#define HOST_RULE "a host is a name, *.NAME, an address, or *"
#define PATH_RULE "a path is / and segments, without ? # % and //"
#define HOST_MAX 253

/* ---- one route ------------------------------------------------------------------------------- */

const char *app_route_set_spec(struct app_route *route, const char *spec)
{
	if (!*spec || *spec == ':')
		return "NAME[:CONFIG] is needed";
	if (route->spec)
		return "given more than once";
	route->spec = strdup(spec);
	return route->spec ? NULL : OUT_OF_MEMORY;
}

static bool is_host(const char *host, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_[]:";

	if (len > 2 && host[0] == '*' && host[1] == '.') {
		host += 2;
		len -= 2;
	}
	return len && len <= HOST_MAX && strspn(host, allowed) >= len;
}

static const char *add_host(struct app_route *route, const char *host, size_t len)
{
	if (len == 1 && *host == '*')
		return NULL; /* every host: as without one */
	if (!is_host(host, len))
		return HOST_RULE;
	if (!strings_add(&route->hosts, host, len))
		return OUT_OF_MEMORY;
	for (char *c = route->hosts.items[route->hosts.n - 1]; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return NULL;
}

const char *app_route_add_host(struct app_route *route, const char *host)
{
	return add_host(route, host, strlen(host));
}

static const char *set_path(struct app_route *route, const char *path, size_t len)
{
	char *copy;

	if (len && path[len - 1] == '/')
		len--; /* "/api/" is "/api", and "/" every path */
	copy = strndup(path, len);
	if (!copy)
		return OUT_OF_MEMORY;
	free(route->path);
	route->path = copy;
	if (len && (*copy != '/' || strpbrk(copy, "?#%") || strstr(copy, "//")))
		return PATH_RULE;
	return NULL;
}

const char *app_route_set_path(struct app_route *route, const char *path)
{
	return *path ? set_path(route, path, strlen(path)) : PATH_RULE;
}

/* ---- all of them ----------------------------------------------------------------------------- */

const char *app_routes_add_empty(struct app_routes *routes)
{
	struct app_route *items;

	if (routes->n == APP_ROUTES_MAX)
		return "given too often";
	items = realloc(routes->items, (routes->n + 1) * sizeof(*items));
	if (!items)
		return OUT_OF_MEMORY;
	routes->items = items;
	memset(&items[routes->n], 0, sizeof(*items));
	items[routes->n].path = strdup("");
	if (!items[routes->n].path)
		return OUT_OF_MEMORY;
	routes->n++;
	return NULL;
}

/* What stands before '=' when that comes before any ':'. */
static const char *take_place(struct app_route *route, const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	size_t host_len = slash ? (size_t)(slash - text) : len;
	const char *rule = NULL;

	if (host_len)
		rule = add_host(route, text, host_len);
	if (!rule && slash)
		rule = set_path(route, slash, len - host_len);
	return rule;
}

const char *app_routes_add(struct app_routes *routes, const char *text)
{
	size_t len = strcspn(text, "=:");
	const char *rule = app_routes_add_empty(routes);
	struct app_route *route = &routes->items[routes->n - 1];

	if (rule)
		return rule;
	if (text[len] == '=') {
		rule = take_place(route, text, len);
		text += len + 1;
	}
	return rule ? rule : app_route_set_spec(route, text);
}

void app_routes_done(struct app_routes *routes)
{
	for (size_t i = 0; i < routes->n; i++) {
		free(routes->items[i].spec);
		free(routes->items[i].path);
		strings_done(&routes->items[i].hosts);
	}
	free(routes->items);
	memset(routes, 0, sizeof(*routes));
}

static const char *shared_host(const struct app_route *a, const struct app_route *b)
{
	if (!a->hosts.n && !b->hosts.n)
		return "every host";
	for (size_t i = 0; i < a->hosts.n; i++) {
		for (size_t j = 0; j < b->hosts.n; j++) {
			if (!strcmp(a->hosts.items[i], b->hosts.items[j]))
				return a->hosts.items[i];
		}
	}
	return NULL;
}

const char *app_routes_conflict(const struct app_routes *routes)
{
	static char place[512];

	for (size_t i = 0; i < routes->n; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct app_route *a = &routes->items[i], *b = &routes->items[j];
			const char *host = shared_host(a, b);

			if (!host || strcmp(a->path, b->path))
				continue;
			snprintf(place, sizeof(place), "%s%s", host, *a->path ? a->path : "/");
			return place;
		}
	}
	return NULL;
}

/* ---- a request ------------------------------------------------------------------------------- */

/* The host's bytes, without port and final dot. */
static size_t host_length(const char *authority)
{
	const char *end = strchr(authority, ']');
	size_t len =
		*authority == '[' && end ? (size_t)(end - authority) + 1 : strcspn(authority, ":");

	return len && authority[len - 1] == '.' ? len - 1 : len;
}

/* 0: not; else the more, the more exact. */
static size_t host_rank(const char *pattern, const char *host, size_t len)
{
	size_t n = strlen(pattern);

	if (*pattern != '*')
		return n == len && !strncasecmp(pattern, host, len) ? HOST_MAX + 2 : 0;
	n--; /* the star stands for one label or more */
	return len > n && !strncasecmp(pattern + 1, host + len - n, n) ? n + 1 : 0;
}

static size_t route_rank(const struct app_route *route, const char *host, size_t len)
{
	size_t best = route->hosts.n ? 0 : 1;

	for (size_t i = 0; i < route->hosts.n; i++) {
		size_t rank = host_rank(route->hosts.items[i], host, len);

		best = rank > best ? rank : best;
	}
	return best;
}

static bool has_path(const struct app_route *route, const char *path)
{
	size_t len = strlen(route->path);

	return !len || (!strncmp(path, route->path, len) && strchr("/?", path[len]));
}

const struct app_route *app_routes_only(const struct app_routes *routes)
{
	const struct app_route *first = routes->items;

	return routes->n == 1 && !first->hosts.n && !*first->path ? first : NULL;
}

const struct app_route *app_routes_find(const struct app_routes *routes, const char *authority,
					const char *path, bool *ret_misdirected)
{
	const char *host = authority ? authority : "";
	size_t len = host_length(host), best_rank = 0;
	const struct app_route *best = NULL;
	size_t top = 0;

	for (size_t i = 0; i < routes->n; i++) {
		size_t rank = route_rank(&routes->items[i], host, len);

		top = rank > top ? rank : top;
		if (!rank || rank < best_rank || !has_path(&routes->items[i], path))
			continue;
		if (best && rank == best_rank &&
		    strlen(routes->items[i].path) <= strlen(best->path))
			continue;
		best = &routes->items[i];
		best_rank = rank;
	}
	*ret_misdirected = !top;
	return best;
}
