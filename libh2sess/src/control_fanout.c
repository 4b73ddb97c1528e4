/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push.start: fan-outs for the daemon. It owns a record for each that the daemon may still ask for;
 * the control thread calls it. The fan-out itself needs nobody: its callbacks, on the loops' threads,
 * set a flag of the record and ring, and that is all that a session's thread does for the daemon.
 *
 * The happy path:
 *   - the params are checked, the fan-out starts, and when every session has been looked at, the
 *     request is answered;
 *   - at most every CONTROL_FANOUT_MS the changes so far are taken and told, CONTROL_CHANGES_MAX
 *     numbers in one update; the last one says `done` or `cancelled`;
 *   - the record stays for who asks again, CONTROL_FANOUTS_KEPT of them at least.
 * What can go wrong:
 *   - what may not be sent to any session: an error, nothing is remembered;
 *   - CONTROL_FANOUTS_MAX are running: ERR_LIMIT;
 *   - the connection breaks: the fan-out goes on; on the next one everything is told again;
 *   - the link stops: the records go, the fan-outs go on, and ring for nobody.
 */
#include "control.h"
#include "control_fanout_args.h"
#include "control_fanout_json.h"
#include "fanout.h"
#include "memory.h"
#include "push_args.h"
#include "session.h"
#include "values.h"

#include <string.h>

/* Who is to be woken; outlives the link while a fan-out may ring. */
struct fanout_bell {
	uv_mutex_t lock;
	struct h2sess_control *control; /* NULL: the link has stopped */
	atomic_uint references;
};

struct fanout_record {
	/* The control thread's. */
	struct list link; /* h2sess_control.fanouts */
	char name[PUSH_NAME_MAX + 1];
	struct h2sess_fanout *fanout;
	struct list waiters; /* struct control_request.link: push.start, then push.cancel */
	struct list cancels;
	json_t *answer; /* NULL until every session has been looked at */
	bool drain;
	bool dry_run;
	bool told_all;	  /* the last update went out on this connection */
	uint64_t next_ms; /* uv_now(): not before that */

	/* Any thread's. */
	struct fanout_bell *bell;
	atomic_bool matched;
	atomic_bool changed;
	atomic_uint references; /* the link's, and the fan-out's until it is done */
};

/* ---- the bell: any thread -------------------------------------------------------------------- */

static void bell_unref(struct fanout_bell *bell)
{
	if (atomic_fetch_sub(&bell->references, 1) != 1)
		return;
	uv_mutex_destroy(&bell->lock);
	mem_free(bell);
}

static void ring(struct fanout_bell *bell)
{
	uv_mutex_lock(&bell->lock);
	if (bell->control)
		control_wake(bell->control);
	uv_mutex_unlock(&bell->lock);
}

static void record_unref(struct fanout_record *record)
{
	if (atomic_fetch_sub(&record->references, 1) != 1)
		return;
	json_decref(record->answer);
	bell_unref(record->bell);
	mem_free(record);
}

static void on_matched(struct h2sess_fanout *f, void *user)
{
	struct fanout_record *record = user;

	(void)f;
	atomic_store(&record->matched, true);
	ring(record->bell);
}

static void on_changed(struct h2sess_fanout *f, void *user)
{
	struct fanout_record *record = user;

	(void)f;
	atomic_store(&record->changed, true);
	ring(record->bell);
}

static void on_done(struct h2sess_fanout *f, void *user)
{
	on_changed(f, user);
	record_unref(user);
}

/* ---- records --------------------------------------------------------------------------------- */

static struct fanout_record *find(struct h2sess_control *control, const char *name)
{
	struct list *pos;

	list_for_each(pos, &control->fanouts) {
		struct fanout_record *record = container_of(pos, struct fanout_record, link);

		if (strcmp(record->name, name) == 0)
			return record;
	}
	return NULL;
}

bool control_fanout_knows(struct h2sess_control *control, const char *name)
{
	return find(control, name) != NULL;
}

static void forget(struct h2sess_control *control, struct fanout_record *record)
{
	list_del(&record->link);
	control->n_fanouts--;
	h2sess_fanout_free(record->fanout);
	record->fanout = NULL;
	record_unref(record);
}

static bool is_running(const struct fanout_record *record)
{
	return h2sess_fanout_state(record->fanout) == H2SESS_FANOUT_RUNNING;
}

/* The oldest ones that are done and told go; those that the daemon does not know yet go last. */
static int make_room(struct h2sess_control *control)
{
	struct list *pos, *following;

	if (control->n_fanouts < CONTROL_FANOUTS_KEPT)
		return 0;
	list_for_each_safe(pos, following, &control->fanouts) {
		struct fanout_record *record = container_of(pos, struct fanout_record, link);

		if (record->told_all && control->n_fanouts >= CONTROL_FANOUTS_KEPT)
			forget(control, record);
	}
	return control->n_fanouts < CONTROL_FANOUTS_MAX ? 0 : H2SESS_ELIMIT;
}

