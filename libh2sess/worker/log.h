/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker tells its operator: one line each, on stderr. Any thread. */
#ifndef WORKER_LOG_H
#define WORKER_LOG_H

#include <stdbool.h>

#define WORKER_NAME "h2sess-worker"
#define LOG_REFUSAL_MAX 512 /* bytes of what log_last_refusal() keeps */

/* Lines are JSON objects from here on: {"time", "level", "message"}, and "thing" and "rule" in
 * refusals. Before threads start, or by the main thread. */
void log_set_json(bool json);

/* level is a syslog severity; what is over LOG_INFO is dropped. Control characters become '?'. */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The library's hook (h2sess_log_fn); user is not used. */
void log_hook(int level, const char *message, void *user);

/* "h2sess-worker: THING: RULE": why the worker does not start, or does not reload. */
void log_refusal(const char *thing, const char *rule);

/* The same for "FLAG VALUE", value may be NULL. Returns -1, for callers to return. */
int log_refuse(const char *flag, const char *value, const char *rule);

/* The last refusal of this thread, "THING: RULE", or "". */
const char *log_last_refusal(void);

#endif
