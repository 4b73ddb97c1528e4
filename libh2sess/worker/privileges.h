/* SPDX-License-Identifier: Apache-2.0 */
/* --user and --group: who the worker is once its sockets are open. */
#ifndef WORKER_PRIVILEGES_H
#define WORKER_PRIVILEGES_H

struct options;

/* Can it be done? Refusals are logged. Returns 0, or -1. */
int privileges_check(const struct options *o);

/*
 * Become that user, in all threads, for good; nothing without --user. Then files that a reload reads
 * again must be readable still: those that are not are named in the log. Returns 0, or -1.
 */
int privileges_drop(const struct options *o);

#endif
