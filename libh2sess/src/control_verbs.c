/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of a session but its pushes, as requests: session.goaway to session.setLabels. It owns
 * the slots of those under way; control_methods.c starts them, and a row of the table acts on the
 * session.
 *
 * The happy path:
 *   - on the session's thread the row reads its params and calls the public function;
 *   - the result goes back at once, or, for ping and settings, when the peer has answered.
 * What can go wrong:
 *   - no such session, or it was destroyed; a param that is wrong: an error that names the field;
 *   - the session ends before the peer has answered: the callback's error is the answer;
 *   - the control link stops before that: the request is failed, the callback finds nobody.
 */
#include "control.h"
#include "memory.h"
#include "session.h"
#include "session_json.h"
#include "values.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What a row returns when its callback will answer. */
#define LATER 1

/* ---- params ---------------------------------------------------------------------------------- */

static const json_t *param(struct control_request *request, const char *name)
{
	request->field = name;
	return json_object_get(request->params, name);
}

/* An integer of 0 to max; ret stays as it was where there is none. */
static int read_integer(struct control_request *request, const char *name, json_int_t max,
			json_int_t *ret)
{
	const json_t *value = param(request, name);

	if (!value)
		return 0;
	if (!json_is_integer(value))
		return H2SESS_EARGTYPE;
	if (json_integer_value(value) < 0 || json_integer_value(value) > max)
		return H2SESS_ERANGE;
	*ret = json_integer_value(value);
	return 0;
}

static int read_code(struct control_request *request, uint32_t *ret)
{
	json_int_t value = 0;
	int r = read_integer(request, "code", UINT32_MAX, &value);

	*ret = (uint32_t)value;
	return r;
}

/* Must be there. */
static int read_size(struct control_request *request, const char *name, json_int_t max,
		     json_int_t *ret)
{
	return param(request, name) ? read_integer(request, name, max, ret) : H2SESS_EARGTYPE;
}

/* ---- whose turn it is -------------------------------------------------------------------------
 *
 * A request goes to its session's thread, and may wait there for the peer, who may never answer;
 * and the control link may stop first. So that the request has one owner, a slot holds it: whoever
 * takes it out answers it.
 */

struct slot {
	uv_mutex_t lock;
	struct control_request *request; /* NULL: taken out */
	atomic_uint references;		 /* the request's, the session's */
};

static struct slot *slot_new(struct control_request *request)
{
	struct slot *slot = mem_calloc(1, sizeof(*slot));

	if (!slot)
		return NULL;
	if (uv_mutex_init(&slot->lock) != 0) {
		mem_free(slot);
		return NULL;
	}
	slot->request = request;
	atomic_init(&slot->references, 2);
	return slot;
}

static void slot_unref(struct slot *slot)
{
	if (atomic_fetch_sub(&slot->references, 1) != 1)
		return;
	uv_mutex_destroy(&slot->lock);
	mem_free(slot);
}

static struct control_request *slot_take(struct slot *slot)
{
	struct control_request *request;

	uv_mutex_lock(&slot->lock);
	request = slot->request;
	slot->request = NULL;
	uv_mutex_unlock(&slot->lock);
	return request;
}

/* The control thread, last. */
static void finish(struct control_request *request)
{
	list_del(&request->waiting_link);
	slot_unref(request->state);
	control_request_finish(request);
}

/* The peer has answered, or never will. */
static void answered(struct slot *slot, int error, uint64_t us)
{
	struct control_request *request = slot_take(slot);

	slot_unref(slot);
	if (!request)
		return;
	request->error = error;
	request->field = error == H2SESS_EDESTROYED ? "session" : NULL;
	if (error == 0) {
		request->result = json_object();
		if (!value_put(request->result, "roundTrip", json_real((double)us / 1000)))
			request->error = H2SESS_ENOMEM;
	}
	control_request_return(request, finish);
}

/* ---- the verbs: the session's thread --------------------------------------------------------- */

