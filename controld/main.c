/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2sess-controld: the order in which its parts start and stop.
 *
 * Start: options, tokens, state, the RPC socket (workers come back at once), the API's listeners;
 * then the ready file and READY=1. SIGHUP reads configuration and tokens again (reload.c).
 *
 * Stop (SIGTERM, SIGINT): no new connections; who waits for a push is answered, every event stream
 * is told and ended; at most STOP_MS for the answers to leave; then the listeners, the workers, the
 * state. Exit 0.
 *
 * Failure modes: a wrong command line or file: one line, exit 2. What cannot be opened: one line,
 * exit 1. A second signal while stopping: at once.
 */
#include "controld.h"
#include "log.h"
#include "notify.h"
#include "reload.h"
#include "sched_hint.h"
#include "store.h"
#include "waiters.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_MS 2000
#define STOP_TICK_MS 20

struct program {
	struct controld controld;
	uv_signal_t signals[3];
	uv_timer_t stop_tick;
	uv_timer_t watchdog;
	uint64_t stop_deadline;
	int argc; /* for SIGHUP */
	char **argv;
};

/* ---- stopping -------------------------------------------------------------------------------- */

static void finish_stop(struct program *program)
{
	struct controld *controld = &program->controld;

	uv_close((uv_handle_t *)&program->stop_tick, NULL);
	uv_close((uv_handle_t *)&program->watchdog, NULL);
	for (size_t i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&program->signals[i], NULL);
	store_flush(controld->store); /* answers that wait for it go out */
	peers_stop(&controld->peers);
	demand_stop(&controld->demand);
	pushes_stop(&controld->pushes);
	policies_stop(&controld->policies);
	list_for_each_safe(at, next, &controld->servers)
		http_stop(container_of(at, struct http_server, link));
	store_close(controld->store);
	controld->store = NULL;
}

static void on_stop_tick(uv_timer_t *timer)
{
	struct program *program = container_of(timer, struct program, stop_tick);

	if (uv_now(timer->loop) < program->stop_deadline)
		list_for_each(at, &program->controld.servers)
			if (!http_is_idle(container_of(at, struct http_server, link)))
				return;
	finish_stop(program);
}

static void stop(struct program *program)
{
	struct controld *controld = &program->controld;

	if (controld->stopping) {
		program->stop_deadline = 0;
		return;
	}
	log_line("stopping");
	notify_service_manager("STOPPING=1");
	controld->stopping = true;
	list_for_each(at, &controld->servers)
		http_quiesce(container_of(at, struct http_server, link));
	waiters_stop(&controld->pushes);
	policies_refuse_changes(&controld->policies);
	streams_stop(&controld->streams);
	peers_lose_calls(&controld->peers);
	program->stop_deadline = uv_now(controld->loop) + STOP_MS;
	uv_timer_start(&program->stop_tick, on_stop_tick, STOP_TICK_MS, STOP_TICK_MS);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct program *program = signal->data;

	if (number == SIGHUP)
		reload(&program->controld, program->argc, program->argv);
	else
		stop(program);
}

/* ---- starting -------------------------------------------------------------------------------- */

static json_t *describe_listeners(const struct controld *controld)
{
	json_t *apis = json_array(), *all = json_pack("{s:i}", "pid", (int)getpid());

	list_for_each(at, &controld->servers) {
		const struct http_server *server = container_of(at, struct http_server, link);
		json_t *one = server->path ? json_pack("{s:s}", "path", server->path)
					   : json_pack("{s:s, s:i}", "address", server->address,
						       "port", (int)server->port);

		if (server->metrics_only)
			json_object_set_new(all, "metrics", one);
		else
			json_array_append_new(apis, one);
	}
	json_object_set_new(all, "api", apis);
	json_object_set_new(all, "rpc", json_string(controld->peers.listener.path));
	return all;
}

/* Written beside its place and renamed: who waits for it never reads half of it. */
static int write_ready_file(const struct controld *controld, char *why)
{
	const char *path = controld->options.ready_file;
	json_t *all = describe_listeners(controld);
	char temporary[4096];
	int r;

	snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	unlink(temporary);
	r = json_dump_file(all, temporary, JSON_COMPACT);
	json_decref(all);
	if (r == 0)
		r = rename(temporary, path);
	if (r < 0)
		snprintf(why, OPTIONS_WHY_MAX, "%.100s: %s", path, strerror(errno));
	return r;
}

static int start_listeners(struct controld *controld, char *why)
{
	const struct options *options = &controld->options;

	for (size_t i = 0; i < options->api_count; i++)
		if (http_start(controld, &options->apis[i], false, why) < 0)
			return -1;
	if (options->has_metrics)
		return http_start(controld, &options->metrics, true, why);
	return 0;
}

