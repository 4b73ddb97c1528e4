/* SPDX-License-Identifier: Apache-2.0 */
/* Which app answers which requests, as the operator says it: "[HOST][/PATH]=NAME[:CONFIG]". */
#ifndef WORKER_APP_ROUTE_H
#define WORKER_APP_ROUTE_H

#include "strings.h"

/* One app and the requests that are its own. */
struct app_route {
	char *spec; /* NAME[:CONFIG]; NULL until it is said */
	struct strings
		hosts; /* lower case; "*.example.org" has every name below it; none: every host */
	char *path;    /* "/a/b" or "" for every path: no slash at its end */
};

struct app_routes {
	struct app_route *items;
	size_t n;
};

#define APP_ROUTES_MAX 256

/* Add one, from a flag's value or empty. NULL, or the rule that it breaks. */
const char *app_routes_add(struct app_routes *routes, const char *text);
const char *app_routes_add_empty(struct app_routes *routes);
void app_routes_done(struct app_routes *routes);

const char *app_route_set_spec(struct app_route *route, const char *spec);
const char *app_route_add_host(struct app_route *route, const char *host);
const char *app_route_set_path(struct app_route *route, const char *path);

/* Two routes for the same requests? Then the host and path that they share, else NULL. */
const char *app_routes_conflict(const struct app_routes *routes);

/* The one app there is, where every request is its own; else NULL. */
const struct app_route *app_routes_only(const struct app_routes *routes);

/*
 * The route for a request: the most exact host, then the longest path.
 *
 *   authority   may be NULL; its port does not count
 *   path        with its query
 *   ret_misdirected  when there is none: nothing is served for that host at all
 */
const struct app_route *app_routes_find(const struct app_routes *routes, const char *authority,
					const char *path, bool *ret_misdirected);

#endif
