/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types of events, by number and by name. Those of events.def and the daemon's own are constant; x-
 * names of hosts get the next free number, for as long as the daemon runs.
 *
 * Failure modes: more than EVENT_CUSTOM_MAX x- names: the last ones share `x-`, and the log says so.
 * More than EVENT_CUSTOM_WANTED, and a reader brings one more: it is refused.
 */
#include "event_name.h"
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

/* The place of a name among those of hosts: its own, the first that is free, or the last. */
static int find_custom(const struct events *events, const char *name)
{
	int i = 0;

	while (i < EVENT_CUSTOM_MAX - 1 && events->custom[i] &&
	       strcmp(events->custom[i], name) != 0)
		i++;
	return i;
}

static int custom_type(struct events *events, const char *name)
{
	int i = find_custom(events, name);

	if (i == EVENT_CUSTOM_MAX - 1)
		log_limited("events: more than %d x- names, so %s is x-", i, name);
	if (!events->custom[i])
		events->custom[i] = strdup(i < EVENT_CUSTOM_MAX - 1 ? name : "x-");
	return EVENT_CUSTOM + i;
}

static bool is_custom(const char *name)
{
	return event_name_is_own(name) || strcmp(name, "x-") == 0;
}

int event_type_by_name(struct events *events, const char *name)
{
	if (is_custom(name))
		return custom_type(events, name);
	for (int i = 1; i < EVENT_CUSTOM; i++)
		if (strcmp(type_names[i], name) == 0)
			return i;
	return EVENT_NONE;
}

int event_type_wanted(struct events *events, const char *name, bool *ret_full)
{
	int i = is_custom(name) ? find_custom(events, name) : 0;

	*ret_full = i >= EVENT_CUSTOM_WANTED && (!events->custom[i] || i == EVENT_CUSTOM_MAX - 1);
	return *ret_full ? EVENT_NONE : event_type_by_name(events, name);
}

const char *event_type_name(const struct events *events, int type)
{
	const char *name =
		type < EVENT_CUSTOM ? type_names[type] : events->custom[type - EVENT_CUSTOM];

	return name ? name : "x-";
}
