/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_PUSHES_H
#define CONTROLD_PUSHES_H

#include "worker.h"

struct request;

#define PUSHES_MAX 20000      /* records kept; the oldest that is done goes first */
#define PUSH_KEYS_MAX 20000   /* idempotency keys kept, with their pushes */
#define PUSH_KEY_MAX 255      /* characters of one */
#define PUSH_WAITERS_MAX 2048 /* requests that wait for a push */

enum push_outcome {
#define X(name, value, wire, final, meaning) PUSH_##name = value,
#include <h2sess/outcomes.def>
#undef X
};

enum push_state { PUSH_STATE_RUNNING, PUSH_STATE_DONE, PUSH_STATE_CANCELLED };

enum push_wait { PUSH_WAIT_WRITTEN, PUSH_WAIT_RECEIVED, PUSH_WAIT_DONE };

/* One push, to one session. */
struct push {
	struct list link;	  /* pushes.list, oldest first */
	struct list session_link; /* unused when the session is not known */
	struct list waiters;	  /* struct waiter.link */
	char id[65];
	const char *kind; /* "altsvc", "origin"; NULL: adopted, not known */
	char *session;
	char *boot; /* of the worker that has it */
	char *by;
	int64_t created_ms;
	enum push_state state;
	enum push_outcome outcome;
	char *reason;
	bool receipt_written; /* nobody waits for a barrier */
	bool accepted;	      /* the worker has answered */
	bool failed;	      /* the worker refused: not shown in lists */
	json_t *warnings;
	json_t *problem; /* {"status":, ...}: what the worker refused it with */
	char *key;	 /* Idempotency-Key, with who used it; or NULL */
	char *fingerprint;
	json_t *answer; /* the first that was given for the key */
};

struct pushes {
	struct controld *controld;
	struct list list;
	size_t count;
	size_t waiters;
	struct table by_id;
	struct table by_key;
	char start[9]; /* drawn at each start: makes ids that never recur */
	uint64_t last;
	struct table totals; /* "kind\noutcome\nreason" -> uint64_t *, for /metrics */
};

void pushes_init(struct pushes *pushes, struct controld *controld);
void pushes_stop(struct pushes *pushes); /* whoever waits is answered */
void pushes_done(struct pushes *pushes);

/* What workers say. */
void pushes_take_update(struct pushes *pushes, struct worker *worker, json_t *params);
void pushes_adopt(struct pushes *pushes, struct worker *worker, json_t *list);
void pushes_worker_lost(struct pushes *pushes, const struct boot *boot);

#endif
