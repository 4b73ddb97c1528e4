/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_PEER_H
#define CONTROLD_PEER_H

#include "list.h"
#include "listener.h"
#include "rpc.h"

#include <uv.h>

struct controld;
struct worker;

#define PEERS_MAX 256	    /* connections to the RPC socket; counter "rpc_connections" */
#define PEER_HELLO_MS 5000  /* to say hello */
#define PEER_LINGER_MS 1000 /* to read what we wrote before we closed */
#define PEER_QUEUE_MAX (8u * 1024 * 1024) /* octets that a peer has not read; counter "rpc_queue" */
#define PEER_CALLS_MAX 1024		  /* our requests without an answer; counter "rpc_calls" */
#define PEER_TICK_MS 100		  /* how exact deadlines of calls are */

enum peer_outcome { PEER_RESULT, PEER_ERROR, PEER_LOST, PEER_TIMEOUT };

/* How a call ended; borrowed. */
struct peer_answer {
	enum peer_outcome outcome;
	json_t *result;			 /* RESULT */
	const struct json_span *text;	 /* RESULT of peer_call_text(): it, or result */
	const struct rpc_message *error; /* ERROR */
};

typedef void peer_answer_fn(const struct peer_answer *answer, void *user);

/* A connection to the RPC socket: a worker, or one that has not said hello. */
struct peer {
	uv_pipe_t pipe;
	struct list link; /* peers.list */
	struct controld *controld;
	struct rpc_reader reader;
	struct worker *worker; /* NULL before hello */
	uint64_t opened;       /* loop time; when closing: since when */
	uint64_t next_id;
	struct list calls; /* struct call.link, in the order in which they were made */
	size_t call_count;
	size_t text_calls; /* of these, peer_call_text() */
	uid_t uid;
	bool closing;
};

struct peers {
	struct controld *controld;
	struct listener listener;
	uv_pipe_t pipe;
	uv_timer_t tick;
	struct list list; /* struct peer.link */
	size_t count;
	bool started;
};

int peers_start(struct peers *peers, struct controld *controld, char *why);
void peers_lose_calls(struct peers *peers); /* every call ends as LOST */
void peers_stop(struct peers *peers);

/*
 * Ask. fn is called exactly once, never from inside this call. params are taken. timeout_ms 0: as
 * long as the connection lives. Returns -1 when it cannot be queued: fn is not called.
 */
int peer_call(struct peer *peer, enum rpc_method method, json_t *params, uint64_t timeout_ms,
	      peer_answer_fn *fn, void *user);

/*
 * The same for who passes the result on as it came: it is not parsed, but checked, and comes as
 * text; one that json_text_object() is in doubt of comes parsed all the same.
 */
int peer_call_text(struct peer *peer, enum rpc_method method, json_t *params, uint64_t timeout_ms,
		   peer_answer_fn *fn, void *user);

void peer_notify(struct peer *peer, enum rpc_method method, json_t *params);
void peer_result(struct peer *peer, uint64_t id, json_t *result);
void peer_error(struct peer *peer, uint64_t id, int error, const char *field, const char *detail);

/* Close once what is queued is written; `why` goes to the log. */
void peer_close(struct peer *peer, const char *why);

#endif
