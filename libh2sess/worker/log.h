/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker tells its operator: one line each, on stderr. Any thread. */
#ifndef WORKER_LOG_H
#define WORKER_LOG_H

#define WORKER_NAME "h2sess-worker"

/* level is a syslog severity; what is over LOG_INFO is dropped. Control characters become '?'. */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The library's hook (h2sess_log_fn); user is not used. */
void log_hook(int level, const char *message, void *user);

/* "h2sess-worker: THING: RULE": why the worker does not start. */
void log_refusal(const char *thing, const char *rule);

#endif
