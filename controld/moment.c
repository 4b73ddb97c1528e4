/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moments: the numbers of a session at the time of one of its events, as its worker told them, in 16
 * octets, so that the log can keep them of millions of events.
 *
 * events.c reads one from each event that comes, and keeps it with the event; event_select.c judges
 * by it. What was not told (by a worker that cannot, or out of its bounds) is marked, and never
 * taken for a number.
 */
#include "moment.h"

#include <stddef.h>

#define AGE_BOUND (UINT64_C(1) << 42)  /* milliseconds: a hundred years and more */
#define IDLE_BOUND (UINT64_C(1) << 37) /* four years */
#define STREAMS_BOUND (UINT64_C(1) << 20)

/* A number below the bound, and the bit that says that it was told; else 0 and no bit. */
static uint64_t read_number(const json_t *at, const char *name, uint64_t bound, unsigned bit,
			    unsigned *told)
{
	const json_t *value = json_object_get(at, name);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uint64_t)number >= bound)
		return 0;
	*told |= bit;
	return (uint64_t)number;
}

/* Too many to tell apart is not the same as not told, when labels of now would be looked at. */
static uint64_t read_changes(const json_t *at, unsigned *told)
{
	uint64_t changes = read_number(at, "labelChanges", UINT64_MAX, MOMENT_LABELS, told);

	return changes <= MOMENT_CHANGES_MAX ? changes : MOMENT_CHANGES_MAX + 1;
}

struct moment moment_read(const json_t *at)
{
	const json_t *requested = json_object_get(at, "requested");
	unsigned told = json_is_boolean(requested) ? MOMENT_REQUESTED : 0;
	struct moment moment = {.requested = json_is_true(requested)};

	moment.age_ms = read_number(at, "ageMs", AGE_BOUND, MOMENT_AGE, &told);
	moment.idle_ms = read_number(at, "idleMs", IDLE_BOUND, MOMENT_IDLE, &told);
	moment.open_streams = read_number(at, "openStreams", STREAMS_BOUND, MOMENT_STREAMS, &told);
	moment.label_changes = read_changes(at, &told);
	moment.origins = read_number(at, "origins", MOMENT_ORIGINS_MAX + 1, MOMENT_ORIGINS, &told);
	moment.told = told;
	return moment;
}

json_t *moment_keep(const json_t *at)
{
	static const char *const names[] = {"ageMs",	 "idleMs",    "openStreams",
					    "requested", "userAgent", "labelChanges",
					    "labels",	 "origins",   "originSet"};
	json_t *kept = json_is_object(at) ? json_object() : NULL;

	for (size_t i = 0; kept && i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *value = json_object_get(at, names[i]);

		if (value && json_object_set(kept, names[i], value) < 0) {
			json_decref(kept);
			return NULL;
		}
	}
	return kept;
}
