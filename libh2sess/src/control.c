/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control link of a server: it owns the control thread and its loop, and ties the rooms
 * together: the connection (control_link.c), events (control_events.c), requests
 * (control_methods.c), pushes (push_book.c). Hosts call the public functions; the server's hooks
 * call in from the loops' threads.
 *
 * The happy path:
 *   - h2sess_control_start() starts the thread, which connects, says hello, and serves the daemon;
 *   - a session's event is built and queued on its thread; the control thread takes what is queued
 *     while the connection has room, so a slow daemon costs the sessions nothing;
 *   - h2sess_control_stop() lets what is queued leave, for CONTROL_FLUSH_MS, and joins the thread.
 * What can go wrong:
 *   - the daemon is away: events are kept within their bounds, pushes go on, the link comes back;
 *   - it stays away: after CONTROL_DEMAND_LINGER_MS nothing is recorded on its demand any more;
 *   - out of memory: an event becomes a gap, an answer ends the connection.
 */
#include "control.h"
#include "memory.h"
#include "open_struct.h"
#include "policy.h"
#include "sched_hint.h"
#include "values.h"

#include <signal.h>
#include <string.h>
#include <syslog.h>

static uint64_t unix_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void control_wake(struct h2sess_control *control)
{
	uv_async_send(&control->wakeup);
}

static void wake_for_push(void *user)
{
	control_wake(user);
}

/* ---- the server's hooks: loop threads -------------------------------------------------------- */

static void on_event(struct h2sess_server *srv, const struct h2sess_event *ev, void *user)
{
	struct h2sess_control *control = user;

	(void)srv;
	event_queue_add(
		&control->events,
		control_event_new(ev, control->name, event_queue_generation(&control->events)));
	control_wake(control);
}

static void on_changed(struct h2sess_server *srv, void *user)
{
	struct h2sess_control *control = user;

	(void)srv;
	atomic_store(&control->changed, true);
	control_wake(control);
}

/* ---- output: the control thread -------------------------------------------------------------- */

void control_notify(struct h2sess_control *control, enum rpc_method method, json_t *params)
{
	size_t len = 0;
	char *line = params ? rpc_notification(method, params, &len) : NULL;

	link_send(&control->link, line, len);
}

static bool send_update(struct h2sess_control *control)
{
	struct push_state state;

	if (!push_book_take_update(control->pushes, &state))
		return false;
	control_notify(control, RPC_PUSH_UPDATE, push_state_json(&state));
	return true;
}

static bool send_event(struct h2sess_control *control)
{
	struct event_item item;

	if (!event_queue_take(&control->events, &item))
		return false;
	if (item.event)
		control_notify(control, RPC_EVENT, control_event_params(item.event));
	else
		control_notify(control, RPC_EVENTS_GAP, control_gap_params(item.from, item.to));
	control_event_free(item.event);
	return true;
}

/* Send what waits while there is room: outcomes before events. */
static void pump(struct h2sess_control *control)
{
	if (control->link.up && atomic_exchange(&control->changed, false))
		control_notify(control, RPC_WORKER_UPDATE, control_changes(control));
	while (link_has_room(&control->link) &&
	       (send_update(control) || control_fanouts_pump(control) || send_event(control)))
		;
	control_fanouts_pump(control); /* answers, which need no room */
	control_lists_continue(control);
}

/* ---- the end: the control thread ------------------------------------------------------------- */

static void close_all(struct h2sess_control *control)
{
	control->closing = true;
	push_book_close(control->pushes); /* no wakeup from here on */
	control->pushes = NULL;
	control_fanouts_done(control);
	uv_close((uv_handle_t *)&control->fanout_timer, NULL);
	link_stop(&control->link);
	uv_close((uv_handle_t *)&control->counts, NULL);
	uv_close((uv_handle_t *)&control->flush, NULL);
	uv_close((uv_handle_t *)&control->wakeup, NULL);
}

/* All that is left has been sent, or had its time; and no loop has a request of ours any more. */
static void end_when_idle(struct h2sess_control *control)
{
	bool sent = link_idle(&control->link) || control->flushed;

	if (!atomic_load(&control->stopping) || control->closing)
		return;
	if (control->flushed) {
		control_lists_drop(control);
		control_verbs_drop(control);
		control_fanouts_drop(control);
	}
	if (control->requests == 0 && sent)
		close_all(control);
}

