/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_WAITERS_H
#define CONTROLD_WAITERS_H

#include "pushes.h"
#include "request.h"

#define WAIT_TIMEOUT_DEFAULT 5.0 /* seconds */
#define WAIT_TIMEOUT_MAX 60.0

enum push_wait { PUSH_WAIT_WRITTEN, PUSH_WAIT_RECEIVED, PUSH_WAIT_DONE };

/*
 * Answer this request with the push: at once when it has got that far, else when it has, or when
 * the time is up. Other answers come before: the worker's refusal.
 */
void waiters_add(struct request *request, struct push *push, enum push_wait wait, double seconds);

/* The push has changed. */
void waiters_wake(struct push *push);

/* The daemon stops: everybody is answered with what there is. */
void waiters_stop(struct pushes *pushes);

/* The answer about a push. */
json_t *push_answer(const struct push *push, bool timed_out);

#endif
