/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.put, policy.remove, and the policies of a hello's result. It owns the list of those that the
 * worker holds; the control thread calls it. Every change makes a new set, which goes to each loop with
 * a post, so that the loops share nothing that changes. control_policy_count.c tells what came of them.
 *
 * The happy path:
 *   - a POLICY is read, checked as a push is, and replaces the one of its name;
 *   - the new set is posted to the loops, which bring their sessions there (policy_turn.c).
 * What can go wrong:
 *   - a member that is wrong, a rule that needs no session: an error that names it, nothing changes;
 *   - POLICIES_MAX: ERR_LIMIT; no memory: nothing changes.
 */
#include "control.h"
#include "lint.h"
#include "memory.h"
#include "policy.h"
#include "push_args.h"
#include "session.h"
#include "values.h"

#include <string.h>

#define RETRACTING_MAX_MS (1000000000ull * 1000) /* some thirty years: for ever */

/* ---- reading a POLICY ------------------------------------------------------------------------ */

struct reading {
	struct policy *policy;
	const json_t *json;
	const char *field;
	const char *rule;
};

static const json_t *member(struct reading *reading, const char *name)
{
	const json_t *value = json_object_get(reading->json, name);

	reading->field = name;
	return json_is_null(value) ? NULL : value;
}

static int check_members(struct reading *reading)
{
	static const char *const names[] = {"name",	 "revision",   "select",   "alt",
					    "origin",	 "origins",    "priority", "percent",
					    "perSecond", "paused",     "via",	   "lint",
					    "expires",	 "retracting", "by"};
	json_t *json = (json_t *)reading->json; /* jansson's iterators want it so */
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach(json, key, value) {
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (strcmp(names[i], key) == 0)
				break;
		}
		if (i == sizeof(names) / sizeof(names[0])) {
			reading->field = key;
			return RPC_INVALID_PARAMS;
		}
	}
	return 0;
}

static int read_name(struct reading *reading)
{
	const char *name = json_string_value(member(reading, "name"));

	if (!name)
		return H2SESS_EARGTYPE;
	if (!control_name_ok(name))
		return H2SESS_EINVAL;
	strcpy(reading->policy->name, name);
	return 0;
}

static int read_number(struct reading *reading, const char *name, double min, double max,
		       double *ret)
{
	const json_t *value = member(reading, name);

	if (!value)
		return 0;
	if (!json_is_number(value))
		return H2SESS_EARGTYPE;
	*ret = json_number_value(value);
	return *ret >= min && *ret <= max ? 0 : H2SESS_ERANGE;
}

static int read_boolean(struct reading *reading, const char *name, bool *ret)
{
	const json_t *value = member(reading, name);

	if (value && !json_is_boolean(value))
		return H2SESS_EARGTYPE;
	*ret = value ? json_is_true(value) : *ret;
	return 0;
}

static int read_time(struct reading *reading, const char *name, uint64_t *ret)
{
	const json_t *value = member(reading, name);

	return value ? value_read_time(value, ret) : 0;
}

/* A time that is meant as a duration: how long clients may remember. */
static int read_retracting(struct reading *reading)
{
	struct policy *policy = reading->policy;
	uint64_t until_ms = 0, now_ms = wall_clock_ms(), left_ms;
	int r = read_time(reading, "retracting", &until_ms);

	left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
	left_ms = left_ms < RETRACTING_MAX_MS ? left_ms : RETRACTING_MAX_MS;
	policy->retracting = until_ms != 0;
	policy->clears_until_ns = uv_hrtime() + left_ms * 1000000;
	return r;
}

static int read_via(struct reading *reading)
{
	static const struct {
		const char *name;
		unsigned int via;
	} rows[] = {{"frame", POLICY_VIA_FRAME},
		    {"header", POLICY_VIA_HEADER},
		    {"both", POLICY_VIA_FRAME | POLICY_VIA_HEADER}};
	const json_t *value = member(reading, "via");
	size_t i;

	reading->policy->via = POLICY_VIA_FRAME;
	if (!value)
		return 0;
	if (!json_is_string(value))
		return H2SESS_EARGTYPE;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, json_string_value(value)) != 0)
			continue;
		reading->policy->via = rows[i].via;
		return 0;
	}
	return H2SESS_EINVAL;
}

/* Members that say the same of a session for as long as it lives, more or less. */
static int read_select(struct reading *reading)
{
	static const char *const allowed[] = {"worker",	   "label", "sni",	 "peer",
					      "encrypted", "alpn",  "userAgent", "sample",
					      "sampleBy",  "all"};
	const json_t *select = member(reading, "select");
	json_t *json = (json_t *)select;
	const char *key;
	json_t *value;
	size_t i;

	if (!json_is_object(select))
		return H2SESS_EARGTYPE;
	json_object_foreach(json, key, value) {
		for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
			if (strcmp(allowed[i], key) == 0)
				break;
		}
		if (i == sizeof(allowed) / sizeof(allowed[0])) {
			reading->field = key;
			return H2SESS_EINVAL;
		}
	}
	return selector_new_copy(select, &reading->policy->selector, &reading->field);
}

