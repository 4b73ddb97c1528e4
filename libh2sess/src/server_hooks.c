/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the control link and other observers may ask of a server, and whom it tells.
 *
 * Owns the hooks: each loop has a copy of the pointer, changed on its thread alone, so that an event
 * costs no lock. Called by the control link's thread, by loops, and by hosts (reload).
 *
 * Failure mode: no memory to bring a change to a loop (the old hooks stay on the loops behind it).
 */
#include "server.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* ---- hooks ----------------------------------------------------------------------------------- */

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

size_t server_running_loops(struct h2sess_server *srv)
{
	size_t n;

	uv_mutex_lock(&srv->lock);
	n = srv->started ? srv->n_loops : 0;
	uv_mutex_unlock(&srv->lock);
	return n;
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

void server_tell_changed(struct h2sess_server *srv)
{
	const struct server_hooks *hooks;

	uv_mutex_lock(&srv->lock);
	hooks = srv->hooks;
	if (hooks && hooks->changed)
		hooks->changed(srv, hooks->user);
	uv_mutex_unlock(&srv->lock);
}

/* ---- what is there --------------------------------------------------------------------------- */

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
