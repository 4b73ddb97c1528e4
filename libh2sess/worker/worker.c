/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's life, on the main thread. Sessions live on the library's loop threads; this thread
 * only has signals, the health responder, and the end.
 *
 *   1. prepare: descriptor limit, server, apps. All that can be wrong in the options is found here
 *   2. serve: sockets (opened or inherited), privileges, control link, health, ready file; then the
 *      loop, and a word to the predecessor if there is one
 *   3. SIGHUP: the configuration is read again (reload.c). SIGUSR1: logs are opened again
 *   4. SIGUSR2: a successor is started (takeover.c). Once it accepts, this worker lets the sockets
 *      go, serves who goes on asking for some time, and drains
 *   5. SIGTERM: health says 503, the daemon is told, the server closes gracefully; its `close`
 *      event ends the loop. A second SIGTERM ends the loop at once
 *   6. undo in reverse: control link, sessions, apps, server
 *
 * Failures before anything is served: one line, status 2. After that nothing ends the worker but
 * signals.
 */
#include "worker.h"

#include "dispatch.h"
#include "health.h"
#include "host.h"
#include "inheritance.h"
#include "log.h"
#include "options.h"
#include "privileges.h"
#include "ready.h"
#include "reload.h"
#include "signals.h"
#include "sockets.h"
#include "takeover.h"

#include <notify.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>
#include <uv.h>

#define EXIT_REFUSED 2
#define CLOSE_WAIT_MS 5000 /* for sessions to go after the second signal */
#define QUIET_MS 3000	   /* no new request for so long: a session of a succeeded worker drains */
#define RETIRE_TICK_MS 200

struct worker {
	struct reload reload;
	struct h2sess_server *server;
	struct dispatch dispatch;
	struct sockets sockets;
	struct inheritance inheritance;
	struct h2sess_control *control;
	struct health *health;
	struct signals signals;
	struct takeover *takeover;
	uv_loop_t loop;
	uv_async_t closed;   /* from the server's close event, on any thread */
	uv_timer_t retire;   /* after a take-over */
	uv_timer_t watchdog; /* notify.h's */
	uv_poll_t predecessor;
	uint64_t retire_until;
	uint64_t quiet_from; /* not before that is anybody called quiet */
	char name[OPTIONS_NAME_MAX + 1];
	bool serving;
	bool draining;
	bool watches_predecessor;
	bool watched; /* watchdog is open */
};

static const struct options *options_of(const struct worker *w)
{
	return &w->dispatch.newest->options;
}

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

