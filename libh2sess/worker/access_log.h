/* SPDX-License-Identifier: Apache-2.0 */
/* Where the access log's lines go. Any thread may add; a thread of its own writes. */
#ifndef WORKER_ACCESS_LOG_H
#define WORKER_ACCESS_LOG_H

#include <stddef.h>

#define ACCESS_LOG_ROOM ((size_t)1 << 20) /* bytes that may wait; over that, lines are lost */

struct access_log;

/*
 * Open where: a file (made if need be, appended to), "stderr" or "journal". A refusal is logged.
 * Returns 0, or -1.
 */
int access_log_open(const char *where, struct access_log **ret);

/* A whole line with its newline. Never waits: what finds no room is lost, counted, and said. */
void access_log_add(struct access_log *log, const char *line, size_t len);

/* The file has been moved away: open it again. What was added before goes to the old one. */
void access_log_reopen(struct access_log *log);

/* Write what waits, and free. NULL is allowed. */
void access_log_close(struct access_log *log);

#endif