static void on_flush_time(uv_timer_t *timer)
{
	struct h2sess_control *control = timer->data;

	control->flushed = true;
	end_when_idle(control);
}

static void on_wakeup(uv_async_t *async)
{
	struct h2sess_control *control = async->data;

	if (atomic_load(&control->stopping) && !uv_is_active((uv_handle_t *)&control->flush) &&
	    !control->flushed)
		uv_timer_start(&control->flush, on_flush_time, CONTROL_FLUSH_MS, 0);
	control_take_returned(control);
	pump(control);
	end_when_idle(control);
}

/* ---- the link's handler: the control thread -------------------------------------------------- */

/*
 * A hello says it all: no update is due for what changed before. Sessions tell theirs with their
 * next events, since this may be a daemon that never heard of them.
 */
static json_t *on_hello(void *user)
{
	struct h2sess_control *control = user;

	atomic_store(&control->changed, false);
	event_queue_begin_generation(&control->events);
	return control_hello(control);
}

static void on_up(void *user, const json_t *result)
{
	struct h2sess_control *control = user;

	control->down_since = 0;
	control->why[0] = '\0';
	control->sessions_told = UINT64_MAX;
	server_log(control->server, LOG_INFO, "control: connected to %s", control->path);
	control->knows_runs = json_is_true(json_object_get(result, "runs"));
	push_book_hello_answered(control->pushes);
	control_fanouts_rewind(control);
	control_policies_take(control, json_object_get(result, "policies"));
	if (json_is_boolean(json_object_get(result, "accepting")))
		h2sess_server_set_accepting(control->server,
					    json_is_true(json_object_get(result, "accepting")));
	server_set_demand(control->server, control_demand(json_object_get(result, "filter")));
	pump(control);
}

static void on_room(void *user)
{
	struct h2sess_control *control = user;

	pump(control);
	end_when_idle(control);
}

static void on_message(void *user, const struct rpc_message *message)
{
	control_dispatch(user, message);
}

/* Said once for each new reason, not at each try. */
static void on_down(void *user, const char *why)
{
	struct h2sess_control *control = user;

	if (control->down_since == 0)
		control->down_since = uv_now(&control->loop);
	if (strcmp(control->why, why) == 0)
		return;
	snprintf(control->why, sizeof(control->why), "%s", why);
	server_log(control->server, LOG_WARNING, "control: %s: %s", control->path, why);
}

static const struct link_handler handler = {
	.hello = on_hello,
	.up = on_up,
	.message = on_message,
	.room = on_room,
	.down = on_down,
};

/* ---- the thread ------------------------------------------------------------------------------ */

static void tell_sessions(struct h2sess_control *control)
{
	uint64_t sessions = control_sessions(control);
	json_t *params;

	if (sessions == control->sessions_told || !link_has_room(&control->link))
		return;
	control->sessions_told = sessions;
	params = json_object();
	control_notify(control, RPC_WORKER_UPDATE,
		       value_if(value_put(params, "sessions", json_integer((json_int_t)sessions)),
				params));
}

static void on_counts_time(uv_timer_t *timer)
{
	struct h2sess_control *control = timer->data;
	uint64_t now = uv_now(&control->loop);

	if (control->link.up) {
		tell_sessions(control);
		control_policies_count(control);
	} else if (control->down_since && now - control->down_since > CONTROL_DEMAND_LINGER_MS)
		server_set_demand(control->server, 0);
}

static void thread_main(void *arg)
{
	struct h2sess_control *control = arg;

	sched_hint_soon();
	link_start(&control->link);
	uv_timer_start(&control->counts, on_counts_time, CONTROL_COUNTS_MS, CONTROL_COUNTS_MS);
	uv_run(&control->loop, UV_RUN_DEFAULT);
}

/* Start the thread with every signal blocked: they are the host's. */
static int start_thread(struct h2sess_control *control)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = uv_thread_create(&control->thread, thread_main, control);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r < 0 ? H2SESS_ENOMEM : 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void control_free(struct h2sess_control *control)
{
	push_book_close(control->pushes);
	control_fanouts_done(control);
	policy_set_unref(control->policy_set);
	json_decref(control->labels);
	mem_free(control->path);
	mem_free(control->succeeds);
	mem_free(control);
}

