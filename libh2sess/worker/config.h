/* SPDX-License-Identifier: Apache-2.0 */
/* The INI file of --config. */
#ifndef WORKER_CONFIG_H
#define WORKER_CONFIG_H

struct options;

/*
 * Take every "key = value" of the file; keys are the long flags without "--". Keys stand before any
 * section, or in [worker]. Refusals are logged as "PATH:LINE: KEY: RULE". Returns 0, or -1.
 */
int config_read(struct options *o, const char *path);

#endif
