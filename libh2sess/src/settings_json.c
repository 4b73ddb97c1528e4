/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings out of JSON, by Node's names. Owns nothing; session.settings calls it.
 *
 * Each member has a row that says where it goes; `customSettings` is an object of id: value.
 * Failure modes: an unknown name, a value that does not fit or, as in Node with the same error, is
 * of another type: an error that names the member. Whether a value may be announced is the
 * session's to say.
 */
#include "session_json.h"

#include <stdlib.h>
#include <string.h>

/* Where a setting of Node's name is kept. */
static const struct {
	const char *name;
	size_t offset;
	uint32_t bit;
	bool boolean;
} setting_rows[] = {
#define ROW(name, field, BIT, boolean)                                                       \
	{                                                                                    \
		name, offsetof(struct h2sess_settings, field), H2SESS_SETTING_##BIT, boolean \
	}
	ROW("headerTableSize", header_table_size, HEADER_TABLE_SIZE, false),
	ROW("enablePush", enable_push, ENABLE_PUSH, true),
	ROW("initialWindowSize", initial_window_size, INITIAL_WINDOW_SIZE, false),
	ROW("maxFrameSize", max_frame_size, MAX_FRAME_SIZE, false),
	ROW("maxConcurrentStreams", max_concurrent_streams, MAX_CONCURRENT_STREAMS, false),
	ROW("maxHeaderListSize", max_header_list_size, MAX_HEADER_LIST_SIZE, false),
	ROW("maxHeaderSize", max_header_list_size, MAX_HEADER_LIST_SIZE, false), /* Node's alias */
	ROW("enableConnectProtocol", enable_connect_protocol, ENABLE_CONNECT_PROTOCOL, true),
#undef ROW
};

static int read_setting(const json_t *json, bool boolean, uint32_t *ret)
{
	json_int_t value = json_integer_value(json);

	if (boolean) {
		*ret = json_is_true(json);
		return json_is_boolean(json) ? 0 : H2SESS_ESETTING;
	}
	if (!json_is_integer(json) || value < 0 || value > UINT32_MAX)
		return H2SESS_ESETTING;
	*ret = (uint32_t)value;
	return 0;
}

static int read_custom_id(const char *text, uint16_t *ret)
{
	size_t len = strspn(text, "0123456789");
	unsigned long id = len >= 1 && len <= 5 && !text[len] ? strtoul(text, NULL, 10) : 0;

	*ret = (uint16_t)id;
	return id >= 1 && id <= UINT16_MAX ? 0 : H2SESS_ESETTING;
}

static int read_customs(json_t *json, struct h2sess_settings *set)
{
	const char *key;
	json_t *value;
	int r = 0;

	if (!json_is_object(json))
		return H2SESS_EARGTYPE;
	if (json_object_size(json) > H2SESS_CUSTOM_SETTINGS_MAX)
		return H2SESS_ESETTING;
	json_object_foreach(json, key, value) {
		struct h2sess_custom_setting *custom = &set->custom[set->n_custom++];

		if (r == 0)
			r = read_custom_id(key, &custom->id);
		if (r == 0)
			r = read_setting(value, false, &custom->value);
	}
	return r;
}

static int read_named(const char *name, json_t *json, struct h2sess_settings *set)
{
	size_t i;

	if (strcmp(name, "customSettings") == 0)
		return read_customs(json, set);
	for (i = 0; i < sizeof(setting_rows) / sizeof(setting_rows[0]); i++) {
		uint32_t *value = (uint32_t *)(void *)((char *)set + setting_rows[i].offset);

		if (strcmp(setting_rows[i].name, name) != 0)
			continue;
		set->present |= setting_rows[i].bit;
		return read_setting(json, setting_rows[i].boolean, value);
	}
	return H2SESS_EINVAL;
}

int session_json_read_settings(const json_t *json, struct h2sess_settings *set,
			       const char **ret_field)
{
	json_t *object = (json_t *)json; /* jansson's iterators want it so, and change nothing */
	const char *key;
	json_t *value;
	int r;

	*ret_field = "settings";
	if (!json_is_object(json))
		return H2SESS_EARGTYPE;
	json_object_foreach(object, key, value) {
		r = read_named(key, value, set);
		if (r < 0) {
			*ret_field = key;
			return r;
		}
	}
	return 0;
}
