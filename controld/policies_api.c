/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET, PUT, PATCH and DELETE /v1/policies/{name}, GET /v1/policies.
 *
 * Changes go one after the other, so that If-Match and what is written are about one state:
 *   1. the body is checked (policy_body.c), then If-Match and If-None-Match;
 *   2. a worker that can is asked what it thinks of it (a dry run of the push that it would be):
 *      its refusal is the answer, its warnings are kept. With no such worker the daemon looks at
 *      the value itself;
 *   3. the record is written to the store, and only then
 *   4. applied, told to the workers, and answered with its ETag.
 * A body that changes nothing is answered at once. `dryRun` ends after 2, with every worker asked.
 *
 * Failure modes: no If-Match for a PUT on an existing one: 428; a stale one: 412; POLICIES_MAX: 429;
 * the state file cannot be written: 503, nothing has changed; a worker that does not answer in
 * POLICY_LINT_MS is not asked any more.
 */
#include "api_error.h"
#include "ask.h"
#include "controld.h"
#include "handlers.h"
#include "policy_body.h"
#include "times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY_LINT_MS 2000

/* A change under way; it ends with its request's answer. */
struct change {
	struct list link; /* policies.changes */
	struct policies *policies;
	struct request *request;
	struct policy_record next; /* what is written */
	json_t *warnings;
	json_int_t matched;
	char asked[WORKER_BOOT_MAX + 1]; /* the last worker that was asked: "" before the first */
	bool dry_run;
};

static void run_next(struct policies *policies);

static const char *name_of(const struct change *change)
{
	return change->request->parameters[0];
}

/* The answer is made: the next one's turn. */
static void end(struct change *change)
{
	struct policies *policies = change->policies;

	policy_record_done(&change->next);
	json_decref(change->warnings);
	free(change);
	policies->changing = false;
	run_next(policies);
}

static void end_with_problem(struct change *change, const struct problem *problem)
{
	request_reply_problem(change->request, problem);
	end(change);
}

static void refuse(struct change *change, enum problem_kind kind, const char *field,
		   const char *detail)
{
	struct problem problem = problem_of(kind, field, detail);

	end_with_problem(change, &problem);
}

static void reply_policy(struct request *request, unsigned status, const struct policy *policy)
{
	char etag[POLICY_ETAG_MAX];

	policy_etag(&policy->record, etag);
	request_add_header(request, "ETag", etag);
	request_reply_json(request, status, policy_json(policy));
}

/* ---- conditions ------------------------------------------------------------------------------ */

/* Does a list of entity tags (RFC 9110 13.1.1, strong comparison) have this one? */
static bool list_has(const char *list, const char *etag)
{
	size_t len = strlen(etag);

	for (const char *at = strstr(list, etag); at; at = strstr(at + 1, etag))
		if ((at == list || strchr(" \t,", at[-1])) && strchr(" \t,", at[len]))
			return true;
	return false;
}

/* existing NULL: there is none, or one that is being taken back. */
static int check_conditions(const struct change *change, const struct policy *existing,
			    struct problem *ret_problem)
{
	const struct request *request = change->request;
	const char *match = request_header(request, "If-Match");
	const char *none_match = request_header(request, "If-None-Match");
	char etag[POLICY_ETAG_MAX] = "";
	bool fails;

