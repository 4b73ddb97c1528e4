/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy is to be, as a JSON document: checked, completed, patched.
 *
 * policies_api.c reads each PUT and each patched document with policy_body_read(). The result has
 * every member, so that two documents that mean the same are equal:
 *
 *   {"select":{...},"alt":"...","origin":"..." or "origins":[...],"priority":0,
 *    "rollout":{"percent":100,"perSecond":null},"via":"frame","lint":"on","expires":null,
 *    "paused":false}
 *
 * Types, words, ranges, and with frame_body.c URLs and the grammar of alt are looked at here; the
 * rest is the workers' to judge. Each refusal names the member.
 */
#include "policy_body.h"

#include "alt_value.h"
#include "frame_body.h"
#include "selector.h"
#include "times.h"

#include <math.h>
#include <string.h>

#define PER_SECOND_MAX 1e6
#define ORIGINS_MAX 1024 /* entries of one policy */

static const char *const selector_members[] = {"worker", "label",     "sni",	   "peer",
					       "alpn",	 "userAgent", "encrypted", "all",
					       "sample", "sampleBy",  NULL};

static int refuse(enum problem_kind kind, const char *field, const char *detail,
		  struct problem *ret_problem)
{
	*ret_problem = problem_of(kind, field, detail);
	return -1;
}

static json_t *number_json(double number)
{
	return number == floor(number) ? json_integer((json_int_t)number) : json_real(number);
}

/* ---- members --------------------------------------------------------------------------------- */

static int read_select(struct request *request, const json_t *body, json_t *definition,
		       struct problem *ret_problem)
{
	json_t *select = json_object_get(body, "select");
	struct selector selector = {0};
	int r;

	if (select && !json_is_object(select))
		return refuse(PROBLEM_TYPE, "select", "must be an object", ret_problem);
	if (select && body_check_members(&request->body, select, selector_members, ret_problem) < 0)
		return -1;
	r = selector_of_body(request, select, &selector, ret_problem);
	selector_done(&selector);
	if (r == 0)
		json_object_set(definition, "select", select);
	return r;
}

/* alt and origin, or origins. */
static int read_frame(const json_t *body, json_t *definition, struct problem *ret_problem)
{
	json_t *alt = json_object_get(body, "alt"), *origin = json_object_get(body, "origin");
	const json_t *origins = json_object_get(body, "origins");

	if (origins && (alt || origin))
		return refuse(PROBLEM_VALUE, "origins", "it excludes alt and origin", ret_problem);
	if (!origins && !alt)
		return refuse(PROBLEM_VALUE, "alt", "alt and origin, or origins, are needed",
			      ret_problem);
	if (json_array_size(origins) > ORIGINS_MAX)
		return refuse(PROBLEM_RANGE, "origins", "at most 1024", ret_problem);
	if ((origins ? frame_check_origins(body, ret_problem)
		     : frame_check_altsvc(body, ret_problem)) < 0)
		return -1;
	if (origins) {
		json_object_set_new(definition, "origins", json_deep_copy(origins));
		return 0;
	}
	json_object_set(definition, "alt", alt);
	json_object_set(definition, "origin", origin);
	return 0;
}

static int read_priority(const json_t *body, json_t *definition, struct problem *ret_problem)
{
	json_t *priority = json_object_get(body, "priority");
	json_int_t number = json_integer_value(priority);

	if (priority && !json_is_integer(priority))
		return refuse(PROBLEM_TYPE, "priority", "must be an integer", ret_problem);
	if (number < INT32_MIN || number > INT32_MAX)
		return refuse(PROBLEM_RANGE, "priority", NULL, ret_problem);
	json_object_set_new(definition, "priority", json_integer(number));
	return 0;
}

/* A number over 0 and up to max; NULL: the default. */
static int read_positive(const json_t *object, const char *name, const char *field, double max,
			 json_t *otherwise, json_t **ret, struct problem *ret_problem)
{
	const json_t *value = json_object_get(object, name);
	double number = json_number_value(value);

	if (!value || json_is_null(value)) {
		*ret = json_incref(otherwise);
		return 0;
	}
	if (!json_is_number(value))
		return refuse(PROBLEM_TYPE, field, "must be a number", ret_problem);
	if (!(number > 0 && number <= max)) {
		*ret_problem = problem_of_range(field, 0, max);
		ret_problem->detail = number > 0 ? NULL : "must be over 0";
		return -1;
	}
	*ret = number_json(number);
	return 0;
}

static int read_rollout(struct request *request, const json_t *body, json_t *definition,
			struct problem *ret_problem)
{
	static const char *const members[] = {"percent", "perSecond", NULL};
	const json_t *rollout = json_object_get(body, "rollout");
	json_t *percent = NULL, *per_second = NULL, *whole;
	int r = 0;

