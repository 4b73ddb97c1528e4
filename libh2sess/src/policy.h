/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: ALTSVC and ORIGIN that sessions are to have. policy.c is what one is and which one wins,
 * session_policy.c what a session has of them, policy_turn.c how a loop brings its sessions there.
 */
#ifndef H2SESS_POLICY_H
#define H2SESS_POLICY_H

#include "loop.h"
#include "push_value.h"
#include "selector.h"

#include <nghttp2/nghttp2.h>
#include <stdatomic.h>

#define POLICIES_MAX 256
#define POLICY_NAME_MAX 63
#define POLICY_SLICE 64 /* sessions looked at in one turn of a loop */

#define POLICY_VIA_FRAME 1u
#define POLICY_VIA_HEADER 2u

#define POLICY_NEVER UINT64_MAX
#define POLICY_CLOCK_MS 2000 /* how soon a wall clock that was set is seen, where one expires */

/* One revision of one. Immutable but for the atomics; shared by the loops. */
struct policy {
	atomic_uint references;
	char name[POLICY_NAME_MAX + 1];
	int64_t revision;
	struct h2sess_selector *selector;
	struct push_value *value;
	struct push_value *clear; /* NULL: ORIGIN, which cannot be taken back */
	int64_t priority;
	double share; /* of the sessions that are meant, by the hash of `sample` */
	bool by_peer;
	uint64_t interval_ns; /* between two live sessions; 0: none */
	bool paused;
	bool lint;
	unsigned int via;    /* POLICY_VIA_... */
	uint64_t expires_ms; /* Unix time; POLICY_NEVER */
	bool retracting;
	uint64_t clears_until_ns;	   /* of one that is retracting; uv_hrtime() as all below */
	uint64_t since_ns;		   /* this revision came */
	atomic_uint_fast64_t next_due_ns;  /* the pace, over all loops */
	atomic_uint_fast64_t last_sent_ns; /* 0: never */
};

/* Those that the worker holds, the one that wins first. */
struct policy_set {
	atomic_uint references;
	atomic_bool changed; /* something became of a session: counts are due */
	bool any_header;
	bool any_user_agent;
	bool any_expires;
	bool any_label;
	char worker[POLICY_NAME_MAX + 1]; /* the worker's name, for selectors */
	uint16_t first_of[POLICIES_MAX];  /* by index: the first one for the same origin */
	size_t n;
	struct policy *policies[];
};

struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy);
/* With references of its own. NULL when out of memory. */
struct policy_set *policy_set_new(struct policy *const *policies, size_t n, const char *worker);
struct policy_set *policy_set_ref(struct policy_set *set);
void policy_set_unref(struct policy_set *set);
/* When the next one ends, Unix time, or POLICY_NEVER. */
uint64_t policy_set_next_end(const struct policy_set *set, uint64_t now_ms);
/* How many have expired. It changes with the time alone: forward, and back where the clock is set. */
size_t policy_set_expired(const struct policy_set *set, uint64_t now_ms);

/* ---- which one wins: pure -------------------------------------------------------------------- */

/* What there is to know of one policy for an origin, on one session. */
struct policy_case {
	const char
		*refusal; /* the member of select that does not match, or "percent"; NULL: meant */
	bool unknown;	  /* that is decided at the first request */
	bool paused;
	bool expired;
	bool retracting;
	bool returns; /* retracting, and the session began since */
	bool by_frame;
	const char *value;
};

enum policy_action {
	POLICY_NOTHING,
	POLICY_SEND,  /* the winner's value */
	POLICY_CLEAR, /* by the case that cleared_by says */
	POLICY_WAIT,  /* until the first request */
};

struct policy_decision {
	enum policy_action action;
	size_t winner;	   /* n: none */
	size_t cleared_by; /* of CLEAR */
};

/*
 * Cases of one origin, the one that would win first. held is the value that the session has, or
 * NULL; held_by the case that gave it, n when that policy is forgotten. whys: why each one does not
 * hold, "" for the winner; static or borrowed from the cases.
 */
struct policy_decision policy_decide(const struct policy_case *cases, size_t n, const char *held,
				     size_t held_by, const char **whys);

/* ---- session_policy.c: the session's thread -------------------------------------------------- */

/* Bring a session to what its loop's policies say. paced: a live one, whose turn may come later.
 * Returns when to come again, uv_hrtime(): 0 never. */
uint64_t session_policy_apply(struct h2sess_session *s, bool paced);
/* A request has come: what waited for its user-agent, and every ORIGIN, leaves before its answer. */
void session_policy_request(struct h2sess_session *s);
/* The Alt-Svc field for a response, NULL: none. Borrowed until the listener returns. */
const char *session_policy_header(struct h2sess_stream *st);
void session_policy_done(struct h2sess_session *s);

/* What one policy came to on one session. */
struct policy_report {
	const struct policy *policy;
	bool meant; /* selected, and in the share */
	bool holds;
	const char *why; /* static; "" when it holds */
	int outcome;	 /* enum h2sess_outcome, or -1: nothing was sent */
	uint64_t when_ms;
};
void session_each_policy(const struct h2sess_session *s,
			 void (*fn)(const struct policy_report *report, void *user), void *user);

/* ---- policy_turn.c: a loop's thread ---------------------------------------------------------- */

/* A set on its way to a loop, with the post that brings it. */
struct policy_install {
	struct loop_post post;
	struct policy_set *set; /* a reference */
};
/* What the post runs: frees the install. */
void policy_installed(struct loop *loop, void *user);
/* Returns whether the next turn must come without waiting. */
bool policy_turn(struct loop *loop);
/* A label of a session has changed: its policies are looked at in the next turn, once. */
void policy_revisit(struct h2sess_session *s);
void policy_stop(struct loop *loop);

#endif
