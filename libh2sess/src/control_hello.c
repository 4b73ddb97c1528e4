/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This worker in its own words: the hello, worker.update, worker.stats, and what a FILTER asks for.
 * Owns nothing; the control thread calls it. Memory is all that can fail: then NULL.
 */
#include "control.h"
#include "values.h"

#include <unistd.h>

#define NAME_BYTES_MAX 512 /* of a certificate's name */

/* ---- parts ----------------------------------------------------------------------------------- */

static json_t *state_name(struct h2sess_control *control)
{
	bool draining = atomic_load(&control->draining) || atomic_load(&control->server->closing);

	return json_string(draining ? "draining" : "running");
}

static json_t *listener_json(const struct server_listener *l)
{
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "address", value_text(l->address, sizeof(l->address)));
	ok &= value_put(object, "port", json_integer(l->port));
	ok &= value_put(object, "tls", json_boolean(l->tls));
	return value_if(ok, object);
}

static json_t *listeners(struct h2sess_control *control)
{
	struct server_listener list[SERVER_LISTENERS_MAX];
	size_t n = server_listeners(control->server, list, SERVER_LISTENERS_MAX);
	json_t *array = json_array();
	bool ok = array != NULL;

	for (size_t i = 0; i < n && i < SERVER_LISTENERS_MAX; i++)
		ok &= json_array_append_new(array, listener_json(&list[i])) == 0;
	return value_if(ok, array);
}

struct certificates {
	json_t *array;
	bool ok;
};

static void add_certificate(const char *const *names, size_t n, time_t not_after, void *user)
{
	struct certificates *all = user;
	json_t *object = json_object();
	json_t *list = json_array();
	bool ok = list != NULL;

	for (size_t i = 0; i < n; i++)
		ok &= json_array_append_new(list, value_text(names[i], NAME_BYTES_MAX)) == 0;
	ok &= value_put(object, "names", list);
	ok &= value_put(object, "notAfter", value_time((uint64_t)not_after * 1000));
	ok &= json_array_append_new(all->array, object) == 0;
	all->ok &= ok;
}

static json_t *certificates(struct h2sess_control *control)
{
	struct certificates all = {.array = json_array()};

	all.ok = all.array != NULL;
	server_certificates(control->server, add_certificate, &all);
	return value_if(all.ok, all.array);
}

uint64_t control_sessions(struct h2sess_control *control)
{
	return atomic_load(&control->server->counters.sessions);
}

static bool put_number(json_t *object, const char *key, uint64_t number)
{
	return value_put(object, key, json_integer((json_int_t)number));
}

static json_t *last_reload(struct h2sess_control *control)
{
	struct control_reload reload;
	json_t *object;
	bool ok;

	uv_mutex_lock(&control->lock);
	reload = control->reload;
	uv_mutex_unlock(&control->lock);
	if (!reload.when_ms)
		return json_null();
	object = json_object();
	ok = value_put(object, "time", value_time(reload.when_ms));
	ok &= value_put(object, "ok", json_boolean(reload.ok));
	ok &= value_put(
		object, "error",
		value_text_or_null(reload.ok ? NULL : reload.error, CONTROL_RELOAD_ERROR_MAX));
	return value_if(ok, object);
}

/* ---- messages -------------------------------------------------------------------------------- */

json_t *control_changes(struct h2sess_control *control)
{
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "state", state_name(control));
	ok &= value_put(object, "listen", listeners(control));
	ok &= value_put(object, "certificates", certificates(control));
	ok &= value_put(object, "lastReload", last_reload(control));
	return value_if(ok, object);
}

static bool put_identity(json_t *hello, struct h2sess_control *control)
{
	bool ok;

	ok = value_put(hello, "protocol",
		       json_pack("{s:i,s:i}", "min", RPC_PROTOCOL_MIN, "max", RPC_PROTOCOL_MAX));
	ok &= value_put(hello, "name", json_string(control->name));
	ok &= value_put(hello, "boot", json_string(h2sess_boot_id()));
	ok &= value_put(hello, "succeeds",
			control->succeeds ? json_string(control->succeeds) : json_null());
	ok &= value_put(hello, "pid", json_integer(getpid()));
	ok &= value_put(hello, "version", json_string(h2sess_version()));
	ok &= value_put(hello, "startedAt", value_time(control->started_ms));
	ok &= value_put(hello, "labels", json_incref(control->labels));
	ok &= value_put(hello, "capabilities",
			json_pack("[s,s,s,s,s,s]", "altsvc", "origin", "session", "fanout",
				  "policies", "accept"));
	return ok;
}

static json_t *pushes(struct h2sess_control *control)
{
	json_t *array = push_book_hello(control->pushes);

	return value_if(array && control_fanouts_hello(control, array), array);
}

json_t *control_hello(struct h2sess_control *control)
{
	json_t *hello = control_changes(control);
	bool ok = hello != NULL;

	ok &= put_identity(hello, control);
	ok &= put_number(hello, "sessions", control_sessions(control));
	ok &= put_number(hello, "events", event_queue_taken(&control->events));
	ok &= value_put(hello, "pushes", pushes(control));
	return value_if(ok, hello);
}

static json_t *limit_counts(struct h2sess_server *srv)
{
	json_t *object = json_object();
	bool ok = object != NULL;

	for (int i = 0; i < LIMITS; i++)
		ok &= put_number(object, server_limit_counter((enum limit_id)i),
				 atomic_load(&srv->counters.limits[i]));
	return value_if(ok, object);
}

json_t *control_stats(struct h2sess_control *control)
{
	struct h2sess_server_stats stats = {.size = sizeof(stats)};
	json_t *object = json_object();
	bool ok = object != NULL;

	h2sess_server_stats(control->server, &stats);
	ok &= put_number(object, "sessions", stats.sessions);
	ok &= put_number(object, "sessionsTotal", stats.sessions_total);
	ok &= put_number(object, "streamsTotal", stats.streams_total);
	ok &= put_number(object, "misdirected", stats.misdirected);
	ok &= put_number(object, "altUsed", stats.alt_used);
	ok &= put_number(object, "bytesReceived", stats.bytes_received);
	ok &= put_number(object, "bytesSent", stats.bytes_sent);
	ok &= value_put(object, "limits", limit_counts(control->server));
	ok &= put_number(object, "eventsDropped", event_queue_dropped(&control->events));
	return value_if(ok, object);
}

static uint32_t demand_of(const char *type)
{
	switch (event_by_name(type)) {
	case EVENT_STREAM:
		return SERVER_DEMAND_STREAM;
	case EVENT_PING:
		return SERVER_DEMAND_PING;
	case EVENT_LOCAL_SETTINGS:
		return SERVER_DEMAND_LOCAL_SETTINGS;
	case EVENT_REMOTE_SETTINGS:
		return SERVER_DEMAND_REMOTE_SETTINGS;
	default:
		return 0;
	}
}

uint32_t control_demand(const json_t *filter)
{
	const json_t *types = json_object_get(filter, "types");
	uint32_t mask = 0;

	for (size_t i = 0; i < json_array_size(types); i++) {
		const char *type = json_string_value(json_array_get(types, i));

		mask |= type ? demand_of(type) : 0;
	}
	return mask;
}
