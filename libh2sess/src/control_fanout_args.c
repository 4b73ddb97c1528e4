/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The params of push.start, from JSON to the options of a fan-out.
 *
 * The happy path: the flags that every push has, then the selector and what all kinds share, then
 * the members of the kind. Failures name the member; one of another kind's is unknown.
 */
#include "control_fanout_args.h"

#include "memory.h"
#include "rpc.h"
#include "selector.h"
#include "values.h"

#include <math.h>
#include <string.h>

static int read_number(struct fanout_args *args, const json_t *params, const char *name, double max,
		       double *ret)
{
	const json_t *value = json_object_get(params, name);

	args->field = name;
	if (!value)
		return 0;
	if (!json_is_number(value))
		return H2SESS_EARGTYPE;
	*ret = json_number_value(value);
	return *ret >= 0 && *ret <= max ? 0 : H2SESS_ERANGE;
}

static int read_whole(struct fanout_args *args, const json_t *params, const char *name, double max,
		      double *ret)
{
	int r = read_number(args, params, name, max, ret);

	return r == 0 && *ret != floor(*ret) ? H2SESS_ERANGE : r;
}

static int read_altsvc(struct fanout_args *args, const json_t *params)
{
	args->options.push = &args->push;
	return push_args_altsvc(params, &args->push, &args->field);
}

static int read_origin(struct fanout_args *args, const json_t *params)
{
	args->options.push = &args->push;
	return push_args_origin(params, &args->push, &args->field);
}

static int read_goaway(struct fanout_args *args, const json_t *params)
{
	double code = 0, last = 0;
	int r;

	args->options.kind = H2SESS_FANOUT_GOAWAY;
	r = read_whole(args, params, "code", UINT32_MAX, &code);
	if (r == 0)
		r = read_whole(args, params, "lastStreamID", H2SESS_STREAM_ID_MAX, &last);
	if (r < 0)
		return r;
	args->options.code = (uint32_t)code;
	args->options.last_stream_id = (int32_t)last;
	args->field = "opaqueData";
	args->options.data = args->data;
	return value_read_base64(json_object_get(params, "opaqueData"), args->data,
				 sizeof(args->data), &args->options.len);
}

static int read_drain(struct fanout_args *args, const json_t *params)
{
	args->options.kind = H2SESS_FANOUT_DRAIN;
	if (!json_object_get(params, "alt") && !json_object_get(params, "origin"))
		return 0;
	return read_altsvc(args, params);
}

static const struct {
	const char *name;
	int (*read)(struct fanout_args *args, const json_t *params);
	const char *members[4]; /* of the kind, beside those of all */
} kinds[] = {
	{"altsvc", read_altsvc, {"alt", "origin"}},
	{"origin", read_origin, {"origins"}},
	{"goaway", read_goaway, {"code", "lastStreamID", "opaqueData"}},
	{"drain", read_drain, {"alt", "origin"}},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* A member of another kind's is unknown here. */
static const char *foreign_member(size_t kind, const json_t *params)
{
	size_t i, k, own;

	for (i = 0; i < KINDS; i++) {
		for (k = 0; k < 4 && kinds[i].members[k]; k++) {
			const char *name = kinds[i].members[k];

			for (own = 0; own < 4 && kinds[kind].members[own]; own++) {
				if (strcmp(kinds[kind].members[own], name) == 0)
					break;
			}
			if ((own == 4 || !kinds[kind].members[own]) &&
			    json_object_get(params, name))
				return name;
		}
	}
	return NULL;
}

static int read_kind(struct fanout_args *args, const json_t *params)
{
	const json_t *kind = json_object_get(params, "kind");
	size_t i;

	args->field = "kind";
	if (!json_is_string(kind))
		return H2SESS_EARGTYPE;
	for (i = 0; i < KINDS && strcmp(kinds[i].name, json_string_value(kind)) != 0; i++)
		;
	if (i == KINDS)
		return H2SESS_EINVAL;
	args->field = foreign_member(i, params);
	return args->field ? RPC_INVALID_PARAMS : kinds[i].read(args, params);
}

static int read_common(struct fanout_args *args, const json_t *params, const char *name)
{
	const json_t *select = json_object_get(params, "select");
	const json_t *dry_run = json_object_get(params, "dryRun");
	int r;

	args->field = "select";
	if (!json_is_object(select))
		return H2SESS_EARGTYPE;
	r = selector_new_copy(select, &args->selector, &args->field);
	if (r == 0)
		r = read_number(args, params, "perSecond", 1e9, &args->options.per_second);
	if (r < 0)
		return r;
	if (json_object_get(params, "perSecond") && args->options.per_second == 0)
		return H2SESS_ERANGE;
	args->field = "dryRun";
	if (dry_run && !json_is_boolean(dry_run))
		return H2SESS_EARGTYPE;
	push_args_by(args->by, params, name);
	args->push.by = args->by;
	args->options.dry_run = json_is_true(dry_run);
	args->options.lint = !json_is_false(json_object_get(params, "lint"));
	args->options.receipt = push_args_receipt(params);
	args->options.deadline_ms =
		(uint32_t)json_integer_value(json_object_get(params, "deadlineMs"));
	args->options.select = args->selector;
	return 0;
}

int fanout_args_read(struct fanout_args *args, const json_t *params, const char *name)
{
	int r;

	args->options.size = sizeof(args->options);
	args->push.size = sizeof(args->push);
	r = push_args_flags(params, &args->field);

	if (r == 0)
		r = read_common(args, params, name);
	return r < 0 ? r : read_kind(args, params);
}

void fanout_args_done(struct fanout_args *args)
{
	h2sess_selector_free(args->selector);
	mem_free((void *)args->push.origins);
}
