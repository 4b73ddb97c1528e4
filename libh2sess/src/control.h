/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_CONTROL_H
#define H2SESS_CONTROL_H

#include "control_events.h"
#include "control_link.h"
#include "push_book.h"
#include "server.h"

#define CONTROL_NAME_MAX 63
#define CONTROL_PATH_MAX 107 /* of sockaddr_un */
#define CONTROL_LABELS_MAX 32
#define CONTROL_LABEL_KEY_MAX 63 /* bytes, as of a session's labels */
#define CONTROL_LABEL_VALUE_MAX 255
#define CONTROL_REQUESTS_MAX 256  /* requests of the daemon's under way */
#define CONTROL_FANOUTS_MAX 256	  /* running at once; done ones make room past ... */
#define CONTROL_FANOUTS_KEPT 64	  /* ... this many */
#define CONTROL_FANOUT_MS 50	  /* between two updates of a fan-out, at least */
#define CONTROL_CHANGES_MAX 10000 /* numbers in one update */
#define CONTROL_LISTS_MAX 2	  /* sessions.list under way; the others wait their turn */
#define CONTROL_COUNTS_MS 1000	  /* `sessions` is sent at most this often */
#define CONTROL_DEMAND_LINGER_MS \
	60000		     /* without a daemon, what it wanted to hear is recorded this long */
#define CONTROL_FLUSH_MS 500 /* for what is queued to leave when the link is stopped */

#define CONTROL_RELOAD_ERROR_MAX 512 /* bytes */

/* What became of the host's last reload. */
struct control_reload {
	uint64_t when_ms; /* Unix time; 0: there was none */
	bool ok;
	char error[CONTROL_RELOAD_ERROR_MAX + 1];
};

struct control_request;
/* A step of a request, on the control thread. */
typedef void request_fn(struct control_request *request);

/*
 * A request of the daemon's under way. One thread at a time has it: the control thread, then a
 * loop, which hands it back with control_request_return().
 */
struct control_request {
	struct list link;	  /* h2sess_control.returned or lists, or push_record.waiters */
	struct list waiting_link; /* h2sess_control.waiting */
	struct h2sess_control *control;
	uint64_t id;
	uint64_t generation; /* of the connection that it came on */
	enum rpc_method method;
	json_t *params;	  /* the control thread releases it */
	request_fn *next; /* what control_request_return() leads to */
	void *state;	  /* of the method */
	json_t *result;
	struct text line;  /* the whole answer, where the method makes it as text */
	int error;	   /* of errors.def or JSON-RPC's own; 0: result or line counts */
	const char *field; /* static, or of params */
	const char *rule;  /* static */
};

struct h2sess_control {
	struct h2sess_server *server;
	struct server_hooks hooks;
	char *path;
	char name[CONTROL_NAME_MAX + 1];
	char *succeeds;	     /* may be NULL */
	json_t *labels;	     /* the control thread's */
	uint64_t started_ms; /* Unix time */

	uv_loop_t loop;
	uv_thread_t thread;
	uv_async_t wakeup;
	struct event_queue events;
	struct push_book *pushes;
	uv_mutex_t lock;      /* guards returned and reload */
	struct list returned; /* struct control_request.link: back from their loops */
	struct control_reload reload;
	atomic_bool draining;
	atomic_bool changed; /* state, listeners or certificates: a worker.update is due */
	atomic_bool stopping;

	/* The control thread's alone. */
	struct control_link link;
	uv_timer_t counts;   /* `sessions`, and the end of a demand's linger */
	uv_timer_t flush;    /* armed by the stop: no longer than that */
	size_t requests;     /* under way */
	struct list lists;   /* struct control_request.link: sessions.list that wait their turn */
	size_t n_lists;	     /* under way */
	struct list waiting; /* struct control_request.waiting_link: for a session, or its peer */
	struct list fanouts; /* struct fanout_record.link, oldest first */
	size_t n_fanouts;
	struct fanout_bell *bell;
	struct h2sess_fanout_session *changes; /* room for CONTROL_CHANGES_MAX; NULL until needed */
	uv_timer_t fanout_timer;
	bool knows_runs;	       /* the daemon, of push.update */
	struct policy_set *policy_set; /* as the loops have it, or will; NULL: none ever came */
	bool policies_counting;
	int64_t clock_base_ms; /* of control_policy_count.c */
	uint64_t sessions_told;
	uint64_t down_since;	/* uv_now(), 0: up */
	char why[LINK_WHY_MAX]; /* the link was down the last time */
	bool flushed;
	bool closing;
};

