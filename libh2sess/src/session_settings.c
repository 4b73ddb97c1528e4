/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SETTINGS: ours with their acknowledgements, the peer's as they stand.
 *
 * Owns the settings that the peer has not acknowledged, in order (RFC 9113 6.5.3: one ACK for each
 * frame). Past limits.max_outstanding_settings the session is destroyed, as in Node;
 * session_timers.c watches over the oldest one.
 */
#include "memory.h"
#include "open_struct.h"
#include "server.h"
#include "session.h"

#include <string.h>

#define ENTRIES_MAX (8 + H2SESS_CUSTOM_SETTINGS_MAX)
#define NO_RFC7540_PRIORITIES 0x9 /* RFC 9218 2.1 */

/* The named settings: where their values are, and what they may be. */
static const struct {
	uint32_t bit;
	size_t offset;
	uint16_t id;
	uint32_t min, max;
} rows[] = {
#define ROW(BIT, field, low, high)                                             \
	{                                                                      \
		H2SESS_SETTING_##BIT, offsetof(struct h2sess_settings, field), \
			NGHTTP2_SETTINGS_##BIT, low, high                      \
	}
	ROW(HEADER_TABLE_SIZE, header_table_size, 0, UINT32_MAX),
	ROW(ENABLE_PUSH, enable_push, 0, 1),
	ROW(MAX_CONCURRENT_STREAMS, max_concurrent_streams, 0, UINT32_MAX),
	ROW(INITIAL_WINDOW_SIZE, initial_window_size, 0, INT32_MAX),
	ROW(MAX_FRAME_SIZE, max_frame_size, 16384, (1u << 24) - 1),
	ROW(MAX_HEADER_LIST_SIZE, max_header_list_size, 0, UINT32_MAX),
	ROW(ENABLE_CONNECT_PROTOCOL, enable_connect_protocol, 0, 1),
#undef ROW
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static uint32_t *value_of(struct h2sess_settings *settings, size_t row)
{
	return (uint32_t *)(void *)((char *)settings + rows[row].offset);
}

static uint32_t get(const struct h2sess_settings *settings, size_t row)
{
	return *(const uint32_t *)(const void *)((const char *)settings + rows[row].offset);
}

static bool is_named(uint16_t id)
{
	size_t i;

	for (i = 0; i < ROWS; i++) {
		if (rows[i].id == id)
			return true;
	}
	return id == NO_RFC7540_PRIORITIES;
}

static int check_values(const struct h2sess_settings *settings)
{
	size_t i;

	if (settings->n_custom > H2SESS_CUSTOM_SETTINGS_MAX)
		return H2SESS_ESETTING;
	for (i = 0; i < ROWS; i++) {
		uint32_t value = get(settings, i);

		if (settings->present & rows[i].bit && (value < rows[i].min || value > rows[i].max))
			return H2SESS_ESETTING;
	}
	/* RFC 9113 6.5.2: a server must not announce ENABLE_PUSH 1 */
	if (settings->present & H2SESS_SETTING_ENABLE_PUSH && settings->enable_push)
		return H2SESS_ESETTING;
	for (i = 0; i < settings->n_custom; i++) {
		if (is_named(settings->custom[i].id) || settings->custom[i].id == 0)
			return H2SESS_ESETTING;
	}
	return 0;
}

int session_settings_read(struct h2sess_settings *into, const struct h2sess_settings *from)
{
	if (!from || open_struct_read(into, sizeof(*into), from) < 0)
		return H2SESS_ESETTING;
	return check_values(into);
}

static size_t to_entries(const struct h2sess_settings *settings, nghttp2_settings_entry *entries)
{
	size_t i, n = 0;

	for (i = 0; i < ROWS; i++) {
		if (!(settings->present & rows[i].bit))
			continue;
		entries[n].settings_id = rows[i].id;
		entries[n++].value = get(settings, i);
	}
	for (i = 0; i < settings->n_custom; i++) {
		entries[n].settings_id = settings->custom[i].id;
		entries[n++].value = settings->custom[i].value;
	}
	return n;
}

static void add_custom(struct h2sess_settings *settings, const nghttp2_settings_entry *entry)
{
	struct h2sess_custom_setting *custom;

	if (settings->n_custom == H2SESS_CUSTOM_SETTINGS_MAX)
		return; /* Node remembers ten as well */
	custom = &settings->custom[settings->n_custom++];
	custom->id = (uint16_t)entry->settings_id;
	custom->value = entry->value;
}

void session_settings_from_nghttp2(const nghttp2_settings_entry *entries, size_t n,
				   struct h2sess_settings *ret)
{
	size_t i, row;

	memset(ret, 0, sizeof(*ret));
	ret->size = sizeof(*ret);
	for (i = 0; i < n; i++) {
		for (row = 0; row < ROWS && rows[row].id != entries[i].settings_id; row++)
			;
		if (row == ROWS) {
			if (!is_named((uint16_t)entries[i].settings_id))
				add_custom(ret, &entries[i]);
			continue;
		}
		*value_of(ret, row) = entries[i].value;
		ret->present |= rows[row].bit;
	}
}

/* RFC 8441 3: once announced, extended CONNECT cannot be withdrawn; nghttp2 would let it. */
static bool withdraws_connect(const struct h2sess_session *s,
			      const struct h2sess_settings *settings)
{
	return s->connect_protocol && settings->present & H2SESS_SETTING_ENABLE_CONNECT_PROTOCOL &&
	       !settings->enable_connect_protocol;
}

/* The first frame of a session says that RFC 7540's priorities mean nothing here. */
static int submit(struct h2sess_session *s, const struct h2sess_settings *settings)
{
	nghttp2_settings_entry entries[ENTRIES_MAX];
	size_t n = to_entries(settings, entries);

	if (!s->announced) {
		entries[n].settings_id = NO_RFC7540_PRIORITIES;
		entries[n++].value = 1;
	}
	switch (nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, entries, n)) {
	case 0:
		return 0;
	case NGHTTP2_ERR_NOMEM:
		return H2SESS_ENOMEM;
	default:
		return H2SESS_ESETTING;
	}
}

