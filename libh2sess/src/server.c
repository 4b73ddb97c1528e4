/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: what its loops share, and how they begin and end.
 *
 * Owns the loops, the options (checked whole when it is made), the TLS contexts, the counts. Called
 * by hosts from any thread, and by loops for counts and hooks.
 *
 * Happy path: new -> listeners are registered -> listen or adopt: the threads start, the emitter
 * freezes
 * -> close: no new connections, every session drains, `close` when the last one is gone -> free.
 *
 * Failure modes: options that are wrong (named), no memory, free from a listener (the last thread
 * to end frees). Lock order: server.lock before loop.lock, never the other way.
 */
#include "server.h"

#include "memory.h"
#include "origin.h"
#include "session.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct peer_count {
	struct list link; /* h2sess_server.peers */
	uint32_t n;
	char address[];
};

/* ---- counts
 * -------------------------------------------------------------------------------------- */

void server_count_limit(struct h2sess_server *srv, enum limit_id limit)
{
	atomic_fetch_add_explicit(&srv->counters.limits[limit], 1, memory_order_relaxed);
}

uint64_t h2sess_server_limit_count(struct h2sess_server *srv, const char *counter)
{
	static const char *const names[] = {
#define X(field, value, unit, counter, text) counter,
#include <h2sess/limits.def>
#undef X
	};
	size_t i;

	for (i = 0; i < LIMITS; i++) {
		if (strcmp(names[i], counter) == 0)
			return atomic_load(&srv->counters.limits[i]);
	}
	return UINT64_MAX;
}

int h2sess_server_stats(struct h2sess_server *srv, struct h2sess_server_stats *ret)
{
	const struct server_counters *c = &srv->counters;

	if (ret->size < sizeof(*ret))
		return H2SESS_EINVAL;
	ret->sessions = atomic_load(&c->sessions);
	ret->sessions_total = atomic_load(&c->sessions_total);
	ret->streams_total = atomic_load(&c->streams_total);
	ret->misdirected = atomic_load(&c->misdirected);
	ret->alt_used = atomic_load(&c->alt_used);
	ret->bytes_received = atomic_load(&c->bytes_received);
	ret->bytes_sent = atomic_load(&c->bytes_sent);
	return 0;
}

void server_log(struct h2sess_server *srv, int level, const char *format, ...)
{
	char message[512];
	va_list args;

	if (!srv->log)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	srv->log(level, message, srv->log_user);
}

static struct list *bucket_of(struct h2sess_server *srv, const char *address)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *address; address++)
		hash = (hash ^ (unsigned char)*address) * 16777619u;
	return &srv->peers[(hash ^ hash >> 16) % 256];
}

static struct peer_count *find_peer(struct list *bucket, const char *address)
{
	struct list *pos;

	list_for_each(pos, bucket) {
		struct peer_count *p = container_of(pos, struct peer_count, link);

		if (strcmp(p->address, address) == 0)
			return p;
	}
	return NULL;
}

static struct peer_count *add_peer(struct list *bucket, const char *address)
{
	size_t len = strlen(address) + 1;
	struct peer_count *p = mem_alloc(sizeof(*p) + len);

	if (!p)
		return NULL;
	p->n = 0;
	memcpy(p->address, address, len);
	list_add_tail(bucket, &p->link);
	return p;
}

static int count_peer(struct h2sess_server *srv, const char *address)
{
	struct list *bucket = bucket_of(srv, address);
	struct peer_count *p = find_peer(bucket, address);

	if (!p)
		p = add_peer(bucket, address);
	if (!p)
		return H2SESS_ENOMEM;
	if (p->n >= srv->limits.max_sessions_per_peer) {
		server_count_limit(srv, LIMIT_max_sessions_per_peer);
		return H2SESS_ELIMIT;
	}
	p->n++;
	return 0;
}

int server_peer_opened(struct h2sess_server *srv, const char *address)
{
	int r;

	if (atomic_load(&srv->counters.connections) >= srv->limits.max_sessions) {
		server_count_limit(srv, LIMIT_max_sessions);
		return H2SESS_ELIMIT;
	}
	uv_mutex_lock(&srv->lock);
	r = count_peer(srv, address);
	uv_mutex_unlock(&srv->lock);
	if (r == 0)
		atomic_fetch_add(&srv->counters.connections, 1);
	return r;
}