	if (existing)
		policy_etag(&existing->record, etag);
	fails = (match && (!existing || (strcmp(match, "*") != 0 && !list_has(match, etag)))) ||
		(none_match && existing &&
		 (strcmp(none_match, "*") == 0 || list_has(none_match, etag)));
	if (fails) {
		*ret_problem = problem_of(
			PROBLEM_PRECONDITION, match ? "If-Match" : "If-None-Match",
			existing ? "the policy is another by now" : "there is no such policy");
		return -1;
	}
	if (!existing || match || strcmp(request->method, "PUT") != 0)
		return 0;
	*ret_problem = problem_of(PROBLEM_PRECONDITION_REQUIRED, "If-Match",
				  "the policy exists: say which state is to be replaced");
	return -1;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Gone from the disk, with nothing to take back. */
static void on_deleted(void *user, const char *error)
{
	struct change *change = user;
	struct policy *policy = policies_find(change->policies, name_of(change));
	bool origin = policy && policy_body_is_origin(policy->record.definition);
	json_t *object = policy ? policy_json(policy) : NULL;

	if (error || !policy) {
		json_decref(object);
		refuse(change, error ? PROBLEM_STATE : PROBLEM_NOT_FOUND, NULL, error);
		return;
	}

	json_object_set_new(object, "state", json_string("removed"));
	if (origin)
		json_object_set_new(
			object, "warnings",
			json_pack("[{s:s, s:s}]", "rule", "origin-stays", "detail",
				  "ORIGIN cannot be taken back: sessions that have it keep it "
				  "until they end"));
	memcpy(policy->record.by, change->next.by, sizeof(policy->record.by));
	policies_forget(change->policies, policy, "removed");
	request_reply_json(change->request, 200, object);
	end(change);
}

static const char busy[] = "too much waits to be written";

static void on_written(void *user, const char *error)
{
	struct change *change = user;
	struct policies *policies = change->policies;
	struct policy *policy = policies_find(policies, name_of(change));
	bool created = !policy || policy->record.ending;
	enum policy_ending ending = change->next.ending;

	if (error) {
		refuse(change, PROBLEM_STATE, NULL, error);
		return;
	}
	policy = policies_apply(policies, name_of(change), &change->next,
				ending	  ? "removed"
				: created ? "created"
					  : "updated");
	if (!policy) {
		refuse(change, PROBLEM_MEMORY, NULL, NULL);
		return;
	}
	if (created && !ending) {
		char location[16 + POLICY_NAME_MAX];

		snprintf(location, sizeof(location), "/v1/policies/%s", policy->name);
		request_add_header(change->request, "Location", location);
	}
	reply_policy(change->request, created && !ending ? 201 : 200, policy);
	end(change);
}

static void write_record(struct change *change)
{
	json_t *row = policy_record_json(&change->next);
	int r = -1;

	if (row)
		r = store_put(change->policies->controld->store, STORE_POLICIES, name_of(change),
			      row, on_written, change);
	json_decref(row);
	if (r < 0)
		refuse(change, PROBLEM_STATE, NULL, busy);
}

/* ---- asking workers -------------------------------------------------------------------------- */

static void answer_dry_run(struct change *change)
{
	int64_t age = policy_body_max_age(change->next.definition);
	char until[TIME_TEXT];
	json_t *object = json_pack("{s:s, s:b, s:I, s:O, s:O}", "name", name_of(change), "dryRun",
				   true, "matched", change->matched, "warnings", change->warnings,
				   "policy", change->next.definition);

	time_text(time_now_ms() + age * 1000, until);
	json_object_set_new(object, "clientsRememberUntil", age ? json_string(until) : json_null());
	request_reply_json(change->request, 200, object);
	end(change);
}

static void ask_workers(struct change *change);

static void on_lint(const struct peer_answer *answer, void *user)
{
	struct change *change = user;
	json_t *warnings = json_object_get(answer->result, "warnings");
	struct problem problem;

	if (answer->outcome == PEER_ERROR) {
		problem = ask_problem(answer);
		if (problem.status < 500) {
			end_with_problem(change, &problem);
			return;
		}
	}
	change->matched += json_integer_value(json_object_get(answer->result, "matched"));
	if (json_is_array(warnings) && !json_array_size(change->warnings))
		json_array_extend(change->warnings, warnings);
	if (answer->outcome == PEER_RESULT && !change->dry_run) {
		write_record(change);
		return;
	}
	ask_workers(change);
}

/* The next worker that can, and that the policy is about; NULL: all were asked. */
static struct worker *next_worker(const struct change *change)
{
	const struct workers *workers = &change->policies->controld->workers;
	const char *only = json_string_value(
		json_object_get(json_object_get(change->next.definition, "select"), "worker"));
	bool behind = !change->asked[0];

