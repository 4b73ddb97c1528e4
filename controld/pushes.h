/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_PUSHES_H
#define CONTROLD_PUSHES_H

#include "results.h"
#include "worker.h"

#define PUSHES_MAX 20000 /* records kept; the oldest that is done goes first; counter "pushes" */
#define PUSH_RESULTS_MAX (4u << 20) /* sessions of all, 16 octets each; counter "push_results" */
#define PUSH_WARNINGS_MAX 64	    /* different ones of a push; counter "push_warnings" */
#define PUSH_ID_MAX 64
#define PUSH_TICK_MS 50
#define PUSH_PROGRESS_MS 250 /* between two push.progress of a fan-out */
#define PUSH_RUNS_MAX 10000  /* numbers that the runs of one update stand for: rpc.md */
#define PUSH_RETURN_MS 10000 /* for a worker to come back, after we were restarted or it was lost */

struct key;
struct selector;

enum push_state { PUSH_STATE_RUNNING, PUSH_STATE_DONE, PUSH_STATE_CANCELLED };

/* Disjoint; `of` sums to matched. */
struct push_counts {
	uint64_t matched;
	uint64_t of[PUSH_OUTCOMES];
	uint64_t ended; /* sessions of a drain that have */
};

/* What one worker does of a push. */
struct push_part {
	char worker[WORKER_NAME_MAX + 1];
	char boot[WORKER_BOOT_MAX + 1];
	bool answered;	     /* it has said whether it takes it, or cannot any more */
	bool refused;	     /* it does not */
	bool counted;	     /* meant is known */
	bool done;	     /* nothing more is expected of it */
	uint64_t give_up_at; /* loop time: unknown, unless it is heard of before; 0: never */
	uint64_t meant;	     /* sessions, as counted beforehand */
	struct push_counts counts;
	struct results results;
	bool forgotten;	       /* results are not kept for want of room */
	enum push_reason lost; /* why what it had not reported is unknown */
};

/* One push, to one session or to many. */
struct push {
	struct pushes *pushes;
	struct list link;	   /* pushes.list, oldest first */
	struct list running_link;  /* pushes.running */
	struct list settling_link; /* pushes.settling */
	struct list waiters;	   /* struct waiter.link */
	char id[PUSH_ID_MAX + 1];
	enum push_kind kind;
	char *session;	  /* NULL: a fan-out */
	const json_t *at; /* what it is like, while an update that says so is taken; else NULL */
	char *by;
	char *request; /* what was asked for, JSON, in the words of push.start; or NULL: not known */
	uint64_t seq; /* the order that they were made in, over restarts, whatever the clock said */
	int64_t created_ms;
	enum push_state state;
	bool receipt_written;  /* no barrier was asked for: written is the end */
	bool dry_run;	       /* never in a list, gone after its answer */
	bool cancelled;	       /* somebody asked for that */
	bool refusing;	       /* its workers refuse new connections until it is deleted */
	json_t *warnings;      /* or NULL */
	json_t *refused;       /* a dry run: lint rule -> sessions */
	json_t *first_problem; /* of a worker that refused, or NULL */
	json_t *problem;       /* why it is none: hidden, gone after its answer; or NULL */
	int problem_status;
	struct key *key;	   /* or NULL */
	struct selector *selector; /* until it is handed over, or NULL */
	bool starting;		   /* nobody has been asked yet */
	size_t holds;		   /* requests that need the record */
	size_t calls;		   /* to workers, under way */
	bool counting;		   /* they are asked how many sessions match */
	struct push_part *parts;
	size_t part_count;
	bool totalled;	     /* its frames are in the totals */
	uint64_t settled_at; /* loop time when they will be */
	bool changed;	     /* since it was last told or saved */
	uint64_t told_at;
};

struct pushes {
	struct controld *controld;
	struct list list;
	struct list running;
	struct list settling; /* ended, and something is unknown that may yet be told */
	size_t count;
	size_t result_count; /* over all */
	struct table by_id;
	char start[9]; /* drawn at each start, so that ids never recur */
	uint64_t last;
	uint64_t seq; /* of the newest */
	struct push_totals totals;
	uv_timer_t tick;
	bool ticking;
};

void pushes_init(struct pushes *pushes, struct controld *controld);
void pushes_stop(struct pushes *pushes); /* before the loop ends */
void pushes_done(struct pushes *pushes);