static int goaway(struct h2sess_session *s, struct control_request *request)
{
	uint8_t data[H2SESS_GOAWAY_DATA_MAX];
	json_int_t last = 0;
	uint32_t code = 0;
	size_t len = 0;
	int r;

	r = read_code(request, &code);
	if (r == 0)
		r = read_integer(request, "lastStreamID", H2SESS_STREAM_ID_MAX, &last);
	if (r == 0)
		r = value_read_base64(param(request, "opaqueData"), data, sizeof(data), &len);
	if (r < 0)
		return r;
	request->field = "lastStreamID";
	r = h2sess_session_goaway(s, code, (int32_t)last, data, len);
	request->result = json_object();
	value_put(request->result, "closes", json_false());
	return r;
}

static void on_ping(struct h2sess_session *s, int error, uint64_t us, const uint8_t *payload,
		    void *user)
{
	(void)s;
	(void)payload;
	answered(user, error, us);
}

static int ping(struct h2sess_session *s, struct control_request *request)
{
	const json_t *json = param(request, "payload");
	uint8_t payload[H2SESS_PING_LENGTH];
	int r = json ? value_read_hex(json, payload, sizeof(payload)) : 0;

	if (r < 0)
		return r == H2SESS_EARGTYPE ? r : H2SESS_EPINGLENGTH;
	request->field = NULL;
	r = h2sess_session_ping(s, json ? payload : NULL, json ? sizeof(payload) : 0, on_ping,
				request->state);
	return r < 0 ? r : LATER;
}

static void on_settings(struct h2sess_session *s, int error, uint64_t us, void *user)
{
	(void)s;
	answered(user, error, us);
}

static int settings(struct h2sess_session *s, struct control_request *request)
{
	struct h2sess_settings set = H2SESS_SETTINGS_INIT;
	int r = session_json_read_settings(param(request, "settings"), &set, &request->field);

	if (r < 0)
		return r;
	r = h2sess_session_settings(s, &set, on_settings, request->state);
	return r < 0 ? r : LATER;
}

static int close_session(struct h2sess_session *s, struct control_request *request)
{
	request->result = json_object();
	return h2sess_session_close(s);
}

static int destroy(struct h2sess_session *s, struct control_request *request)
{
	uint32_t code = 0;
	int r = read_code(request, &code);

	request->result = json_object();
	return r < 0 ? r : h2sess_session_destroy(s, code);
}

static int set_timeout(struct h2sess_session *s, struct control_request *request)
{
	json_int_t ms = 0;
	int r = read_size(request, "msecs", UINT32_MAX, &ms);

	request->result = json_object();
	return r < 0 ? r : h2sess_session_set_timeout(s, (uint32_t)ms);
}

static int set_window(struct h2sess_session *s, struct control_request *request)
{
	json_int_t bytes = 0;
	int r = read_size(request, "windowSize", INT32_MAX, &bytes);

	request->result = json_object();
	return r < 0 ? r : h2sess_session_set_local_window_size(s, (int32_t)bytes);
}

/* The data of the event is its JSON text: listeners get octets, the daemon gets the value back. */
static int emit(struct h2sess_session *s, struct control_request *request)
{
	const char *name = json_string_value(param(request, "event"));
	char *text;
	bool heard;

	if (!name)
		return H2SESS_EARGTYPE;
	if (event_by_name(name) != EVENT_CUSTOM)
		return H2SESS_EEVENT;
	text = json_dumps(json_object_get(request->params, "data"), JSON_COMPACT | JSON_ENCODE_ANY);
	heard = session_emit_custom(s, name, text ? text : "null", text ? strlen(text) : 4);
	free(text);
	request->result = json_object();
	return value_put(request->result, "listened", json_boolean(heard)) ? 0 : H2SESS_ENOMEM;
}

/* A merge patch is all or nothing, so it is looked at whole before anything is set. */
static int check_labels(const struct h2sess_session *s, json_t *patch)
{
	size_t n = s->n_labels;
	const char *key;
	json_t *value;

	if (!json_is_object(patch))
		return H2SESS_EARGTYPE;
	json_object_foreach(patch, key, value) {
		bool known = h2sess_session_label(s, key) != NULL;

		if (!json_is_null(value) && !json_is_string(value))
			return H2SESS_EARGTYPE;
		if (!session_label_ok(key, json_string_value(value)) || strlen(key) == 0 ||
		    (json_is_string(value) &&
		     strlen(json_string_value(value)) != json_string_length(value)))
			return H2SESS_EINVAL;
		n = n + (!known && !json_is_null(value)) - (known && json_is_null(value));
	}
	return n > SESSION_LABELS_MAX ? H2SESS_ELIMIT : 0;
}