int session_settings_submit(struct h2sess_session *s, const struct h2sess_settings *settings,
			    h2sess_settings_fn *fn, void *user)
{
	struct session_settings *p = mem_calloc(1, sizeof(*p));
	int r;

	if (!p)
		return H2SESS_ENOMEM;
	r = submit(s, settings);
	if (r < 0) {
		mem_free(p);
		return r;
	}
	p->fn = fn;
	p->user = user;
	p->values = *settings;
	list_add_tail(&s->settings, &p->link);
	s->n_settings++;
	if (settings->present & H2SESS_SETTING_ENABLE_CONNECT_PROTOCOL)
		s->connect_protocol = s->connect_protocol || settings->enable_connect_protocol;
	session_mark_dirty(s);
	return 0;
}

void session_settings_merge(struct h2sess_settings *into, const struct h2sess_settings *from)
{
	size_t i;

	for (i = 0; i < ROWS; i++) {
		if (from->present & rows[i].bit)
			*value_of(into, i) = get(from, i);
	}
	into->present |= from->present;
	for (i = 0; i < from->n_custom; i++) {
		const nghttp2_settings_entry entry = {from->custom[i].id, from->custom[i].value};
		uint32_t at = 0;

		while (at < into->n_custom && into->custom[at].id != from->custom[i].id)
			at++;
		if (at < into->n_custom)
			into->custom[at].value = from->custom[i].value;
		else
			add_custom(into, &entry);
	}
}

