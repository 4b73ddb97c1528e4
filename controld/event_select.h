/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_EVENT_SELECT_H
#define CONTROLD_EVENT_SELECT_H

#include "address_block.h"
#include "facts.h"
#include "glob.h"
#include "request.h"

struct event_memo;

/* A glob, and what it says of each of facts_book's entries while many events are judged in a row. */
struct event_glob {
	struct glob *glob;
	struct event_memo *memos; /* FACTS_MAX; NULL: it is asked each time */
};

/* Whose events a reader wants. */
struct event_select {
	uint32_t given;	 /* bits, in the order of the table in event_select.c */
	json_t *asked;	 /* the whole SELECTOR of rpc.md, for snapshots */
	char worker[64]; /* name or boot id; "": any */
	json_t *ids;	 /* object: id -> true */
	const json_t *label;
	const char *alpn;
	char *origin; /* serialised */
	struct event_glob sni;
	struct event_glob user_agent;
	struct address_block peer;
	bool encrypted;
	bool sample_by_peer;
	uint64_t min_age_ms;
	uint64_t idle_for_ms;
	uint64_t open_streams;
	double sample; /* of 1 */
};

enum event_verdict { EVENT_HIDDEN, EVENT_SHOWN, EVENT_UNDECIDED };

/* Of the query; *ret NULL when it chooses nobody. Returns 0, or -1 and the problem. */
int event_select_read(const struct request *request, struct event_select **ret,
		      struct problem *ret_problem);
void event_select_free(struct event_select *select);

/*
 * Around the judging of many events: the globs, which are what takes time, are asked once a session.
 * What they are asked of never changes once it is told, so other things may happen meanwhile. Without
 * memory for that they are asked each time.
 */
void event_select_begin(struct event_select *select);
void event_select_end(struct event_select *select);

/* Does it look at more than names and moments? Then sessions must be known. */
bool event_select_needs_facts(const struct event_select *select);

/* facts NULL: the event is of nobody, or of whom we have forgotten. moment: of its session then. */
enum event_verdict event_select_judge(const struct event_select *select, const struct facts *facts,
				      struct moment moment, bool forgotten);

/* Whether a worker's sessions may be among them. boot "": it is not known. */
enum event_verdict event_select_asks(const struct event_select *select, const char *worker,
				     const char *boot);

#endif