struct push *push_find(const struct pushes *pushes, const char *id); /* not dry runs, not refused */

/*
 * A record with this id (NULL: a new one), running. session NULL: a fan-out. NULL: out of memory,
 * or PUSHES_MAX are running.
 */
struct push *push_new(struct pushes *pushes, const char *id, enum push_kind kind,
		      const char *session, const char *by);
void push_free(struct pushes *pushes, struct push *push);

/* What a worker does of it; NULL: out of memory. Pointers to other parts are not good any more. */
struct push_part *push_add_part(struct push *push, const char *worker, const char *boot);
struct push_part *push_find_part(const struct push *push, const char *boot); /* or NULL */

/* Not a push in the end: a dry run that is over, or refused. */
bool push_is_none(const struct push *push);

struct push_counts push_sum(const struct push *push);
bool push_is_answered(const struct push *push); /* by all that were asked */
bool push_has_reached(const struct push *push, const struct result *result);

/* Of a push to one session. */
enum push_outcome push_outcome(const struct push *push);
enum push_reason push_reason(const struct push *push);

/* Ids of the sessions that it reached, a new array. */
json_t *push_reached(const struct push *push);

/* What became of a session, by its id; NULL: it was not meant, or that is not kept. */
const struct result *push_result(const struct push *push, const char *session);

/* Keep what became of sessions, in the bound; see results_set(). */
void push_set_results(struct pushes *pushes, struct push *push, struct push_part *part,
		      uint64_t *numbers, size_t count, enum push_outcome outcome,
		      enum push_reason reason);

/* Add to the warnings; `sessions` adds up over equal ones, 0: it is not about sessions. */
void push_warn(struct push *push, const char *rule, const char *detail, json_int_t sessions);

/* The same for what is about workers, made as by printf. */
void push_warn_of_worker(struct push *push, const char *rule, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Something of it is different: tell, save, wake; and end it when every part is done. */
void push_changed(struct pushes *pushes, struct push *push);
void push_look(struct pushes *pushes, struct push *push); /* the same, but nothing to tell */

/* ---- push_submit.c: handing it over ---------------------------------------------------------- */

/* Ask the workers of all parts; what comes of it changes the push. */
void push_submit(struct pushes *pushes, struct push *push);
void push_refuse(struct pushes *pushes, struct push *push, json_t *problem, int status);

/* ---- push_report.c: what workers say --------------------------------------------------------- */

void pushes_take_update(struct pushes *pushes, struct worker *worker, json_t *params);
void pushes_adopt(struct pushes *pushes, struct worker *worker, json_t *list);
void pushes_worker_lost(struct pushes *pushes, const struct boot *boot);
void push_part_lost(struct pushes *pushes, struct push *push, struct push_part *part,
		    enum push_reason reason);
void push_settle_one(struct pushes *pushes, struct push *push, enum push_outcome outcome,
		     const char *reason, bool done);

/* ---- push_totals.c: the frames of /metrics; now is loop time ----------------------------------- */

void push_totals_end(struct pushes *pushes, struct push *push, uint64_t now);
void push_totals_revive(struct push *push); /* it goes on */
void push_totals_tick(struct pushes *pushes, uint64_t now);
void push_totals_forget(struct pushes *pushes, struct push *push); /* there will be no later */

/* ---- push_drain.c: workers that refuse new connections ---------------------------------------- */

void push_refuse_connections(struct pushes *pushes, struct push *push);
void push_take_connections(struct pushes *pushes, struct push *push);
bool pushes_accepting(const struct pushes *pushes, const char *boot); /* may it take new ones? */

/* ---- push_show.c: what others see ------------------------------------------------------------ */

json_t *push_json(const struct push *push); /* {"id","state","matched",...}, a new reference */
json_t *push_answer(const struct push *push, bool timed_out);
json_t *push_dry_answer(const struct push *push);
void push_tell(struct pushes *pushes, struct push *push); /* push.progress or push.done */

/* ---- push_file.c: what the state file keeps -------------------------------------------------- */

int pushes_load(struct pushes *pushes, char *why);
int push_save(struct pushes *pushes, struct push *push);

/* With its key, and told when both are on disk: fn as in store.h, user is the push. */
int push_save_first(struct pushes *pushes, struct push *push,
		    void (*fn)(void *user, const char *error));
void push_forget(struct pushes *pushes, const struct push *push); /* delete its rows */

#endif
