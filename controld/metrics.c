/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics: Prometheus text. What the daemon counts itself, and the workers' counters added up.
 *
 * A scrape asks every worker for worker.stats; those that do not answer in METRICS_MS are left with
 * what they said before. Counters of a worker are added as differences, so a sum never falls when a
 * worker goes. No label is per session; labels come from tables and from worker names, whose
 * letters hello.c has checked.
 */
#include "metrics.h"

#include "controld.h"
#include "handlers.h"
#include "request.h"
#include "store.h"
#include "times.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define METRICS_MS 1000
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct scrape {
	struct request *request;
	size_t left; /* answers to come, and one for the loop that asks */
};

struct one_call {
	struct scrape *scrape;
	char boot[WORKER_BOOT_MAX + 1];
};

static const struct {
	const char *member;
	const char *metric;
	const char *help;
} of_workers[METRICS_OF_WORKERS] = {
#define X(name, member, metric, help) {member, metric, help},
	METRICS_WORKER_LIST(X)
#undef X
};

static const char *const limit_labels[METRICS_LIMITS] = {
#define X(name, label) label,
	METRICS_LIMIT_LIST(X)
#undef X
};

static const char *const forgotten_labels[METRICS_FORGOTTEN] = {
#define X(name, label) label,
	METRICS_FORGOTTEN_LIST(X)
#undef X
};

