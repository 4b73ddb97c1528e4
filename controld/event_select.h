/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_EVENT_SELECT_H
#define CONTROLD_EVENT_SELECT_H

#include "facts.h"
#include "request.h"

/* Whose events a reader wants. */
struct event_select {
	json_t *ids;		/* object: id -> true; NULL: any */
	json_t *label;		/* object, or NULL */
	json_t *asked;		/* the whole SELECTOR of rpc.md, for snapshots */
	char worker[64];	/* "": any */
	char *sni;		/* glob, or NULL */
	char *alpn;		/* or NULL */
	unsigned char peer[16]; /* IPv4 as ::ffff:a.b.c.d */
	int peer_bits;		/* -1: any */
	int encrypted;		/* -1: any */
};

enum event_verdict { EVENT_HIDDEN, EVENT_SHOWN, EVENT_UNDECIDED };

/* Of the query; *ret NULL when it chooses nobody. Returns 0, or -1 and the problem. */
int event_select_read(const struct request *request, struct event_select **ret,
		      struct problem *ret_problem);
void event_select_free(struct event_select *select);

/* Does it look at more than names? Then sessions must be known. */
bool event_select_needs_facts(const struct event_select *select);

/* facts NULL: the event is of nobody, or of whom we have forgotten (number not 0). */
enum event_verdict event_select_judge(const struct event_select *select, const struct facts *facts,
				      bool forgotten);

/* A gap in what a worker told may hide what the reader wants. */
bool event_select_asks(const struct event_select *select, const char *worker);

#endif
