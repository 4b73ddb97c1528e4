/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: desired ALTSVC and ORIGIN state, kept on disk, held by every worker, until it is taken
 * back.
 *
 * policies_api.c writes a record to the store, and when it is there hands it to policies_apply().
 * From then on:
 *   1. the workers hold it, and report how far it has come (policy_workers.c);
 *   2. when a value of it was last sent is kept on disk too;
 *   3. removed or expired, it stays as one that is taken back (retracting) until its last value is
 *      past what clients remember (ma); then it is forgotten everywhere.
 *
 * An ORIGIN policy, and one that was never sent, is forgotten at once.
 *
 * Failure modes: a damaged row of the state file: left alone, said at the start. What a worker refuses
 * is policy_workers.c's.
 */
#include "policies.h"

#include "controld.h"
#include "log.h"
#include "policy_body.h"
#include "policy_workers.h"
#include "times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void release(struct policies *policies, struct policy *policy)
{
	list_remove(&policy->link);
	policies->count--;
	policy_reports_done(policy);
	policy_record_done(&policy->record);
	free(policy);
}

struct policy *policies_find(const struct policies *policies, const char *name)
{
	list_for_each(at, &policies->list) {
		struct policy *policy = container_of(at, struct policy, link);

		if (strcmp(policy->name, name) == 0)
			return policy;
	}
	return NULL;
}

static struct policy *add(struct policies *policies, const char *name)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	struct list *before = &policies->list;

	if (!policy)
		return NULL;
	snprintf(policy->name, sizeof(policy->name), "%s", name);
	list_init(&policy->reports);
	list_for_each(at, &policies->list) {
		if (strcmp(container_of(at, struct policy, link)->name, name) < 0)
			continue;
		before = at;
		break;
	}
	list_append(before, &policy->link);
	policies->count++;
	return policy;
}

/* ---- changes --------------------------------------------------------------------------------- */

static void publish(struct policies *policies, const struct policy *policy, const char *change)
{
	const struct policy_record *record = &policy->record;

	events_publish(&policies->controld->events, EVENT_POLICY_CHANGED, NULL,
		       json_pack("{s:s, s:s, s:s, s:I, s:s}", "policy", policy->name, "change",
				 change, "state", policy_state_name(record), "revision",
				 record->revision, "by", record->by));
}

struct policy *policies_apply(struct policies *policies, const char *name,
			      struct policy_record *record, const char *change)
{
	struct policy *policy = policies_find(policies, name);

	if (!policy)
		policy = add(policies, name);
	if (!policy) {
		policy_record_done(record);
		return NULL;
	}
	if (record->last_sent_ms < policy->record.last_sent_ms)
		record->last_sent_ms = policy->record.last_sent_ms;
	policy_record_done(&policy->record);
	policy->record = *record;
	policy->record.size = json_dumpb(record->definition, NULL, 0, JSON_COMPACT);
	*record = (struct policy_record){0}; /* the policy owns it now */
	publish(policies, policy, change);
	policy_put_everywhere(policies, policy);
	return policy;
}

void policies_forget(struct policies *policies, struct policy *policy, const char *change)
{
	publish(policies, policy, change);
	store_delete(policies->controld->store, STORE_POLICIES, policy->name, NULL, NULL);
	policy_remove_everywhere(policies, policy->name);
	release(policies, policy);
}

/* 0 is never: a clock that was set to the beginning of time does not lead there. */
static int64_t moved(int64_t ms, int64_t step)
{
	return ms + step > 1 ? ms + step : 1;
}

void policies_mind_clock(struct policies *policies)
{
	int64_t base = time_now_ms() - (int64_t)(uv_hrtime() / 1000000);
	int64_t step = base - policies->clock_base_ms;

	if (llabs(step) < POLICIES_TICK_MS)
		return;
	policies->clock_base_ms = base;
	list_for_each(at, &policies->list) {
		struct policy *policy = container_of(at, struct policy, link);
		struct policy_record *record = &policy->record;

		if (!record->last_sent_ms && !record->ending)
			continue;
		if (record->last_sent_ms)
			record->last_sent_ms = moved(record->last_sent_ms, step);
		if (record->ending) {
			record->until_ms = moved(record->until_ms, step);
			record->revision++;
		}
		policy->dirty = true;
	}
}

bool policy_end(const struct policy *policy, enum policy_ending ending,
		struct policy_record *record)
{
	int64_t sent = record->last_sent_ms, now = time_now_ms();
	bool may_be_out = policy_may_be_out(policy); /* of the revision that ends */

	record->ending = ending;
	record->updated_ms = now;
	record->revision++;
	if (policy_body_is_origin(record->definition))
		return false;
	if (may_be_out)
		sent = now; /* sent within the last second, and not told yet */
	record->until_ms = sent ? sent + policy_body_max_age(record->definition) * 1000 : now;
	return record->until_ms > now;
}

