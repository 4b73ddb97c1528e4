/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_MOMENT_H
#define CONTROLD_MOMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define MOMENT_ORIGINS_MAX 1024 /* of an origin set that are told apart */
#define MOMENT_CHANGES_MAX 2046 /* of labels, likewise; every later one is the one after it */

/* What of a moment was told. */
enum {
	MOMENT_AGE = 1,
	MOMENT_IDLE = 2,
	MOMENT_STREAMS = 4,
	MOMENT_REQUESTED = 8,
	MOMENT_LABELS = 16,
	MOMENT_ORIGINS = 32,
};

/* What a session was like at one of its events. All zero: nothing was told. */
struct moment {
	uint64_t age_ms : 42;
	uint64_t label_changes : 11; /* which of its labels it had: see facts.h */
	uint64_t origins : 11;	     /* how many its origin set had */
	uint64_t idle_ms : 37;
	uint64_t open_streams : 20;
	uint64_t told : 6; /* MOMENT_... */
	uint64_t requested : 1;
};

_Static_assert(sizeof(struct moment) == 16, "the log keeps one for each event that it dropped");

/* Of an event's `at` (rpc.md), which may be NULL. What is malformed or out of bounds is not told. */
struct moment moment_read(const json_t *at);

/*
 * What of `at` the state file keeps, so that it can be read again: a new reference, NULL: nothing,
 * or out of memory.
 */
json_t *moment_keep(const json_t *at);

#endif
