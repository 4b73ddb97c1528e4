/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's life, from checked options to exit. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

struct options;

/* Serve until drained or told to end; with --check only look. Returns the exit status: 0, or 2
 * (refused). */
int worker_run(const struct options *o);

#endif
