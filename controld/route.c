/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to its row of the table of calls (routes.c), and what follows from it: 404, 405 with
 * Allow, HEAD, OPTIONS, 403 for a role.
 *
 * request.c asks once the head is complete. Targets are routed raw: cut at / first, then each
 * segment is decoded, so that %2F never makes a segment more. A NUL, a control character, bad UTF-8
 * and a fragment are malformed. A target in absolute form keeps its authority, which stands for
 * Host then.
 */
#include "route.h"

#include "controld.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* http://AUTHORITY/PATH: keep the authority, return the path. */
static char *cut_authority(struct request *request, char *target)
{
	char *path;

	if (strncasecmp(target, "http://", 7) != 0)
		return target;
	path = strchr(target + 7, '/');
	if (!path)
		return target;
	memmove(target, target + 7, (size_t)(path - target - 7));
	target[path - target - 7] = 0;
	request->authority = target;
	return path;
}

int route_cut_target(struct request *request)
{
	char *path = cut_authority(request, request->target);

	if (*path != '/' || strchr(path, '#') || has_control(path))
		return -1;
	request->raw_query = strchr(path, '?');
	if (request->raw_query)
		*request->raw_query++ = 0;
	for (char *segment = path + 1; segment;) {
		char *end = strchr(segment, '/');

		if (end)
			*end++ = 0;
		if (request->segment_count == REQUEST_SEGMENTS_MAX)
			return -1;
		if (percent_decode(segment, false) < 0 || has_control(segment))
			return -1;
		request->segments[request->segment_count++] = segment;
		segment = end;
	}
	return 0;
}

static bool matches(struct request *request, const char *pattern)
{
	size_t parameters = 0;

	for (size_t i = 0; i < request->segment_count; i++) {
		size_t len = strcspn(++pattern, "/");

		if (*pattern == '{')
			request->parameters[parameters++] = request->segments[i];
		else if (strlen(request->segments[i]) != len ||
			 memcmp(pattern, request->segments[i], len) != 0)
			return false;
		pattern += len;
		if (!*pattern)
			return i + 1 == request->segment_count;
	}
	return false;
}

static void allow(struct request *request, const char *methods)
{
	request_add_header(request, "Allow", methods);
}

static int refuse_method(struct request *request, const char *methods, struct problem *ret_problem)
{
	struct text nothing = {0};

	allow(request, methods);
	if (strcmp(request->method, "OPTIONS") != 0) {
		*ret_problem = problem_of(PROBLEM_METHOD, NULL, NULL);
		return -1;
	}
	request->route = NULL;
	text_add(&nothing, "");
	request_reply_text(request, 204, NULL, &nothing);
	return 0;
}

static void add_method(char *methods, size_t room, const char *method)
{
	size_t n = strlen(methods);

	snprintf(methods + n, room - n, "%s%s", n ? ", " : "", method);
	if (strcmp(method, "GET") == 0)
		add_method(methods, room, "HEAD");
}

int route_request(struct request *request, struct problem *ret_problem)
{
	const char *method = request->head ? "GET" : request->method;
	char methods[64] = "";

	if (strcmp(request->method, "OPTIONS") == 0 && strcmp(request->target, "*") == 0)
		return refuse_method(request, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
				     ret_problem);
	for (const struct route *route = routes; route->path; route++) {

		if (request->server->metrics_only && !route->metrics)
			continue;
		if (!matches(request, route->path))
			continue;
		add_method(methods, sizeof(methods), route->method);
		if (strcmp(route->method, method) != 0)
			continue;
		request->route = route;
		if (request->role >= route->role)
			return 0;
		*ret_problem = problem_of(PROBLEM_ROLE, NULL, role_name(route->role));
		return -1;
	}
	if (methods[0]) {
		add_method(methods, sizeof(methods), "OPTIONS");
		return refuse_method(request, methods, ret_problem);
	}
	*ret_problem = problem_of(PROBLEM_NOT_FOUND, NULL, "no such path");
	return -1;
}
