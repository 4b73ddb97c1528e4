/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's events as messages: what rpc.md's table of events says of each type. Owns nothing.
 *
 * With each event goes what its session is like at that moment (`at`), so that the daemon can choose
 * events as selectors choose sessions. The numbers always; user agent, labels and origin set, which
 * are long, and change next to never, when they have changed since the session's last event, or a
 * generation of the queue began.
 *
 * control_event_new() runs on the session's thread, where the facts are; the params are put around
 * them on the control thread. Memory is all that can fail: then NULL, and the event's number
 * becomes a gap.
 */
#include "control_events.h"
#include "emitter.h"
#include "memory.h"
#include "session.h"
#include "session_json.h"
#include "stream.h"
#include "values.h"

#include <string.h>

#define EVENT_BYTES 512 /* of an event beside its data */

/* ---- data ------------------------------------------------------------------------------------ */

static json_t *header_of(const struct h2sess_event *ev, const char *name)
{
	const char *value = ev->stream ? h2sess_stream_header(ev->stream, name) : NULL;

	return value_text_or_null(value, SESSION_JSON_TEXT_MAX);
}

static json_t *stream_data(const struct h2sess_event *ev)
{
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "method", header_of(ev, ":method"));
	ok &= value_put(object, "scheme", header_of(ev, ":scheme"));
	ok &= value_put(object, "authority", header_of(ev, ":authority"));
	ok &= value_put(object, "path", header_of(ev, ":path"));
	ok &= value_put(object, "userAgent", header_of(ev, "user-agent"));
	ok &= value_put(object, "flags", json_integer(ev->flags));
	ok &= value_put(object, "endAfterHeaders",
			json_boolean(ev->stream && h2sess_stream_end_after_headers(ev->stream)));
	return value_if(ok, object);
}

static json_t *goaway_data(const struct h2sess_event *ev)
{
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "code", json_integer(ev->code));
	ok &= value_put(object, "lastStreamID", json_integer(ev->last_stream_id));
	ok &= value_put(object, "opaqueData", value_base64(ev->data, ev->len));
	return value_if(ok, object);
}

static json_t *ping_data(const struct h2sess_event *ev)
{
	json_t *object = json_object();

	return value_if(value_put(object, "payload", value_hex(ev->data, ev->len)), object);
}

static json_t *frame_error_data(const struct h2sess_event *ev)
{
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "frameType", json_integer(ev->frame_type));
	ok &= value_put(object, "error", json_string(h2sess_errname(ev->error)));
	return value_if(ok, object);
}

static json_t *error_data(const struct h2sess_event *ev)
{
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "error", json_string(h2sess_errname(ev->error)));
	ok &= value_put(object, "code", json_integer(ev->code));
	return value_if(ok, object);
}

static json_t *close_data(const struct h2sess_event *ev)
{
	struct session_facts facts = {0};
	json_t *object = json_object();
	const char *reason;
	bool ok;

	session_facts(ev->session, &facts);
	reason = facts.close_error < 0 ? h2sess_errname(facts.close_error) : "closed";
	ok = value_put(object, "reason", json_string(reason));
	ok &= value_put(object, "code", json_integer(facts.close_code));
	ok &= value_put(object, "createdAt", value_time(facts.created_ms));
	ok &= value_put(object, "streams", json_integer((json_int_t)facts.streams_total));
	ok &= value_put(object, "peer", session_json_peer(ev->session));
	if (facts.limit)
		ok &= value_put(object, "limit", json_string(facts.limit));
	return value_if(ok, object);
}

/* ---- at -------------------------------------------------------------------------------------- */

static bool tell(struct control_event *made, const char *name, json_t *value)
{
	if (!made->news)
		made->news = json_object();
	return value_put(made->news, name, value);
}

