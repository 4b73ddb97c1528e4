/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors: which sessions, as query parameters. Workers evaluate them next to their sessions;
 * what only the daemon knows is put in terms of that: `worker` picks whom to ask, `push` becomes
 * the ids that it reached.
 *
 * Failure modes: a malformed value, or a push that is not known: 400 that names the parameter.
 */
#include "selector.h"

#include "controld.h"

#include <math.h>
#include <string.h>

#define AGE_MAX 1e9 /* seconds */

static void add_ids(const struct query *query, json_t *select)
{
	json_t *ids = NULL;

	for (size_t i = 0; i < query->count; i++) {
		const char *from = query->pairs[i].value;

		if (strcmp(query->pairs[i].name, "ids") != 0)
			continue;
		ids = ids ? ids : json_array();
		while (*from) {
			size_t len = strcspn(from, ",");

			json_array_append_new(ids, json_stringn(from, len));
			from += len + (from[len] == ',');
		}
	}
	if (ids)
		json_object_set_new(select, "ids", ids);
}

static int add_labels(const struct query *query, json_t *select, struct problem *ret_problem)
{
	json_t *labels = NULL;

	for (size_t i = 0; i < query->count; i++) {
		const char *value = query->pairs[i].value, *equals;
		char key[256];

		if (strcmp(query->pairs[i].name, "label") != 0)
			continue;
		equals = strchr(value, '=');
		if (!equals || equals == value || (size_t)(equals - value) >= sizeof(key)) {
			*ret_problem = problem_of(PROBLEM_VALUE, "label", "not KEY=VALUE");
			json_decref(labels);
			return -1;
		}
		labels = labels ? labels : json_object();
		memcpy(key, value, (size_t)(equals - value));
		key[equals - value] = 0;
		json_object_set_new(labels, key, json_string(equals + 1));
	}
	if (labels)
		json_object_set_new(select, "label", labels);
	return 0;
}

static void add_strings(const struct query *query, json_t *select)
{
	static const char *const names[] = {"sni", "peer", "alpn", "origin", "userAgent"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = query_get(query, names[i]);

		if (value)
			json_object_set_new(select, names[i], json_string(value));
	}
}

static json_t *number_json(double number)
{
	return number == floor(number) ? json_integer((json_int_t)number) : json_real(number);
}

static int add_numbers(const struct query *query, json_t *select, struct problem *ret_problem)
{
	static const char *const names[] = {"minAge", "idleFor"};
	double number;
	int64_t count;
	int r;

	for (size_t i = 0; i < 2; i++) {
		r = query_number(query, names[i], 0, AGE_MAX, &number, ret_problem);
		if (r < 0)
			return -1;
		if (r)
			json_object_set_new(select, names[i], number_json(number));
	}
	r = query_integer(query, "openStreams", 0, INT32_MAX, &count, ret_problem);
	if (r > 0)
		json_object_set_new(select, "openStreams", json_integer(count));
	return r < 0 ? -1 : 0;
}

static int add_sample(const struct query *query, json_t *select, struct problem *ret_problem)
{
	const char *by = query_get(query, "sampleBy");
	double percent;
	int r = query_number(query, "sample", 0, 100, &percent, ret_problem);

	if (r > 0 && percent == 0) {
		*ret_problem = problem_of(PROBLEM_RANGE, "sample", "must be over 0");
		return -1;
	}
	if (r > 0)
		json_object_set_new(select, "sample", number_json(percent));
	if (r < 0 || !by)
		return r < 0 ? -1 : 0;
	if (strcmp(by, "session") != 0 && strcmp(by, "peer") != 0) {
		*ret_problem = problem_of(PROBLEM_VALUE, "sampleBy", "not session or peer");
		return -1;
	}
	json_object_set_new(select, "sampleBy", json_string(by));
	return 0;
}

static int add_booleans(const struct query *query, json_t *select, struct problem *ret_problem)
{
	bool value;
	int r = query_boolean(query, "encrypted", &value, ret_problem);

	if (r < 0)
		return -1;
	if (r)
		json_object_set_new(select, "encrypted", json_boolean(value));
	r = query_boolean(query, "all", &value, ret_problem);
	if (r > 0 && !value) {
		*ret_problem = problem_of(PROBLEM_VALUE, "all", "it can only be true");
		return -1;
	}
	if (r > 0)
		json_object_set_new(select, "all", json_true());
	return r < 0 ? -1 : 0;
}

static bool contains(const json_t *ids, const char *id)
{
	const json_t *one;
	size_t i;

	json_array_foreach(ids, i, one) {
		if (json_is_string(one) && strcmp(json_string_value(one), id) == 0)
			return true;
	}
	return false;
}

/* The sessions that a push reached, among `ids` where those are given too. */
static int add_push(const struct request *request, json_t *select, struct problem *ret_problem)
{
	const char *id = query_get(&request->query, "push");
	const json_t *given = json_object_get(select, "ids");
	const struct push *push;
	json_t *ids;

	if (!id)
		return 0;
	push = push_find(&request->controld->pushes, id);
	if (!push) {
		*ret_problem = problem_of(PROBLEM_VALUE, "push", "no such push");
		return -1;
	}
	ids = json_array();
	if (push_has_reached(push) && (!given || contains(given, push->session)))
		json_array_append_new(ids, json_string(push->session));
	json_object_set_new(select, "ids", ids);
	return 0;
}

int selector_of_query(const struct request *request, json_t **ret_select, const char **ret_worker,
		      struct problem *ret_problem)
{
	const struct query *query = &request->query;
	json_t *select = json_object();

	add_ids(query, select);
	add_strings(query, select);
	if (add_labels(query, select, ret_problem) < 0 ||
	    add_numbers(query, select, ret_problem) < 0 ||
	    add_sample(query, select, ret_problem) < 0 ||
	    add_booleans(query, select, ret_problem) < 0 ||
	    add_push(request, select, ret_problem) < 0) {
		json_decref(select);
		return -1;
	}
	*ret_select = select;
	*ret_worker = query_get(query, "worker");
	return 0;
}
