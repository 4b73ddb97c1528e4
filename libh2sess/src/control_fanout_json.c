/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fan-out as rpc.md tells of it: counts, and sessions by number, those of one outcome and reason
 * together. A loop numbers its sessions evenly and sends to them in that order, so what it tells is
 * mostly runs of numbers, three integers however long; what is not in one is told singly.
 */
#include "control_fanout_json.h"

#include "values.h"

#define GROUPS 64    /* outcomes by reason, in one update */
#define RUN_LENGTH 4 /* numbers that are shorter as a run */

/* Sessions of one outcome and reason. */
struct group {
	int32_t outcome;
	int32_t reason;
	json_t *numbers;
	json_t *runs;	/* NULL: none are told */
	uint64_t first; /* the run under way: `length` numbers, `step` apart */
	uint64_t step;
	uint64_t length;
};

static struct group *group_of(struct group *groups, size_t *n,
			      const struct h2sess_fanout_session *session)
{
	size_t i;

	for (i = 0; i < *n; i++) {
		if (groups[i].outcome == session->outcome && groups[i].reason == session->reason)
			return &groups[i];
	}
	if (*n == GROUPS)
		return NULL;
	groups[i] = (struct group){
		.outcome = session->outcome, .reason = session->reason, .numbers = json_array()};
	return &groups[(*n)++];
}

/* ---- runs ------------------------------------------------------------------------------------ */

static bool put_number(json_t *array, uint64_t number)
{
	return json_array_append_new(array, json_integer((json_int_t)number)) == 0;
}

/* The run under way has ended. */
static bool put_run(struct group *group)
{
	uint64_t length = group->length;
	bool ok = true;

	group->length = 0;
	if (length >= RUN_LENGTH)
		return json_array_append_new(group->runs,
					     json_pack("[I,I,I]", (json_int_t)group->first,
						       (json_int_t)group->step,
						       (json_int_t)length)) == 0;
	for (uint64_t i = 0; i < length; i++)
		ok &= put_number(group->numbers, group->first + i * group->step);
	return ok;
}

static bool continues(const struct group *group, uint64_t number)
{
	if (group->length == 1)
		return number > group->first;
	return group->length > 1 && number == group->first + group->length * group->step;
}

static bool add_to_run(struct group *group, uint64_t number)
{
	bool ok = true;

	if (!continues(group, number)) {
		ok = put_run(group);
		group->first = number;
	}
	if (group->length == 1)
		group->step = number - group->first;
	group->length++;
	return ok;
}

/* ---- changes --------------------------------------------------------------------------------- */

static bool put_group(json_t *changes, struct group *group)
{
	const char *reason = h2sess_reason_name(group->reason);
	json_t *object = json_object();
	bool ok = put_run(group);

	ok &= value_put(object, "outcome", json_string(h2sess_outcome_name(group->outcome)));
	ok &= value_put(object, "reason", json_string(reason ? reason : ""));
	ok &= value_put(object, "numbers", group->numbers);
	if (group->runs)
		ok &= value_put(object, "runs", group->runs);
	ok &= json_array_append_new(changes, object) == 0;
	return ok;
}

json_t *fanout_changes_json(const struct h2sess_fanout_session *sessions, size_t n, bool runs)
{
	json_t *changes = json_array();
	struct group groups[GROUPS];
	size_t i, n_groups = 0;
	bool ok = changes != NULL;

	for (i = 0; i < n; i++) {
		struct group *group = group_of(groups, &n_groups, &sessions[i]);

		if (group && runs && !group->runs)
			group->runs = json_array();
		ok &= group && (runs ? add_to_run(group, sessions[i].number)
				     : put_number(group->numbers, sessions[i].number));
	}
	for (i = 0; i < n_groups; i++)
		ok &= put_group(changes, &groups[i]);
	return value_if(ok, changes);
}

static bool put_count(json_t *object, const char *key, uint64_t count)
{
	return value_put(object, key, json_integer((json_int_t)count));
}

json_t *fanout_state_json(const char *name, struct h2sess_fanout *fanout, bool drain, bool over)
{
	static const char *const names[] = {
		[H2SESS_FANOUT_RUNNING] = "running",
		[H2SESS_FANOUT_DONE] = "done",
		[H2SESS_FANOUT_CANCELLED] = "cancelled",
	};
	struct h2sess_fanout_counts c = {.size = sizeof(c)};
	json_t *object = json_object();
	bool ok;

	h2sess_fanout_counts(fanout, &c);
	ok = value_put(object, "push", json_string(name));
	ok &= value_put(
		object, "state",
		json_string(names[over ? h2sess_fanout_state(fanout) : H2SESS_FANOUT_RUNNING]));
	ok &= put_count(object, "matched", c.matched);
	ok &= put_count(object, "queued", c.queued);
	ok &= put_count(object, "written", c.written);
	ok &= put_count(object, "received", c.received);
	ok &= put_count(object, "notSent", c.not_sent);
	ok &= put_count(object, "unknown", 0);
	if (drain)
		ok &= put_count(object, "ended", c.ended);
	return value_if(ok, object);
}
