/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_ASK_H
#define CONTROLD_ASK_H

#include "peer.h"
#include "problem.h"
#include "request.h"

#define ASK_MS 5000 /* a worker that takes longer cannot be reached */

/*
 * The connected worker that has (or had) this session. NULL: the answer was made: 410 when the
 * session has ended, 503 when its worker is not connected, 404 else.
 */
struct worker *ask_find_worker(struct request *request, const char *session);

/* Can the worker do this (capabilities of hello)? Else the answer was made: 501. */
bool ask_can(struct request *request, const struct worker *worker, const char *capability);

/*
 * Call the worker of the session that the path names; `session` is added to params, which are
 * taken. fn gets the request; ask_take_answer() answers it with the result. capability NULL: every
 * worker can.
 */
void ask_session(struct request *request, const char *capability, enum rpc_method method,
		 json_t *params, uint64_t timeout_ms, peer_answer_fn *fn);
void ask_take_answer(const struct peer_answer *answer, void *user);

/* The problem of a call that did not end with a result; its strings are the answer's. */
struct problem ask_problem(const struct peer_answer *answer);

/* Answer with it; ERR_NOT_FOUND of a session that ended becomes 410. */
void ask_refuse(struct request *request, const char *session, const struct peer_answer *answer);

/* 410 when the session has ended, else 404. */
void ask_refuse_session(struct request *request, const char *session);

#endif
