/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the workers have of each policy: telling them, and what they report.
 *
 *   1. hello.c gives a worker the whole list; it holds every policy from there on;
 *   2. each change is a policy.put to every worker that can; one that does not answer is asked
 *      again with the next tick of policies.c;
 *   3. policy.update brings the counts of its live sessions, and when a value was last sent.
 *
 * Failure modes: a worker refuses a policy: kept with the policy, shown, asked again only when the
 * policy changes. A worker is lost: its counts go, what it sent last stays; where it had not said
 * yet whether it sent a value, one is supposed to have been sent, for clients would remember it.
 */
#include "policy_workers.h"

#include "ask.h"
#include "controld.h"
#include "log.h"
#include "times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MATCHED, PENDING, WRITTEN, RECEIVED, NOT_SENT, COUNTS };

static const char *const count_names[COUNTS] = {"matched", "pending", "written", "received",
						"notSent"};

/* What a worker has of a policy. */
struct report {
	struct list link;
	char boot[WORKER_BOOT_MAX + 1];
	char worker[WORKER_NAME_MAX + 1];
	json_int_t revision; /* that it answered about; 0: none */
	json_int_t counted;  /* the revision that its counts are of; 0: none came */
	bool asked;	     /* a call is under way */
	json_t *problem;     /* why it does not hold it, or NULL */
	json_int_t counts[COUNTS];
};

static void report_free(struct report *report)
{
	list_remove(&report->link);
	json_decref(report->problem);
	free(report);
}

void policy_reports_done(struct policy *policy)
{
	while (!list_empty(&policy->reports))
		report_free(container_of(policy->reports.next, struct report, link));
}

static struct report *find_report(const struct policy *policy, const char *boot)
{
	list_for_each(at, &policy->reports) {
		struct report *report = container_of(at, struct report, link);

		if (strcmp(report->boot, boot) == 0)
			return report;
	}
	return NULL;
}

static struct report *make_report(struct policy *policy, const struct worker *worker)
{
	struct report *report = find_report(policy, worker->boot->boot);

	if (report)
		return report;
	report = calloc(1, sizeof(*report));
	if (!report)
		return NULL;
	memcpy(report->boot, worker->boot->boot, sizeof(report->boot));
	memcpy(report->worker, worker->boot->name, sizeof(report->worker));
	list_append(&policy->reports, &report->link);
	return report;
}

/* The worker was told of it, and has not said yet what it did. */
static bool is_unheard(const struct policy *policy, const struct report *report)
{
	bool told = report->asked || (report->revision && !report->problem);

	return told && report->counted != policy->record.revision;
}

bool policy_may_be_out(const struct policy *policy)
{
	list_for_each(at, &policy->reports) {
		const struct report *report = container_of(at, struct report, link);

		if (report->counts[MATCHED] || report->counts[PENDING] ||
		    is_unheard(policy, report))
			return true;
	}
	return false;
}

/* ---- as JSON --------------------------------------------------------------------------------- */

json_t *policy_counts_json(const struct policy *policy)
{
	json_int_t sums[COUNTS] = {0};
	json_t *counts = json_object();

	list_for_each(at, &policy->reports)
		for (int i = 0; i < COUNTS; i++)
			sums[i] += container_of(at, struct report, link)->counts[i];
	for (int i = 0; i < COUNTS; i++)
		json_object_set_new(counts, count_names[i], json_integer(sums[i]));
	return counts;
}

json_t *policy_workers_json(const struct policy *policy)
{
	json_t *workers = json_array();

	list_for_each(at, &policy->reports) {
		const struct report *report = container_of(at, struct report, link);
		bool holds = report->revision == policy->record.revision && !report->problem;
		json_t *one = json_pack("{s:s, s:s, s:b}", "worker", report->worker, "boot",
					report->boot, "holds", holds);

		if (report->problem && one)
			json_object_set(one, "problem", report->problem);
		json_array_append_new(workers, one);
	}
	return workers;
}

/* ---- telling --------------------------------------------------------------------------------- */

struct put_context {
	struct policies *policies;
	json_int_t revision;
	char name[POLICY_NAME_MAX + 1];
	char boot[WORKER_BOOT_MAX + 1];
};

