/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session as JSON: the session object, its streams, settings and peer, as rpc.md names them. Owns
 * nothing. The control link calls it on the session's thread, since only there may a session be
 * read.
 *
 * Everything is built from the getters and walkers of the session; texts of the peer are cut to
 * SESSION_JSON_TEXT_MAX. What fails is memory alone: then NULL, and nothing is left behind.
 */
#include "session_json.h"

#include "memory.h"
#include "policy.h"
#include "session.h"
#include "stream.h"
#include "values.h"

#include <string.h>

#define ORIGINS_INLINE 8 /* of an origin set that is read without an allocation */

/* A value under construction: the walkers of the session hand it on. */
struct build {
	json_t *value;
	size_t weight;
	bool ok;
};

/* ---- settings and state ---------------------------------------------------------------------- */

static bool put_custom(json_t *object, const struct h2sess_settings *set)
{
	json_t *custom;
	bool ok = true;
	char id[8];

	if (set->n_custom == 0)
		return true;
	custom = json_object();
	for (uint32_t i = 0; i < set->n_custom && i < H2SESS_CUSTOM_SETTINGS_MAX; i++) {
		snprintf(id, sizeof(id), "%u", set->custom[i].id);
		ok &= value_put(custom, id, json_integer(set->custom[i].value));
	}
	ok &= value_put(object, "customSettings", custom);
	return ok;
}

static json_t *settings_json(const struct h2sess_settings *set)
{
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "headerTableSize", json_integer(set->header_table_size));
	ok &= value_put(object, "enablePush", json_boolean(set->enable_push));
	ok &= value_put(object, "initialWindowSize", json_integer(set->initial_window_size));
	ok &= value_put(object, "maxFrameSize", json_integer(set->max_frame_size));
	ok &= value_put(object, "maxConcurrentStreams", json_integer(set->max_concurrent_streams));
	ok &= value_put(object, "maxHeaderListSize", json_integer(set->max_header_list_size));
	ok &= value_put(object, "enableConnectProtocol",
			json_boolean(set->enable_connect_protocol));
	ok &= put_custom(object, set);
	return value_if(ok, object);
}

json_t *session_json_local_settings(const struct h2sess_session *s)
{
	struct h2sess_settings set = H2SESS_SETTINGS_INIT;

	h2sess_session_local_settings(s, &set);
	return settings_json(&set);
}

json_t *session_json_remote_settings(const struct h2sess_session *s)
{
	struct h2sess_settings set = H2SESS_SETTINGS_INIT;

	h2sess_session_remote_settings(s, &set);
	return settings_json(&set);
}

