/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types of events, by number and by name. Those of events.def and the daemon's own are constant; x-
 * names of hosts get the next free number, for as long as the daemon runs.
 *
 * Failure mode: more than EVENT_CUSTOM_MAX x- names: the last ones share `x-`, and the log says so.
 */
#include "events.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

static const char *const type_names[EVENT_CUSTOM] = {
	"",
#define X(name, wire, emitters, control, when) wire,
#include <h2sess/events.def>
#undef X
	"snapshot",  "worker.up",      "worker.down", "push.progress",
	"push.done", "policy.changed", "gap",	      "bookmark",
};

static int custom_type(struct events *events, const char *name)
{
	int i = 0;

	while (i < EVENT_CUSTOM_MAX - 1 && events->custom[i]) {
		if (strcmp(events->custom[i], name) == 0)
			return EVENT_CUSTOM + i;
		i++;
	}
	if (i == EVENT_CUSTOM_MAX - 1)
		log_limited("events: more than %d x- names, so %s is x-", i, name);
	if (!events->custom[i])
		events->custom[i] = strdup(i < EVENT_CUSTOM_MAX - 1 ? name : "x-");
	return EVENT_CUSTOM + i;
}

int event_type_by_name(struct events *events, const char *name)
{
	if (strncmp(name, "x-", 2) == 0 && strlen(name) <= 64)
		return custom_type(events, name);
	for (int i = 1; i < EVENT_CUSTOM; i++)
		if (strcmp(type_names[i], name) == 0)
			return i;
	return EVENT_NONE;
}

const char *event_type_name(const struct events *events, int type)
{
	const char *name =
		type < EVENT_CUSTOM ? type_names[type] : events->custom[type - EVENT_CUSTOM];

	return name ? name : "x-";
}
