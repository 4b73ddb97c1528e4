/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors: which sessions, as query parameters or as the member `select` of a body.
 *
 * One table says what each field may hold. A query's texts become the JSON values that a body has,
 * and both are checked by their row. Workers evaluate selectors next to their sessions; what only
 * the daemon knows is put in terms of that: `worker` picks whom to ask, `push` becomes the ids that
 * it reached, and a worker is sent those ids alone that can be its own.
 *
 * Failure modes: a malformed value, or a push that is not known: 400 that names the field. A
 * `select` that is empty, or might as well be: 400, since a slip must not mean everybody.
 */
#include "selector.h"

#include "controld.h"
#include "selector_limits.h"

#include <math.h>
#include <string.h>

enum kind { TEXT, TEXTS, LABELS, NUMBER, COUNT, BOOLEAN, ONLY_TRUE, PERCENT, BASIS };

static const struct field {
	const char *name;
	enum kind kind;
	double max;
} fields[] = {
	{"ids", TEXTS, 0},
	{"worker", TEXT, 0},
	{"label", LABELS, 0},
	{"sni", TEXT, 0},
	{"peer", TEXT, 0},
	{"encrypted", BOOLEAN, 0},
	{"alpn", TEXT, 0},
	{"origin", TEXT, 0},
	{"minAge", NUMBER, SELECTOR_SECONDS_MAX},
	{"idleFor", NUMBER, SELECTOR_SECONDS_MAX},
	{"openStreams", COUNT, INT32_MAX},
	{"userAgent", TEXT, 0},
	{"push", TEXT, 0},
	{"sample", PERCENT, 100},
	{"sampleBy", BASIS, 0},
	{"all", ONLY_TRUE, 0},
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static const struct field *find_field(const char *name)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static int refuse(struct problem *ret_problem, enum problem_kind kind, const struct field *field,
		  const char *detail)
{
	*ret_problem = problem_of(kind, field->name, detail);
	return -1;
}

static bool all_strings(const json_t *value)
{
	const json_t *one;
	const char *key;
	size_t i;

	json_array_foreach(value, i, one) {
		if (!json_is_string(one))
			return false;
	}
	json_object_foreach((json_t *)value, key, one) {
		if (!json_is_string(one))
			return false;
	}
	return true;
}

static bool has_type(const struct field *field, const json_t *value)
{
	switch (field->kind) {
	case TEXT:
	case BASIS:
		return json_is_string(value);
	case TEXTS:
		return json_is_array(value) && all_strings(value);
	case LABELS:
		return json_is_object(value) && all_strings(value);
	case NUMBER:
	case PERCENT:
		return json_is_number(value);
	case COUNT:
		return json_is_integer(value);
	default:
		return json_is_boolean(value);
	}
}

static int check_value(const struct field *field, const json_t *value, struct problem *ret_problem)
{
	double number = json_number_value(value);
	const char *text = json_string_value(value);

	if (!has_type(field, value))
		return refuse(ret_problem, PROBLEM_TYPE, field, NULL);
	if (field->kind == PERCENT && !(number > 0 && number <= field->max))
		return refuse(ret_problem, PROBLEM_RANGE, field, NULL);
	if (json_is_number(value) && !(number >= 0 && number <= field->max)) {
		*ret_problem = problem_of_range(field->name, 0, field->max);
		return -1;
	}
	if (field->kind == ONLY_TRUE && !json_is_true(value))
		return refuse(ret_problem, PROBLEM_VALUE, field, "it can only be true");
	if (field->kind == BASIS && strcmp(text, "session") != 0 && strcmp(text, "peer") != 0)
		return refuse(ret_problem, PROBLEM_VALUE, field, NULL);
	return 0;
}

/* ---- from texts ------------------------------------------------------------------------------ */

static int add_texts(const char *from, json_t *list)
{
	while (*from) {
		size_t len = strcspn(from, ",");

		json_array_append_new(list, json_stringn(from, len));
		from += len + (from[len] == ',');
	}
	return 0;
}

/* A key has one value: two that differ would choose nobody, and the last one alone somebody else. */
static int add_label(const char *value, json_t *labels)
{
	const char *equals = strchr(value, '=');
	const char *before;
	char key[256];

	if (!equals || equals == value || (size_t)(equals - value) >= sizeof(key))
		return -1;
	memcpy(key, value, (size_t)(equals - value));
	key[equals - value] = 0;
	before = json_string_value(json_object_get(labels, key));
	if (before && strcmp(before, equals + 1) != 0)
		return -1;
	return json_object_set_new(labels, key, json_string(equals + 1));
}

/* Parameters that may be repeated: all of them into one value; NULL and no problem: none is there.
 */
static int read_repeated(const struct query *query, const struct field *field, json_t **ret,
			 struct problem *ret_problem)
{
	bool labels = field->kind == LABELS;
	json_t *all = labels ? json_object() : json_array();
	bool any = false;

	for (size_t i = 0; i < query->count; i++) {
		const char *value = query->pairs[i].value;

		if (strcmp(query->pairs[i].name, field->name) != 0)
			continue;
		any = true;
		if ((labels ? add_label(value, all) : add_texts(value, all)) < 0) {
			json_decref(all);
			return refuse(ret_problem, PROBLEM_VALUE, field,
				      "not KEY=VALUE, or another value of a key before");
		}
	}
	if (!any)
		json_decref(all);
	*ret = any ? all : NULL;
	return 0;
}

static int read_text(const struct query *query, const struct field *field, json_t **ret,
		     struct problem *ret_problem)
{
	const char *text = query_get(query, field->name);
	double number;
	int64_t count;
	bool truth;
	int r = 0;

	*ret = NULL;
	if (!text)
		return 0;
	switch (field->kind) {
	case NUMBER:
	case PERCENT:
		r = query_number(query, field->name, 0, field->max, &number, ret_problem);
		if (r > 0)
			*ret = number == floor(number) ? json_integer((json_int_t)number)
						       : json_real(number);
		break;
	case COUNT:
		r = query_integer(query, field->name, 0, (int64_t)field->max, &count, ret_problem);
		if (r > 0)
			*ret = json_integer(count);
		break;
	case BOOLEAN:
	case ONLY_TRUE:
		r = query_boolean(query, field->name, &truth, ret_problem);
		if (r > 0)
			*ret = json_boolean(truth);
		break;
	default:
		*ret = json_string(text);
	}
	return r < 0 ? -1 : 0;
}

static int read_query(const struct query *query, const struct field *field, json_t **ret,
		      struct problem *ret_problem)
{
	if (field->kind == TEXTS || field->kind == LABELS)
		return read_repeated(query, field, ret, ret_problem);
	return read_text(query, field, ret, ret_problem);
}

/* ---- what is the daemon's -------------------------------------------------------------------- */

static bool contains(const json_t *ids, const char *id)
{
	const json_t *one;
	size_t i;

	json_array_foreach(ids, i, one) {
		if (strcmp(json_string_value(one), id) == 0)
			return true;
	}
	return false;
}

/* The sessions that a push reached, among `ids` where those are given too. */
static int take_push(const struct controld *controld, const json_t *value,
		     struct selector *selector, struct problem *ret_problem)
{
	const struct push *push = push_find(&controld->pushes, json_string_value(value));
	json_t *given = selector->ids, *reached;
	const json_t *one;
	size_t i;

	if (!push) {
		*ret_problem = problem_of(PROBLEM_VALUE, "push", "no such push");
		return -1;
	}
	reached = push_reached(push);
	selector->ids = given ? json_array() : json_incref(reached);
	json_array_foreach(given, i, one) {
		if (contains(reached, json_string_value(one)))
			json_array_append(selector->ids, (json_t *)one);
	}
	json_decref(given);
	json_decref(reached);
	return 0;
}

static int take_worker(const json_t *value, struct selector *selector, struct problem *ret_problem)
{
	const char *name = json_string_value(value);

	if (strlen(name) >= sizeof(selector->worker) || !*name) {
		*ret_problem = problem_of(PROBLEM_VALUE, "worker", "not the name of a worker");
		return -1;
	}
	memcpy(selector->worker, name, strlen(name) + 1);
	return 0;
}

/* Move the daemon's own fields out of `select`. */
static int take_own(const struct controld *controld, struct selector *selector,
		    struct problem *ret_problem)
{
	const json_t *worker = json_object_get(selector->select, "worker");
	const json_t *push = json_object_get(selector->select, "push");

	selector->ids = json_incref(json_object_get(selector->select, "ids"));
	if ((worker && take_worker(worker, selector, ret_problem) < 0) ||
	    (push && take_push(controld, push, selector, ret_problem) < 0))
		return -1;
	json_object_del(selector->select, "worker");
	json_object_del(selector->select, "push");
	json_object_del(selector->select, "ids");
	return 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

int selector_of_query(const struct request *request, struct selector *ret,
		      struct problem *ret_problem)
{
	*ret = (struct selector){.select = json_object()};
	for (size_t i = 0; i < FIELDS; i++) {
		json_t *value;

		if (read_query(&request->query, &fields[i], &value, ret_problem) < 0)
			return -1;
		if (!value)
			continue;
		json_object_set_new(ret->select, fields[i].name, value);
		if (check_value(&fields[i], value, ret_problem) < 0)
			return -1;
	}
	return take_own(request->controld, ret, ret_problem);
}

/* No member of it keeps a session out. */
static bool chooses_nothing(const json_t *select)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)select, name, value) {
		if (strcmp(name, "sampleBy") != 0 &&
		    !(json_is_object(value) && json_object_size(value) == 0))
			return false;
	}
	return true;
}

