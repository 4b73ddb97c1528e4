/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_WORKER_H
#define CONTROLD_WORKER_H

#include "list.h"
#include "peer.h"
#include "table.h"

#define WORKER_NAME_MAX 63
#define WORKER_BOOT_MAX 32
#define WORKER_BOOTS_MAX 1024 /* boot ids remembered after their workers are gone */

/* What is remembered of a process that hosts sessions, also while it is not connected. */
struct boot {
	struct list link; /* workers.boots_by_age */
	char name[WORKER_NAME_MAX + 1];
	char boot[WORKER_BOOT_MAX + 1];
	uint64_t event_seq; /* the last of its events that we know, once counted */
	bool counted;
	bool learnt;	       /* events.facts has each of its sessions */
	bool superseded;       /* another boot took its name over, or came after it */
	struct worker *worker; /* NULL: not connected */
	uint64_t lost_at;      /* loop time at which its connection broke, or 0 */
	json_t *stats;	       /* its last worker.stats, or NULL */
};

struct worker {
	struct list link; /* workers.list, by name, successors after predecessors */
	struct controld *controld;
	struct peer *peer;
	struct boot *boot;
	json_t *info; /* as the API shows it */
	char *text;   /* info, dumped; NULL: to be done again */
};

struct workers {
	struct list list;
	size_t count;
	struct table boots; /* boot id -> struct boot */
	struct list boots_by_age;
	uint64_t boots_forgotten; /* for newer ones */
};

void workers_init(struct workers *workers);
void workers_done(struct workers *workers);
void boot_free(void *boot);

/* Of peer.c: a request or notification came; the connection is gone. */
void worker_take_message(struct peer *peer, const struct rpc_message *message);
void worker_lost(struct worker *worker, const char *why);

/* By name (the one that has it now) or boot id. NULL: none is connected. */
struct worker *worker_find(const struct workers *workers, const char *name);

/* The boot that a session's or push's id names by what stands before its last dash. NULL: not
 * known. */
struct boot *worker_boot_of_session(const struct workers *workers, const char *session);

const char *worker_name(const struct worker *worker);
struct event_subject worker_subject(const struct worker *worker);     /* borrowed */
bool worker_can(const struct worker *worker, const char *capability); /* of its hello */
const char *worker_text(struct worker *worker); /* borrowed; NULL: out of memory */

/* Tell every worker which event types somebody wants. filter is taken. */
void workers_set_filter(struct workers *workers, json_t *filter);

#endif