	list_for_each(at, &workers->list) {
		struct worker *worker = container_of(at, struct worker, link);

		if (behind && worker_can(worker, "fanout") &&
		    (!only || worker_find(workers, only) == worker))
			return worker;
		behind |= strcmp(worker->boot->boot, change->asked) == 0;
	}
	return NULL;
}

static json_t *dry_run_params(const struct change *change)
{
	const json_t *definition = change->next.definition;
	const char *lint = json_string_value(json_object_get(definition, "lint"));
	json_t *select = json_copy(json_object_get(definition, "select"));
	json_t *params = json_pack("{s:s, s:s, s:b, s:b}", "push", "policy", "kind",
				   policy_body_is_origin(definition) ? "origin" : "altsvc", "lint",
				   strcmp(lint, "on") == 0, "dryRun", true);
	static const char *const through[] = {"alt", "origin", "origins"};

	json_object_del(select, "worker");
	if (!json_object_size(select))
		json_object_set_new(select, "all", json_true());
	json_object_set_new(params, "select", select);
	for (size_t i = 0; i < sizeof(through) / sizeof(through[0]); i++) {
		json_t *value = json_object_get(definition, through[i]);

		if (value)
			json_object_set(params, through[i], value);
	}
	return params;
}

static void ask_workers(struct change *change)
{
	struct worker *worker = next_worker(change);

	if (worker) {
		memcpy(change->asked, worker->boot->boot, sizeof(change->asked));
		if (peer_call(worker->peer, RPC_PUSH_START, dry_run_params(change), POLICY_LINT_MS,
			      on_lint, change) == 0)
			return;
		ask_workers(change);
	} else if (change->dry_run) {
		answer_dry_run(change);
	} else {
		write_record(change);
	}
}

/* ---- what is to be --------------------------------------------------------------------------- */

/* How many policies there are, and how large all of them, is bounded. */
static int check_room(const struct change *change, struct problem *ret_problem)
{
	const struct policies *policies = change->policies;
	const struct policy *same = policies_find(policies, name_of(change));
	size_t size = json_dumpb(change->next.definition, NULL, 0, JSON_COMPACT);

	list_for_each(at, &policies->list)
		size += container_of(at, struct policy, link)->record.size;
	size -= same ? same->record.size : 0;
	if (size <= POLICIES_SIZE_MAX && (same || policies->count < POLICIES_MAX))
		return 0;
	policies->controld->metrics.limits[LIMIT_POLICIES]++;
	*ret_problem = problem_of_error(API_ELIMIT, "policies", NULL, "at most 256, and 3 MiB");
	return -1;
}

/* The next record of a PUT or PATCH. Returns 1: nothing changes, 0, or -1 and the problem. */
static int make_next(struct change *change, struct policy *existing, const json_t *body,
		     struct problem *ret_problem)
{
	struct policy_record *next = &change->next;
	int64_t now = time_now_ms(), expires;
	const char *text;
	bool same;

