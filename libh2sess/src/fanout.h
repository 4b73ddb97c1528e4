/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fan-out: one push to every session that a selector means. fanout.c is its life and what a host
 * sees of it, fanout_part.c one loop's share of the walk, with what it does to one session in
 * fanout_entry.c, fanout_lint.c and fanout_drain.c.
 */
#ifndef H2SESS_FANOUT_H
#define H2SESS_FANOUT_H

#include "lint.h"
#include "loop.h"
#include "push_value.h"
#include "selector.h"
#include "session.h"

#include <stdatomic.h>

#define FANOUT_SLICE 64		  /* sessions in one turn of a loop, at most */
#define FANOUT_SLICE_NS 1000000	  /* and this long */
#define FANOUT_BURST_NS 50000000  /* what a pace may catch up after a delay */
#define FANOUT_BARRIER_MS 60000	  /* for the answer of the last PING, without a deadline */
#define FANOUT_DRAIN_WAIT_MS 5000 /* for `received` of a drain's ALTSVC, and a quarter of ... */
#define FANOUT_DRAIN_WAIT_SHARE 4 /* ... the deadline at most */
#define FANOUT_CERTIFICATES 8	  /* whose lint is remembered */

/* Bits of fanout_entry.flags, which the loop's thread alone reads and writes. */
#define FANOUT_SETTLED 1u /* nothing more will become of it */
#define FANOUT_GOAWAY 2u  /* of a drain: its GOAWAY was ordered */
#define FANOUT_ENDED 4u	  /* of a drain: the session is gone */

/* One session. */
struct fanout_entry {
	uint64_t number;
	uint32_t next;	  /* the next changed one: its index + 1; 0: none */
	uint32_t sent_ms; /* of a drain: when its ALTSVC was pushed, since fanout.started_ns */
	uint8_t outcome;
	uint8_t reason;
	uint8_t flags;
	bool changed; /* in the list of changes; as `next`, under the lock on every thread */
};

/* What the lint said of a certificate: the rules that depend on nothing else of a session. */
struct fanout_lint_memo {
	struct {
		X509 *certificate; /* a reference; NULL: none */
		bool encrypted;
		uint32_t rules;
	} rows[FANOUT_CERTIFICATES];
	size_t n;
	size_t oldest;
};

/* One loop's share. */
struct fanout_part {
	struct h2sess_fanout *fanout;
	struct list link; /* loop.fanouts */
	struct loop_post post;

	/* The loop's thread's. */
	struct loop *loop;
	uint64_t cursor; /* number of the last session looked at */
	bool all_matched;
	bool cancelled;
	bool late; /* WRITTEN is final now */
	bool over;
	size_t next;   /* of entries: to be sent to next */
	size_t waited; /* of a drain: before it, nobody waits for `received` of the ALTSVC */
	size_t reaped; /* of a drain past its deadline: before it, all are ended */
	size_t unsettled;
	size_t outstanding; /* pushes that know of this part */
	uint64_t last_sent_ns;
	struct fanout_lint_memo lint;

	uv_mutex_t lock; /* guards the rest, which the loop's thread alone writes */
	struct fanout_entry *entries;
	size_t n;
	size_t cap;
	uint32_t changed_first; /* index + 1; 0: none */
	uint32_t changed_last;
	struct h2sess_fanout_counts counts;
};

struct h2sess_fanout {
	atomic_uint references; /* the host's, and one of each part until it is over */
	struct h2sess_server *server;
	enum h2sess_fanout_kind kind;
	struct h2sess_selector *selector; /* a reference; NULL: every session */
	char *worker;			  /* may be NULL */
	struct push_value *value;	  /* what is pushed; of a drain: before it, may be NULL */
	struct push_value *goaway;	  /* of a drain */
	enum h2sess_receipt receipt;
	bool lint;
	bool dry_run;
	uint64_t last_number; /* sessions beyond it began too late */
	uint64_t interval_ns; /* between two sessions; 0: none */
	uint64_t started_ns;  /* uv_hrtime() */
	uint64_t deadline_ns; /* UINT64_MAX: none */
	h2sess_fanout_session_fn *session;
	h2sess_fanout_fn *matched;
	h2sess_fanout_fn *changed;
	h2sess_fanout_fn *done;
	void *user;