static void on_put(const struct peer_answer *answer, void *user)
{
	struct put_context *context = user;
	struct policy *policy = policies_find(context->policies, context->name);
	struct report *report = policy ? find_report(policy, context->boot) : NULL;
	struct problem problem;

	if (report) {
		report->asked = false;
		if (answer->outcome == PEER_RESULT || answer->outcome == PEER_ERROR)
			report->revision = context->revision;
		if (answer->outcome == PEER_ERROR) {
			problem = ask_problem(answer);
			report->problem = problem_json(&problem);
			log_limited("worker %s refuses policy %s: %s", report->worker,
				    context->name, problem.code);
		}
	}
	free(context);
}

/* Tell a worker about a policy, if it does not have this revision. */
static void put(struct policies *policies, struct policy *policy, struct worker *worker)
{
	struct report *report = make_report(policy, worker);
	struct put_context *context;

	if (!report || report->asked || report->revision == policy->record.revision)
		return;
	context = calloc(1, sizeof(*context));
	if (!context)
		return;
	context->policies = policies;
	context->revision = policy->record.revision;
	memcpy(context->name, policy->name, sizeof(context->name));
	memcpy(context->boot, report->boot, sizeof(context->boot));
	json_decref(report->problem);
	report->problem = NULL;
	report->asked = true;
	if (peer_call(worker->peer, RPC_POLICY_PUT,
		      json_pack("{s:o}", "policy", policy_wire_json(policy)), ASK_MS, on_put,
		      context) == 0)
		return;
	report->asked = false;
	free(context);
}

void policy_put_everywhere(struct policies *policies, struct policy *policy)
{
	list_for_each_safe(at, next, &policies->controld->workers.list) {
		struct worker *worker = container_of(at, struct worker, link);

		if (worker_can(worker, "policies"))
			put(policies, policy, worker);
	}
}

static void on_removed(const struct peer_answer *answer, void *user)
{
	(void)answer; /* a worker that did not hear it learns it from its next hello */
	(void)user;
}

void policy_remove_everywhere(struct policies *policies, const char *name)
{
	list_for_each_safe(at, next, &policies->controld->workers.list) {
		struct worker *worker = container_of(at, struct worker, link);

		if (worker_can(worker, "policies"))
			peer_call(worker->peer, RPC_POLICY_REMOVE, json_pack("{s:s}", "name", name),
				  ASK_MS, on_removed, NULL);
	}
}

json_t *policies_for_worker(struct policies *policies, struct worker *worker)
{
	json_t *all = json_array();

	if (!worker_can(worker, "policies"))
		return all;
	list_for_each(at, &policies->list) {
		struct policy *policy = container_of(at, struct policy, link);
		struct report *report = make_report(policy, worker);

		json_array_append_new(all, policy_wire_json(policy));
		if (!report)
			continue;
		json_decref(report->problem);
		report->problem = NULL;
		report->revision = policy->record.revision;
		report->asked = false;
	}
	return all;
}

/* ---- reports --------------------------------------------------------------------------------- */

void policies_take_update(struct policies *policies, struct worker *worker, const json_t *params)
{
	const char *name = json_string_value(json_object_get(params, "policy"));
	const char *sent = json_string_value(json_object_get(params, "lastSent"));
	struct policy *policy = name ? policies_find(policies, name) : NULL;
	struct report *report = policy ? make_report(policy, worker) : NULL;
	int64_t sent_ms;

	if (!report)
		return;
	report->counted = json_integer_value(json_object_get(params, "revision"));
	for (int i = 0; i < COUNTS; i++) {
		json_int_t count = json_integer_value(json_object_get(params, count_names[i]));

		report->counts[i] = count > 0 ? count : 0;
	}
	if (sent && time_parse(sent, &sent_ms) == 0)
		policies_note_sent(policies, policy, sent_ms);
}

void policies_worker_lost(struct policies *policies, const struct boot *boot)
{
	list_for_each(at, &policies->list) {
		struct policy *policy = container_of(at, struct policy, link);
		struct report *report = find_report(policy, boot->boot);

		if (!report)
			continue;
		if (is_unheard(policy, report) && !policy->record.ending)
			policies_note_sent(policies, policy, time_now_ms());
		report_free(report);
	}
}