static struct fanout_record *record_new(struct h2sess_control *control, const char *name)
{
	struct fanout_record *record = mem_calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	list_init(&record->link);
	list_init(&record->waiters);
	list_init(&record->cancels);
	strncpy(record->name, name, sizeof(record->name) - 1);
	atomic_init(&record->references, 1);
	record->bell = control->bell;
	atomic_fetch_add(&record->bell->references, 1);
	return record;
}

/* ---- answers --------------------------------------------------------------------------------- */

static json_t *answer_json(struct fanout_record *record)
{
	struct h2sess_fanout_counts counts = {.size = sizeof(counts)};
	json_t *warnings = json_array();
	json_t *refused = json_object();
	json_t *answer = json_object();
	bool ok;

	h2sess_fanout_counts(record->fanout, &counts);
	ok = push_args_lint_counts(counts.lint, warnings, refused);
	ok &= value_put(answer, "matched", json_integer((json_int_t)counts.matched));
	ok &= value_put(answer, "warnings", warnings);
	ok &= value_put(answer, "refused", refused);
	return value_if(ok, answer);
}

static void answer_all(struct list *waiters, json_t *answer)
{
	struct list *at;

	while ((at = list_pop(waiters))) {
		struct control_request *request = container_of(at, struct control_request, link);

		request->result = json_incref(answer);
		request->error = answer ? 0 : H2SESS_ENOMEM;
		control_request_finish(request);
	}
}

static void answer_starts(struct fanout_record *record)
{
	if (record->answer || !atomic_load(&record->matched))
		return;
	record->answer = answer_json(record);
	answer_all(&record->waiters, record->answer);
}

static void answer_cancels(struct fanout_record *record)
{
	struct h2sess_fanout_counts counts = {.size = sizeof(counts)};
	json_t *answer;

	if (list_empty(&record->cancels) || !fanout_cancel_settled(record->fanout))
		return;
	h2sess_fanout_counts(record->fanout, &counts);
	answer = json_object();
	answer = value_if(
		value_put(answer, "cancelled", json_integer((json_int_t)counts.cancelled)), answer);
	answer_all(&record->cancels, answer);
	json_decref(answer);
}

/* ---- updates --------------------------------------------------------------------------------- */

/* NULL for want of memory: the connection ends, and everything is told again on the next one. */
static void send_update(struct h2sess_control *control, struct fanout_record *record)
{
	bool over =
		!is_running(record); /* before the changes are taken: nothing follows them then */
	json_t *params;
	size_t n;

	atomic_store(&record->changed, false);
	n = h2sess_fanout_take_changes(record->fanout, control->changes, CONTROL_CHANGES_MAX);
	over = over && n < CONTROL_CHANGES_MAX;
	params = fanout_state_json(record->name, record->fanout, record->drain, over);
	if (params && !value_put(params, "changes",
				 fanout_changes_json(control->changes, n, control->knows_runs)))
		params = value_if(false, params);
	control_notify(control, RPC_PUSH_UPDATE, params);
	record->told_all = over;
	record->next_ms =
		uv_now(&control->loop) + (n < CONTROL_CHANGES_MAX ? CONTROL_FANOUT_MS : 0);
	if (n == CONTROL_CHANGES_MAX)
		atomic_store(&record->changed, true);
}

static bool wants_update(const struct fanout_record *record)
{
	return record->answer && !record->told_all &&
	       (atomic_load(&record->changed) || !is_running(record));
}

static void on_time(uv_timer_t *timer)
{
	control_wake(timer->data);
}

/* Returns whether one was sent; where there is one to come, the timer says when. */
static bool update(struct h2sess_control *control, struct fanout_record *record)
{
	uint64_t now = uv_now(&control->loop);

	if (!wants_update(record))
		return false;
	if (record->next_ms > now && is_running(record)) {
		if (!uv_is_active((uv_handle_t *)&control->fanout_timer))
			uv_timer_start(&control->fanout_timer, on_time, record->next_ms - now, 0);
		return false;
	}
	if (!control->changes)
		control->changes = mem_calloc(CONTROL_CHANGES_MAX, sizeof(*control->changes));
	if (!control->changes || !link_has_room(&control->link))
		return false;
	send_update(control, record);
	return true;
}

bool control_fanouts_pump(struct h2sess_control *control)
{
	struct list *pos, *following;
	bool sent = false;

	list_for_each_safe(pos, following, &control->fanouts) {
		struct fanout_record *record = container_of(pos, struct fanout_record, link);

		answer_starts(record);
		answer_cancels(record);
		if (record->dry_run && record->answer && !is_running(record))
			forget(control, record);
		else if (!record->dry_run)
			sent |= update(control, record);
	}
	return sent;
}

/* ---- push.start ------------------------------------------------------------------------------ */

static int launch(struct fanout_args *args, struct h2sess_control *control,
		  struct fanout_record *record)
{
	struct h2sess_fanout_options *options = &args->options;
	int r;