static int make_clear(struct policy *policy, const char *by)
{
	const struct h2sess_push push = {.size = sizeof(push),
					 .kind = H2SESS_PUSH_ALTSVC,
					 .alt = "clear",
					 .origin = policy->value->origin,
					 .by = by};

	return push_value_new(&push, &policy->clear);
}

/* alt and origin, or origins. */
static int read_value(struct reading *reading)
{
	struct policy *policy = reading->policy;
	struct h2sess_push push = H2SESS_PUSH_INIT;
	const char *by = json_string_value(member(reading, "by"));
	bool origins = member(reading, "origins");
	int r;

	r = origins ? push_args_origin(reading->json, &push, &reading->field)
		    : push_args_altsvc(reading->json, &push, &reading->field);
	push.by = by;
	if (r == 0) {
		r = push_value_new(&push, &policy->value);
		if (r == 0 && policy->lint)
			r = h2sess_lint(NULL, &push, NULL);
		reading->field = push_args_field(&push, r);
		reading->rule = push_args_rule(r);
	}
	mem_free((void *)push.origins);
	if (r < 0)
		return r;
	if (origins)
		policy->via = POLICY_VIA_FRAME;
	return origins ? 0 : make_clear(policy, by);
}

static int read_rates(struct reading *reading)
{
	struct policy *policy = reading->policy;
	double revision = 0, priority = 0, percent = 100, per_second = 0;
	int r;

	r = read_number(reading, "revision", 0, 9007199254740991.0, &revision);
	if (r == 0)
		r = read_number(reading, "priority", -2147483648.0, 2147483647.0, &priority);
	if (r == 0)
		r = read_number(reading, "percent", 0, 100, &percent);
	if (r == 0)
		r = read_number(reading, "perSecond", 0, 1e9, &per_second);
	if (r < 0)
		return r;
	policy->revision = (int64_t)revision;
	policy->priority = (int64_t)priority;
	policy->share = percent / 100;
	policy->interval_ns = per_second > 0 ? (uint64_t)(1e9 / per_second) : 0;
	return 0;
}

static int read_policy(struct reading *reading)
{
	static int (*const steps[])(struct reading *) = {check_members, read_name, read_rates,
							 read_via, read_select};
	struct policy *policy = reading->policy;
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]) && r == 0; i++)
		r = steps[i](reading);
	if (r == 0)
		r = read_boolean(reading, "paused", &policy->paused);
	if (r == 0)
		r = read_boolean(reading, "lint", &policy->lint);
	if (r == 0)
		r = read_time(reading, "expires", &policy->expires_ms);
	if (r == 0)
		r = read_retracting(reading);
	if (r == 0)
		r = read_value(reading);
	if (r < 0)
		return r;
	policy->by_peer = policy->selector->parsed.sample_by_peer;
	if (policy->selector->parsed.sample > 0) /* percent of those that it leaves */
		policy->share *= policy->selector->parsed.sample;
	return 0;
}

static int policy_read(struct reading *reading, const json_t *json)
{
	struct policy *policy = mem_calloc(1, sizeof(*policy));
	int r;

	if (!policy)
		return H2SESS_ENOMEM;
	atomic_init(&policy->references, 1);
	policy->lint = true;
	policy->expires_ms = POLICY_NEVER;
	policy->since_ns = uv_hrtime();
	*reading = (struct reading){.policy = policy, .json = json, .field = "policy"};
	r = json_is_object(json) ? read_policy(reading) : H2SESS_EARGTYPE;
	if (r < 0) {
		policy_unref(policy);
		reading->policy = NULL;
	}
	return r;
}

/* ---- to the loops ---------------------------------------------------------------------------- */

static void free_installs(struct policy_install **installs, size_t n)
{
	size_t i;

	for (i = 0; i < n && installs; i++)
		mem_free(installs[i]);
	mem_free(installs);
}

static struct policy_install **make_installs(size_t n)
{
	struct policy_install **installs = mem_calloc(n + 1, sizeof(struct policy_install *));
	size_t i;

	for (i = 0; i < n && installs; i++) {
		installs[i] = mem_calloc(1, sizeof(struct policy_install));
		if (!installs[i]) {
			free_installs(installs, n);
			return NULL;
		}
	}
	return installs;
}

/* All loops get the list as it would be, or none does. */
static int install(struct h2sess_control *control, struct policy *const *policies, size_t n)
{
	struct h2sess_server *srv = control->server;
	size_t i, loops = server_loops(srv);
	struct policy_install **installs = make_installs(loops);
	struct policy_set *set = policy_set_new(policies, n, control->name);

	if (!installs || !set) {
		free_installs(installs, loops);
		policy_set_unref(set);
		return H2SESS_ENOMEM;
	}
	for (i = 0; i < loops; i++) {
		installs[i]->set = policy_set_ref(set);
		installs[i]->post.fn = policy_installed;
		installs[i]->post.arg = installs[i];
		loop_post_own(&srv->loops[i], &installs[i]->post);
	}
	mem_free(installs);
	policy_set_unref(control->policy_set);
	control->policy_set = set;
	atomic_store(&set->changed, true); /* counts are told, also where there is no session */
	return 0;
}

