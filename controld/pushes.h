/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_PUSHES_H
#define CONTROLD_PUSHES_H

#include "worker.h"

#define PUSHES_MAX \
	20000 /* records kept, with their idempotency keys; the oldest that is done goes first */
#define PUSH_ID_MAX 64

enum push_outcome {
#define X(name, value, wire, final, meaning) PUSH_##name = (value),
#include <h2sess/outcomes.def>
#undef X
	PUSH_OUTCOMES,
};

enum push_state { PUSH_STATE_RUNNING, PUSH_STATE_DONE, PUSH_STATE_CANCELLED };

/* One push, to one session. */
struct push {
	struct list link;    /* pushes.list, oldest first */
	struct list waiters; /* struct waiter.link */
	char id[PUSH_ID_MAX + 1];
	const char *kind; /* "altsvc" or "origin"; "" when only the worker knows */
	char *session;
	char boot[WORKER_BOOT_MAX + 1]; /* of the worker that has it */
	char *by;
	int64_t created_ms;
	enum push_state state;
	enum push_outcome outcome;
	char reason[64];
	bool answered;	      /* the worker has said whether it takes it */
	bool receipt_written; /* no barrier was asked for: written is the end */
	json_t *warnings;
	json_t *problem; /* what the worker refused it with: not a push then; or NULL */
	int problem_status;
	char *key;	   /* of pushes.by_key, or NULL */
	char *fingerprint; /* of the request that had the key */
	json_t *answer;	   /* what it was answered */
};

struct pushes {
	struct controld *controld;
	struct list list;
	size_t count;
	struct table by_id;
	struct table by_key;
	char start[9]; /* drawn at each start, so that ids never recur */
	uint64_t last;
	struct table totals; /* labels -> struct push_total */
	struct list totals_in_order;
};

struct push_total {
	struct list link;
	char *labels; /* as in /metrics */
	uint64_t count;
};

void pushes_init(struct pushes *pushes, struct controld *controld);
void pushes_done(struct pushes *pushes);

struct push *push_find(const struct pushes *pushes, const char *id);
struct push *push_find_by_key(const struct pushes *pushes, const char *key);

/* Make a record with a new id. NULL: out of memory, or PUSHES_MAX are running. */
struct push *push_new(struct pushes *pushes, const char *kind, const char *session,
		      const struct boot *boot, const char *by);
int push_set_key(struct pushes *pushes, struct push *push, const char *key,
		 const char *fingerprint);
void push_drop_key(struct pushes *pushes, struct push *push);
void push_free(struct pushes *pushes, struct push *push);

/* Take an outcome. Never back from a final one, nor from written to queued. */
void push_settle(struct pushes *pushes, struct push *push, enum push_outcome outcome,
		 const char *reason, bool done);

bool push_has_reached(const struct push *push);
const char *push_outcome_name(enum push_outcome outcome);
int push_outcome_by_name(const char *name); /* -1: no such outcome */

/* {"id","state","matched",...}, a new reference. */
json_t *push_json(const struct push *push);

/* What workers say. */
void pushes_take_update(struct pushes *pushes, struct worker *worker, json_t *params);
void pushes_adopt(struct pushes *pushes, struct worker *worker, json_t *list);
void pushes_worker_lost(struct pushes *pushes, const struct boot *boot);

#endif
