/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session is like at a moment, by the same getters that selectors choose by: taken on its
 * thread as numbers, made JSON where it is sent. Owns nothing.
 */
#include "event_moment.h"

#include "session.h"
#include "values.h"

struct event_moment event_moment_of(const struct h2sess_session *s)
{
	return (struct event_moment){
		.age_ms = session_age_ms(s),
		.idle_ms = session_idle_ms(s),
		.label_changes = s->label_changes,
		.open_streams = h2sess_session_open_streams(s),
		.origins = s->n_origin_set,
		.requested = s->user_agent_known,
	};
}

json_t *event_moment_json(const struct event_moment *moment, json_t *news)
{
	json_t *object = news ? json_incref(news) : json_object();
	bool ok;

	ok = value_put(object, "ageMs", json_integer((json_int_t)moment->age_ms));
	ok &= value_put(object, "idleMs", json_integer((json_int_t)moment->idle_ms));
	ok &= value_put(object, "openStreams", json_integer((json_int_t)moment->open_streams));
	ok &= value_put(object, "requested", json_boolean(moment->requested));
	ok &= value_put(object, "labelChanges", json_integer((json_int_t)moment->label_changes));
	ok &= value_put(object, "origins", json_integer((json_int_t)moment->origins));
	return value_if(ok, object);
}