void server_peer_closed(struct h2sess_server *srv, const char *address)
{
	struct peer_count *p;

	uv_mutex_lock(&srv->lock);
	p = find_peer(bucket_of(srv, address), address);
	if (p && --p->n == 0) {
		list_del(&p->link);
		mem_free(p);
	}
	uv_mutex_unlock(&srv->lock);
	atomic_fetch_sub(&srv->counters.connections, 1);
}

void server_connection_closed(struct loop *loop)
{
	listeners_resume(loop);
}

/* ---- control link
 * -------------------------------------------------------------------------------- */

void server_hook_event(struct loop *loop, const struct h2sess_event *ev)
{
	if (loop->hooks)
		loop->hooks->event(loop->server, ev, loop->hooks->user);
}

void server_set_demand(struct h2sess_server *srv, uint32_t mask)
{
	atomic_store_explicit(&srv->demand, mask, memory_order_relaxed);
}

size_t server_loops(struct h2sess_server *srv)
{
	return srv->n_loops;
}

int server_run_on_loop(struct h2sess_server *srv, size_t index, loop_fn *fn, void *arg)
{
	return loop_post(&srv->loops[index], fn, arg);
}

struct hook_change {
	const struct server_hooks *hooks;
	uv_sem_t done;
};

static void change_hooks(struct loop *loop, void *arg)
{
	struct hook_change *change = arg;

	if (loop)
		loop->hooks = change->hooks;
	uv_sem_post(&change->done);
}

static int change_hooks_everywhere(struct h2sess_server *srv, const struct server_hooks *hooks)
{
	struct hook_change change = {.hooks = hooks};
	size_t i, posted = 0;
	int r = 0;

	if (uv_sem_init(&change.done, 0) != 0)
		return H2SESS_ENOMEM;
	for (i = 0; i < srv->n_loops && r == 0; i++) {
		r = loop_post(&srv->loops[i], change_hooks, &change);
		posted += r == 0;
	}
	while (posted--)
		uv_sem_wait(&change.done);
	uv_sem_destroy(&change.done);
	return r;
}

int server_set_hooks(struct h2sess_server *srv, const struct server_hooks *hooks)
{
	bool started;
	size_t i;

	uv_mutex_lock(&srv->lock);
	srv->hooks = hooks;
	started = srv->started;
	for (i = 0; i < srv->n_loops && !started; i++)
		srv->loops[i].hooks = hooks;
	uv_mutex_unlock(&srv->lock);
	return started ? change_hooks_everywhere(srv, hooks) : 0;
}

size_t server_listeners(struct h2sess_server *srv, struct server_listener *ret, size_t max)
{
	size_t n;

	uv_mutex_lock(&srv->lock);
	n = srv->n_listeners < max ? srv->n_listeners : max;
	memcpy(ret, srv->listeners, n * sizeof(*ret));
	uv_mutex_unlock(&srv->lock);
	return n;
}

void server_certificates(struct h2sess_server *srv,
			 void (*fn)(const char *const *names, size_t n, time_t not_after,
				    void *user),
			 void *user)
{
	if (srv->tls)
		tls_each_certificate(srv->tls, fn, user);
}

static void tell_changed(struct h2sess_server *srv)
{
	const struct server_hooks *hooks;

	uv_mutex_lock(&srv->lock);
	hooks = srv->hooks;
	if (hooks && hooks->changed)
		hooks->changed(srv, hooks->user);
	uv_mutex_unlock(&srv->lock);
}

/* ---- options
 * ------------------------------------------------------------------------------------- */

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

