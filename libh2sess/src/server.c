/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: what its loops share, and how they begin and end.
 *
 * Owns the loops; its options are in server_options.c, its counts in server_counts.c, its hooks in
 * server_hooks.c. Called by hosts from any thread, and by loops when they end.
 *
 * Happy path: new -> listeners are registered -> listen or adopt: the threads start, the emitter
 * freezes -> close: no new connections, every session drains, `close` when the last one is gone ->
 * free.
 *
 * Failure modes: options that are wrong (named), no memory, free from a listener (the last thread
 * to end frees). Lock order: server.lock before loop.lock, never the other way.
 */
#include "server.h"

#include "memory.h"
#include "open_struct.h"
#include "session.h"

#include <pthread.h>

/* ---- life ------------------------------------------------------------------------------------ */

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

static void server_destroy(struct h2sess_server *srv)
{
	size_t i;

	if (!srv)
		return;
	for (i = 0; i < srv->n_loops; i++)
		loop_done(&srv->loops[i]);
	mem_free(srv->loops);
	server_options_done(srv);
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

/* A server of these options, or as much of it as could be made. */
static int make(const struct h2sess_options *options, struct h2sess_server **ret,
		const char **ret_field)
{
	int r;

	*ret_field = "threads";
	if (options->threads > H2SESS_THREADS_MAX)
		return H2SESS_ERANGE;
	mem_freeze();
	*ret = server_alloc();
	if (!*ret)
		return H2SESS_ENOMEM;
	r = server_use_options(*ret, options, ret_field);
	if (r < 0)
		return r;
	*ret_field = "threads";
	return make_loops(*ret, options->threads ? options->threads : 1);
}

int h2sess_server_new(const struct h2sess_options *options, struct h2sess_server **ret,
		      const char **ret_field)
{
	struct h2sess_options own = H2SESS_OPTIONS_INIT;
	const char *field = "options";
	struct h2sess_server *srv = NULL;
	int r = options ? open_struct_read(&own, sizeof(own), options) : 0;

	if (!ret)
		r = H2SESS_EINVAL;
	if (r == 0)
		r = make(&own, &srv, &field);
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

/* ---- close ----------------------------------------------------------------------------------- */

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
	uint32_t quiet_ms;
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

/* Not yet: to a loop that got no processor for long, who has not been read would seem quiet. */
static void do_drain_quiet(struct loop *loop, void *arg)
{
	struct close_order *order = arg;

	if (loop) {
		loop->quiet_wanted = true;
		loop->quiet_ms = order->quiet_ms;
		loop->quiet_deadline_ms = order->deadline_ms;
	}
	mem_free(order);
}

/* Give every loop an order of its own. */
static int order_all(struct h2sess_server *srv, loop_fn *fn, uint32_t quiet_ms,
		     uint32_t deadline_ms)
{
	struct close_order *order;
	size_t i;
	int r = 0;

	for (i = 0; i < srv->n_loops && r == 0; i++) {
		order = mem_alloc(sizeof(*order));
		if (!order)
			return H2SESS_ENOMEM;
		*order = (struct close_order){srv, quiet_ms, deadline_ms};
		r = loop_post(&srv->loops[i], fn, order);
		if (r < 0)
			mem_free(order);
	}
	return r;
}

int h2sess_server_drain_quiet(struct h2sess_server *srv, uint32_t quiet_ms, uint32_t deadline_ms)
{
	return order_all(srv, do_drain_quiet, quiet_ms, deadline_ms);
}

int h2sess_server_close(struct h2sess_server *srv, uint32_t deadline_ms)
{
	int r;

	r = server_start(srv); /* `close` wants a thread to be emitted on */
	if (r < 0)
		return r;
	atomic_store(&srv->closing, true);
	server_tell_changed(srv);
	return order_all(srv, do_close, 0, deadline_ms);
}

void h2sess_server_set_accepting(struct h2sess_server *srv, bool accepting)
{
	atomic_store(&srv->refusing, !accepting);
}

bool h2sess_server_accepting(const struct h2sess_server *srv)
{
	return !atomic_load(&srv->refusing) && !atomic_load(&srv->closing);
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

/* ---- posts ----------------------------------------------------------------------------------- */

struct h2sess_emitter *h2sess_server_emitter(struct h2sess_server *srv)
{
	return &srv->emitter;
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
