/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drains with stopAccepting: workers that refuse new connections, until their push is deleted.
 *
 * The workers are told when the push is handed over, and again in hello, for as long as the record
 * has its flag: it outlives the push's end and a restart of the daemon. Two drains may hold one
 * worker; the last one lets it go.
 *
 * Failure modes: a worker without the capability: a warning. One that is lost: told when it is back.
 */
#include "controld.h"
#include "pushes.h"

#include <string.h>

static void on_told(const struct peer_answer *answer, void *user)
{
	(void)answer; /* a worker that is lost is told again in hello */
	(void)user;
}

static void tell(struct worker *worker, bool accepting)
{
	peer_call(worker->peer, RPC_WORKER_ACCEPT, json_pack("{s:b}", "accepting", accepting), 0,
		  on_told, NULL);
}

bool pushes_accepting(const struct pushes *pushes, const char *boot)
{
	list_for_each(at, &pushes->list) {
		const struct push *push = container_of(at, struct push, link);

		if (push->refusing && push_find_part(push, boot))
			return false;
	}
	return true;
}

void push_refuse_connections(struct pushes *pushes, struct push *push)
{
	for (size_t i = 0; i < push->part_count; i++) {
		const struct push_part *part = &push->parts[i];
		const struct boot *boot = table_get(&pushes->controld->workers.boots, part->boot);

		if (!boot || !boot->worker)
			continue;
		if (worker_can(boot->worker, "accept"))
			tell(boot->worker, false);
		else
			push_warn_of_worker(push, "capability",
					    "worker %s does not have the capability accept: it "
					    "takes new connections",
					    part->worker);
	}
}

void push_take_connections(struct pushes *pushes, struct push *push)
{
	if (!push->refusing)
		return;
	push->refusing = false;
	push_save(pushes, push);
	for (size_t i = 0; i < push->part_count; i++) {
		const char *id = push->parts[i].boot;
		const struct boot *boot = table_get(&pushes->controld->workers.boots, id);

		if (boot && boot->worker && worker_can(boot->worker, "accept") &&
		    pushes_accepting(pushes, id))
			tell(boot->worker, true);
	}
}
