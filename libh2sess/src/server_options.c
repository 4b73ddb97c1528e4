/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's options: checked whole when it is made, and again when they are replaced while it
 * runs.
 *
 * Owns the limits, the origins, and through tls.c the certificates. Called by server.c and by hosts
 * (reload), from any thread.
 *
 * Happy path of a reload: every part is made beside the old one -> when all of them are there, they
 * change places -> sessions see the new limits at once, new connections the new certificates,
 * settings and origins. Nothing that runs ends.
 *
 * Failure modes: an option that is wrong (named; nothing has changed), no memory (the same). Loops
 * read the limits without a lock, so a set of them that was in use is kept until the server goes;
 * a reload that changes none of them makes none.
 */
#include "memory.h"
#include "open_struct.h"
#include "proxy_peers.h"
#include "server.h"
#include "server_origins.h"
#include "session.h"
#include "tls_tickets.h"

#include <string.h>

struct limits_set {
	struct limits_set *older;
	struct h2sess_limits limits;
};

/* What a reload has made and not put into its place yet. */
struct fresh {
	struct limits_set *limits; /* NULL: they are as they were */
	struct origin_list *origins;
	struct proxy_peers *proxies;
	struct h2sess_settings settings;
};

/* ---- limits ---------------------------------------------------------------------------------- */

/* Returns 0, H2SESS_EINVAL (without a size). */
static int fill_limits(struct h2sess_limits *limits, const struct h2sess_limits *given)
{
	const struct h2sess_limits none = H2SESS_LIMITS_INIT;

	if (open_struct_read(limits, sizeof(*limits), given ? given : &none) < 0)
		return H2SESS_EINVAL;
#define X(field, value, unit, counter, text) \
	limits->field = limits->field ? limits->field : (value);
#include <h2sess/limits.def>
#undef X
	return 0;
}

static bool limits_equal(const struct h2sess_limits *a, const struct h2sess_limits *b)
{
#define X(field, value, unit, counter, text) \
	if (a->field != b->field)            \
		return false;
#include <h2sess/limits.def>
#undef X
	return true;
}

/* *ret is NULL when they are those that the server has. */
static int make_limits(struct h2sess_server *srv, const struct h2sess_limits *given,
		       struct limits_set **ret)
{
	const struct h2sess_limits *now = server_limits(srv);
	struct limits_set *set = mem_calloc(1, sizeof(*set));
	int r;

	*ret = NULL;
	if (!set)
		return H2SESS_ENOMEM;
	r = fill_limits(&set->limits, given);
	if (r < 0 || (now && limits_equal(now, &set->limits)))
		mem_free(set);
	else
		*ret = set;
	return r;
}

/* Under the lock, or before the start. */
static void use_limits(struct h2sess_server *srv, struct limits_set *set)
{
	if (!set)
		return;
	set->older = srv->limits_sets;
	srv->limits_sets = set;
	atomic_store_explicit(&srv->limits, &set->limits, memory_order_release);
}

/* ---- settings -------------------------------------------------------------------------------- */

