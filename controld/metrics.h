/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_METRICS_H
#define CONTROLD_METRICS_H

#include <jansson.h>
#include <stdint.h>

#define METRICS_LIMITS_MAX 128 /* names of limits */

/* Counters of the workers, and the daemon's own limits, added up. */
struct metrics {
	json_t *limits; /* name -> integer; NULL: none yet */
	uint64_t alt_used;
	uint64_t misdirected;
};

/* A limit was reached `more` times; 0 makes it known. */
void metrics_count_limit(struct metrics *metrics, const char *name, uint64_t more);
void metrics_done(struct metrics *metrics);

#endif
