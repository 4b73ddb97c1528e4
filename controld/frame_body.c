/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes a frame in bodies, checked where no worker does: what a policy is to be
 * (policy_body.c), and a push that nobody is asked to send (push_api.c), so that a mistake is one
 * with no worker there, too.
 *
 * Types, URLs, characters, grammar; what depends on a session is the workers' to say. Each refusal
 * names the member.
 */
#include "frame_body.h"

#include "alt_value.h"
#include "api_error.h"
#include "selector_limits.h"
#include "url_origin.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int refuse(int error, const char *field, struct problem *ret_problem)
{
	*ret_problem = problem_of_error(error, field, NULL, NULL);
	return -1;
}

/* Whether a URL has an origin; `opaque` is the error of one whose origin is nobody's. */
static int check_origin(const json_t *url, const char *field, int opaque,
			struct problem *ret_problem)
{
	size_t len = json_string_length(url);
	char *room = malloc(URL_ORIGIN_ROOM(len)), origin[SELECTOR_ORIGIN_ROOM];
	int r = room ? url_origin(json_string_value(url), len, room, origin, sizeof(origin))
		     : API_ENOMEM;

	free(room);
	if (r >= 0 || r == API_ERANGE) /* whether a long one fits a frame is the workers' to say */
		return 0;
	return refuse(r == API_EORIGIN ? opaque : r, field, ret_problem);
}

int frame_check_altsvc(const json_t *body, struct problem *ret_problem)
{
	const json_t *origin = json_object_get(body, "origin");

	if (!origin)
		return refuse(API_EALTSVCORIGIN, "origin", ret_problem);
	if (!json_is_string(origin))
		return refuse(API_EARGTYPE, "origin", ret_problem);
	if (check_origin(origin, "origin", API_EALTSVCORIGIN, ret_problem) < 0)
		return -1;
	if (!json_is_string(json_object_get(body, "alt")))
		return refuse(API_EARGTYPE, "alt", ret_problem);
	return 0;
}

int frame_check_origins(const json_t *body, struct problem *ret_problem)
{
	const json_t *origins = json_object_get(body, "origins"), *one;
	size_t i;

	if (!json_is_array(origins))
		return refuse(API_EARGTYPE, "origins", ret_problem);
	json_array_foreach(origins, i, one) {
		if (!json_is_string(one))
			return refuse(API_EARGTYPE, "origins", ret_problem);
		if (check_origin(one, "origins", API_EORIGIN, ret_problem) < 0)
			return -1;
	}
	return 0;
}

static int check_integer(const json_t *body, const char *field, json_int_t max,
			 struct problem *ret_problem)
{
	const json_t *value = json_object_get(body, field);

	if (value && !json_is_integer(value))
		return refuse(API_EARGTYPE, field, ret_problem);
	if (json_integer_value(value) < 0 || json_integer_value(value) > max)
		return refuse(API_ERANGE, field, ret_problem);
	return 0;
}

int frame_check_goaway(const json_t *body, struct problem *ret_problem)
{
	return check_integer(body, "code", UINT32_MAX, ret_problem) < 0 ||
			       check_integer(body, "lastStreamID", INT32_MAX, ret_problem) < 0
		       ? -1
		       : 0;
}

int frame_lint(const char *alt, bool lint, struct problem *ret_problem)
{
	int r = *alt ? alt_check_chars(alt, strlen(alt)) : API_EINVAL;

	if (r == 0 && lint)
		r = alt_value_parse(alt, strlen(alt), NULL, NULL);
	if (r >= 0)
		return 0;
	*ret_problem =
		problem_of_error(r, "alt", r == API_EALTGRAMMAR ? "alt-grammar" : NULL, NULL);
	return -1;
}
