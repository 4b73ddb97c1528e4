/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_METRICS_H
#define CONTROLD_METRICS_H

#include <jansson.h>
#include <stdint.h>

#define METRICS_LIMITS_MAX 128 /* names of limits */

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

/* Counters of the workers, and the daemon's own limits, added up. */
struct metrics {
	json_t *limits; /* name -> integer; NULL: none yet */
	uint64_t of_workers[METRICS_OF_WORKERS];
};

/* A limit was reached `more` times; 0 makes it known. */
void metrics_count_limit(struct metrics *metrics, const char *name, uint64_t more);
void metrics_done(struct metrics *metrics);

#endif