	atomic_uint_fast64_t next_due_ns; /* the pace of all parts together */
	atomic_bool cancelled;
	atomic_bool told; /* `changed` was called, and nothing taken since */
	atomic_size_t parts_matching;
	atomic_size_t parts_running;
	atomic_size_t parts_cancelling; /* those that have not heard of a cancel, nor ended */
	size_t n_parts;
	struct fanout_part parts[];
};

/* What is left of a turn. */
struct fanout_budget {
	size_t sessions;
	uint64_t until; /* uv_hrtime() */
	uint64_t due;	/* when the next turn has something to do; 0: at once */
};

/* ---- fanout.c -------------------------------------------------------------------------------- */
void fanout_unref(struct h2sess_fanout *f);
/* A part has looked at all of its sessions; a part has ended. Any loop's thread. */
void fanout_part_matched(struct h2sess_fanout *f);
void fanout_part_over(struct h2sess_fanout *f);
/* A part has taken back what it could, or has ended. */
void fanout_part_cancelled(struct h2sess_fanout *f);
/* Every part has: the count of what was cancelled is final. Any thread. */
bool fanout_cancel_settled(struct h2sess_fanout *f);
/* There is something to take. */
void fanout_changed(struct h2sess_fanout *f);
/*
 * May one more session have its turn now? Where not, *ret_due_ns says when to ask again. Pure but
 * for next_due: the turns of all threads together keep the pace.
 */
bool fanout_pace(atomic_uint_fast64_t *next_due_ns, uint64_t interval_ns, uint64_t now_ns,
		 uint64_t *ret_due_ns);

/* ---- fanout_entry.c: a loop's thread --------------------------------------------------------- */
/* One more that is meant. Returns false without memory: it cannot be told of, but it is counted. */
bool fanout_entry_add(struct fanout_part *part, uint64_t number);
/* What became of one; nothing changes any more once it is settled. */
void fanout_entry_set(struct fanout_part *part, size_t index, int outcome, int reason,
		      bool settled);
void fanout_entry_not_sent(struct fanout_part *part, size_t index, int reason); /* settled */
/* Of a drain: its session is gone. */
void fanout_entry_ended(struct fanout_part *part, size_t index);
/* NULL: it is gone, or about to. */
struct h2sess_session *fanout_entry_session(const struct fanout_part *part, size_t index);
/* All that were not sent to will not be. */
void fanout_settle_rest(struct fanout_part *part, int reason);
/* Returns 0 or what session_push_value() does; the sink hears the rest. */
int fanout_push(struct fanout_part *part, struct h2sess_session *s, size_t index,
		struct push_value *value, push_sink_fn *sink);
int fanout_reason(int error); /* of what fanout_push() returned */
/*
 * What every sink calls first: with `last` the push does not know of the part any more. Returns
 * whether the part is over, and may be gone.
 */
bool fanout_let_go(struct fanout_part *part, bool last);

/* ---- fanout_lint.c: a loop's thread ---------------------------------------------------------- */
/* The reason not to send, or H2SESS_REASON_NONE. */
int fanout_lint(struct fanout_part *part, const struct h2sess_session *s);
void fanout_lint_done(struct fanout_part *part);

/* ---- fanout_drain.c: a loop's thread --------------------------------------------------------- */
/* Begin with one session. */
void fanout_drain_send(struct fanout_part *part, struct h2sess_session *s, size_t index);
/* The sink of its GOAWAY: the last word comes when the session ends. */
push_sink_fn fanout_drain_sink;
/* It waits for `received` of the ALTSVC, but not for ever. */
void fanout_drain_stop_waiting(struct fanout_part *part, struct fanout_budget *b, uint64_t now);
/* Its deadline: what is still open ends now. */
void fanout_drain_reap(struct fanout_part *part, struct fanout_budget *b);

/* ---- fanout_part.c: a loop's thread ---------------------------------------------------------- */
/* One more session of this turn? */
bool fanout_spend(struct fanout_budget *b);
/* What a part's post runs. */
void fanout_part_start(struct loop *loop, void *user);
/* One slice of each fan-out. Returns whether the next turn must come without waiting. */
bool fanout_turn(struct loop *loop);
/* The loop ends, its sessions are gone. */
void fanout_stop(struct loop *loop);

#endif
