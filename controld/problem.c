/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Problems (RFC 9457): one table row for each error of the daemon, and errors.def for what the
 * workers answer. A document has type, title, status and code always; field, rule and detail where
 * known.
 */
#include "problem.h"

#include "rpc.h"

static const struct {
	int status;
	const char *code;
	const char *title;
} rows[] = {
#define X(name, http, code, title) {http, code, title},
#include <h2sess/problems.def>
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

json_t *problem_json(const struct problem *problem)
{
	json_t *object = json_object();

	set(object, "type", "about:blank");
	set(object, "title", problem->title);
	json_object_set_new(object, "status", json_integer(problem->status));
	set(object, "code", problem->code);
	set(object, "field", problem->field);
	set(object, "rule", problem->rule);
	set(object, "detail", problem->detail);
	return object;
}