/* Those that go make room for those that come. */
static int patch_labels(struct h2sess_session *s, json_t *patch, bool take_away)
{
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach(patch, key, value) {
		if (json_is_null(value) == take_away && r == 0)
			r = h2sess_session_set_label(s, key, json_string_value(value));
	}
	return r;
}

static int set_labels(struct h2sess_session *s, struct control_request *request)
{
	json_t *patch = (json_t *)param(request, "labels"); /* jansson's iterators want it so */
	int r = check_labels(s, patch);

	if (r == 0)
		r = patch_labels(s, patch, true);
	if (r == 0)
		r = patch_labels(s, patch, false);
	if (r < 0)
		return r;
	request->result = json_object();
	return value_put(request->result, "labels", session_json_labels(s)) ? 0 : H2SESS_ENOMEM;
}

/* ---- the request ----------------------------------------------------------------------------- */

static int (*const verbs[RPC_METHODS])(struct h2sess_session *, struct control_request *) = {
	[RPC_SESSION_GOAWAY] = goaway,
	[RPC_SESSION_PING] = ping,
	[RPC_SESSION_SETTINGS] = settings,
	[RPC_SESSION_CLOSE] = close_session,
	[RPC_SESSION_DESTROY] = destroy,
	[RPC_SESSION_SET_TIMEOUT] = set_timeout,
	[RPC_SESSION_SET_LOCAL_WINDOW_SIZE] = set_window,
	[RPC_SESSION_EMIT] = emit,
	[RPC_SESSION_SET_LABELS] = set_labels,
};

/* Errors that speak of the session or of no member at all. */
static const char *field_of(int error, const char *field)
{
	switch (error) {
	case H2SESS_ENOTFOUND:
	case H2SESS_EDESTROYED:
		return "session";
	case H2SESS_ENOMEM:
	case H2SESS_ESTATE:
	case H2SESS_EMAXSETTINGS:
		return NULL;
	default:
		return field;
	}
}

/* Returns whether an answer is due now. */
static bool act(struct h2sess_session *s, struct control_request *request)
{
	int r = s ? verbs[request->method](s, request) : H2SESS_ENOTFOUND;

	if (r == LATER)
		return false;
	if (r == 0 && !request->result)
		r = H2SESS_ENOMEM;
	request->error = r;
	request->field = field_of(r, request->field);
	return true;
}

static void on_session(struct h2sess_session *s, void *user)
{
	struct slot *slot = user;
	struct control_request *request;
	bool due;

	uv_mutex_lock(&slot->lock);
	request = slot->request;
	due = !request || act(s, request);
	if (due)
		slot->request = NULL;
	uv_mutex_unlock(&slot->lock);
	if (due && request)
		control_request_return(request, finish);
	if (due)
		slot_unref(slot);
}

void control_verb(struct control_request *request)
{
	const char *id = json_string_value(json_object_get(request->params, "session"));
	struct slot *slot = id ? slot_new(request) : NULL;
	int r = id ? H2SESS_ENOMEM : H2SESS_EARGTYPE;

	if (slot) {
		request->state = slot;
		list_add_tail(&request->control->waiting, &request->waiting_link);
		r = control_request_post(request, id, on_session, slot);
	}
	if (r == 0)
		return;
	request->error = r;
	request->field = r == H2SESS_ENOMEM ? NULL : "session";
	if (!slot) {
		control_request_finish(request);
		return;
	}
	slot_unref(slot); /* the session's */
	finish(request);
}

void control_verbs_drop(struct h2sess_control *control)
{
	struct list *pos, *following;

	list_for_each_safe(pos, following, &control->waiting) {
		struct control_request *request =
			container_of(pos, struct control_request, waiting_link);

		if (!slot_take(request->state))
			continue; /* it is on its way back */
		request->error = H2SESS_ESTATE;
		finish(request);
	}
}
