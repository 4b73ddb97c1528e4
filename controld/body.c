/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request bodies, strictly: one JSON object, no key twice at any depth, no NUL in strings, no
 * member that the call does not know. http.c has bounded the length before; jansson bounds depth
 * and integers.
 *
 * Each refusal is a 400 whose `field` is the member's name where there is one.
 */
#include "body.h"

#include "utf8.h"

#include <stdio.h>
#include <string.h>

/* jansson says: duplicate object key near '"alt"'. */
static void name_duplicate(struct body *body, const char *message)
{
	const char *from = strchr(message, '"');
	const char *to = from ? strchr(from + 1, '"') : NULL;

	if (to)
		snprintf(body->wrong, sizeof(body->wrong), "%.*s", (int)(to - from - 1), from + 1);
	if (!utf8_valid(body->wrong, strlen(body->wrong)))
		body->wrong[0] = 0;
}

static int refuse_json(struct body *body, const json_error_t *error, struct problem *ret_problem)
{
	if (json_error_code(error) == json_error_duplicate_key) {
		name_duplicate(body, error->text);
		*ret_problem = problem_of(PROBLEM_DUPLICATE_KEY,
					  body->wrong[0] ? body->wrong : NULL, NULL);
		return -1;
	}
	snprintf(body->detail, sizeof(body->detail), "line %d, column %d: not valid", error->line,
		 error->column);
	*ret_problem = problem_of(PROBLEM_JSON, NULL, body->detail);
	return -1;
}

static bool is_allowed(const char *name, const char *const *allowed)
{
	for (; allowed && *allowed; allowed++)
		if (strcmp(*allowed, name) == 0 || strcmp(*allowed, BODY_ANY_MEMBER) == 0)
			return true;
	return false;
}

int body_check_members(struct body *body, const json_t *object, const char *const *allowed,
		       struct problem *ret_problem)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) {
		if (is_allowed(name, allowed))
			continue;
		snprintf(body->wrong, sizeof(body->wrong), "%s", name);
		if (!utf8_valid(body->wrong, strlen(body->wrong))) /* cut inside a character */
			snprintf(body->wrong, sizeof(body->wrong), "?");
		*ret_problem = problem_of(PROBLEM_UNKNOWN_FIELD, body->wrong, NULL);
		return -1;
	}
	return 0;
}

int body_parse(struct body *body, const char *data, size_t len, const char *const *allowed,
	       struct problem *ret_problem)
{
	json_error_t error;

	body->object = len ? json_loadb(data, len, JSON_REJECT_DUPLICATES, &error) : json_object();
	if (!body->object && !len) {
		*ret_problem = problem_of(PROBLEM_MEMORY, NULL, NULL);
		return -1;
	}
	if (!body->object)
		return refuse_json(body, &error, ret_problem);
	if (!json_is_object(body->object)) {
		*ret_problem = problem_of(PROBLEM_JSON, NULL, "the body must be an object");
		return -1;
	}
	return body_check_members(body, body->object, allowed, ret_problem);
}

void body_done(struct body *body)
{
	json_decref(body->object);
	body->object = NULL;
}

int body_string(const struct body *body, const char *name, const char **ret,
		struct problem *ret_problem)
{
	const json_t *value = json_object_get(body->object, name);

	if (!value)
		return 0;
	if (!json_is_string(value)) {
		*ret_problem = problem_of(PROBLEM_TYPE, name, "must be a string");
		return -1;
	}
	*ret = json_string_value(value);
	return 1;
}

int body_number(const struct body *body, const char *name, double min, double max, double *ret,
		struct problem *ret_problem)
{
	const json_t *value = json_object_get(body->object, name);
	double number = json_number_value(value);

	if (!value)
		return 0;
	if (!json_is_number(value)) {
		*ret_problem = problem_of(PROBLEM_TYPE, name, "must be a number");
		return -1;
	}
	if (!(number >= min && number <= max)) {
		*ret_problem = problem_of_range(name, min, max);
		return -1;
	}
	*ret = number;
	return 1;
}