static void write_head(struct text *text, const char *name, const char *type, const char *help)
{
	text_format(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_sessions(const struct controld *controld, struct text *text)
{
	write_head(text, "h2sess_sessions", "gauge", "Live sessions of a worker.");
	list_for_each(at, &controld->workers.list) {
		const struct worker *worker = container_of(at, struct worker, link);

		if (worker->boot->superseded)
			continue; /* one series a name */
		text_format(
			text, "h2sess_sessions{worker=\"%s\"} %lld\n", worker_name(worker),
			(long long)json_integer_value(json_object_get(worker->info, "sessions")));
	}
}

/* The first of a worker's certificates to end; 0: it has none. */
static int64_t first_end(const struct worker *worker)
{
	const json_t *certificates = json_object_get(worker->info, "certificates"), *one;
	int64_t first = 0, end;
	size_t i;

	json_array_foreach(certificates, i, one) {
		const char *text = json_string_value(json_object_get(one, "notAfter"));

		if (text && time_parse(text, &end) == 0 && (!first || end < first))
			first = end;
	}
	return first;
}

static void write_certificates(const struct controld *controld, struct text *text)
{
	write_head(text, "h2sess_certificate_not_after_seconds", "gauge",
		   "When the first of a worker's certificates ends, in seconds since 1970.");
	list_for_each(at, &controld->workers.list) {
		const struct worker *worker = container_of(at, struct worker, link);
		int64_t end = worker->boot->superseded ? 0 : first_end(worker);

		if (end)
			text_format(text,
				    "h2sess_certificate_not_after_seconds{worker=\"%s\"} %lld\n",
				    worker_name(worker), (long long)end / 1000);
	}
}

static void write_policies(const struct controld *controld, struct text *text)
{
	static const char *const states[] = {"active", "paused", "expired", "retracting"};

	write_head(text, "h2sess_policies", "gauge", "Policies, by their state.");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		unsigned count = 0;

		list_for_each(at, &controld->policies.list)
			count += strcmp(policy_state_name(
						&container_of(at, struct policy, link)->record),
					states[i]) == 0;
		text_format(text, "h2sess_policies{state=\"%s\"} %u\n", states[i], count);
	}
}

static void write_pushes(const struct controld *controld, struct text *text)
{
	write_head(text, "h2sess_push_frames_total", "counter",
		   "Frames pushed, by what became of them: each once, when its push has ended, "
		   "those that are unknown ten seconds later.");
	push_totals_write(&controld->pushes.totals, text);
}

static void write_counter(struct text *text, const char *name, const char *help, uint64_t value)
{
	write_head(text, name, "counter", help);
	text_format(text, "%s %" PRIu64 "\n", name, value);
}

static void write_limits(const struct metrics *metrics, struct text *text)
{
	const char *name;
	json_t *value;

	write_head(text, "h2sess_limit_total", "counter", "How often a limit was reached.");
	for (int i = 0; i < METRICS_LIMITS; i++)
		text_format(text, "h2sess_limit_total{limit=\"%s\"} %" PRIu64 "\n", limit_labels[i],
			    metrics->limits[i]);
	json_object_foreach(metrics->limits_of_workers, name, value) {
		if (strspn(name, "abcdefghijklmnopqrstuvwxyz_") != strlen(name))
			continue;
		text_format(text, "h2sess_limit_total{limit=\"%s\"} %lld\n", name,
			    (long long)json_integer_value(value));
	}
}

static void write_forgotten(const struct metrics *metrics, struct text *text)
{
	write_head(text, "h2sess_forgotten_total", "counter",
		   "What was kept, and made room for what is newer.");
	for (int i = 0; i < METRICS_FORGOTTEN; i++)
		text_format(text, "h2sess_forgotten_total{what=\"%s\"} %" PRIu64 "\n",
			    forgotten_labels[i], metrics->forgotten[i]);
}

/* Those who know nothing of the daemon count for themselves. */
static void gather(struct controld *controld)
{
	struct metrics *metrics = &controld->metrics;

	metrics->limits[LIMIT_STATE_QUEUE] = store_refused(controld->store);
	metrics->forgotten[FORGOTTEN_ENDED_SESSIONS] = controld->history.forgotten;
	metrics->forgotten[FORGOTTEN_EVENTS] = controld->events.first; /* positions count from 0 */
	metrics->forgotten[FORGOTTEN_EVENT_SUBJECTS] = controld->events.facts.forgotten;
	metrics->forgotten[FORGOTTEN_WORKER_BOOTS] = controld->workers.boots_forgotten;
}

static void write_all(struct request *request)
{
	struct controld *controld = request->controld;
	struct text text = {0};

	gather(controld);
	write_sessions(controld, &text);
	write_head(&text, "h2sess_workers", "gauge", "Workers that are connected.");
	text_format(&text, "h2sess_workers %zu\n", controld->workers.count);
	write_head(&text, "h2sess_event_streams", "gauge", "Event streams that are open.");
	text_format(&text, "h2sess_event_streams %zu\n", controld->streams.count);
	write_certificates(controld, &text);
	write_policies(controld, &text);
	write_pushes(controld, &text);
	write_counter(&text, "h2sess_event_gaps_total", "Gaps that readers of events were told.",
		      controld->streams.gaps);
	write_head(&text, "h2sess_api_refused_total", "counter",
		   "Requests over TCP that are nobody's: they are not in the audit.");
	strangers_write(&controld->strangers, &text);
	write_limits(&controld->metrics, &text);
	write_forgotten(&controld->metrics, &text);
	for (int i = 0; i < METRICS_OF_WORKERS; i++)
		write_counter(&text, of_workers[i].metric, of_workers[i].help,
			      controld->metrics.of_workers[i]);
	request_reply_text(request, 200, METRICS_TYPE, &text);
}

/* ---- workers' counters ----------------------------------------------------------------------- */

static uint64_t grow(const json_t *now, const json_t *before)
{
	json_int_t a = json_integer_value(now), b = json_integer_value(before);

	return a > b ? (uint64_t)(a - b) : 0;
}

static bool is_ours(const char *limit)
{
	for (int i = 0; i < METRICS_LIMITS; i++)
		if (strcmp(limit_labels[i], limit) == 0)
			return true;
	return false;
}

static void add_limit(struct metrics *metrics, const char *name, uint64_t more)
{
	json_t *sum = json_object_get(metrics->limits_of_workers, name);

	if (is_ours(name)) /* a series that stands twice spoils a scrape */
		return;
	if (!metrics->limits_of_workers)
		metrics->limits_of_workers = json_object();
	if (sum)
		json_integer_set(sum, json_integer_value(sum) + (json_int_t)more);
	else if (json_object_size(metrics->limits_of_workers) < METRICS_WORKER_LIMITS_MAX)
		json_object_set_new(metrics->limits_of_workers, name,
				    json_integer((json_int_t)more));
}

static void add_stats(struct metrics *metrics, struct boot *boot, json_t *stats)
{
	const json_t *limits = json_object_get(stats, "limits");
	const json_t *before = json_object_get(boot->stats, "limits");
	const char *name;
	json_t *value;

	for (int i = 0; i < METRICS_OF_WORKERS; i++)
		metrics->of_workers[i] += grow(json_object_get(stats, of_workers[i].member),
					       json_object_get(boot->stats, of_workers[i].member));
	json_object_foreach((json_t *)limits, name, value) {
		add_limit(metrics, name, grow(value, json_object_get(before, name)));
	}
	json_decref(boot->stats);
	boot->stats = json_incref(stats);
}

void metrics_done(struct metrics *metrics)
{
	json_decref(metrics->limits_of_workers);
	metrics->limits_of_workers = NULL;
}

static void one_less(struct scrape *scrape)
{
	if (--scrape->left)
		return;
	write_all(scrape->request);
	free(scrape);
}

static void on_stats(const struct peer_answer *answer, void *user)
{
	struct one_call *call = user;
	struct controld *controld = call->scrape->request->controld;
	struct boot *boot = table_get(&controld->workers.boots, call->boot);

	if (boot && answer->outcome == PEER_RESULT && json_is_object(answer->result)) {
		add_stats(&controld->metrics, boot, answer->result);
		if (boot->worker && json_object_get(answer->result, "sessions"))
			json_object_set(boot->worker->info, "sessions",
					json_object_get(answer->result, "sessions"));
	}
	one_less(call->scrape);
	free(call);
}

static void ask(struct scrape *scrape, struct worker *worker)
{
	struct one_call *call = malloc(sizeof(*call));

	if (!call)
		return;
	call->scrape = scrape;
	memcpy(call->boot, worker->boot->boot, sizeof(call->boot));
	if (peer_call(worker->peer, RPC_WORKER_STATS, NULL, METRICS_MS, on_stats, call) == 0)
		scrape->left++;
	else
		free(call);
}

void handle_metrics(struct request *request)
{
	struct scrape *scrape = malloc(sizeof(*scrape));

	if (!scrape) {
		request_refuse(request, PROBLEM_MEMORY, NULL, NULL);
		return;
	}
	*scrape = (struct scrape){.request = request, .left = 1};
	request_wait(request);
	list_for_each_safe(at, next, &request->controld->workers.list) {
		ask(scrape, container_of(at, struct worker, link));
	}
	one_less(scrape);
}