/* Node's session.state; {} once destroyed, as there. */
static json_t *state_of(const struct h2sess_session *s)
{
	struct h2sess_session_state st = {.size = sizeof(st)};

	if (h2sess_session_state(s, &st) < 0)
		return json_object();
	return json_pack("{s:i,s:i,s:I,s:i,s:i,s:i,s:I,s:I,s:I}", "effectiveLocalWindowSize",
			 (int)st.effective_local_window_size, "effectiveRecvDataLength",
			 (int)st.effective_recv_data_length, "nextStreamID",
			 (json_int_t)st.next_stream_id, "localWindowSize",
			 (int)st.local_window_size, "lastProcStreamID", (int)st.last_proc_stream_id,
			 "remoteWindowSize", (int)st.remote_window_size, "outboundQueueSize",
			 (json_int_t)st.outbound_queue_size, "deflateDynamicTableSize",
			 (json_int_t)st.deflate_dynamic_table_size, "inflateDynamicTableSize",
			 (json_int_t)st.inflate_dynamic_table_size);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static json_t *texts(const char *const *list, size_t n)
{
	json_t *array = json_array();
	bool ok = array != NULL;

	for (size_t i = 0; i < n; i++)
		ok &= json_array_append_new(array, value_text(list[i], SESSION_JSON_TEXT_MAX)) == 0;
	return value_if(ok, array);
}

json_t *session_json_origins(const struct h2sess_session *s)
{
	return texts((const char *const *)s->origin_set, s->n_origin_set);
}

/* null on cleartext, as Node's undefined. */
static json_t *origin_set_of(const struct h2sess_session *s)
{
	const char *few[ORIGINS_INLINE];
	const char **all;
	json_t *array;
	size_t n;

	if (!h2sess_session_encrypted(s))
		return json_null();
	n = h2sess_session_origin_set(s, few, ORIGINS_INLINE);
	if (n <= ORIGINS_INLINE)
		return texts(few, n);
	all = mem_calloc(n, sizeof(*all));
	if (!all)
		return NULL;
	n = h2sess_session_origin_set(s, all, n);
	array = texts(all, n);
	mem_free(all);
	return array;
}

static void add_label(const char *key, const char *value, void *user)
{
	struct build *b = user;
	json_t *text = value_text(value, SESSION_JSON_TEXT_MAX);

	/* A key that is not UTF-8 cannot be shown, and nothing could select it. */
	b->ok &= text != NULL;
	json_object_set_new(b->value, key, text);
}

json_t *session_json_labels(const struct h2sess_session *s)
{
	struct build b = {.value = json_object()};

	b.ok = b.value != NULL;
	session_each_label(s, add_label, &b);
	return value_if(b.ok, b.value);
}

/* Who asked, and by which push: see SESSION_JSON_BY_SEPARATOR. */
static bool put_by(json_t *object, const char *by)
{
	const char *push = by ? strrchr(by, SESSION_JSON_BY_SEPARATOR) : NULL;
	size_t by_len = push ? (size_t)(push - by) : SESSION_JSON_TEXT_MAX;
	bool ok;

	if (by_len > SESSION_JSON_TEXT_MAX)
		by_len = SESSION_JSON_TEXT_MAX;
	ok = value_put(object, "by", by && by_len > 0 ? value_text(by, by_len) : json_null());
	ok &= value_put(object, "push",
			value_text_or_null(push ? push + 1 : NULL, SESSION_JSON_TEXT_MAX));
	return ok;
}

static void add_pushed(const struct session_pushed *pushed, void *user)
{
	const char *reason = h2sess_reason_name(pushed->reason);
	struct build *b = user;
	json_t *object = json_object();
	bool ok = object != NULL;

	if (pushed->value->origin)
		ok &= value_put(object, "origin", value_text(pushed->value->origin, SIZE_MAX - 1));
	else
		ok &= value_put(object, "stream", json_integer(pushed->value->stream_id));
	ok &= value_put(object, "alt", value_text(pushed->value->alt, SIZE_MAX - 1));
	ok &= put_by(object, pushed->value->by);
	ok &= value_put(object, "outcome", json_string(h2sess_outcome_name(pushed->outcome)));
	if (reason && *reason)
		ok &= value_put(object, "reason", json_string(reason));
	ok &= value_put(object, "when", value_time(pushed->when_ms));
	ok &= json_array_append_new(b->value, object) == 0;
	b->ok &= ok;
}

static json_t *pushed_of(const struct h2sess_session *s)
{
	struct build b = {.value = json_array()};

	b.ok = b.value != NULL;
	session_each_pushed(s, add_pushed, &b);
	return value_if(b.ok, b.value);
}

/* ---- the session object ---------------------------------------------------------------------- */

json_t *session_json_peer(struct h2sess_session *s)
{
	struct h2sess_peer peer = {.size = sizeof(peer)};
	json_t *object;
	bool ok;

	if (h2sess_session_peer(s, &peer) < 0)
		return json_null();
	object = json_object();
	ok = value_put(object, "address", value_text(peer.address, sizeof(peer.address)));
	ok &= value_put(object, "port", json_integer(peer.port));
	return value_if(ok, object);
}

static bool put_connection(json_t *object, struct h2sess_session *s)
{
	struct h2sess_peer peer = {.size = sizeof(peer)};
	bool ok;

	h2sess_session_peer(s, &peer);
	ok = value_put(object, "peer", session_json_peer(s));
	ok &= value_put(object, "encrypted", json_boolean(h2sess_session_encrypted(s)));
	ok &= value_put(object, "alpnProtocol",
			value_text_or_null(h2sess_session_alpn_protocol(s), SESSION_JSON_TEXT_MAX));
	ok &= value_put(object, "servername",
			value_text_or_null(peer.servername, SESSION_JSON_TEXT_MAX));
	ok &= value_put(object, "tlsVersion",
			value_text_or_null(peer.tls_version, SESSION_JSON_TEXT_MAX));
	ok &= value_put(object, "cipher", value_text_or_null(peer.cipher, SESSION_JSON_TEXT_MAX));
	ok &= value_put(object, "originSet", origin_set_of(s));
	return ok;
}

static bool put_life(json_t *object, const struct h2sess_session *s)
{
	bool ok;

	ok = value_put(object, "connecting", json_boolean(h2sess_session_connecting(s)));
	ok &= value_put(object, "closed", json_boolean(h2sess_session_closed(s)));
	ok &= value_put(object, "destroyed", json_boolean(h2sess_session_destroyed(s)));
	ok &= value_put(object, "localSettings", session_json_local_settings(s));
	ok &= value_put(object, "remoteSettings", session_json_remote_settings(s));
	ok &= value_put(object, "pendingSettingsAck",
			json_boolean(h2sess_session_pending_settings_ack(s)));
	ok &= value_put(object, "state", state_of(s));
	return ok;
}

static void add_policy(const struct policy_report *report, void *user)
{
	const char *outcome = report->outcome < 0 ? NULL : h2sess_outcome_name(report->outcome);
	struct build *b = user;
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "policy", json_string(report->policy->name));
	ok &= value_put(object, "revision", json_integer(report->policy->revision));
	ok &= value_put(object, "holds", json_boolean(report->holds));
	ok &= value_put(object, "why", json_string(report->why));
	ok &= value_put(object, "outcome", outcome ? json_string(outcome) : json_null());
	ok &= value_put(object, "when",
			report->when_ms ? value_time(report->when_ms) : json_null());
	ok &= json_array_append_new(b->value, object) == 0;
	b->ok &= ok;
}