/* A value was sent later than we knew: what is taken back is taken back for longer. */
void policies_note_sent(struct policies *policies, struct policy *policy, int64_t sent_ms)
{
	struct policy_record *record = &policy->record;
	int64_t now = time_now_ms();

	policies_mind_clock(policies);
	if (sent_ms > now + POLICIES_TICK_MS)
		sent_ms = now; /* its clock is another one than ours */
	if (sent_ms <= record->last_sent_ms)
		return;
	record->last_sent_ms = sent_ms;
	policy->dirty = true;
	if (!record->ending || policy_body_is_origin(record->definition))
		return;
	sent_ms += policy_body_max_age(record->definition) * 1000;
	if (sent_ms <= record->until_ms)
		return;
	record->until_ms = sent_ms;
	record->revision++;
	policy_put_everywhere(policies, policy);
}

static void save_sent(struct policies *policies, struct policy *policy)
{
	json_t *row = policy_record_json(&policy->record);

	policy->dirty = false;
	if (row)
		store_put(policies->controld->store, STORE_POLICIES, policy->name, row, NULL, NULL);
	json_decref(row);
}

static void expire(struct policies *policies, struct policy *policy)
{
	if (!policy_end(policy, POLICY_EXPIRED, &policy->record)) {
		policies_forget(policies, policy, "expired");
		return;
	}
	publish(policies, policy, "expired");
	save_sent(policies, policy);
	policy_put_everywhere(policies, policy);
}

static bool has_expired(const struct policy *policy, int64_t now)
{
	const char *expires =
		json_string_value(json_object_get(policy->record.definition, "expires"));
	int64_t when;

	return !policy->record.ending && expires && time_parse(expires, &when) == 0 && when <= now;
}

static void on_tick(uv_timer_t *timer)
{
	struct policies *policies = container_of(timer, struct policies, tick);
	int64_t now = time_now_ms();

	if (policies->changing)
		return; /* a record is on its way to the disk: the next tick */
	policies_mind_clock(policies);
	list_for_each_safe(at, next, &policies->list) {
		struct policy *policy = container_of(at, struct policy, link);

		policy_put_everywhere(policies, policy);
		if (policy->dirty)
			save_sent(policies, policy);
		if (policy->record.ending && policy->record.until_ms <= now)
			policies_forget(policies, policy, "gone");
		else if (has_expired(policy, now))
			expire(policies, policy);
	}
}

/* ---- start and stop -------------------------------------------------------------------------- */

void policies_init(struct policies *policies, struct controld *controld)
{
	*policies = (struct policies){.controld = controld};
	policies->clock_base_ms = time_now_ms() - (int64_t)(uv_hrtime() / 1000000);
	list_init(&policies->list);
	list_init(&policies->changes);
}

/* The clock may have been set since: nothing was sent later than now. */
static void mend_times(struct policy_record *record)
{
	int64_t now = time_now_ms();
	int64_t last = now + policy_body_max_age(record->definition) * 1000;

	if (record->last_sent_ms > now)
		record->last_sent_ms = now;
	if (record->until_ms > last)
		record->until_ms = last;
}

static void on_row(void *user, const char *name, const void *value, size_t len)
{
	struct policies *policies = user;
	json_t *row = json_loadb(value, len, 0, NULL);
	struct policy_record record;
	struct policy *policy;

	if (strlen(name) > POLICY_NAME_MAX || policy_record_read(row, &record) < 0) {
		log_line("state: policy %s is damaged and left out", name);
		json_decref(row);
		return;
	}
	mend_times(&record);
	policy = add(policies, name);
	if (policy)
		policy->record = record;
	else
		policy_record_done(&record);
	if (policy)
		policy->record.size = len;
	json_decref(row);
}

int policies_load(struct policies *policies, char *why)
{
	return store_each(policies->controld->store, STORE_POLICIES, on_row, policies, why);
}

void policies_start(struct policies *policies)
{
	uv_timer_init(policies->controld->loop, &policies->tick);
	uv_timer_start(&policies->tick, on_tick, POLICIES_TICK_MS, POLICIES_TICK_MS);
}

void policies_stop(struct policies *policies)
{
	uv_close((uv_handle_t *)&policies->tick, NULL);
	list_for_each(at, &policies->list) {
		struct policy *policy = container_of(at, struct policy, link);

		if (policy->dirty)
			save_sent(policies, policy);
	}
}

void policies_done(struct policies *policies)
{
	while (!list_empty(&policies->list))
		release(policies, container_of(policies->list.next, struct policy, link));
}
