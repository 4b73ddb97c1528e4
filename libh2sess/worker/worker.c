/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's life, on the main thread. Sessions live on the library's loop threads; this thread
 * only has signals, the health responder, and the end.
 *
 *   1. prepare: descriptor limit, server, app. All that can be wrong in the options is found here
 *   2. serve: listen, control link, health, ready file; then the loop
 *   3. SIGTERM: health says 503, the daemon is told, the server closes gracefully; its `close`
 *      event ends the loop. A second SIGTERM ends the loop at once
 *   4. undo in reverse: control link, sessions, app, server
 *
 * Failures before anything is served: one line, status 2. After that nothing ends the worker but
 * signals.
 */
#include "worker.h"

#include "health.h"
#include "host.h"
#include "log.h"
#include "options.h"
#include "plugin.h"
#include "ready.h"
#include "signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>
#include <uv.h>

#define EXIT_REFUSED 2
#define CLOSE_WAIT_MS 5000 /* for sessions to go after the second signal */

struct worker {
	const struct options *options;
	struct h2sess_server *server;
	struct plugin plugin;
	struct h2sess_control *control;
	struct health *health;
	struct signals signals;
	struct listening *listening;
	size_t n_listening;
	uv_loop_t loop;
	uv_async_t closed; /* from the server's close event, on any thread */
	char name[OPTIONS_NAME_MAX + 1];
	bool draining;
};

/* ---- prepare --------------------------------------------------------------------------------- */

/* A session is a descriptor: take as many as the system lets us have. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_line(LOG_WARNING, "the limit of open files cannot be raised");
}

/* --name, or host name and pid, in the letters that a name may have. */
static void choose_name(struct worker *w)
{
	char host[40] = "";

	if (w->options->name) {
		snprintf(w->name, sizeof(w->name), "%s", w->options->name);
		return;
	}
	if (gethostname(host, sizeof(host) - 1) < 0 || !*host)
		strcpy(host, "worker");
	for (char *c = host; *c; c++) {
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
			    *c))
			*c = '-';
	}
	snprintf(w->name, sizeof(w->name), "%s-%d", host, (int)getpid());
}

static void on_server_close(const struct h2sess_event *ev, void *user)
{
	struct worker *w = user;

	(void)ev;
	uv_async_send(&w->closed);
}

static int prepare(struct worker *w)
{
	int r;

	raise_descriptor_limit();
	choose_name(w);
	if (host_new_server(w->options, &w->server) < 0)
		return -1;
	r = h2sess_on(h2sess_server_emitter(w->server), H2SESS_EVENT_CLOSE, on_server_close, w,
		      NULL);
	if (r < 0) {
		log_refusal("server", h2sess_strerror(r));
		return -1;
	}
	return plugin_start(&w->plugin, w->options->app, w->options->app_dir, w->server);
}

/* ---- serve ----------------------------------------------------------------------------------- */

static int start_health(struct worker *w)
{
	char thing[256];
	int r;

	if (!w->options->health)
		return 0;
	r = health_start(&w->loop, w->options->health, &w->health);
	if (r) {
		snprintf(thing, sizeof(thing), "--health %s", w->options->health);
		log_refusal(thing, uv_strerror(r));
		return -1;
	}
	return 0;
}

static int write_ready(const struct worker *w)
{
	struct listening health = {.address = w->options->health};

	if (!w->options->ready_file)
		return 0;
	if (w->health)
		health.port = health_port(w->health);
	return ready_write(w->options->ready_file, w->name, w->listening, w->n_listening,
			   w->health ? &health : NULL);
}

static int serve(struct worker *w)
{
	const struct options *o = w->options;

	if (o->ready_file)
		ready_remove(o->ready_file);
	w->n_listening = o->listen.n + o->listen_h2c.n;
	w->listening = calloc(w->n_listening, sizeof(*w->listening));
	if (!w->listening) {
		log_refusal("server", h2sess_strerror(H2SESS_ENOMEM));
		return -1;
	}
	/* The health port first: when it is refused, nothing has been served yet. */
	if (start_health(w) < 0 || host_listen(o, w->server, w->listening) < 0)
		return -1;
	if (o->control && host_start_control(o, w->name, w->server, &w->control) < 0)
		return -1;
	return write_ready(w);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void on_end(void *user)
{
	struct worker *w = user;

	if (w->draining) {
		uv_stop(&w->loop);
		return;
	}
	w->draining = true;
	log_line(LOG_NOTICE, "draining, for at most %u s", w->options->drain_ms / 1000);
	if (w->health)
		health_set_draining(w->health);
	if (w->control)
		h2sess_control_set_draining(w->control);
	h2sess_server_close(w->server, w->options->drain_ms);
}

static void on_reload(void *user)
{
	struct worker *w = user;
	const char *field = NULL;
	int r = h2sess_server_reload_tls(w->server, &field);

	if (r < 0)
		log_line(LOG_ERR, "reload: %s: %s; the old certificates stay",
			 field ? field : "certificates", h2sess_strerror(r));
	else
		log_line(LOG_NOTICE, "certificates were read again");
}

static void on_closed(uv_async_t *handle)
{
	uv_stop(handle->loop);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void init(struct worker *w, const struct options *o)
{
	const struct signals_callbacks callbacks = {
		.on_end = on_end,
		.on_reload = on_reload,
		.user = w,
	};

	memset(w, 0, sizeof(*w));
	w->options = o;
	uv_loop_init(&w->loop);
	uv_async_init(&w->loop, &w->closed, on_closed);
	signals_start(&w->signals, &w->loop, &callbacks);
}

static void done(struct worker *w)
{
	h2sess_control_stop(w->control);
	if (w->n_listening && w->server) {
		h2sess_server_close(w->server, 0);
		h2sess_server_wait(w->server, CLOSE_WAIT_MS);
	}
	plugin_stop(&w->plugin);
	h2sess_server_free(w->server);
	health_stop(w->health);
	signals_stop(&w->signals);
	uv_close((uv_handle_t *)&w->closed, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	uv_loop_close(&w->loop);
	free(w->listening);
}

int worker_run(const struct options *o)
{
	struct worker w;
	int r;

	init(&w, o);
	r = prepare(&w);
	if (!r && !o->check) {
		r = serve(&w);
		if (!r)
			uv_run(&w.loop, UV_RUN_DEFAULT);
	}
	done(&w);
	return r < 0 ? EXIT_REFUSED : EXIT_SUCCESS;
}