/* What is told once. A `connect` has labels and origin set in its data. */
static bool tell_news(struct control_event *made, struct h2sess_session *s, bool in_data,
		      uint64_t generation)
{
	struct session_told *told = &s->told;
	bool ok = true;

	if (told->generation != generation)
		*told = (struct session_told){.generation = generation};
	if (s->user_agent_known && !told->user_agent)
		ok &= tell(made, "userAgent",
			   value_text_or_null(s->user_agent, SESSION_JSON_TEXT_MAX));
	if (s->n_origin_set != told->origins && !in_data)
		ok &= tell(made, "originSet", session_json_origins(s));
	if (s->label_changes != told->label_changes && !in_data)
		ok &= tell(made, "labels", session_json_labels(s));
	told->user_agent = s->user_agent_known;
	told->label_changes = s->label_changes;
	told->origins = s->n_origin_set;
	return ok;
}

/* ---- the event ------------------------------------------------------------------------------- */

static json_t *data_of(enum event_id id, const struct h2sess_event *ev, const char *worker)
{
	switch (id) {
	case EVENT_CONNECT:
		return session_json(ev->session, worker);
	case EVENT_STREAM:
		return stream_data(ev);
	case EVENT_GOAWAY:
		return goaway_data(ev);
	case EVENT_PING:
		return ping_data(ev);
	case EVENT_LOCAL_SETTINGS:
		return session_json_local_settings(ev->session);
	case EVENT_REMOTE_SETTINGS:
		return session_json_remote_settings(ev->session);
	case EVENT_FRAME_ERROR:
		return frame_error_data(ev);
	case EVENT_ERROR:
		return error_data(ev);
	case EVENT_CLOSE:
		return close_data(ev);
	case EVENT_CUSTOM:
		return json_loadb(ev->data, ev->len, JSON_DECODE_ANY, NULL);
	default:
		return json_object();
	}
}

static int32_t stream_id_of(const struct h2sess_event *ev)
{
	return ev->stream ? h2sess_stream_id(ev->stream) : ev->stream_id;
}

struct control_event *control_event_new(const struct h2sess_event *ev, const char *worker,
					uint64_t generation)
{
	enum event_id id = event_by_name(ev->name);
	struct control_event *made = mem_calloc(1, sizeof(*made));
	bool in_data = id == EVENT_CONNECT && !ev->session->destroyed;
	bool told;

	if (!made)
		return NULL;
	made->at = event_moment_of(ev->session);
	told = tell_news(made, ev->session, in_data, generation);
	made->data = data_of(id, ev, worker);
	made->custom_type = id == EVENT_CUSTOM ? mem_strdup(ev->name) : NULL;
	if (!told || !made->data || (id == EVENT_CUSTOM && !made->custom_type)) {
		control_event_free(made);
		return NULL;
	}
	made->time_ms = wall_clock_ms();
	made->type = id == EVENT_CUSTOM ? made->custom_type : event_name(id);
	made->stream = stream_id_of(ev);
	made->weight = EVENT_BYTES + value_weight(made->news) + value_weight(made->data);
	snprintf(made->session, sizeof(made->session), "%s", h2sess_session_id(ev->session));
	return made;
}

json_t *control_event_params(struct control_event *ev)
{
	json_t *params = json_object();
	bool ok;

	ok = value_put(params, "seq", json_integer((json_int_t)ev->seq));
	ok &= value_put(params, "time", value_time(ev->time_ms));
	ok &= value_put(params, "type", json_string(ev->type));
	ok &= value_put(params, "session", json_string(ev->session));
	if (ev->stream > 0)
		ok &= value_put(params, "stream", json_integer(ev->stream));
	ok &= value_put(params, "at", event_moment_json(&ev->at, ev->news));
	ok &= value_put(params, "data", json_incref(ev->data));
	return value_if(ok, params);
}

json_t *control_gap_params(uint64_t from, uint64_t to)
{
	json_t *params = json_object();
	bool ok;

	ok = value_put(params, "count", json_integer((json_int_t)(to - from + 1)));
	ok &= value_put(params, "from", json_integer((json_int_t)from));
	ok &= value_put(params, "to", json_integer((json_int_t)to));
	return value_if(ok, params);
}
