/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's options, checked whole before it is made, and those that may change while it runs.
 *
 * Called by h2sess_server_new(), and by hosts from any thread for settings, timeout and certificates.
 *
 * Failure modes: an option that is wrong (ret_field names it), no memory. What was taken until then
 * is the server's to free.
 */
#include "memory.h"
#include "server.h"
#include "session.h"

#include <string.h>

static void fill_limits(struct h2sess_limits *limits, const struct h2sess_limits *given)
{
#define X(field, value, unit, counter, text) \
	limits->field = given && given->field ? given->field : (value);
#include <h2sess/limits.def>
#undef X
	limits->size = sizeof(*limits);
}

static int use_settings(struct h2sess_server *srv, const struct h2sess_settings *given)
{
	struct h2sess_settings *s = &srv->settings;
	int r;

	s->size = sizeof(*s);
	s->max_concurrent_streams = srv->limits.max_concurrent_streams;
	s->max_header_list_size = srv->limits.max_header_list_size;
	s->present = H2SESS_SETTING_MAX_CONCURRENT_STREAMS | H2SESS_SETTING_MAX_HEADER_LIST_SIZE;
	if (!given)
		return 0;
	r = session_settings_check(given);
	if (r == 0)
		session_settings_merge(s, given);
	return r;
}

static int add_origin(struct h2sess_server *srv, const char *url)
{
	char buf[H2SESS_PUSH_BYTES_MAX + 1];
	int len = url ? h2sess_origin_of(url, buf, sizeof(buf)) : H2SESS_EARGTYPE;

	if (len == H2SESS_ERANGE)
		return H2SESS_EORIGINLENGTH;
	if (len < 0)
		return len;
	srv->origins[srv->n_origins] = mem_strndup(buf, (size_t)len);
	if (!srv->origins[srv->n_origins])
		return H2SESS_ENOMEM;
	srv->n_origins++;
	return 0;
}

static int use_origins(struct h2sess_server *srv, const struct h2sess_options *options)
{
	size_t i;
	int r = 0;

	if (options->n_origins && !options->origins)
		return H2SESS_EARGTYPE;
	srv->origins = mem_calloc(options->n_origins + 1, sizeof(*srv->origins));
	if (!srv->origins)
		return H2SESS_ENOMEM;
	for (i = 0; i < options->n_origins && r == 0; i++)
		r = add_origin(srv, options->origins[i]);
	return r;
}

static int use_tls(struct h2sess_server *srv, const struct h2sess_options *options,
		   const char **ret_field)
{
	*ret_field = "certificates";
	if (!options->n_certificates)
		return 0;
	return options->certificates ? tls_new(options, &srv->tls, ret_field) : H2SESS_EARGTYPE;
}

int server_use_options(struct h2sess_server *srv, const struct h2sess_options *options,
		       const char **ret_field)
{
	int r;

	*ret_field = "limits";
	if (options->limits && options->limits->size < sizeof(*options->limits))
		return H2SESS_EINVAL;
	fill_limits(&srv->limits, options->limits);
	srv->log = options->log;
	srv->log_user = options->log_user;
	atomic_store(&srv->session_timeout_ms,
		     options->session_timeout_ms == UINT32_MAX ? 0 : options->session_timeout_ms);
	*ret_field = "settings";
	r = use_settings(srv, options->settings);
	*ret_field = "origins";
	if (r == 0)
		r = use_origins(srv, options);
	return r < 0 ? r : use_tls(srv, options, ret_field);
}

/* ---- while it runs --------------------------------------------------------------------------- */

void server_settings(struct h2sess_server *srv, struct h2sess_settings *ret)
{
	uv_mutex_lock(&srv->lock);
	*ret = srv->settings;
	uv_mutex_unlock(&srv->lock);
}

int h2sess_server_update_settings(struct h2sess_server *srv, const struct h2sess_settings *settings)
{
	int r = session_settings_check(settings);

	if (r < 0)
		return r;
	uv_mutex_lock(&srv->lock);
	session_settings_merge(&srv->settings, settings);
	uv_mutex_unlock(&srv->lock);
	return 0;
}

int h2sess_server_set_timeout(struct h2sess_server *srv, uint32_t ms)
{
	atomic_store(&srv->session_timeout_ms, ms == UINT32_MAX ? 0 : ms);
	return 0;
}

int h2sess_server_reload_tls(struct h2sess_server *srv, const char **ret_field)
{
	const char *field = NULL;
	int r = srv->tls ? tls_reload(srv->tls, &field) : H2SESS_ESTATE;

	if (ret_field)
		*ret_field = field;
	server_tell_changed(srv);
	return r;
}
