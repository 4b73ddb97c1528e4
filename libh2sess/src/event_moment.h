/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_EVENT_MOMENT_H
#define H2SESS_EVENT_MOMENT_H

#include <h2sess/h2sess.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a session was like when something happened. */
struct event_moment {
	uint64_t age_ms;
	uint64_t idle_ms;
	uint64_t label_changes;
	size_t open_streams;
	size_t origins;
	bool requested; /* it has had its first request */
};

/* Now. The session's thread. */
struct event_moment event_moment_of(const struct h2sess_session *s);

/* `at` of rpc.md; news, what it tells beside the numbers, or NULL, is changed. NULL: no memory. */
json_t *event_moment_json(const struct event_moment *moment, json_t *news);

#endif