/* An event that the state file kept: sessions that ended are known again. */
static void on_restored(void *user, const char *type, const char *json)
{
	struct controld *controld = user;
	json_t *event = strcmp(type, "close") == 0 ? json_loads(json, 0, NULL) : NULL;
	const char *session = json_string_value(json_object_get(event, "session"));
	const char *time = json_string_value(json_object_get(event, "time"));

	if (session && time)
		history_take(&controld->history, session, time, json_object_get(event, "data"));
	json_decref(event);
}

static int start_state(struct controld *controld, char *why)
{
	const struct options *options = &controld->options;
	int r;

	if (events_init(&controld->events, options->event_log, options->event_log_bytes) < 0) {
		snprintf(why, OPTIONS_WHY_MAX, "out of memory");
		return -1;
	}
	controld->events.on_visible = streams_wake;
	controld->events.user = controld;
	r = store_open(&controld->store, options->no_state ? NULL : options->state_file,
		       &controld->events, controld->loop, on_restored, controld, why);
	if (r < 0)
		return r;
	if (policies_load(&controld->policies, why) < 0 ||
	    pushes_load(&controld->pushes, why) < 0 || keys_load(&controld->keys, why) < 0 ||
	    audit_load(&controld->audit, why) < 0)
		return -1;
	store_start(controld->store);
	policies_start(&controld->policies);
	return 0;
}

/* OPTIONS_REFUSED where another try cannot help: the service manager makes none then. */
static int start(struct controld *controld, char *why)
{
	const struct options *options = &controld->options;
	int r;

	list_init(&controld->servers);
	workers_init(&controld->workers);
	history_init(&controld->history);
	pushes_init(&controld->pushes, controld);
	keys_init(&controld->keys, controld);
	audit_init(&controld->audit, controld);
	policies_init(&controld->policies, controld);
	demand_start(&controld->demand, controld);
	streams_start(&controld->streams, controld);
	if (options->token_file &&
	    tokens_load(&controld->tokens, options->token_file, why, OPTIONS_WHY_MAX) < 0)
		return OPTIONS_REFUSED;
	/* Workers that try again find a socket while the state is read; they are served afterwards. */
	if (peers_start(&controld->peers, controld, why) < 0)
		return -1;
	r = start_state(controld, why);
	if (r < 0)
		return r;
	if (start_listeners(controld, why) < 0)
		return -1;
	controld->ready = true;
	return options->ready_file ? write_ready_file(controld, why) : 0;
}

static void watch_signals(struct program *program)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	uv_loop_t *loop = program->controld.loop;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a quota is a full disk, not an end */
	uv_timer_init(loop, &program->stop_tick);
	for (size_t i = 0; i < 3; i++) {
		uv_signal_init(loop, &program->signals[i]);
		program->signals[i].data = program;
		uv_signal_start(&program->signals[i], on_signal, numbers[i]);
	}
}

/* Every event stream needs a descriptor: take what we may have. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void release(struct controld *controld)
{
	audit_done(&controld->audit);
	keys_done(&controld->keys);
	pushes_done(&controld->pushes);
	policies_done(&controld->policies);
	workers_done(&controld->workers);
	events_done(&controld->events);
	history_done(&controld->history);
	tokens_done(&controld->tokens);
	metrics_done(&controld->metrics);
	options_done(&controld->options);
}

static int run(struct program *program)
{
	struct controld *controld = &program->controld;
	char why[OPTIONS_WHY_MAX];
	int r;

	sched_hint_soon();
	watch_signals(program);
	r = start(controld, why);
	if (r < 0) {
		log_line("cannot start: %s", why);
		return r == OPTIONS_REFUSED ? 2 : 1; /* the kernel takes back what is open */
	}
	listener_report_unused();
	log_line("ready, RPC at %s", controld->peers.listener.path);
	notify_service_manager("READY=1");
	notify_watchdog_start(&program->watchdog, controld->loop);
	uv_run(controld->loop, UV_RUN_DEFAULT);
	if (controld->options.ready_file)
		unlink(controld->options.ready_file);
	release(controld);
	return 0;
}

int main(int argc, char **argv)
{
	static struct program program;
	enum options_result result = options_read(&program.controld.options, argc, argv);

	if (result != OPTIONS_RUN) {
		options_done(&program.controld.options);
		return result == OPTIONS_EXIT_OK ? 0 : 2;
	}
	program.argc = argc;
	program.argv = argv;
	raise_descriptor_limit();
	program.controld.loop = uv_default_loop();
	return run(&program);
}
