/* SPDX-License-Identifier: Apache-2.0 */
/* See guard.h. */
#include "guard.h"

#define TOKEN 1000

void guard_init(struct guard *g, uint32_t reset_burst, uint64_t now_ms)
{
	g->refilled_ms = now_ms;
	g->tokens_m = (int64_t)reset_burst * TOKEN;
	g->halved_ms = now_ms;
	g->total_bytes = 0;
	g->useful_bytes = 0;
}

static void add_tokens(struct guard *g, uint64_t thousandths, uint32_t burst)
{
	int64_t full = (int64_t)burst * TOKEN;

	if (thousandths > (uint64_t)full)
		thousandths = (uint64_t)full;
	g->tokens_m += (int64_t)thousandths;
	if (g->tokens_m > full)
		g->tokens_m = full;
}

bool guard_reset(struct guard *g, uint32_t burst, uint32_t per_second, uint64_t now_ms)
{
	/* per_second tokens in 1000 ms are per_second thousandths in 1 ms */
	add_tokens(g, (now_ms - g->refilled_ms) * per_second, burst);
	g->refilled_ms = now_ms;
	g->tokens_m -= TOKEN;
	return g->tokens_m >= 0;
}

void guard_completed(struct guard *g, uint32_t burst)
{
	add_tokens(g, TOKEN, burst);
}

void guard_received(struct guard *g, uint64_t octets, uint64_t now_ms)
{
	while (now_ms - g->halved_ms >= GUARD_FLOOD_HALF_MS) {
		g->total_bytes /= 2;
		g->useful_bytes /= 2;
		g->halved_ms += GUARD_FLOOD_HALF_MS;
		if (!g->total_bytes && !g->useful_bytes)
			g->halved_ms = now_ms;
	}
	g->total_bytes += octets;
}

bool guard_calm(const struct guard *g, uint32_t slack)
{
	return g->total_bytes / GUARD_FLOOD_RATIO <= g->useful_bytes + slack;
}
