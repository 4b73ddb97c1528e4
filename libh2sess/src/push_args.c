/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arguments of a push as JSON: which of them are wrong, in Node's order, and which member and
 * lint rule an error speaks of. Owns nothing; control_push.c calls it, on the control thread for
 * what the protocol itself asks, on the session's thread for what Node checks there.
 *
 * Node's order is: destroyed, the origin or stream, then alt. So a member of any JSON type comes as
 * far as here, and what is no string goes to the library as NULL, which refuses it when its turn
 * has come.
 */
#include "push_args.h"

#include "memory.h"
#include "push_book.h"
#include "session_json.h"
#include "values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Node's checks --------------------------------------------------------------------------- */

static int read_stream_id(const json_t *stream, uint32_t *ret)
{
	double value;

	if (!json_is_number(stream))
		return H2SESS_EARGTYPE;
	value = json_number_value(stream);
	if (value != floor(value) || value < 1 || value > H2SESS_STREAM_ID_MAX)
		return H2SESS_ERANGE;
	*ret = (uint32_t)value;
	return 0;
}

/* origin or stream; the library checks the URL, then alt. */
int push_args_altsvc(const json_t *params, struct h2sess_push *push, const char **ret_field)
{
	const json_t *origin = json_object_get(params, "origin");
	const json_t *stream = json_object_get(params, "stream");

	*ret_field = stream && !origin ? "stream" : "origin";
	push->alt = json_string_value(json_object_get(params, "alt")); /* NULL: not a string */
	if (!origin == !stream)
		return H2SESS_EALTSVCORIGIN;
	if (stream) {
		push->kind = H2SESS_PUSH_ALTSVC_STREAM;
		return read_stream_id(stream, &push->stream_id);
	}
	push->kind = H2SESS_PUSH_ALTSVC;
	push->origin = json_string_value(origin);
	return push->origin ? 0 : H2SESS_EARGTYPE;
}

/* The list is to be freed with mem_free(). An entry that is not a string is NULL: the library
 * refuses it. */
int push_args_origin(const json_t *params, struct h2sess_push *push, const char **ret_field)
{
	const json_t *origins = json_object_get(params, "origins");
	size_t n = json_array_size(origins);
	const char **list;

	*ret_field = "origins";
	push->kind = H2SESS_PUSH_ORIGIN;
	if (!json_is_array(origins))
		return H2SESS_EARGTYPE;
	list = mem_calloc(n ? n : 1, sizeof(*list));
	if (!list)
		return H2SESS_ENOMEM;
	for (size_t i = 0; i < n; i++)
		list[i] = json_string_value(json_array_get(origins, i));
	push->origins = list;
	push->n_origins = n;
	return 0;
}

/* The member that an error of h2sess_session_push() speaks of. */
const char *push_args_field(const struct h2sess_push *push, int error)
{
	switch (error) {
	case H2SESS_EDESTROYED:
		return "session";
	case H2SESS_EBACKLOGGED:
	case H2SESS_ELIMIT:
	case H2SESS_ENOMEM:
		return NULL;
	default:
		break;
	}
	if (push->kind == H2SESS_PUSH_ORIGIN)
		return "origins";
	switch (error) {
	case H2SESS_EURL:
	case H2SESS_EALTSVCORIGIN:
	case H2SESS_ENOTCOVERED:
	case H2SESS_EHOSTTOOLONG:
		return "origin";
	case H2SESS_ERANGE:
		return "stream";
	default:
		return "alt";
	}
}

/* The lint rule that an error stands for, or NULL. */
const char *push_args_rule(int error)
{
	switch (error) {
#define ERROR(name, wire)   \
	case H2SESS_##name: \
		return (wire);
#define WARNING(name, wire)
#define X(name, value, wire, severity, row, text) severity(row, wire)
#include <h2sess/lint.def>
#undef X
#undef WARNING
#undef ERROR
	default:
		return NULL;
	}
}

static bool add_warning(json_t *warnings, const char *rule, const char *detail)
{
	json_t *warning = json_object();
	bool ok;

	ok = value_put(warning, "rule", json_string(rule));
	ok &= value_put(warning, "detail", json_string(detail));
	ok &= json_array_append_new(warnings, warning) == 0;
	return ok;
}

static const struct lint_warning {
	uint32_t bit;
	const char *rule;
	const char *detail;
} lint_warnings[] = {
#define ERROR(name, wire, text)
#define WARNING(name, wire, text) {H2SESS_LINT_##name, (wire), (text)},
#define X(name, value, wire, severity, row, text) severity(name, wire, text)
#include <h2sess/lint.def>
#undef X
#undef WARNING
#undef ERROR
};