/* Only the first of them can fail. */
static int init_handles(struct h2sess_control *control)
{
	if (uv_async_init(&control->loop, &control->wakeup, on_wakeup) < 0)
		return H2SESS_ENOMEM;
	uv_timer_init(&control->loop, &control->counts);
	uv_timer_init(&control->loop, &control->flush);
	uv_timer_init(&control->loop, &control->fanout_timer);
	control->wakeup.data = control;
	control->counts.data = control;
	control->flush.data = control;
	control->fanout_timer.data = control;
	link_init(&control->link, &control->loop, control->path, &handler, control);
	return 0;
}

/* The queues and the loop; after a failure nothing of them is left. */
static int init_running(struct h2sess_control *control)
{
	if (event_queue_init(&control->events, CONTROL_EVENTS_MAX, CONTROL_EVENT_BYTES_MAX) < 0)
		return H2SESS_ENOMEM;
	if (uv_mutex_init(&control->lock) < 0)
		goto no_lock;
	if (uv_loop_init(&control->loop) < 0)
		goto no_loop;
	if (init_handles(control) == 0)
		return 0;
	uv_loop_close(&control->loop);
no_loop:
	uv_mutex_destroy(&control->lock);
no_lock:
	event_queue_done(&control->events);
	return H2SESS_ENOMEM;
}

static void done_running(struct h2sess_control *control)
{
	uv_loop_close(&control->loop);
	uv_mutex_destroy(&control->lock);
	event_queue_done(&control->events);
}

static int control_new(struct h2sess_server *srv, const struct h2sess_control_options *o,
		       struct h2sess_control **ret)
{
	struct h2sess_control *control = mem_calloc(1, sizeof(*control));
	int r;

	if (!control)
		return H2SESS_ENOMEM;
	control->server = srv;
	control->started_ms = unix_now_ms();
	list_init(&control->returned);
	list_init(&control->lists);
	list_init(&control->waiting);
	r = control_options_copy(control, o);
	if (r < 0) {
		control_free(control);
		return r;
	}
	if (control_fanouts_init(control) < 0) {
		control_free(control);
		return H2SESS_ENOMEM;
	}
	control->pushes = push_book_new(CONTROL_PUSHES_MAX, wake_for_push, control);
	if (!control->pushes) {
		control_free(control);
		return H2SESS_ENOMEM;
	}
	*ret = control;
	return 0;
}

static int run_thread(struct h2sess_control *control)
{
	int r;

	r = init_running(control);
	if (r < 0)
		return r;
	r = start_thread(control);
	if (r == 0)
		return 0;
	close_all(control);
	uv_run(&control->loop, UV_RUN_DEFAULT);
	done_running(control);
	return r;
}

int h2sess_control_start(struct h2sess_server *srv, const struct h2sess_control_options *options,
			 struct h2sess_control **ret)
{
	struct h2sess_control_options own;
	struct h2sess_control *control;
	int r;

	if (!srv || !options || !ret || open_struct_read(&own, sizeof(own), options) < 0 ||
	    !control_options_ok(&own))
		return H2SESS_EINVAL;
	r = control_new(srv, &own, &control);
	if (r < 0)
		return r;
	r = run_thread(control);
	if (r < 0) {
		control_free(control);
		return r;
	}
	control->hooks = (struct server_hooks){on_event, on_changed, control};
	r = server_set_hooks(srv, &control->hooks);
	if (r < 0) {
		h2sess_control_stop(control);
		return r;
	}
	*ret = control;
	return 0;
}

void h2sess_control_set_reload(struct h2sess_control *control, const char *error)
{
	uv_mutex_lock(&control->lock);
	control->reload.when_ms = unix_now_ms();
	control->reload.ok = !error;
	snprintf(control->reload.error, sizeof(control->reload.error), "%s", error ? error : "");
	uv_mutex_unlock(&control->lock);
	atomic_store(&control->changed, true);
	control_wake(control);
}

void h2sess_control_set_draining(struct h2sess_control *control)
{
	atomic_store(&control->draining, true);
	on_changed(control->server, control);
}

void h2sess_control_stop(struct h2sess_control *control)
{
	if (!control)
		return;
	while (server_set_hooks(control->server, NULL) < 0)
		uv_sleep(1); /* no memory for a post: the hooks must not outlive us */
	atomic_store(&control->stopping, true);
	control_wake(control);
	uv_thread_join(&control->thread);
	server_set_demand(control->server, 0);
	done_running(control);
	control_free(control);
}
