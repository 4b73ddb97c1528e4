/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_EVENTS_H
#define CONTROLD_EVENTS_H

#include "event_select.h"
#include "facts.h"
#include "list.h"
#include "worker.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define EVENT_SIZE_MAX (256u << 10) /* octets of one event; a larger one is a gap */
#define EVENT_CUSTOM_MAX 128	    /* x- types that are told apart */
#define EVENT_CUSTOM_WANTED 64 /* of these, for names that readers bring; counter "event_types" */
#define EPOCH_MAX 16
#define EVENT_ID_MAX 48

enum event_type {
	EVENT_NONE, /* a number that no event has */
#define X(name, wire, emitters, control, when) EVENT_##name,
#include <h2sess/events.def>
#undef X
	EVENT_SNAPSHOT,
	EVENT_WORKER_UP,
	EVENT_WORKER_DOWN,
	EVENT_PUSH_PROGRESS,
	EVENT_PUSH_DONE,
	EVENT_POLICY_CHANGED,
	EVENT_GAP,
	EVENT_BOOKMARK,
	EVENT_CUSTOM, /* the first of EVENT_CUSTOM_MAX names of the host's own */
	EVENT_TYPES = EVENT_CUSTOM + EVENT_CUSTOM_MAX,
};

/* One event of the log. json is the object as readers see it, without a newline. */
struct event {
	uint64_t seq;
	uint64_t at_ms; /* when it was added, by the clock that is never set */
	uint8_t type;
	uint32_t len;
	uint32_t facts;	      /* number of whom it is of; 0: of nobody */
	struct moment moment; /* of its session */
	uint32_t session_at;  /* where in json its session's id begins; 0: it has none, or it is
				restored */
	char json[];
};

/*
 * The log: the newest events, oldest first, and of the last EVENT_HISTORY that it dropped 21 octets
 * each: their type, whom they are of, and what their session was like. That is 84 MiB once so many
 * have passed, and less before. Positions count from 0 as events are added in this run.
 */
struct events {
	struct event **ring; /* position % capacity */
	uint64_t capacity;
	uint64_t first;	  /* position of the oldest */
	uint64_t next;	  /* of the one to come */
	uint64_t visible; /* readers see those before it */
	size_t bytes;
	size_t bytes_max;
	char epoch[EPOCH_MAX + 1];
	uint64_t seq;		 /* of the last event */
	uint64_t history_first;	 /* the first seq whose type is known */
	uint8_t *history;	 /* types, by seq % EVENT_HISTORY */
	uint32_t *history_facts; /* numbers of facts, likewise */
	struct moment *history_moments;
	unsigned memos; /* counts of event_count.h under way that have memos of globs */
	struct facts_book facts;
	char *custom[EVENT_CUSTOM_MAX];
	struct store *store; /* NULL: nothing is kept */
	void (*on_visible)(struct events *events);
	void *user;
};

#ifndef EVENT_HISTORY
#define EVENT_HISTORY (1u << 22) /* seqs */
#endif
#define EVENT_MEMOS_MAX 16 /* of up to a MiB each */

/* A set of event types, and whose. */
struct event_filter {
	uint8_t types[EVENT_TYPES];  /* 1: wanted */
	struct event_select *select; /* NULL: everybody's */
};

/* Returns 0 or -1, out of memory. store may be NULL; then the epoch is drawn. */
int events_init(struct events *events, int64_t capacity, int64_t bytes_max);
void events_done(struct events *events);

/* The type of a name, EVENT_NONE for none. An x- name is added when there is room. */
int event_type_by_name(struct events *events, const char *name);
/*
 * The same for a name that somebody waits for: one that no event had yet may only take one of the
 * first EVENT_CUSTOM_WANTED numbers, so that readers leave some to the hosts. EVENT_NONE: none, or
 * these are taken; *ret_full says which.
 */
int event_type_wanted(struct events *events, const char *name, bool *ret_full);
const char *event_type_name(const struct events *events, int type);

/* Whom an event is of. Each may be NULL. */
struct event_subject {
	const char *worker;
	const char *boot;
	const char *session;
	const json_t *at; /* what the session was like, of rpc.md; NULL: not told */
};

/* Add an event; data is taken, may be NULL. subject NULL: of nobody. */
void events_publish(struct events *events, int type, const struct event_subject *subject,
		    json_t *data);

/* Add what a worker said; params is borrowed. */
void events_take(struct events *events, const struct boot *boot, json_t *params);
void events_worker_gap(struct events *events, const struct event_subject *subject, uint64_t count,
		       uint64_t from, uint64_t to, const char *reason);

/*
 * Put back an event that the store kept: those come first of all, in order. about: what was given to
 * the store with it, or NULL. All is copied.
 */
int events_restore(struct events *events, uint64_t seq, const char *type, const char *json,
		   const char *about);
/* One that the log had dropped: those come before all others, and are counted only. */
void events_restore_dropped(struct events *events, uint64_t seq, const char *type, const char *json,
			    const char *about);

/* Drop what is older. */
void events_expire(struct events *events, uint64_t age_ms);

/* Everything up to this seq is on disk. */
void events_make_visible(struct events *events, uint64_t seq);

/* The position of the first event after seq. */
uint64_t events_position_after(const struct events *events, uint64_t seq);
const struct event *events_at(const struct events *events, uint64_t position);

/* The seq before the first event that the log holds. */
uint64_t events_last_dropped(const struct events *events);

enum event_verdict events_judge(const struct events *events, const struct event_filter *filter,
				const struct event *event);

/* Of one that is not older than history_first, whether the log holds it or not. */
enum event_verdict events_judge_dropped(const struct events *events,
					const struct event_filter *filter, uint64_t seq);

/* EPOCH-SEQ. parse: -1 for an id that this log never gave. */
void event_id(const struct events *events, uint64_t seq, char ret[EVENT_ID_MAX]);
int event_id_parse(const struct events *events, const char *id, uint64_t *ret_seq);

#endif
