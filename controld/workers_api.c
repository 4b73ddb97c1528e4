/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/workers and /v1/workers/{worker}: who is connected.
 *
 * The list is what they said, and never waits for them: texts are kept dumped and put together. One
 * worker is asked for its counts too; when it does not answer in WORKER_STATS_MS, counts has what
 * it said last.
 */
#include "controld.h"
#include "handlers.h"
#include "request.h"

#include <string.h>

#define WORKER_STATS_MS 1000

void handle_workers(struct request *request)
{
	struct text text = {0};
	const char *comma = "";

	text_add(&text, "{\"workers\":[");
	list_for_each(at, &request->controld->workers.list) {
		const char *worker = worker_text(container_of(at, struct worker, link));

		text.failed |= !worker;
		text_add(&text, comma);
		text_add(&text, worker ? worker : "");
		comma = ",";
	}
	text_add(&text, "]}\n");
	request_reply_text(request, 200, "application/json", &text);
}

static void on_stats(const struct peer_answer *answer, void *user)
{
	struct request *request = user;
	struct worker *worker = worker_find(&request->controld->workers, request->parameters[0]);
	json_t *info;

	if (!worker) {
		request_refuse(request, PROBLEM_WORKER_UNREACHABLE, NULL, NULL);
		return;
	}
	info = json_copy(worker->info);
	if (answer->outcome == PEER_RESULT && json_is_object(answer->result))
		json_object_set(info, "counts", answer->result);
	request_reply_json(request, 200, info);
}

void handle_worker(struct request *request)
{
	struct worker *worker = worker_find(&request->controld->workers, request->parameters[0]);

	if (!worker)
		request_refuse(request, PROBLEM_NOT_FOUND, "worker", NULL);
	else if (peer_call(worker->peer, RPC_WORKER_STATS, NULL, WORKER_STATS_MS, on_stats,
			   request) == 0)
		request_wait(request);
	else
		request_reply_json(request, 200, json_copy(worker->info));
}
