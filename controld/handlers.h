/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the API, by the table in route.c. Each makes an answer or calls request_wait(). */
#ifndef CONTROLD_HANDLERS_H
#define CONTROLD_HANDLERS_H

struct request;

void handle_index(struct request *request);
void handle_workers(struct request *request);
void handle_worker(struct request *request);
void handle_sessions(struct request *request);
void handle_session(struct request *request);
void handle_session_streams(struct request *request);
void handle_verb(struct request *request);
void handle_push_one(struct request *request);
void handle_push_many(struct request *request);
void handle_pushes(struct request *request);
void handle_push(struct request *request);
void handle_push_cancel(struct request *request);
void handle_push_sessions(struct request *request);
void handle_policies(struct request *request);
void handle_policy(struct request *request);
void handle_policy_change(struct request *request);
void handle_events(struct request *request);
void handle_audit(struct request *request);
void handle_metrics(struct request *request);
void handle_healthz(struct request *request);
void handle_readyz(struct request *request);
void handle_openapi(struct request *request);

#endif
