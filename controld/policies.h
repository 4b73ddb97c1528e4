/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_POLICIES_H
#define CONTROLD_POLICIES_H

#include "problem.h"
#include "store.h"
#include "tokens.h"
#include "worker.h"

#include <uv.h>

#define POLICIES_MAX 256	     /* counter "policies" */
#define POLICIES_SIZE_MAX (3u << 20) /* octets of all: hello has them in one line */
#define POLICY_NAME_MAX 63
#define POLICY_ETAG_MAX 24
#define POLICIES_TICK_MS 1000 /* how exact ends are, and how soon a worker is asked again */

enum policy_ending { POLICY_STANDS, POLICY_REMOVED, POLICY_EXPIRED };

/* What is kept of a policy on disk. */
struct policy_record {
	json_t *definition; /* of policy_body_read() */
	json_t *warnings;
	json_int_t revision;
	int64_t created_ms;
	int64_t updated_ms;
	int64_t last_sent_ms; /* 0: never */
	int64_t until_ms;     /* when ending: until then it is taken back */
	enum policy_ending ending;
	size_t size; /* octets of the definition as text */
	char by[TOKEN_NAME_MAX + 1];
};

struct policy {
	struct list link; /* policies.list, by name */
	char name[POLICY_NAME_MAX + 1];
	struct policy_record record;
	struct list reports; /* struct report.link: a worker each */
	bool dirty;	     /* last_sent_ms is newer than on disk */
};

struct policies {
	struct controld *controld;
	struct list list;
	size_t count;
	struct list changes; /* struct change.link of policies_api.c: one after the other */
	bool changing;	     /* one is under way */
	bool running;
	int64_t clock_base_ms; /* the wall clock at uv_hrtime() 0 */
	uv_timer_t tick;
};

void policies_init(struct policies *policies, struct controld *controld);
int policies_load(struct policies *policies, char *why); /* between store_open and store_start */
void policies_start(struct policies *policies);
void policies_stop(struct policies *policies);
void policies_refuse_changes(struct policies *policies); /* those that have not begun */
void policies_done(struct policies *policies);

struct policy *policies_find(const struct policies *policies, const char *name);

/*
 * A record that is on disk becomes what the policy is: told to the workers and to readers of
 * events. Its references are taken. NULL: out of memory, for a new one.
 */
struct policy *policies_apply(struct policies *policies, const char *name,
			      struct policy_record *record, const char *change);

/* Forget one, on disk too; the workers are told. */
void policies_forget(struct policies *policies, struct policy *policy, const char *change);

/*
 * Call before times are compared. Where the wall clock was set by more than POLICIES_TICK_MS, when a
 * value was sent and until when it is taken back move with it: clients count seconds, not dates. Only
 * `expires` is a date.
 */
void policies_mind_clock(struct policies *policies);

/* How it ends when it ends now: sets ending and until_ms. Returns false: nothing to take back. */
bool policy_end(const struct policy *policy, enum policy_ending ending,
		struct policy_record *record);

json_t *policy_record_json(const struct policy_record *record);
int policy_record_read(const json_t *row, struct policy_record *ret);
json_t *policy_wire_json(const struct policy *policy); /* POLICY of rpc.md */
const char *policy_state_name(const struct policy_record *record);
json_t *policy_json(const struct policy *policy);
void policy_etag(const struct policy_record *record, char ret[POLICY_ETAG_MAX]);
void policy_record_done(struct policy_record *record);
json_t *policy_remembered_until(const struct policy *policy); /* a time, or null */

/* Of hello.c: every policy as rpc.md has it; the worker holds them from here on. */
json_t *policies_for_worker(struct policies *policies, struct worker *worker);
void policies_take_update(struct policies *policies, struct worker *worker, const json_t *params);
void policies_note_sent(struct policies *policies, struct policy *policy, int64_t sent_ms);
void policies_worker_lost(struct policies *policies, const struct boot *boot);

#endif
