/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_API_EVENT_NAME_H
#define H2SESS_API_EVENT_NAME_H

#include <stdbool.h>

#define EVENT_NAME_MAX 64 /* octets of a name of the host's own, x- included */

/* Whether it is a name of the host's own: x-, and more, of visible ASCII without commas. */
bool event_name_is_own(const char *name);

#endif
