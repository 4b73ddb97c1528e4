/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Demand: events that workers record only while somebody wants them (DEMAND in events.def).
 *
 * stream.c adds and removes each reader. The first one for a type makes the workers record it, at
 * once; when the last one has left it is recorded on for DEMAND_LINGER_MS, so that a reader who
 * reconnects has missed nothing. A reader who resumes further back is told that there is a time
 * without records.
 */
#include "demand.h"

#include "controld.h"

#include <stdlib.h>

#define DEMAND_SWEEP_MS 1000

enum control { NEVER, ALWAYS, DEMAND };

static const enum control controls[EVENT_CUSTOM] = {
#define X(name, wire, emitters, control, when) [EVENT_##name] = control,
#include <h2sess/events.def>
#undef X
};

static bool is_recorded(const struct demand *demand, int type)
{
	return demand->readers[type] > 0 || demand->quiet_since[type] > 0;
}

json_t *demand_filter(const struct demand *demand)
{
	json_t *types = json_array();

	for (int type = 0; type < EVENT_CUSTOM; type++)
		if (controls[type] == DEMAND && is_recorded(demand, type))
			json_array_append_new(types, json_string(event_type_name(
							     &demand->controld->events, type)));
	return json_pack("{s:o}", "types", types);
}

static void tell_workers(struct demand *demand)
{
	workers_set_filter(&demand->controld->workers, demand_filter(demand));
}

static void on_sweep(uv_timer_t *timer)
{
	struct demand *demand = container_of(timer, struct demand, sweep);
	uint64_t now = uv_now(timer->loop);
	bool changed = false;

	for (int type = 0; type < EVENT_CUSTOM; type++) {
		if (!demand->quiet_since[type] ||
		    now < demand->quiet_since[type] + DEMAND_LINGER_MS)
			continue;
		demand->quiet_since[type] = 0;
		changed = true;
	}
	if (changed)
		tell_workers(demand);
}

void demand_start(struct demand *demand, struct controld *controld)
{
	demand->controld = controld;
	uv_timer_init(controld->loop, &demand->sweep);
	uv_timer_start(&demand->sweep, on_sweep, DEMAND_SWEEP_MS, DEMAND_SWEEP_MS);
}

void demand_stop(struct demand *demand)
{
	if (demand->controld)
		uv_close((uv_handle_t *)&demand->sweep, NULL);
}

void demand_add(struct demand *demand, const struct event_filter *filter)
{
	bool changed = false;

	for (int type = 0; type < EVENT_CUSTOM; type++) {
		if (controls[type] != DEMAND || !filter->types[type])
			continue;
		if (!is_recorded(demand, type)) {
			demand->recorded_after[type] = demand->controld->events.seq;
			changed = true;
		}
		demand->quiet_since[type] = 0;
		demand->readers[type]++;
	}
	if (changed)
		tell_workers(demand);
}

void demand_remove(struct demand *demand, const struct event_filter *filter)
{
	for (int type = 0; type < EVENT_CUSTOM; type++)
		if (controls[type] == DEMAND && filter->types[type] && --demand->readers[type] == 0)
			demand->quiet_since[type] =
				uv_now(demand->sweep.loop) + 1; /* + 1: never 0 */
}

bool demand_recorded_since(const struct demand *demand, const struct event_filter *filter,
			   uint64_t seq)
{
	for (int type = 0; type < EVENT_CUSTOM; type++) {
		if (controls[type] != DEMAND || !filter->types[type])
			continue;
		if (!is_recorded(demand, type) || demand->recorded_after[type] > seq)
			return false;
	}
	return true;
}