static int use_options(struct h2sess_server *srv, const struct h2sess_options *options,
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

static int make_loops(struct h2sess_server *srv, uint32_t n)
{
	int r;

	srv->loops = mem_calloc(n, sizeof(*srv->loops));
	if (!srv->loops)
		return H2SESS_ENOMEM;
	for (; srv->n_loops < n; srv->n_loops++) {
		r = loop_init(&srv->loops[srv->n_loops], srv, srv->n_loops);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- life
 * ---------------------------------------------------------------------------------------- */

static void server_destroy(struct h2sess_server *srv)
{
	size_t i;

	for (i = 0; i < srv->n_loops; i++)
		loop_done(&srv->loops[i]);
	mem_free(srv->loops);
	tls_free(srv->tls);
	for (i = 0; i < srv->n_origins; i++)
		mem_free(srv->origins[i]);
	mem_free(srv->origins);
	emitter_done(&srv->emitter);
	uv_cond_destroy(&srv->changed);
	uv_mutex_destroy(&srv->lock);
	mem_free(srv);
}

static struct h2sess_server *server_alloc(void)
{
	struct h2sess_server *srv = mem_calloc(1, sizeof(*srv));
	size_t i;

	if (!srv)
		return NULL;
	if (uv_mutex_init(&srv->lock) != 0) {
		mem_free(srv);
		return NULL;
	}
	if (uv_cond_init(&srv->changed) != 0) {
		uv_mutex_destroy(&srv->lock);
		mem_free(srv);
		return NULL;
	}
	emitter_init(&srv->emitter, EMITTER_SERVER);
	for (i = 0; i < 256; i++)
		list_init(&srv->peers[i]);
	return srv;
}

int h2sess_server_new(const struct h2sess_options *options, struct h2sess_server **ret,
		      const char **ret_field)
{
	const struct h2sess_options none = H2SESS_OPTIONS_INIT;
	const char *field = "options";
	struct h2sess_server *srv;
	int r;

	if (!options)
		options = &none;
	if (ret_field)
		*ret_field = field;
	if (options->size < sizeof(*options))
		return H2SESS_EINVAL;
	if (options->threads > H2SESS_THREADS_MAX) {
		if (ret_field)
			*ret_field = "threads";
		return H2SESS_ERANGE;
	}
	mem_freeze();
	srv = server_alloc();
	if (!srv)
		return H2SESS_ENOMEM;
	r = use_options(srv, options, &field);
	if (r == 0) {
		field = "threads";
		r = make_loops(srv, options->threads ? options->threads : 1);
	}
	if (r < 0) {
		server_destroy(srv);
		if (ret_field)
			*ret_field = field;
		return r;
	}
	*ret = srv;
	return 0;
}

/* Under the lock. A thread that cannot be made is an error; those that were go on, and serve. */
static int start_loops(struct h2sess_server *srv)
{
	size_t i;
	int r;

	for (i = 0; i < srv->n_loops; i++) {
		srv->loops_running++;
		r = loop_start(&srv->loops[i]);
		if (r < 0) {
			srv->loops_running--;
			return r;
		}
	}
	return 0;
}

int server_start(struct h2sess_server *srv)
{
	int r = 0;

	uv_mutex_lock(&srv->lock);
	if (!srv->started) {
		emitter_freeze(&srv->emitter);
		srv->started = true;
		r = start_loops(srv);
	}
	uv_mutex_unlock(&srv->lock);
	return r;
}

/* Join the other threads and free everything; on the last thread, where the host asked from one. */
static void free_deferred(struct loop *last)
{
	struct h2sess_server *srv = last->server;
	size_t i;

	for (i = 0; i < srv->n_loops; i++) {
		if (&srv->loops[i] != last && srv->loops[i].started)
			uv_thread_join(&srv->loops[i].thread);
	}
	pthread_detach(pthread_self());
	server_destroy(srv);
}

void server_loop_ended(struct loop *loop)
{
	struct h2sess_server *srv = loop->server;
	bool last;

	uv_mutex_lock(&srv->lock);
	last = --srv->loops_running == 0 && srv->free_deferred;
	uv_mutex_unlock(&srv->lock);
	if (last)
		free_deferred(loop);
}

static bool on_a_loop(const struct h2sess_server *srv)
{
	uv_thread_t self = uv_thread_self();
	size_t i;

	for (i = 0; i < srv->n_loops; i++) {
		if (srv->loops[i].started && uv_thread_equal(&self, &srv->loops[i].thread))
			return true;
	}
	return false;
}

void h2sess_server_free(struct h2sess_server *srv)
{
	bool deferred;
	size_t i;

	if (!srv)
		return;
	atomic_store(&srv->closing, true);
	uv_mutex_lock(&srv->lock);
	deferred = on_a_loop(srv);
	if (deferred && srv->free_deferred) {
		uv_mutex_unlock(&srv->lock);
		return; /* asked for twice */
	}
	srv->free_deferred = deferred;
	uv_mutex_unlock(&srv->lock);
	for (i = 0; i < srv->n_loops; i++)
		loop_stop(&srv->loops[i]);
	if (deferred)
		return;
	for (i = 0; i < srv->n_loops; i++) {
		if (srv->loops[i].started)
			uv_thread_join(&srv->loops[i].thread);
	}
	server_destroy(srv);
}

/* ---- close
 * --------------------------------------------------------------------------------------- */

void server_look_for_end(struct h2sess_server *srv)
{
	struct h2sess_event ev = {.size = sizeof(ev), .name = H2SESS_EVENT_CLOSE, .server = srv};
	bool end;

	if (!atomic_load(&srv->closing) || atomic_load(&srv->counters.connections))
		return;
	uv_mutex_lock(&srv->lock);
	end = !srv->close_emitted;
	srv->close_emitted = true;
	uv_mutex_unlock(&srv->lock);
	if (!end)
		return;
	emitter_emit(&srv->emitter, EVENT_CLOSE, &ev);
	uv_mutex_lock(&srv->lock);
	srv->close_heard = true;
	uv_cond_broadcast(&srv->changed);
	uv_mutex_unlock(&srv->lock);
}

struct close_order {
	struct h2sess_server *srv;
	uint32_t deadline_ms;
};

static void do_close(struct loop *loop, void *arg)
{
	struct close_order *order = arg;

	if (loop) {
		listeners_close(loop);
		session_drain_all(loop, order->deadline_ms);
		server_look_for_end(order->srv);
	}
	mem_free(order);
}

static int close_loop(struct h2sess_server *srv, size_t index, uint32_t deadline_ms)
{
	struct close_order *order = mem_alloc(sizeof(*order));
	int r;

	if (!order)
		return H2SESS_ENOMEM;
	order->srv = srv;
	order->deadline_ms = deadline_ms;
	r = loop_post(&srv->loops[index], do_close, order);
	if (r < 0)
		mem_free(order);
	return r;
}

int h2sess_server_close(struct h2sess_server *srv, uint32_t deadline_ms)
{
	size_t i;
	int r;

	r = server_start(srv); /* `close` wants a thread to be emitted on */
	if (r < 0)
		return r;
	atomic_store(&srv->closing, true);
	tell_changed(srv);
	for (i = 0; i < srv->n_loops && r == 0; i++)
		r = close_loop(srv, i, deadline_ms);
	return r;
}

int h2sess_server_wait(struct h2sess_server *srv, uint32_t timeout_ms)
{
	uint64_t now = uv_hrtime(), end = now + (uint64_t)timeout_ms * 1000000;
	bool closed;

	uv_mutex_lock(&srv->lock);
	while (!srv->close_heard && (timeout_ms == UINT32_MAX || now < end)) {
		if (timeout_ms == UINT32_MAX)
			uv_cond_wait(&srv->changed, &srv->lock);
		else
			uv_cond_timedwait(&srv->changed, &srv->lock, end - now);
		now = uv_hrtime();
	}
	closed = srv->close_heard;
	uv_mutex_unlock(&srv->lock);
	return closed ? 0 : H2SESS_ETIMEOUT;
}

/* ---- verbs
 * --------------------------------------------------------------------------------------- */

struct h2sess_emitter *h2sess_server_emitter(struct h2sess_server *srv)
{
	return &srv->emitter;
}

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
	tell_changed(srv);
	return r;
}

struct session_post {
	uint64_t number;
	h2sess_post_fn *fn;
	void *user;
};

static void do_session_post(struct loop *loop, void *arg)
{
	struct session_post *post = arg;
	struct h2sess_session *s = loop ? session_table_find(&loop->table, post->number) : NULL;

	post->fn(s && !s->destroyed ? s : NULL, post->user);
	mem_free(post);
}

int h2sess_post(struct h2sess_server *srv, const char *session_id, h2sess_post_fn *fn, void *user)
{
	struct session_post *post;
	uint64_t number = 0;
	size_t index = 0;
	int r;

	if (session_id_parse(session_id, &number) == 0)
		index = number & ((1u << SESSION_LOOP_BITS) - 1);
	if (!number || index >= srv->n_loops) {
		fn(NULL, user); /* no session of ours ever had this id */
		return 0;
	}
	post = mem_alloc(sizeof(*post));
	if (!post)
		return H2SESS_ENOMEM;
	post->number = number;
	post->fn = fn;
	post->user = user;
	r = loop_post(&srv->loops[index], do_session_post, post);
	if (r < 0)
		mem_free(post);
	return r;
}
