/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread and its event loop: what its sessions share, and when they are served.
 *
 * Owns the libuv loop, the shared buffers, the session table and the queue of posts. Called by the
 * server (start, stop), by any thread (loop_post) and by sessions (dirty, ended).
 *
 * One turn: libuv's timers -> prepare: a slice of each walk, serve() -> poll: connections read,
 * listeners run, between two connections what was posted -> check: serve(). serve() finishes
 * sessions that have ended and flushes those that are dirty, so whatever a turn queued leaves in
 * one write. What is left over (a session that has spent its share) makes the loop busy: it polls
 * without waiting and comes back.
 *
 * The end: loop_stop() is a post; sessions and listeners end, handles close, uv_run() returns,
 * posts that are left run with NULL.
 */
#include "loop.h"

#include "connection.h"
#include "fanout.h"
#include "memory.h"
#include "policy.h"
#include "server.h"
#include "session.h"

#include <signal.h>
#include <string.h>

#define PENDING_FIRST 64
#define PENDING_MAX \
	65536 /* events of one call of nghttp2, which eats LOOP_READ_MAX bytes at most */

/* ---- posts ----------------------------------------------------------------------------------- */

/* A post of the caller's own may be gone when fn returns. */
static void run_post(struct loop *loop, struct loop_post *post)
{
	struct loop_post *owned = post->owned ? post : NULL;

	post->fn(loop, post->arg);
	mem_free(owned);
}

void loop_post_own(struct loop *loop, struct loop_post *post)
{
	bool closed;

	uv_mutex_lock(&loop->lock);
	closed = loop->closed;
	if (!closed) {
		list_add_tail(&loop->posts, &post->link);
		atomic_store_explicit(&loop->posted, true, memory_order_relaxed);
		uv_async_send(&loop->wakeup);
	}
	uv_mutex_unlock(&loop->lock);
	if (closed)
		run_post(NULL, post);
}

int loop_post(struct loop *loop, loop_fn *fn, void *arg)
{
	struct loop_post *post = mem_alloc(sizeof(*post));

	if (!post)
		return H2SESS_ENOMEM;
	post->fn = fn;
	post->arg = arg;
	post->owned = true;
	loop_post_own(loop, post);
	return 0;
}

void loop_wake(struct loop *loop)
{
	uv_mutex_lock(&loop->lock);
	if (!loop->closed)
		uv_async_send(&loop->wakeup);
	uv_mutex_unlock(&loop->lock);
}

/* Run what was posted until now; later posts come with a wake-up of their own. */
static void run_posts(struct loop *loop, struct loop *as)
{
	struct list posts, *link;

	list_init(&posts);
	uv_mutex_lock(&loop->lock);
	list_splice(&posts, &loop->posts);
	atomic_store_explicit(&loop->posted, false, memory_order_relaxed);
	uv_mutex_unlock(&loop->lock);
	while ((link = list_pop(&posts)))
		run_post(as, container_of(link, struct loop_post, link));
}

void loop_run_posts(struct loop *loop)
{
	if (atomic_load_explicit(&loop->posted, memory_order_relaxed))
		run_posts(loop, loop);
}

static void on_wakeup(uv_async_t *async)
{
	loop_run_posts(async->data);
}

/* ---- a turn ---------------------------------------------------------------------------------- */

static void on_busy(uv_idle_t *idle)
{
	(void)idle; /* its being active is what counts: poll does not wait */
}

void loop_go_again(struct loop *loop)
{
	if (!uv_is_active((uv_handle_t *)&loop->busy) && !uv_is_closing((uv_handle_t *)&loop->busy))
		uv_idle_start(&loop->busy, on_busy);
}

static void finish_ended(struct loop *loop)
{
	struct list *link;

	while ((link = list_pop(&loop->ended)))
		session_finish(container_of(link, struct h2sess_session, ended_link));
}

/* Flush what is dirty now; who gets dirty meanwhile waits for the next pass. */
static void flush_dirty(struct loop *loop)
{
	struct list dirty, *link;

	list_init(&dirty);
	list_splice(&dirty, &loop->dirty);
	while ((link = list_pop(&dirty)))
		session_flush(container_of(link, struct h2sess_session, dirty_link));
}

static void serve(struct loop *loop)
{
	flush_dirty(loop);
	finish_ended(loop);
	if (!list_empty(&loop->dirty) || !list_empty(&loop->ended) || loop->walks_busy)
		loop_go_again(loop);
	else
		uv_idle_stop(&loop->busy);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct loop *loop = prepare->data;

	loop->turn++;
	loop->walks_busy = !list_empty(&loop->fanouts) && fanout_turn(loop);
	if (loop->policies && policy_turn(loop))
		loop->walks_busy = true;
	serve(loop);
}

static void on_check(uv_check_t *check)
{
	struct loop *loop = check->data;

	if (loop->quiet_wanted)
		session_drain_quiet(loop, loop->quiet_ms, loop->quiet_deadline_ms);
	loop->quiet_wanted = false;
	serve(loop);
}

/* ---- pending events -------------------------------------------------------------------------- */