static int make_settings(const struct h2sess_limits *limits, const struct h2sess_settings *given,
			 struct h2sess_settings *ret)
{
	struct h2sess_settings own;
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->size = sizeof(*ret);
	ret->max_concurrent_streams = limits->max_concurrent_streams;
	ret->max_header_list_size = limits->max_header_list_size;
	ret->present = H2SESS_SETTING_MAX_CONCURRENT_STREAMS | H2SESS_SETTING_MAX_HEADER_LIST_SIZE;
	if (!given)
		return 0;
	r = session_settings_read(&own, given);
	if (r == 0)
		session_settings_merge(ret, &own);
	return r;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void fresh_done(struct fresh *fresh)
{
	mem_free(fresh->limits);
	origin_list_unref(fresh->origins);
	proxy_peers_free(fresh->proxies);
}

/* Everything but TLS. After a failure nothing is left in fresh. */
static int fresh_init(struct fresh *fresh, struct h2sess_server *srv,
		      const struct h2sess_options *options, const char **ret_field)
{
	int r;

	memset(fresh, 0, sizeof(*fresh));
	*ret_field = "limits";
	r = make_limits(srv, options->limits, &fresh->limits);
	if (r == 0) {
		*ret_field = "settings";
		r = make_settings(fresh->limits ? &fresh->limits->limits : server_limits(srv),
				  options->settings, &fresh->settings);
	}
	if (r == 0) {
		*ret_field = "origins";
		r = origin_list_new(options->origins, options->n_origins, &fresh->origins);
	}
	if (r == 0) {
		*ret_field = "proxy_peers";
		r = proxy_peers_new(options->proxy_peers, options->n_proxy_peers, &fresh->proxies);
	}
	if (r < 0)
		fresh_done(fresh);
	return r;
}

/* Under the lock, or before the start. fresh holds what is to be let go then. */
static void put_into_place(struct h2sess_server *srv, struct fresh *fresh)
{
	struct origin_list *old_origins = srv->origins;
	struct proxy_peers *old_proxies = srv->proxies;

	use_limits(srv, fresh->limits);
	fresh->limits = NULL; /* the server owns them now */
	srv->settings = fresh->settings;
	srv->origins = fresh->origins;
	fresh->origins = old_origins;
	srv->proxies = fresh->proxies;
	atomic_store(&srv->has_proxies, srv->proxies != NULL);
	fresh->proxies = old_proxies;
}

/* TLS reads its keys itself. Where there is none, a file of them must be one all the same. */
static int check_ticket_keys(const struct h2sess_options *options, const char **ret_field)
{
	struct ticket_keys *keys = NULL;
	int r = 0;

	*ret_field = "tls_ticket_keys_file";
	if (options->tls_ticket_keys_file)
		r = ticket_keys_new(options->tls_ticket_keys_file, &keys);
	ticket_keys_unref(keys);
	return r;
}

static uint32_t timeout_of(const struct h2sess_options *options)
{
	return options->session_timeout_ms == UINT32_MAX ? 0 : options->session_timeout_ms;
}

int server_use_options(struct h2sess_server *srv, const struct h2sess_options *options,
		       const char **ret_field)
{
	struct fresh fresh;
	int r;

	r = fresh_init(&fresh, srv, options, ret_field);
	if (r < 0)
		return r;
	put_into_place(srv, &fresh);
	fresh_done(&fresh);
	srv->log = options->log;
	srv->log_user = options->log_user;
	srv->stream_end = options->stream_end;
	srv->session_end = options->session_end;
	srv->end_user = options->end_user;
	atomic_store(&srv->session_timeout_ms, timeout_of(options));
	*ret_field = "certificates";
	return options->n_certificates ? tls_new(options, &srv->tls, ret_field)
				       : check_ticket_keys(options, ret_field);
}

void server_options_done(struct h2sess_server *srv)
{
	tls_free(srv->tls);
	origin_list_unref(srv->origins);
	proxy_peers_free(srv->proxies);
	while (srv->limits_sets) {
		struct limits_set *older = srv->limits_sets->older;

		mem_free(srv->limits_sets);
		srv->limits_sets = older;
	}
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
	struct h2sess_settings own;
	int r = session_settings_read(&own, settings);

	if (r < 0)
		return r;
	uv_mutex_lock(&srv->lock);
	session_settings_merge(&srv->settings, &own);
	uv_mutex_unlock(&srv->lock);
	return 0;
}

int h2sess_server_set_timeout(struct h2sess_server *srv, uint32_t ms)
{
	atomic_store(&srv->session_timeout_ms, ms == UINT32_MAX ? 0 : ms);
	return 0;
}

bool server_expects_proxy(struct h2sess_server *srv, const char *address)
{
	bool expects;

	if (!atomic_load_explicit(&srv->has_proxies, memory_order_relaxed))
		return false;
	uv_mutex_lock(&srv->lock);
	expects = proxy_peers_have(srv->proxies, address);
	uv_mutex_unlock(&srv->lock);
	return expects;
}

struct origin_list *server_origins(struct h2sess_server *srv)
{
	struct origin_list *list;

	uv_mutex_lock(&srv->lock);
	list = origin_list_ref(srv->origins);
	uv_mutex_unlock(&srv->lock);
	return list;
}

static int reload_tls(struct h2sess_server *srv, const struct h2sess_options *options,
		      const char **ret_field)
{
	*ret_field = "certificates";
	if (!srv->tls)
		return options->n_certificates ? H2SESS_ESTATE
					       : check_ticket_keys(options, ret_field);
	return tls_reload(srv->tls, options, ret_field);
}

/* All or nothing: TLS comes last, since it is the only one that takes its place at once. */
static int reload(struct h2sess_server *srv, const struct h2sess_options *options,
		  const char **ret_field)
{
	struct fresh fresh;
	int r = fresh_init(&fresh, srv, options, ret_field);

	if (r < 0)
		return r;
	r = reload_tls(srv, options, ret_field);
	if (r == 0) {
		uv_mutex_lock(&srv->lock);
		put_into_place(srv, &fresh);
		uv_mutex_unlock(&srv->lock);
		atomic_store(&srv->session_timeout_ms, timeout_of(options));
	}
	fresh_done(&fresh);
	return r;
}

int h2sess_server_reload(struct h2sess_server *srv, const struct h2sess_options *options,
			 const char **ret_field)
{
	struct h2sess_options own;
	const char *field = "options";
	int r = options ? open_struct_read(&own, sizeof(own), options) : H2SESS_EINVAL;

	if (r == 0)
		r = reload(srv, &own, &field);
	if (ret_field)
		*ret_field = field;
	server_tell_changed(srv);
	return r;
}

int h2sess_server_reload_tls(struct h2sess_server *srv, const char **ret_field)
{
	const char *field = NULL;
	int r = srv->tls ? tls_reload(srv->tls, NULL, &field) : H2SESS_ESTATE;

	if (ret_field)
		*ret_field = field;
	server_tell_changed(srv);
	return r;
}
