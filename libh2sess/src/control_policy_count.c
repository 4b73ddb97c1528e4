/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.update: what became of each policy on the live sessions, counted loop after loop.
 *
 * The happy path:
 *   - once a second, where something became of a session (policy_set.changed), a job goes through the
 *     loops, COUNT_SLICE sessions a turn;
 *   - it returns to the control thread, which tells the daemon a line for each policy.
 * What can go wrong: no memory, or a full link: the next second tries again.
 */
#include "control.h"
#include "memory.h"
#include "policy.h"
#include "session.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_SLICE 1024       /* sessions counted in one turn of a loop */
#define CLOCK_DRIFT_MAX_MS 500 /* a wall clock further off than that was set */

struct policy_count {
	const struct policy *policy;
	uint64_t matched, pending, written, received, not_sent;
};

struct count_job {
	struct policy_set *set; /* a reference */
	size_t loop;
	uint64_t cursor;
	struct policy_count counts[];
};

/* A row of reasons.def, or a lint rule: the other words have neither capitals in front nor dashes. */
static bool is_failure(const char *why)
{
	return (why[0] >= 'A' && why[0] <= 'Z') || strchr(why, '-');
}

static void count_one(const struct policy_report *report, void *user)
{
	struct count_job *job = user;
	struct policy_count *count = NULL;
	size_t i;

	for (i = 0; i < job->set->n && !count; i++) {
		if (job->set->policies[i] == report->policy)
			count = &job->counts[i];
	}
	if (!count || !report->meant)
		return;
	count->matched++;
	count->pending += strcmp(report->why, "pending") == 0 || strcmp(report->why, "paused") == 0;
	if (report->outcome == H2SESS_OUTCOME_WRITTEN)
		count->written++;
	else if (report->outcome == H2SESS_OUTCOME_RECEIVED)
		count->received++;
	else if (is_failure(report->why))
		count->not_sent++;
}

static bool put_count(json_t *object, const char *key, uint64_t count)
{
	return value_put(object, key, json_integer((json_int_t)count));
}

/* The wall clock at uv_hrtime() 0: the same one as long as the clock is not set, so that a moment that
 * is told twice is the same time. */
static int64_t clock_base(struct h2sess_control *control)
{
	int64_t base = (int64_t)wall_clock_ms() - (int64_t)(uv_hrtime() / 1000000);

	if (llabs(base - control->clock_base_ms) > CLOCK_DRIFT_MAX_MS)
		control->clock_base_ms = base;
	return control->clock_base_ms;
}

static json_t *count_json(const struct policy *policy, const struct policy_count *count,
			  int64_t clock_base_ms)
{
	uint64_t sent_ns = atomic_load(&policy->last_sent_ns);
	uint64_t sent = sent_ns ? (uint64_t)clock_base_ms + sent_ns / 1000000 : 0;
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "policy", json_string(policy->name));
	ok &= value_put(object, "revision", json_integer(policy->revision));
	ok &= put_count(object, "matched", count->matched);
	ok &= put_count(object, "pending", count->pending);
	ok &= put_count(object, "written", count->written);
	ok &= put_count(object, "received", count->received);
	ok &= put_count(object, "notSent", count->not_sent);
	ok &= value_put(object, "lastSent", sent ? value_time(sent) : json_null());
	return value_if(ok, object);
}

/* The control thread. */
static void tell_counts(struct control_request *request)
{
	struct h2sess_control *control = request->control;
	struct count_job *job = request->state;
	int64_t base = clock_base(control);
	size_t i;

	for (i = 0; i < job->set->n && control->link.up; i++)
		control_notify(control, RPC_POLICY_UPDATE,
			       count_json(job->set->policies[i], &job->counts[i], base));
	policy_set_unref(job->set);
	mem_free(job);
	control->policies_counting = false;
	control_request_finish(request);
}

static void count_some(struct loop *loop, void *arg)
{
	struct h2sess_session *sessions[COUNT_SLICE];
	struct control_request *request = arg;
	struct count_job *job = request->state;
	struct h2sess_server *srv = request->control->server;
	size_t i, n = loop ? loop_sessions_after(loop, job->cursor, sessions, COUNT_SLICE) : 0;

	for (i = 0; i < n; i++) {
		job->cursor = session_number(sessions[i]);
		session_each_policy(sessions[i], count_one, job);
	}
	if (n < COUNT_SLICE) {
		job->cursor = 0;
		job->loop++;
	}
	if (job->loop == server_loops(srv) ||
	    server_run_on_loop(srv, job->loop, count_some, request) < 0)
		control_request_return(request, tell_counts);
}

void control_policies_count(struct h2sess_control *control)
{
	struct policy_set *set = control->policy_set;
	struct control_request *request;
	struct count_job *job;

	if (!set || !set->n || control->policies_counting || !link_has_room(&control->link) ||
	    !control_server_started(control) || !atomic_exchange(&set->changed, false))
		return;
	job = mem_calloc(1, sizeof(*job) + set->n * sizeof(job->counts[0]));
	request = job ? control_request_new(control) : NULL;
	if (!request) {
		mem_free(job);
		atomic_store(&set->changed, true); /* the next second tries again */
		return;
	}
	request->state = job;
	job->set = policy_set_ref(set);
	control->policies_counting = true;
	if (server_run_on_loop(control->server, 0, count_some, request) < 0)
		tell_counts(request);
}