	if (policy_body_read(change->request, body, &next->definition, ret_problem) < 0)
		return -1;
	same = existing && !change->dry_run &&
	       json_equal(existing->record.definition, next->definition);
	if (same && strcmp(change->request->method, "PUT") == 0)
		return 1; /* a PUT that was sent again: RFC 9110 13.1.1 */
	if (check_conditions(change, existing, ret_problem) < 0)
		return -1;
	if (same)
		return 1;
	if (check_room(change, ret_problem) < 0 ||
	    policy_body_lint(next->definition, ret_problem) < 0)
		return -1;
	text = json_string_value(json_object_get(next->definition, "expires"));
	if (text && time_parse(text, &expires) == 0 && expires <= now) {
		*ret_problem = problem_of(PROBLEM_RANGE, "expires", "it has passed");
		return -1;
	}
	next->revision = existing ? existing->record.revision + 1 : 1;
	next->created_ms = existing ? existing->record.created_ms : now;
	next->last_sent_ms = existing ? existing->record.last_sent_ms : 0;
	next->updated_ms = now;
	next->warnings = json_incref(change->warnings);
	snprintf(next->by, sizeof(next->by), "%s", change->request->by);
	return 0;
}

static json_t *patched(struct request *request, const struct policy *policy)
{
	json_t *body = policy_body_merge(policy->record.definition, request->body.object);

	json_object_del(body, "dryRun");
	return body;
}

static int read_dry_run(const struct request *request, bool *ret, struct problem *ret_problem)
{
	const json_t *value = json_object_get(request->body.object, "dryRun");

	*ret = json_is_true(value);
	if (!value || json_is_boolean(value))
		return 0;
	*ret_problem = problem_of(PROBLEM_TYPE, "dryRun", "must be true or false");
	return -1;
}

/* PUT and PATCH. */
static void set(struct change *change, struct policy *policy)
{
	struct request *request = change->request;
	struct policy *existing = policy && !policy->record.ending ? policy : NULL;
	bool patch = strcmp(request->method, "PATCH") == 0;
	struct problem problem;
	json_t *body;
	int r;

	if (patch && !existing) {
		refuse(change, policy ? PROBLEM_RETRACTING : PROBLEM_NOT_FOUND, "policy",
		       policy ? "it is being taken back" : NULL);
		return;
	}
	r = read_dry_run(request, &change->dry_run, &problem);
	body = patch ? patched(request, existing) : json_incref(request->body.object);
	if (r == 0)
		r = make_next(change, existing, body, &problem);
	json_decref(body);
	if (r < 0) {
		end_with_problem(change, &problem);
	} else if (r > 0) {
		reply_policy(request, 200, existing);
		end(change);
	} else {
		if (policy && !existing) /* its numbers go on: workers know them */
			change->next.revision = policy->record.revision + 1;
		ask_workers(change);
	}
}

static void take_away(struct change *change, struct policy *policy)
{
	struct policy_record *next = &change->next;
	struct problem problem;

	if (check_conditions(change, policy, &problem) < 0) {
		end_with_problem(change, &problem);
		return;
	}
	if (policy->record.ending == POLICY_REMOVED) {
		reply_policy(change->request, 200, policy);
		end(change);
		return;
	}
	policies_mind_clock(change->policies);
	*next = policy->record;
	json_incref(next->definition);
	json_incref(next->warnings);
	snprintf(next->by, sizeof(next->by), "%s", change->request->by);
	if (policy_end(policy, POLICY_REMOVED, next))
		write_record(change);
	else if (store_delete(change->policies->controld->store, STORE_POLICIES, policy->name,
			      on_deleted, change) < 0)
		refuse(change, PROBLEM_STATE, NULL, busy);
}

static void begin(struct change *change)
{
	struct policy *policy = policies_find(change->policies, name_of(change));

	if (strcmp(change->request->method, "DELETE") != 0)
		set(change, policy);
	else if (policy)
		take_away(change, policy);
	else
		refuse(change, PROBLEM_NOT_FOUND, "policy", NULL);
}

/* A change that ends in begin() comes here again: the loop below goes on, not the stack. */
static void run_next(struct policies *policies)
{
	if (policies->running)
		return;
	policies->running = true;
	while (!policies->changing && !list_empty(&policies->changes)) {
		struct change *change = container_of(policies->changes.next, struct change, link);

		list_remove(&change->link);
		policies->changing = true;
		begin(change);
	}
	policies->running = false;
}

void policies_refuse_changes(struct policies *policies)
{
	list_for_each_safe(at, next, &policies->changes) {
		struct change *change = container_of(at, struct change, link);

		list_remove(&change->link);
		request_refuse(change->request, PROBLEM_STOPPING, NULL, NULL);
		json_decref(change->warnings);
		free(change);
	}
}

/* ---- calls ----------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false; /* clients take them out of paths: RFC 3986 5.2.4 */
	return len && len <= POLICY_NAME_MAX && strspn(name, letters) == len;
}

void handle_policy_change(struct request *request)
{
	struct policies *policies = &request->controld->policies;
	struct change *change;

	if (!is_name(request->parameters[0])) {
		request_refuse(request, PROBLEM_VALUE, "name", "1 to 63 of A-Z a-z 0-9 . _ -");
		return;
	}
	change = calloc(1, sizeof(*change));
	if (!change) {
		request_refuse(request, PROBLEM_MEMORY, NULL, NULL);
		return;
	}
	change->policies = policies;
	change->request = request;
	change->warnings = json_array();
	list_append(&policies->changes, &change->link);
	request_wait(request);
	run_next(policies);
}

void handle_policy(struct request *request)
{
	const struct policy *policy =
		policies_find(&request->controld->policies, request->parameters[0]);

	if (policy)
		reply_policy(request, 200, policy);
	else
		request_refuse(request, PROBLEM_NOT_FOUND, "policy", NULL);
}

void handle_policies(struct request *request)
{
	json_t *all = json_array();

	list_for_each(at, &request->controld->policies.list)
		json_array_append_new(all, policy_json(container_of(at, struct policy, link)));
	request_reply_json(request, 200, json_pack("{s:o}", "policies", all));
}
