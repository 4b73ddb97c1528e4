/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_WAITERS_H
#define CONTROLD_WAITERS_H

#include "pushes.h"
#include "request.h"

#define WAIT_TIMEOUT_DEFAULT 5.0 /* seconds */
#define WAIT_TIMEOUT_MAX 60.0

enum push_wait {
	PUSH_WAIT_ANSWERED, /* every worker has said what it makes of it */
	PUSH_WAIT_WRITTEN,
	PUSH_WAIT_RECEIVED,
	PUSH_WAIT_DONE,
};

/* How a request waits for a push. */
struct wait {
	enum push_wait what;
	double seconds;
	bool made_it; /* the request that made the push, or repeats that: its answer is the key's */
};

/* The word of a query or a body; -1: none of them. `done` only where it is allowed. */
int wait_by_name(const char *word, bool done);

/*
 * Answer this request with the push: at once when it has got that far, else when it has, or when
 * the time is up. A push that is none (dry run, refused) is freed after its last answer.
 */
void waiters_add(struct request *request, struct push *push, const struct wait *wait);

/* Answer as the request with this key was. */
void waiters_repeat(struct request *request, const struct key *key);

/* The push has changed; one that is none may be freed. */
void waiters_wake(struct pushes *pushes, struct push *push);

/* The daemon stops: everybody is answered with what there is. */
void waiters_stop(struct pushes *pushes);

#endif