static json_t *policies_of(const struct h2sess_session *s)
{
	struct build b = {.value = json_array()};

	b.ok = b.value != NULL;
	session_each_policy(s, add_policy, &b);
	return value_if(b.ok, b.value);
}

static bool put_facts(json_t *object, const struct h2sess_session *s)
{
	struct session_facts facts = {0};
	bool ok;

	session_facts(s, &facts);
	ok = value_put(object, "labels", session_json_labels(s));
	ok &= value_put(object, "userAgent",
			value_text_or_null(facts.user_agent, SESSION_JSON_TEXT_MAX));
	ok &= value_put(object, "createdAt", value_time(facts.created_ms));
	ok &= value_put(object, "idleMs", json_integer((json_int_t)facts.idle_ms));
	ok &= value_put(object, "openStreams",
			json_integer((json_int_t)h2sess_session_open_streams(s)));
	ok &= value_put(object, "streams", json_integer((json_int_t)facts.streams_total));
	ok &= value_put(object, "altsvc", pushed_of(s));
	ok &= value_put(object, "policies", policies_of(s));
	ok &= value_put(object, "altUsed", json_integer((json_int_t)facts.alt_used));
	ok &= value_put(object, "misdirected", json_integer((json_int_t)facts.misdirected));
	return ok;
}

json_t *session_json(struct h2sess_session *s, const char *worker)
{
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "id", json_string(h2sess_session_id(s)));
	ok &= value_put(object, "worker", json_string(worker));
	ok &= put_connection(object, s);
	ok &= put_life(object, s);
	ok &= put_facts(object, s);
	return value_if(ok, object);
}

/* ---- streams --------------------------------------------------------------------------------- */

/* NULL for a stream that is not open in either direction. */
static const char *state_name(int state)
{
	switch (state) {
	case NGHTTP2_STREAM_STATE_OPEN:
		return "open";
	case NGHTTP2_STREAM_STATE_HALF_CLOSED_LOCAL:
		return "halfClosedLocal";
	case NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE:
		return "halfClosedRemote";
	default:
		return NULL;
	}
}

static json_t *stream_json(struct h2sess_stream *st, const struct h2sess_stream_state *state)
{
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "id", json_integer(h2sess_stream_id(st)));
	ok &= value_put(object, "state", json_string(state_name(state->state)));
	ok &= value_put(
		object, "method",
		value_text_or_null(h2sess_stream_header(st, ":method"), SESSION_JSON_TEXT_MAX));
	ok &= value_put(
		object, "path",
		value_text_or_null(h2sess_stream_header(st, ":path"), SESSION_JSON_TEXT_MAX));
	ok &= value_put(
		object, "authority",
		value_text_or_null(h2sess_stream_header(st, ":authority"), SESSION_JSON_TEXT_MAX));
	ok &= value_put(object, "headersSent", json_boolean(h2sess_stream_headers_sent(st)));
	ok &= value_put(object, "buffered", json_integer((json_int_t)h2sess_stream_buffered(st)));
	ok &= value_put(object, "localWindowSize", json_integer(state->local_window_size));
	ok &= value_put(object, "remoteWindowSize", json_integer(state->remote_window_size));
	return value_if(ok, object);
}

static void add_stream(struct h2sess_stream *st, void *user)
{
	struct h2sess_stream_state state = {.size = sizeof(state)};
	struct build *b = user;
	json_t *object;

	if (b->weight > SESSION_JSON_STREAMS_MAX)
		return;
	if (h2sess_stream_state(st, &state) < 0 || !state_name(state.state))
		return;
	object = stream_json(st, &state);
	b->weight += value_weight(object);
	b->ok &= json_array_append_new(b->value, object) == 0;
}

json_t *session_json_streams(struct h2sess_session *s)
{
	struct build b = {.value = json_array()};
	json_t *result = json_object();
	bool ok;

	b.ok = b.value != NULL;
	session_each_stream(s, add_stream, &b);
	ok = b.ok;
	ok &= value_put(result, "streams", b.value);
	if (b.weight > SESSION_JSON_STREAMS_MAX)
		ok &= value_put(result, "truncated", json_true());
	return value_if(ok, result);
}
