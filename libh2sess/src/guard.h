/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one peer may cost: two ledgers that nghttp2 1.52 does not keep.
 *
 * The reset budget is a token bucket that every stream reset lowers, by the peer or by its fault
 * (rapid reset, and the four forms of MadeYouReset), and every completed request raises by a token.
 * The flood ledger compares what came in all with what was worth something: it fails when an eighth
 * of all octets is over the useful ones plus a slack. Both halves of it halve every minute, so that
 * a client that lives for days is judged by what it does now.
 *
 * Pure: time comes in, verdicts go out.
 */
#ifndef H2SESS_GUARD_H
#define H2SESS_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_FLOOD_RATIO 8
#define GUARD_FLOOD_HALF_MS 60000

struct guard {
	uint64_t refilled_ms;
	int64_t tokens_m; /* thousandths of a reset */
	uint64_t halved_ms;
	uint64_t total_bytes;
	uint64_t useful_bytes;
};

void guard_init(struct guard *g, uint32_t reset_burst, uint64_t now_ms);
/* One stream was reset. Returns false when the budget is spent. */
bool guard_reset(struct guard *g, uint32_t burst, uint32_t per_second, uint64_t now_ms);
/* One request was completed. */
void guard_completed(struct guard *g, uint32_t burst);
/* Octets came: frames and their headers. */
void guard_received(struct guard *g, uint64_t octets, uint64_t now_ms);
/* Some of those octets turned out to be useful, or an answer of ours was taken. */
static inline void guard_useful(struct guard *g, uint64_t octets)
{
	g->useful_bytes += octets;
}
/* False when it is a flood. */
bool guard_calm(const struct guard *g, uint32_t slack);

#endif