	if (rollout && !json_is_null(rollout) && !json_is_object(rollout))
		return refuse(PROBLEM_TYPE, "rollout", "must be an object", ret_problem);
	if (json_is_object(rollout) &&
	    body_check_members(&request->body, rollout, members, ret_problem) < 0)
		return -1;
	whole = json_integer(100);
	if (read_positive(rollout, "percent", "rollout.percent", 100, whole, &percent,
			  ret_problem) < 0 ||
	    read_positive(rollout, "perSecond", "rollout.perSecond", PER_SECOND_MAX, json_null(),
			  &per_second, ret_problem) < 0)
		r = -1;
	else
		json_object_set_new(
			definition, "rollout",
			json_pack("{s:O, s:O}", "percent", percent, "perSecond", per_second));
	json_decref(whole);
	json_decref(percent);
	json_decref(per_second);
	return r;
}

/* One of the words; the first is the default. */
static int read_word(const json_t *body, const char *name, const char *const *words,
		     json_t *definition, struct problem *ret_problem)
{
	json_t *value = json_object_get(body, name);

	if (!value) {
		json_object_set_new(definition, name, json_string(words[0]));
		return 0;
	}
	if (!json_is_string(value))
		return refuse(PROBLEM_TYPE, name, "must be a string", ret_problem);
	for (; *words; words++) {
		if (strcmp(*words, json_string_value(value)) != 0)
			continue;
		json_object_set(definition, name, value);
		return 0;
	}
	return refuse(PROBLEM_VALUE, name, NULL, ret_problem);
}

static int read_expires(const json_t *body, json_t *definition, struct problem *ret_problem)
{
	json_t *expires = json_object_get(body, "expires");
	int64_t when;

	if (!expires || json_is_null(expires)) {
		json_object_set_new(definition, "expires", json_null());
		return 0;
	}
	if (!json_is_string(expires))
		return refuse(PROBLEM_TYPE, "expires", "must be a string", ret_problem);
	if (time_parse(json_string_value(expires), &when) < 0)
		return refuse(PROBLEM_VALUE, "expires", "not a time of RFC 3339", ret_problem);
	json_object_set(definition, "expires", expires);
	return 0;
}

static int read_paused(const json_t *body, json_t *definition, struct problem *ret_problem)
{
	const json_t *paused = json_object_get(body, "paused");

	if (paused && !json_is_boolean(paused))
		return refuse(PROBLEM_TYPE, "paused", "must be true or false", ret_problem);
	json_object_set_new(definition, "paused", json_boolean(json_is_true(paused)));
	return 0;
}

int policy_body_read(struct request *request, const json_t *body, json_t **ret_definition,
		     struct problem *ret_problem)
{
	static const char *const vias[] = {"frame", "header", "both", NULL};
	static const char *const lints[] = {"on", "off", NULL};
	json_t *definition = json_object();

	if (read_select(request, body, definition, ret_problem) < 0 ||
	    read_frame(body, definition, ret_problem) < 0 ||
	    read_priority(body, definition, ret_problem) < 0 ||
	    read_rollout(request, body, definition, ret_problem) < 0 ||
	    read_word(body, "via", vias, definition, ret_problem) < 0 ||
	    read_word(body, "lint", lints, definition, ret_problem) < 0 ||
	    read_expires(body, definition, ret_problem) < 0 ||
	    read_paused(body, definition, ret_problem) < 0) {
		json_decref(definition);
		return -1;
	}
	if (policy_body_is_origin(definition) &&
	    strcmp(json_string_value(json_object_get(definition, "via")), "frame") != 0) {
		json_decref(definition);
		return refuse(PROBLEM_VALUE, "via", "ORIGIN has no header field", ret_problem);
	}
	*ret_definition = definition;
	return 0;
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* Deep as the documents are: body.c and jansson bound that. */
json_t *policy_body_merge(const json_t *target, const json_t *patch) /* NOLINT(misc-no-recursion) */
{
	json_t *result, *value;
	const char *name;

	if (!json_is_object(patch))
		return json_deep_copy(patch);
	result = json_is_object(target) ? json_deep_copy(target) : json_object();
	json_object_foreach((json_t *)patch, name, value) {
		if (json_is_null(value))
			json_object_del(result, name);
		else
			json_object_set_new(
				result, name,
				policy_body_merge(json_object_get(result, name), value));
	}
	return result;
}

bool policy_body_is_origin(const json_t *definition)
{
	return json_object_get(definition, "origins") != NULL;
}

int policy_body_lint(const json_t *definition, struct problem *ret_problem)
{
	const char *alt = json_string_value(json_object_get(definition, "alt"));
	const char *lint = json_string_value(json_object_get(definition, "lint"));

	return alt ? frame_lint(alt, strcmp(lint, "on") == 0, ret_problem) : 0;
}

static void on_alternative(const struct alt_alternative *alternative, void *user)
{
	int64_t *longest = user;
	int64_t age = alternative->has_max_age ? alternative->max_age : ALT_MAX_AGE_DEFAULT;

	if (age > *longest)
		*longest = age;
}

int64_t policy_body_max_age(const json_t *definition)
{
	const char *alt = json_string_value(json_object_get(definition, "alt"));
	int64_t longest = 0;

	/* What no grammar covers (lint off) is remembered for as long as nobody said otherwise. */
	if (alt && alt_value_parse(alt, strlen(alt), on_alternative, &longest) < 0 &&
	    longest < ALT_MAX_AGE_DEFAULT)
		longest = ALT_MAX_AGE_DEFAULT;
	return longest;
}
