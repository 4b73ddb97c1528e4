/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

struct options;

/*
 * Run a worker until signals end it, or, with options.check, only look. Options are taken. argv is
 * the program's, borrowed: a reload and a successor read it again. Returns the exit status.
 */
int worker_run(struct options *o, int argc, char **argv);

#endif