	options->worker = control->name;
	options->matched = on_matched;
	options->changed = on_changed;
	options->done = on_done;
	options->user = record;
	record->drain = options->kind == H2SESS_FANOUT_DRAIN;
	record->dry_run = options->dry_run;
	atomic_fetch_add(&record->references, 1); /* the fan-out's */
	r = h2sess_fanout_start(control->server, options, &record->fanout);
	if (r == 0)
		return 0;
	record_unref(record);
	args->rule = push_args_rule(r);
	args->field = options->push ? push_args_field(options->push, r) : "lastStreamID";
	return r;
}

static int start_fanout(struct fanout_args *args, struct control_request *request, const char *name)
{
	struct h2sess_control *control = request->control;
	struct fanout_record *record;
	int r = make_room(control);

	args->field = NULL;
	if (r < 0)
		return r;
	record = record_new(control, name);
	if (!record)
		return H2SESS_ENOMEM;
	r = launch(args, control, record);
	if (r < 0) {
		record_unref(record);
		return r;
	}
	list_add_tail(&control->fanouts, &record->link);
	control->n_fanouts++;
	list_add_tail(&record->waiters, &request->link);
	return 0;
}

static void start_new(struct control_request *request, const char *name)
{
	struct fanout_args *args = mem_calloc(1, sizeof(*args));
	int r = H2SESS_ENOMEM;

	if (args) {
		r = fanout_args_read(args, request->params, name);
		if (r == 0)
			r = start_fanout(args, request, name);
		request->rule = args->rule;
		request->field = r == H2SESS_ENOMEM ? NULL : args->field;
		fanout_args_done(args);
	}
	mem_free(args);
	if (r < 0)
		control_request_fail(request, r, request->field);
	else
		control_wake(request->control);
}

void control_push_start(struct control_request *request)
{
	struct h2sess_control *control = request->control;
	const char *field = NULL;
	const char *name;
	struct fanout_record *known;
	int r = push_args_name(request->params, &field);

	if (r < 0) {
		control_request_fail(request, r, field);
		return;
	}
	name = json_string_value(json_object_get(request->params, "push"));
	known = find(control, name);
	if (!known && push_book_find(control->pushes, name)) {
		control_request_fail(request, H2SESS_EINVAL, "push");
	} else if (known) {
		list_add_tail(&known->waiters, &request->link);
		if (known->answer)
			answer_all(&known->waiters, known->answer);
	} else {
		start_new(request, name);
	}
}

bool control_fanout_cancel(struct control_request *request, const char *name)
{
	struct fanout_record *record = find(request->control, name);

	if (!record)
		return false;
	h2sess_fanout_cancel(record->fanout);
	list_add_tail(&record->cancels, &request->link);
	answer_cancels(record);
	return true;
}

/* ---- connections, and the end ---------------------------------------------------------------- */

bool control_fanouts_hello(struct h2sess_control *control, json_t *pushes)
{
	struct list *pos;
	bool ok = true;

	list_for_each(pos, &control->fanouts) {
		struct fanout_record *record = container_of(pos, struct fanout_record, link);

		if (record->answer && !record->dry_run)
			ok &= json_array_append_new(pushes,
						    fanout_state_json(record->name, record->fanout,
								      record->drain, false)) == 0;
	}
	return ok;
}

void control_fanouts_rewind(struct h2sess_control *control)
{
	struct list *pos;

	list_for_each(pos, &control->fanouts) {
		struct fanout_record *record = container_of(pos, struct fanout_record, link);

		h2sess_fanout_rewind(record->fanout);
		record->told_all = false;
		record->next_ms = 0;
		atomic_store(&record->changed, true);
	}
}

void control_fanouts_drop(struct h2sess_control *control)
{
	struct list *pos, *at;

	list_for_each(pos, &control->fanouts) {
		struct fanout_record *record = container_of(pos, struct fanout_record, link);

		list_splice(&record->waiters, &record->cancels);
		while ((at = list_pop(&record->waiters)))
			control_request_fail(container_of(at, struct control_request, link),
					     H2SESS_ESTATE, NULL);
	}
}

int control_fanouts_init(struct h2sess_control *control)
{
	struct fanout_bell *bell = mem_calloc(1, sizeof(*bell));

	list_init(&control->fanouts);
	if (!bell)
		return H2SESS_ENOMEM;
	if (uv_mutex_init(&bell->lock) != 0) {
		mem_free(bell);
		return H2SESS_ENOMEM;
	}
	bell->control = control;
	atomic_init(&bell->references, 1);
	control->bell = bell;
	return 0;
}

void control_fanouts_done(struct h2sess_control *control)
{
	if (!control->bell)
		return;
	uv_mutex_lock(&control->bell->lock);
	control->bell->control = NULL;
	uv_mutex_unlock(&control->bell->lock);
	while (!list_empty(&control->fanouts))
		forget(control, container_of(control->fanouts.next, struct fanout_record, link));
	bell_unref(control->bell);
	control->bell = NULL;
	mem_free(control->changes);
}