int loop_pending_grow(struct loop *loop)
{
	size_t cap = loop->cap_pending ? 2 * loop->cap_pending : PENDING_FIRST;
	struct pending_event *pending;

	if (cap > PENDING_MAX)
		return H2SESS_ELIMIT;
	pending = mem_realloc(loop->pending, cap * sizeof(*pending));
	if (!pending)
		return H2SESS_ENOMEM;
	loop->pending = pending;
	loop->cap_pending = cap;
	return 0;
}

size_t loop_sessions_after(struct loop *loop, uint64_t after_n, struct h2sess_session **ret,
			   size_t max)
{
	return session_table_after(&loop->table, after_n, ret, max);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void init_handles(struct loop *loop)
{
	uv_prepare_init(&loop->uv, &loop->prepare);
	uv_check_init(&loop->uv, &loop->check);
	uv_idle_init(&loop->uv, &loop->busy);
	uv_timer_init(&loop->uv, &loop->linger_timer);
	uv_timer_init(&loop->uv, &loop->fanout_timer);
	uv_timer_init(&loop->uv, &loop->policy_timer);
	loop->policy_timer.data = loop;
	loop->prepare.data = loop;
	loop->check.data = loop;
	loop->busy.data = loop;
	loop->linger_timer.data = loop;
	loop->wakeup.data = loop;
	uv_prepare_start(&loop->prepare, on_prepare);
	uv_check_start(&loop->check, on_check);
}

static int alloc_buffers(struct loop *loop)
{
	loop->read_buf = mem_alloc(LOOP_READ_MAX);
	loop->plain_buf = mem_alloc(LOOP_PLAIN_MAX);
	loop->write_buf = mem_alloc(LOOP_WRITE_MAX);
	if (!loop->read_buf || !loop->plain_buf || !loop->write_buf)
		return H2SESS_ENOMEM;
	return session_memory_init(&loop->memory, server_limits(loop->server)->max_sessions);
}

static void free_buffers(struct loop *loop)
{
	session_memory_done(&loop->memory);
	mem_free(loop->read_buf);
	mem_free(loop->plain_buf);
	mem_free(loop->write_buf);
	mem_free(loop->out_buf);
	mem_free(loop->pending);
}

static void init_lists(struct loop *loop)
{
	list_init(&loop->posts);
	list_init(&loop->listeners);
	list_init(&loop->sessions);
	list_init(&loop->fanouts);
	list_init(&loop->policy_pending);
	loop->policy_due_ns = UINT64_MAX;
	list_init(&loop->conns);
	list_init(&loop->dirty);
	list_init(&loop->ended);
	list_init(&loop->lingering);
}

int loop_init(struct loop *loop, struct h2sess_server *server, size_t index)
{
	memset(loop, 0, sizeof(*loop));
	loop->server = server;
	loop->index = index;
	init_lists(loop);
	if (alloc_buffers(loop) < 0)
		goto no_memory;
	if (uv_mutex_init(&loop->lock) != 0)
		goto no_memory;
	if (uv_loop_init(&loop->uv) != 0)
		goto no_loop;
	if (uv_async_init(&loop->uv, &loop->wakeup, on_wakeup) != 0)
		goto no_async;
	init_handles(loop);
	return 0;

no_async:
	uv_loop_close(&loop->uv);
no_loop:
	uv_mutex_destroy(&loop->lock);
no_memory:
	free_buffers(loop);
	return H2SESS_ENOMEM;
}

static void close_handle(uv_handle_t *handle, void *user)
{
	(void)user;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* Connections that linger, and those whose session has ended: without any more ado. */
static void abort_conns(struct loop *loop)
{
	while (!list_empty(&loop->conns))
		conn_abort(container_of(loop->conns.next, struct conn, link));
}

static void do_stop(struct loop *loop, void *arg)
{
	(void)arg;
	if (!loop || loop->stopping)
		return;
	loop->stopping = true;
	listeners_close(loop);
	session_destroy_all(loop);
	while (!list_empty(&loop->ended))
		finish_ended(loop);
	fanout_stop(loop);
	policy_stop(loop);
	abort_conns(loop);
	uv_stop(&loop->uv);
}

void loop_stop(struct loop *loop)
{
	while (loop_post(loop, do_stop, NULL) < 0)
		uv_sleep(1); /* no memory for a moment; there is no other way to end */
}

/* Take no more posts, then run those that came too late. */
static void close_posts(struct loop *loop)
{
	uv_mutex_lock(&loop->lock);
	loop->closed = true;
	uv_mutex_unlock(&loop->lock);
	run_posts(loop, NULL);
}

static void run(void *arg)
{
	struct loop *loop = arg;

	while (!loop->stopping)
		uv_run(&loop->uv, UV_RUN_DEFAULT);
	close_posts(loop);
	uv_walk(&loop->uv, close_handle, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	server_loop_ended(loop);
}

/* The library's threads leave every signal to the host. */
int loop_start(struct loop *loop)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = uv_thread_create(&loop->thread, run, loop);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		return H2SESS_ENOMEM;
	loop->started = true;
	return 0;
}

void loop_done(struct loop *loop)
{
	if (!loop->started) {
		close_posts(loop);
		uv_walk(&loop->uv, close_handle, NULL);
		uv_run(&loop->uv, UV_RUN_DEFAULT);
	}
	uv_loop_close(&loop->uv);
	uv_mutex_destroy(&loop->lock);
	session_table_done(&loop->table);
	free_buffers(loop);
}