/* ---- control.c ------------------------------------------------------------------------------- */
/* Have the control thread look at its queues. Any thread. */
void control_wake(struct h2sess_control *control);
/* params, taken; NULL: the link ends for want of memory, and the next hello tells what was missed. */
void control_notify(struct h2sess_control *control, enum rpc_method method, json_t *params);

/* ---- control_options.c ----------------------------------------------------------------------- */
/* 1 to CONTROL_NAME_MAX of A-Z a-z 0-9 . _ -: a worker's, and a policy's. */
bool control_name_ok(const char *name);
bool control_options_ok(const struct h2sess_control_options *options);
/* Into an empty control, which owns the copies on failure too. Returns 0, H2SESS_EINVAL,
 * H2SESS_ENOMEM. */
int control_options_copy(struct h2sess_control *control,
			 const struct h2sess_control_options *options);

/* ---- control_hello.c: this worker as rpc.md describes it ------------------------------------- */
json_t *control_hello(struct h2sess_control *control);
/* Params of a worker.update with what may have changed but `sessions`. */
json_t *control_changes(struct h2sess_control *control);
uint64_t control_sessions(struct h2sess_control *control);
json_t *control_stats(struct h2sess_control *control);
/* SERVER_DEMAND_... bits of a FILTER; what is no type of an event on demand counts for nothing. */
uint32_t control_demand(const json_t *filter);

/* ---- control_methods.c: requests ------------------------------------------------------------- */
/*
 * Empty, and counted. One that nobody asked is not answered, but the link does not end before it
 * does. NULL: out of memory. The control thread.
 */
struct control_request *control_request_new(struct h2sess_control *control);
void control_dispatch(struct h2sess_control *control, const struct rpc_message *message);
/* A loop is through with the request: request->next runs on the control thread. */
void control_request_return(struct control_request *request, request_fn *next);
/* Take what came back. The control thread. */
void control_take_returned(struct h2sess_control *control);
/* Answer and free. The control thread. */
void control_request_finish(struct control_request *request);
void control_request_fail(struct control_request *request, int error, const char *field);
/*
 * Run fn with a session; NULL when there is no such session. Returns 0 or H2SESS_ENOMEM,
 * H2SESS_ENOTFOUND: then fn does not run, and user is still the caller's.
 */
int control_request_post(struct control_request *request, const char *session, h2sess_post_fn *fn,
			 void *user);
/* The server's loops run, or have run: before that, what is posted to one would wait for its start.
 */
bool control_server_started(struct h2sess_control *control);

/* ---- control_list.c -------------------------------------------------------------------------- */
void control_list(struct control_request *request);
/* Start the lists that wait, as far as there is room. */
void control_lists_continue(struct h2sess_control *control);
/* Fail those that wait for room that does not come. */
void control_lists_drop(struct h2sess_control *control);

/* ---- control_verbs.c ------------------------------------------------------------------------- */
/* A verb of the session that params names, by the request's method. */
void control_verb(struct control_request *request);
/* Fail those whose peer has not answered. */
void control_verbs_drop(struct h2sess_control *control);

/* ---- control_push.c -------------------------------------------------------------------------- */
void control_push(struct control_request *request);
void control_push_cancel(struct control_request *request);

/* ---- control_policy.c ------------------------------------------------------------------------ */
void control_policy_put(struct control_request *request);
void control_policy_remove(struct control_request *request);
/* The whole list, of a hello's result; what is not one changes nothing. */
void control_policies_take(struct h2sess_control *control, const json_t *list);
/* Tell the daemon how far they have come, if that has changed. */
void control_policies_count(struct h2sess_control *control);

/* ---- control_fanout.c ------------------------------------------------------------------------ */
int control_fanouts_init(struct h2sess_control *control);
/* Answer and tell what is due. Returns whether an update was sent: there may be more. */
bool control_fanouts_pump(struct h2sess_control *control);
void control_push_start(struct control_request *request);
/* A push.cancel of a fan-out. Returns false when there is none of that name. */
bool control_fanout_cancel(struct control_request *request, const char *name);
bool control_fanout_knows(struct h2sess_control *control, const char *name);
/* The entries of the hello, appended. Returns whether there was memory. */
bool control_fanouts_hello(struct h2sess_control *control, json_t *pushes);
/* A new connection: everything is told again. */
void control_fanouts_rewind(struct h2sess_control *control);
/* Fail the requests that wait for one; the fan-outs go on. */
void control_fanouts_drop(struct h2sess_control *control);
void control_fanouts_done(struct h2sess_control *control);

#endif
