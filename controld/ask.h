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

/* The problem of a call that did not end with a result; its strings are the answer's. */
struct problem ask_problem(const struct peer_answer *answer);

/* Answer with it; ERR_NOT_FOUND of a session that ended becomes 410. */
void ask_refuse(struct request *request, const char *session, const struct peer_answer *answer);

/* 410 when the session has ended, else 404. */
void ask_refuse_session(struct request *request, const char *session);

#endif
