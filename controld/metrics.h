/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_METRICS_H
#define CONTROLD_METRICS_H

#include <jansson.h>
#include <stdint.h>

#define METRICS_WORKER_LIMITS_MAX 128 /* names of limits that workers tell of */

/* Limits of the daemon where something is refused or left out: X(NAME, "label"). */
#define METRICS_LIMIT_LIST(X)                 \
	X(API_CONNECTIONS, "api_connections") \
	X(BODY, "body")                       \
	X(EVENT_STREAMS, "event_streams")     \
	X(EVENT_TYPES, "event_types")         \
	X(POLICIES, "policies")               \
	X(PUSHES, "pushes")                   \
	X(PUSH_RESULTS, "push_results")       \
	X(PUSH_WARNINGS, "push_warnings")     \
	X(RPC_CALLS, "rpc_calls")             \
	X(RPC_CONNECTIONS, "rpc_connections") \
	X(RPC_QUEUE, "rpc_queue")             \
	X(STATE_QUEUE, "state_queue")

enum metrics_limit {
#define X(name, label) LIMIT_##name,
	METRICS_LIMIT_LIST(X)
#undef X
		METRICS_LIMITS,
};

/* Limits where the oldest makes room for what is new: X(NAME, "label"). */
#define METRICS_FORGOTTEN_LIST(X)               \
	X(AUDIT, "audit")                       \
	X(ENDED_SESSIONS, "ended_sessions")     \
	X(EVENTS, "events")                     \
	X(EVENT_SUBJECTS, "event_subjects")     \
	X(IDEMPOTENCY_KEYS, "idempotency_keys") \
	X(PUSHES, "pushes")                     \
	X(PUSH_RESULTS, "push_results")         \
	X(WORKER_BOOTS, "worker_boots")

enum metrics_forgotten {
#define X(name, label) FORGOTTEN_##name,
	METRICS_FORGOTTEN_LIST(X)
#undef X
		METRICS_FORGOTTEN,
};

/* Counters of worker.stats: X(NAME, "member", "metric", "help"). */
#define METRICS_WORKER_LIST(X)                                                                    \
	X(SESSIONS, "sessionsTotal", "h2sess_sessions_total", "Sessions that began.")             \
	X(STREAMS, "streamsTotal", "h2sess_streams_total", "Requests.")                           \
	X(ALT_USED, "altUsed", "h2sess_alt_used_total", "Requests with an Alt-Used field.")       \
	X(MISDIRECTED, "misdirected", "h2sess_misdirected_total", "Answers with status 421.")     \
	X(RECEIVED, "bytesReceived", "h2sess_received_bytes_total", "Octets taken from clients.") \
	X(SENT, "bytesSent", "h2sess_sent_bytes_total", "Octets given to clients.")               \
	X(DROPPED, "eventsDropped", "h2sess_worker_events_dropped_total",                         \
	  "Events that workers had no room for.")

enum metrics_of_worker {
#define X(name, member, metric, help) METRICS_##name,
	METRICS_WORKER_LIST(X)
#undef X
		METRICS_OF_WORKERS,
};

/* Counters of the workers, added up, and the daemon's own. All zero: none yet. */
struct metrics {
	uint64_t limits[METRICS_LIMITS];
	uint64_t forgotten[METRICS_FORGOTTEN];
	json_t *limits_of_workers; /* name -> integer; NULL: none yet */
	uint64_t of_workers[METRICS_OF_WORKERS];
};

void metrics_done(struct metrics *metrics);

#endif