/* The peer's settings without a name here: kept only where there are any, ten at most. */
int session_settings_received(struct h2sess_session *s, const struct h2sess_settings *settings)
{
	struct h2sess_settings custom = {.n_custom = settings->n_custom};

	if (!settings->n_custom)
		return 0;
	if (!s->remote_custom)
		s->remote_custom = mem_calloc(1, sizeof(*s->remote_custom));
	if (!s->remote_custom)
		return H2SESS_ENOMEM;
	memcpy(custom.custom, settings->custom, sizeof(custom.custom));
	session_settings_merge(s->remote_custom, &custom);
	return 0;
}

void session_settings_acked(struct h2sess_session *s)
{
	struct h2sess_event ev = {0};
	struct session_settings *p;
	struct list *link = list_pop(&s->settings);

	if (!link)
		return; /* an ACK for nothing: nghttp2 lets it pass */
	p = container_of(link, struct session_settings, link);
	s->n_settings--;
	session_settings_merge(&s->local_settings, &p->values);
	if (p->fn)
		p->fn(s, 0, (uv_hrtime() - p->sent_ns) / 1000, p->user);
	if (!s->destroyed) {
		ev.settings = &s->local_settings;
		session_emit(s, EVENT_LOCAL_SETTINGS, &ev);
	}
	mem_free(p);
}

void session_settings_done(struct h2sess_session *s)
{
	struct list *link;

	while ((link = list_pop(&s->settings))) {
		struct session_settings *p = container_of(link, struct session_settings, link);

		if (p->fn)
			p->fn(s, H2SESS_EDESTROYED, 0, p->user);
		mem_free(p);
	}
	s->n_settings = 0;
	mem_free(s->remote_custom);
	s->remote_custom = NULL;
}

int h2sess_session_settings(struct h2sess_session *s, const struct h2sess_settings *given,
			    h2sess_settings_fn *fn, void *user)
{
	struct h2sess_settings settings;

	if (s->destroyed)
		return H2SESS_EDESTROYED;
	if (session_settings_read(&settings, given) < 0 || withdraws_connect(s, &settings))
		return H2SESS_ESETTING;
	if (!s->open)
		return H2SESS_ESTATE;
	if (s->n_settings >= server_limits(s->loop->server)->max_outstanding_settings) {
		server_count_limit(s->loop->server, LIMIT_max_outstanding_settings);
		session_fail(s, H2SESS_EMAXSETTINGS, H2SESS_INTERNAL_ERROR);
		return H2SESS_EMAXSETTINGS;
	}
	session_active(s);
	return session_settings_submit(s, &settings, fn, user);
}

/* RFC 9113 6.5.2's initial values; UINT32_MAX stands for "no limit". */
static void defaults(struct h2sess_settings *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->size = sizeof(*ret);
	ret->header_table_size = 4096;
	ret->enable_push = 1;
	ret->max_concurrent_streams = UINT32_MAX;
	ret->initial_window_size = 65535;
	ret->max_frame_size = 16384;
	ret->max_header_list_size = UINT32_MAX;
}

int h2sess_session_local_settings(const struct h2sess_session *s, struct h2sess_settings *ret)
{
	struct h2sess_settings settings;

	defaults(&settings);
	settings.enable_push = 0;
	session_settings_merge(&settings, &s->local_settings);
	return open_struct_write(ret, &settings, sizeof(settings));
}

int h2sess_session_remote_settings(const struct h2sess_session *s, struct h2sess_settings *ret)
{
	struct h2sess_settings settings;
	size_t i;

	defaults(&settings);
	for (i = 0; i < ROWS && s->ng; i++)
		*value_of(&settings, i) =
			nghttp2_session_get_remote_settings(s->ng, (nghttp2_settings_id)rows[i].id);
	if (s->remote_custom)
		session_settings_merge(&settings, s->remote_custom);
	return open_struct_write(ret, &settings, sizeof(settings));
}

bool h2sess_session_pending_settings_ack(const struct h2sess_session *s)
{
	return !list_empty(&s->settings);
}
