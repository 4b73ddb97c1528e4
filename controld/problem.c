/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Problems (RFC 9457): one table row for each error of the daemon, and errors.def for what the
 * workers answer. A document has type, title, status and code always; field, rule and detail where
 * known. A value that is refused without a detail is told what members.def says of its member.
 */
#include "problem.h"

#include "rpc.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int status;
	const char *code;
	const char *title;
} rows[] = {
#define X(name, http, code, title) {http, code, title},
#include <h2sess/problems.def>
#undef X
};

/* What a member holds. */
static const struct {
	const char *name;
	const char *rule;
} members[] = {
#define X(name, rule) {name, rule},
#include <h2sess/members.def>
#undef X
};

struct problem problem_of(enum problem_kind kind, const char *field, const char *detail)
{
	return (struct problem){
		.status = rows[kind].status,
		.code = rows[kind].code,
		.title = rows[kind].title,
		.field = field,
		.detail = detail,
	};
}

struct problem problem_of_range(const char *field, double min, double max)
{
	struct problem problem = problem_of(PROBLEM_RANGE, field, NULL);

	problem.min = min;
	problem.max = max;
	return problem;
}

struct problem problem_of_error(int error, const char *field, const char *rule, const char *detail)
{
	const char *code = api_error_name(error);

	if (!code) /* JSON-RPC's own, or a row that a newer worker has */
		return problem_of(PROBLEM_WORKER_FAILED, field, detail);
	return (struct problem){
		.status = api_error_http(error),
		.code = code,
		.title = api_error_text(error),
		.field = field,
		.rule = rule,
		.detail = detail,
	};
}

static void set(json_t *object, const char *key, const char *value)
{
	if (value)
		json_object_set_new(object, key, json_string(value));
}

/* Whether the value of a member is what is wrong. */
static bool is_of_value(const struct problem *problem)
{
	return problem->status == 400 && problem->field &&
	       (strstr(problem->code, "_INVALID_") ||
		strcmp(problem->code, "ERR_HTTP2_PING_LENGTH") == 0 ||
		strcmp(problem->code, rows[PROBLEM_RANGE].code) == 0);
}

static const char *rule_of_member(const char *name)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (strcmp(members[i].name, name) == 0)
			return members[i].rule;
	return NULL;
}

static void set_detail(json_t *object, const struct problem *problem)
{
	const char *detail = problem->detail;
	char range[80];

	if (!detail && problem->max > 0) {
		snprintf(range, sizeof(range), "from %.15g to %.15g", problem->min, problem->max);
		detail = range;
	} else if (!detail && is_of_value(problem)) {
		detail = rule_of_member(problem->field);
	}
	set(object, "detail", detail);
}

json_t *problem_json(const struct problem *problem)
{
	json_t *object = json_object();

	set(object, "type", "about:blank");
	set(object, "title", problem->title);
	json_object_set_new(object, "status", json_integer(problem->status));
	set(object, "code", problem->code);
	set(object, "field", problem->field);
	set(object, "rule", problem->rule);
	set_detail(object, problem);
	return object;
}