int selector_of_body(struct request *request, const json_t *select, struct selector *ret,
		     struct problem *ret_problem)
{
	const char *names[FIELDS + 1] = {0};
	const char *name;
	json_t *value;

	*ret = (struct selector){0};
	if (!json_is_object(select)) {
		*ret_problem = problem_of(PROBLEM_TYPE, "select", "it must be an object");
		return -1;
	}
	for (size_t i = 0; i < FIELDS; i++)
		names[i] = fields[i].name;
	if (body_check_members(&request->body, select, names, ret_problem) < 0)
		return -1;
	json_object_foreach((json_t *)select, name, value) {
		if (check_value(find_field(name), value, ret_problem) < 0)
			return -1;
	}
	if (chooses_nothing(select)) {
		*ret_problem = problem_of(PROBLEM_VALUE, "select",
					  "it keeps nobody out: {\"all\":true} says that");
		return -1;
	}
	ret->select = json_copy((json_t *)select);
	return take_own(request->controld, ret, ret_problem);
}

void selector_done(struct selector *selector)
{
	json_decref(selector->select);
	json_decref(selector->ids);
	*selector = (struct selector){0};
}

/* ---- per worker ------------------------------------------------------------------------------ */

static bool is_of(const json_t *id, const struct worker *worker)
{
	const char *text = json_string_value(id), *dash = strrchr(text, '-');
	size_t len = strlen(worker->boot->boot);

	return dash && (size_t)(dash - text) == len && memcmp(text, worker->boot->boot, len) == 0;
}

bool selector_means(const struct selector *selector, const struct worker *worker)
{
	const json_t *one;
	size_t i;

	if (selector->worker[0] && strcmp(selector->worker, worker->boot->name) != 0 &&
	    strcmp(selector->worker, worker->boot->boot) != 0)
		return false;
	if (!selector->ids)
		return true;
	json_array_foreach(selector->ids, i, one) {
		if (is_of(one, worker))
			return true;
	}
	return false;
}

json_t *selector_for(const struct selector *selector, const struct worker *worker)
{
	json_t *select = json_copy(selector->select), *ids;
	const json_t *one;
	size_t i;

	if (!selector->ids) {
		if (json_object_size(select) == 0)
			json_object_set_new(select, "all", json_true());
		return select;
	}
	ids = json_array();
	json_array_foreach(selector->ids, i, one) {
		if (is_of(one, worker))
			json_array_append(ids, (json_t *)one);
	}
	json_object_set_new(select, "ids", ids);
	return select;
}
