/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of events that are the host's own, for the library and the daemon. Pure.
 *
 * Such a name stands in a line of an event stream, and in lists with commas: so it has no line
 * break, no space and no comma.
 */
#include "event_name.h"

#include <stddef.h>

bool event_name_is_own(const char *name)
{
	size_t len;

	if (name[0] != 'x' || name[1] != '-' || !name[2])
		return false;
	for (len = 2; name[len]; len++)
		if (len == EVENT_NAME_MAX || name[len] <= ' ' || name[len] > '~' ||
		    name[len] == ',')
			return false;
	return true;
}