json_t *push_args_warnings(uint32_t rules)
{
	json_t *warnings = json_array();
	bool ok = warnings != NULL;

	for (size_t i = 0; i < sizeof(lint_warnings) / sizeof(lint_warnings[0]); i++)
		if (rules & lint_warnings[i].bit)
			ok &= add_warning(warnings, lint_warnings[i].rule, lint_warnings[i].detail);
	return value_if(ok, warnings);
}

static bool add_counted(json_t *warnings, const char *rule, const char *detail, uint64_t sessions)
{
	json_t *warning = json_object();
	bool ok;

	ok = value_put(warning, "rule", json_string(rule));
	ok &= value_put(warning, "detail", json_string(detail));
	ok &= value_put(warning, "sessions", json_integer((json_int_t)sessions));
	ok &= json_array_append_new(warnings, warning) == 0;
	return ok;
}

bool push_args_lint_counts(const uint64_t counts[H2SESS_FANOUT_RULES], json_t *warnings,
			   json_t *refused)
{
	bool ok = true;

#define ERROR(value, wire, text) \
	if (counts[value])       \
		ok &= value_put(refused, (wire), json_integer((json_int_t)counts[value]));
#define WARNING(value, wire, text) \
	if (counts[value])         \
		ok &= add_counted(warnings, (wire), (text), counts[value]);
#define X(name, value, wire, severity, row, text) severity(value, wire, text)
#include <h2sess/lint.def>
#undef X
#undef WARNING
#undef ERROR
	return ok;
}

/* ---- what is not Node's ---------------------------------------------------------------------- */

int push_args_name(const json_t *params, const char **ret_field)
{
	const char *push = json_string_value(json_object_get(params, "push"));

	*ret_field = "push";
	if (!push)
		return H2SESS_EARGTYPE;
	return push_name_ok(push) ? 0 : H2SESS_EINVAL;
}

static int check_receipt(const json_t *receipt)
{
	const char *value = json_string_value(receipt);

	if (!receipt)
		return 0;
	if (!value)
		return H2SESS_EARGTYPE;
	return strcmp(value, "received") == 0 || strcmp(value, "written") == 0 ? 0 : H2SESS_EINVAL;
}

static int check_deadline(const json_t *deadline)
{
	json_int_t value = json_integer_value(deadline);

	if (!deadline || json_is_null(deadline))
		return 0;
	if (!json_is_integer(deadline))
		return H2SESS_EARGTYPE;
	return value >= 1 && value < UINT32_MAX ? 0 : H2SESS_ERANGE;
}

static int check_by(const json_t *by)
{
	if (!by || json_is_null(by))
		return 0;
	if (!json_is_string(by))
		return H2SESS_EARGTYPE;
	return json_string_length(by) <= PUSH_BY_MAX ? 0 : H2SESS_EINVAL;
}

static int check_lint(const json_t *lint)
{
	return !lint || json_is_boolean(lint) ? 0 : H2SESS_EARGTYPE;
}

int push_args_flags(const json_t *params, const char **ret_field)
{
	static const struct {
		const char *name;
		int (*check)(const json_t *value);
	} rows[] = {
		{"lint", check_lint},
		{"receipt", check_receipt},
		{"deadlineMs", check_deadline},
		{"by", check_by},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		*ret_field = rows[i].name;
		r = rows[i].check(json_object_get(params, rows[i].name));
	}
	return r;
}

int push_args_check(const json_t *params, const char **ret_field)
{
	int r = push_args_name(params, ret_field);

	if (r < 0)
		return r;
	*ret_field = "session";
	if (!json_is_string(json_object_get(params, "session")))
		return H2SESS_EARGTYPE;
	return push_args_flags(params, ret_field);
}

enum h2sess_receipt push_args_receipt(const json_t *params)
{
	const char *receipt = json_string_value(json_object_get(params, "receipt"));

	return receipt && strcmp(receipt, "written") == 0 ? H2SESS_RECEIPT_WRITTEN
							  : H2SESS_RECEIPT_RECEIVED;
}

void push_args_by(char buf[PUSH_BY_BUFFER], const json_t *params, const char *name)
{
	const char *by = json_string_value(json_object_get(params, "by"));

	snprintf(buf, PUSH_BY_BUFFER, "%s%c%s", by ? by : "", SESSION_JSON_BY_SEPARATOR, name);
}