/* A list under construction, with references; what it replaces stays until it is installed. */
struct draft {
	struct policy *policies[POLICIES_MAX];
	size_t n;
};

static size_t draft_find(const struct draft *draft, const char *name)
{
	size_t i;

	for (i = 0; i < draft->n && strcmp(draft->policies[i]->name, name) != 0; i++)
		;
	return i;
}

static void draft_init(struct draft *draft, const struct policy_set *set)
{
	draft->n = 0;
	for (; set && draft->n < set->n; draft->n++)
		draft->policies[draft->n] = policy_ref(set->policies[draft->n]);
}

static void draft_done(struct draft *draft)
{
	while (draft->n)
		policy_unref(draft->policies[--draft->n]);
}

/* The policy is taken on success. */
static int draft_put(struct draft *draft, struct policy *policy)
{
	size_t i = draft_find(draft, policy->name);

	if (i == POLICIES_MAX)
		return H2SESS_ELIMIT;
	if (i < draft->n) {
		atomic_store(&policy->last_sent_ns, atomic_load(&draft->policies[i]->last_sent_ns));
		policy_unref(draft->policies[i]);
	} else {
		draft->n++;
	}
	draft->policies[i] = policy;
	return 0;
}

static int draft_install(struct draft *draft, struct h2sess_control *control)
{
	int r = install(control, draft->policies, draft->n);

	draft_done(draft);
	return r;
}

/* ---- requests -------------------------------------------------------------------------------- */

void control_policy_put(struct control_request *request)
{
	struct h2sess_control *control = request->control;
	struct reading reading = {0};
	struct draft draft;
	int r = policy_read(&reading, json_object_get(request->params, "policy"));

	request->rule = reading.rule;
	if (r == 0) {
		draft_init(&draft, control->policy_set);
		r = draft_put(&draft, reading.policy);
		if (r < 0) {
			policy_unref(reading.policy);
			draft_done(&draft);
		} else {
			r = draft_install(&draft, control);
		}
		reading.field = NULL;
	}
	if (r < 0) {
		control_request_fail(request, r, r == H2SESS_ENOMEM ? NULL : reading.field);
		return;
	}
	request->result = json_object();
	control_request_finish(request);
}

void control_policy_remove(struct control_request *request)
{
	struct h2sess_control *control = request->control;
	const char *name = json_string_value(json_object_get(request->params, "name"));
	struct draft draft;
	size_t i;
	int r;

	if (!name) {
		control_request_fail(request, H2SESS_EARGTYPE, "name");
		return;
	}
	draft_init(&draft, control->policy_set);
	i = draft_find(&draft, name);
	if (i == draft.n) {
		draft_done(&draft);
		control_request_fail(request, H2SESS_ENOTFOUND, "name");
		return;
	}
	policy_unref(draft.policies[i]);
	draft.policies[i] = draft.policies[--draft.n];
	r = draft_install(&draft, control);
	if (r < 0) {
		control_request_fail(request, r, NULL);
		return;
	}
	request->result = json_object();
	control_request_finish(request);
}

static struct policy *held_by_name(const struct policy_set *set, const char *name)
{
	size_t i;

	for (i = 0; set && i < set->n; i++) {
		if (strcmp(set->policies[i]->name, name) == 0)
			return set->policies[i];
	}
	return NULL;
}

/*
 * Take the place of the one of this name that is held: the same revision keeps all of it, its pace
 * too; another one when it was sent. The policy is taken; returns a reference.
 */
static struct policy *follow_held(const struct policy_set *set, struct policy *policy)
{
	struct policy *held = held_by_name(set, policy->name);

	if (!held)
		return policy;
	if (held->revision != policy->revision || held->retracting != policy->retracting) {
		atomic_store(&policy->last_sent_ns, atomic_load(&held->last_sent_ns));
		return policy;
	}
	policy_unref(policy);
	return policy_ref(held);
}

static void take_one(struct h2sess_control *control, struct draft *draft, const json_t *json)
{
	struct reading reading = {0};
	int r = policy_read(&reading, json);

	if (r == 0) {
		reading.policy = follow_held(control->policy_set, reading.policy);
		r = draft_put(draft, reading.policy);
		if (r < 0)
			policy_unref(reading.policy);
	}
	if (r < 0)
		server_log(control->server, 4,
			   "control: a policy of the daemon's is not taken: %s %s",
			   h2sess_errname(r), reading.field ? reading.field : "");
}

void control_policies_take(struct h2sess_control *control, const json_t *list)
{
	struct draft draft = {.n = 0};
	size_t i;

	if (!json_is_array(list))
		return;
	for (i = 0; i < json_array_size(list); i++)
		take_one(control, &draft, json_array_get(list, i));
	if (draft_install(&draft, control) < 0)
		server_log(control->server, 4, "control: no memory for the daemon's policies");
}