/* The predecessor's, or --name, or host name and pid, in the letters that a name may have. */
static void choose_name(struct worker *w, const struct options *o)
{
	const char *name = w->inheritance.name ? w->inheritance.name : o->name;
	char host[40] = "";

	if (name) {
		snprintf(w->name, sizeof(w->name), "%s", name);
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

static int start_dispatch(struct worker *w, struct generation *first)
{
	int r;

	r = dispatch_start(&w->dispatch, w->server, first);
	if (r == 0)
		r = h2sess_on(h2sess_server_emitter(w->server), H2SESS_EVENT_CLOSE, on_server_close,
			      w, NULL);
	return r < 0 ? log_refuse("server", NULL, h2sess_strerror(r)) : 0;
}

static int prepare(struct worker *w, struct options *o)
{
	struct generation *first;

	log_set_json(o->log_format == LOG_FORMAT_JSON);
	raise_descriptor_limit();
	if (inheritance_take(&w->inheritance) < 0 || privileges_check(o) < 0)
		return -1;
	choose_name(w, o);
	if (host_new_server(o, &w->dispatch, &w->server) < 0 ||
	    generation_new(o, w->server, &first) < 0)
		return -1;
	return start_dispatch(w, first);
}

/* ---- serve ----------------------------------------------------------------------------------- */

static bool is_serving(void *user)
{
	const struct worker *w = user;

	return !w->draining && h2sess_server_accepting(w->server);
}

static int start_health(struct worker *w)
{
	const struct socket_set *set = sockets_health(&w->sockets);
	int fd, r;

	if (!set)
		return 0;
	if (sockets_copy(set, &fd) < 0)
		return log_refuse("--health", set->address, "no descriptor is left");
	r = health_start(&w->loop, fd, is_serving, w, &w->health);
	return r ? log_refuse("--health", set->address, uv_strerror(r)) : 0;
}

static int serve(struct worker *w)
{
	const struct options *o = options_of(w);

	/* A successor writes over the file of its predecessor, which serves until then. */
	if (o->ready_file && w->inheritance.channel < 0)
		ready_remove(o->ready_file);
	/* What can fail comes before the first connection. */
	if (sockets_open(o, &w->inheritance.sockets, &w->sockets) < 0 || privileges_drop(o) < 0 ||
	    start_health(w) < 0 ||
	    (o->ready_file && ready_prepare(o->ready_file, w->name, &w->sockets) < 0))
		return -1;
	if (o->control &&
	    host_start_control(o, w->name, w->inheritance.boot, w->server, &w->control) < 0)
		return -1;
	w->reload.control = w->control;
	if (host_listen(&w->sockets, w->server) < 0)
		return -1;
	w->serving = true;
	return o->ready_file ? ready_publish(o->ready_file) : 0;
}

/* The service manager is told, when this is the process that it watches. */
static void say_ready(struct worker *w)
{
	notify_service_manager("READY=1");
	notify_watchdog_start(&w->watchdog, &w->loop);
	w->watched = true;
}

static void on_channel_closed(uv_handle_t *handle)
{
	struct worker *w = handle->data;

	inheritance_done(&w->inheritance);
}

/* The predecessor has let the sockets go: its end of the channel is closed. */
static void on_predecessor(uv_poll_t *poll, int status, int events)
{
	struct worker *w = poll->data;

	(void)status;
	(void)events;
	w->watches_predecessor = false;
	uv_close((uv_handle_t *)poll, on_channel_closed);
	say_ready(w);
}

static void say_accepting(struct worker *w)
{
	if (w->inheritance.channel < 0) {
		say_ready(w);
		return;
	}
	if (write(w->inheritance.channel, "ready\n", 6) != 6)
		log_line(LOG_WARNING, "take-over: the predecessor is gone already");
	w->watches_predecessor = !uv_poll_init(&w->loop, &w->predecessor, w->inheritance.channel);
	w->predecessor.data = w;
	if (!w->watches_predecessor ||
	    uv_poll_start(&w->predecessor, UV_READABLE | UV_DISCONNECT, on_predecessor))
		say_ready(w);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void drain(struct worker *w)
{
	uint32_t ms = options_of(w)->drain_ms;

	uv_timer_stop(&w->retire);
	log_line(LOG_NOTICE, "draining, for at most %u s", ms / 1000);
	h2sess_server_close(w->server, ms);
}

/* From here on it is not the one that new connections are for. */
static void begin_to_go(struct worker *w)
{
	w->draining = true;
	if (w->control)
		h2sess_control_set_draining(w->control);
	sockets_close(&w->sockets);
}

static void on_end(void *user)
{
	struct worker *w = user;
	bool retiring = uv_is_active((uv_handle_t *)&w->retire);

	if (w->draining && !retiring) {
		uv_stop(&w->loop);
		return;
	}
	if (!w->draining) {
		notify_service_manager("STOPPING=1");
		begin_to_go(w);
	}
	takeover_stop(w->takeover); /* one that is not ready is not wanted any more */
	w->takeover = NULL;
	drain(w);
}

static void on_closed(uv_async_t *handle)
{
	uv_stop(handle->loop);
}

/* ---- take-over ------------------------------------------------------------------------------- */

static void on_take_over(void *user)
{
	struct worker *w = user;

	if (w->draining)
		log_line(LOG_WARNING, "take-over: this worker drains already");
	else if (w->takeover)
		takeover_start(w->takeover, w->name, &w->sockets);
}

/* Who is quiet drains now, the others at the end of patience; when nobody is left it is over. */
static void on_retire(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	struct h2sess_server_stats stats = {.size = sizeof(stats)};

	h2sess_server_stats(w->server, &stats);
	if (!stats.connections || uv_now(&w->loop) >= w->retire_until)
		drain(w);
	else if (uv_now(&w->loop) >= w->quiet_from)
		h2sess_server_drain_quiet(w->server, QUIET_MS, options_of(w)->drain_ms);
}

static void on_successor(int pid, void *user)
{
	struct worker *w = user;
	char state[64];

	log_line(LOG_NOTICE, "take-over: pid %d serves; this worker finishes what it has", pid);
	snprintf(state, sizeof(state), "MAINPID=%d", pid);
	notify_service_manager(state);
	h2sess_server_stop_listening(w->server);
	begin_to_go(w);
	health_stop(w->health);
	w->health = NULL;
	takeover_confirm(w->takeover);
	w->retire_until = uv_now(&w->loop) + options_of(w)->patience_ms;
	/* Quiet is who says nothing from now on: making a process may have kept us from reading. */
	w->quiet_from = uv_now(&w->loop) + QUIET_MS;
	uv_timer_start(&w->retire, on_retire, RETIRE_TICK_MS, RETIRE_TICK_MS);
}

/* ---- other signals --------------------------------------------------------------------------- */

static void on_reload(void *user)
{
	struct worker *w = user;

	reload_run(&w->reload, w->server, &w->dispatch);
}

static void on_reopen(void *user)
{
	struct worker *w = user;

	dispatch_reopen_logs(&w->dispatch);
	log_line(LOG_NOTICE, "logs are opened again");
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void init(struct worker *w, int argc, char **argv)
{
	const struct signals_callbacks signals = {
		.on_end = on_end,
		.on_reload = on_reload,
		.on_reopen = on_reopen,
		.on_take_over = on_take_over,
		.user = w,
	};
	const struct takeover_callbacks takeover = {.on_ready = on_successor, .user = w};

	memset(w, 0, sizeof(*w));
	w->inheritance.channel = -1;
	w->reload.argc = argc;
	w->reload.argv = argv;
	uv_loop_init(&w->loop);
	uv_async_init(&w->loop, &w->closed, on_closed);
	uv_timer_init(&w->loop, &w->retire);
	w->retire.data = w;
	dispatch_init(&w->dispatch, &w->loop);
	signals_start(&w->signals, &w->loop, &signals);
	w->takeover = takeover_new(&w->loop, argv, &takeover);
}

static void close_handles(struct worker *w)
{
	health_stop(w->health);
	signals_stop(&w->signals);
	takeover_stop(w->takeover);
	uv_close((uv_handle_t *)&w->closed, NULL);
	uv_close((uv_handle_t *)&w->retire, NULL);
	if (w->watched)
		uv_close((uv_handle_t *)&w->watchdog, NULL);
	if (w->watches_predecessor)
		uv_close((uv_handle_t *)&w->predecessor, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	uv_loop_close(&w->loop);
}

static void done(struct worker *w)
{
	sockets_close(&w->sockets);
	h2sess_control_stop(w->control);
	if (w->serving) {
		h2sess_server_close(w->server, 0);
		h2sess_server_wait(w->server, CLOSE_WAIT_MS);
	}
	dispatch_end(&w->dispatch);
	h2sess_server_free(w->server);
	dispatch_done(&w->dispatch);
	close_handles(w);
	inheritance_done(&w->inheritance);
}

int worker_run(struct options *o, int argc, char **argv)
{
	bool check = o->check;
	struct worker w;
	int r;

	init(&w, argc, argv);
	r = prepare(&w, o);
	if (!r && !check) {
		r = serve(&w);
		if (!r) {
			say_accepting(&w);
			uv_run(&w.loop, UV_RUN_DEFAULT);
		}
	}
	done(&w);
	return r < 0 ? EXIT_REFUSED : EXIT_SUCCESS;
}
