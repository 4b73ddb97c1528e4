/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fan-out from its start to its end, as a host sees it. It owns the options, checked and copied
 * once, and the parts, one for each loop, which do the walking (fanout_part.c).
 *
 * Called by hosts on any thread, and by the parts on their loops'.
 *
 * The happy path:
 *   - start: the push is checked and serialised once, a part is posted to each loop;
 *   - all parts have looked at all of their sessions: `matched`;
 *   - outcomes come: `changed` is told once until somebody takes what has changed;
 *   - the last part is over: `done`; then the host's handle is all that is left.
 * What can go wrong:
 *   - what may not be sent to any session, or no memory: an error of the start, nothing runs;
 *   - the host cancels, or the deadline passes: what has not left is settled so;
 *   - the server is freed: each part ends with its loop, every session settled.
 * The fan-out needs no link to anybody: whoever started it may go away.
 */
#include "fanout.h"

#include "memory.h"
#include "open_struct.h"
#include "server.h"
#include "session.h"

#include <math.h>
#include <string.h>

#define PER_SECOND_MAX 1e9

/* ---- life ------------------------------------------------------------------------------------ */

static void part_done(struct fanout_part *part)
{
	fanout_lint_done(part);
	mem_free(part->entries);
	uv_mutex_destroy(&part->lock);
}

static void fanout_free(struct h2sess_fanout *f)
{
	while (f->n_parts)
		part_done(&f->parts[--f->n_parts]);
	h2sess_selector_free(f->selector);
	push_value_unref(f->value);
	push_value_unref(f->goaway);
	mem_free(f->worker);
	mem_free(f);
}

void fanout_unref(struct h2sess_fanout *f)
{
	if (atomic_fetch_sub(&f->references, 1) == 1)
		fanout_free(f);
}

void h2sess_fanout_free(struct h2sess_fanout *f)
{
	if (f)
		fanout_unref(f);
}

/* ---- the pace -------------------------------------------------------------------------------- */

bool fanout_pace(atomic_uint_fast64_t *next_due_ns, uint64_t interval_ns, uint64_t now_ns,
		 uint64_t *ret_due_ns)
{
	uint64_t due = atomic_load(next_due_ns);
	uint64_t from;

	if (!interval_ns)
		return true;
	do {
		if (due > now_ns) {
			*ret_due_ns = due;
			return false;
		}
		from = now_ns - due > FANOUT_BURST_NS ? now_ns - FANOUT_BURST_NS : due;
	} while (!atomic_compare_exchange_weak(next_due_ns, &due, from + interval_ns));
	return true;
}

/* ---- what the parts report ------------------------------------------------------------------- */

void fanout_part_matched(struct h2sess_fanout *f)
{
	if (atomic_fetch_sub(&f->parts_matching, 1) == 1 && f->matched)
		f->matched(f, f->user);
}

void fanout_part_over(struct h2sess_fanout *f)
{
	if (atomic_fetch_sub(&f->parts_running, 1) == 1 && f->done)
		f->done(f, f->user);
}

void fanout_part_cancelled(struct h2sess_fanout *f)
{
	if (atomic_fetch_sub(&f->parts_cancelling, 1) == 1 && f->changed)
		f->changed(f, f->user);
}

bool fanout_cancel_settled(struct h2sess_fanout *f)
{
	return atomic_load(&f->parts_cancelling) == 0;
}

void fanout_changed(struct h2sess_fanout *f)
{
	if (f->changed && !atomic_exchange(&f->told, true))
		f->changed(f, f->user);
}

/* ---- options --------------------------------------------------------------------------------- */

/* A push to whatever session: one to a stream means one session's. */
static int use_push(struct h2sess_fanout *f, const struct h2sess_push *push)
{
	struct h2sess_push own;
	int r = open_struct_read(&own, sizeof(own), push);

	if (r < 0 || own.kind == H2SESS_PUSH_ALTSVC_STREAM)
		return H2SESS_EINVAL;
	r = push_value_new(&own, &f->value);
	return r == 0 && f->lint ? h2sess_lint(NULL, &own, NULL) : r;
}

static int use_kind(struct h2sess_fanout *f, const struct h2sess_fanout_options *o)
{
	int r = 0;

	switch (o->kind) {
	case H2SESS_FANOUT_PUSH:
		return o->push ? use_push(f, o->push) : H2SESS_EINVAL;
	case H2SESS_FANOUT_GOAWAY:
		return push_value_new_goaway(PUSH_GOAWAY, o->code, o->last_stream_id, o->data,
					     o->len, &f->value);
	case H2SESS_FANOUT_DRAIN:
		if (o->push)
			r = o->push->kind == H2SESS_PUSH_ALTSVC ? use_push(f, o->push)
								: H2SESS_EINVAL;
		return r < 0 ? r
			     : push_value_new_goaway(PUSH_DRAIN, H2SESS_NO_ERROR, 0, NULL, 0,
						     &f->goaway);
	default:
		return H2SESS_EINVAL;
	}
}

static void use_times(struct h2sess_fanout *f, const struct h2sess_fanout_options *o)
{
	f->started_ns = uv_hrtime();
	f->deadline_ns =
		o->deadline_ms ? f->started_ns + (uint64_t)o->deadline_ms * 1000000 : UINT64_MAX;
	f->interval_ns = o->per_second > 0 ? (uint64_t)(1e9 / o->per_second) : 0;
	atomic_init(&f->next_due_ns, f->started_ns);
}

static int use_options(struct h2sess_fanout *f, const struct h2sess_fanout_options *o)
{
	f->kind = o->kind;
	f->receipt = o->receipt;
	f->lint = o->lint;
	f->dry_run = o->dry_run;
	f->session = o->session;
	f->matched = o->matched;
	f->changed = o->changed;
	f->done = o->done;
	f->user = o->user;
	f->selector = o->select ? selector_ref(o->select) : NULL;
	if (o->worker) {
		f->worker = mem_strdup(o->worker);
		if (!f->worker)
			return H2SESS_ENOMEM;
	}
	return use_kind(f, o);
}

/* ---- the start ------------------------------------------------------------------------------- */

static int make_parts(struct h2sess_fanout *f, size_t n)
{
	for (; f->n_parts < n; f->n_parts++) {
		struct fanout_part *part = &f->parts[f->n_parts];

		if (uv_mutex_init(&part->lock) != 0)
			return H2SESS_ENOMEM;
		part->fanout = f;
		list_init(&part->link);
		part->post.fn = fanout_part_start;
		part->post.arg = part;
		part->counts.size = sizeof(part->counts);
	}
	return 0;
}

static int fanout_new(struct h2sess_server *srv, const struct h2sess_fanout_options *o,
		      struct h2sess_fanout **ret)
{
	size_t n = server_running_loops(srv);
	struct h2sess_fanout *f = mem_calloc(1, sizeof(*f) + n * sizeof(f->parts[0]));
	int r;

	if (!f)
		return H2SESS_ENOMEM;
	atomic_init(&f->references, 1);
	f->server = srv;
	r = use_options(f, o);
	if (r == 0)
		r = make_parts(f, n);
	if (r < 0) {
		fanout_free(f);
		return r;
	}
	use_times(f, o);
	*ret = f;
	return 0;
}

/* Nothing fails from here on: the posts are the parts' own. */
static void launch(struct h2sess_fanout *f)
{
	size_t n = f->n_parts;
	size_t i;

	f->last_number = session_last_number();
	atomic_init(&f->parts_matching,
		    n + 1); /* one of ours: for `matched` without any loop too */
	atomic_init(&f->parts_running, n + 1);
	atomic_init(&f->parts_cancelling, n);
	atomic_fetch_add(&f->references, (unsigned int)n);
	for (i = 0; i < n; i++)
		loop_post_own(&f->server->loops[i], &f->parts[i].post);
	fanout_part_matched(f);
	fanout_part_over(f);
}

int h2sess_fanout_start(struct h2sess_server *srv, const struct h2sess_fanout_options *options,
			struct h2sess_fanout **ret)
{
	struct h2sess_fanout_options own;
	struct h2sess_fanout *f;
	int r;

	if (!srv || !options || open_struct_read(&own, sizeof(own), options) < 0)
		return H2SESS_EINVAL;
	if (isnan(own.per_second) || own.per_second < 0 || own.per_second > PER_SECOND_MAX)
		return H2SESS_ERANGE;
	r = fanout_new(srv, &own, &f);
	if (r < 0)
		return r;
	atomic_fetch_add(&f->references, 1); /* until we are through with it */
	if (ret)
		*ret = f;
	launch(f);
	if (!ret)
		fanout_unref(f);
	fanout_unref(f);
	return 0;
}

/* ---- verbs: any thread ----------------------------------------------------------------------- */

void h2sess_fanout_cancel(struct h2sess_fanout *f)
{
	size_t i;

	if (!atomic_load(&f->parts_running))
		return; /* it is over, and the server may be gone */
	atomic_store(&f->cancelled, true);
	for (i = 0; i < f->n_parts; i++)
		loop_wake(&f->server->loops[i]);
}

static void add_counts(struct h2sess_fanout_counts *sum, const struct h2sess_fanout_counts *c)
{
	size_t i;

	sum->matched += c->matched;
	sum->queued += c->queued;
	sum->written += c->written;
	sum->received += c->received;
	sum->not_sent += c->not_sent;
	sum->cancelled += c->cancelled;
	sum->ended += c->ended;
	for (i = 0; i < H2SESS_FANOUT_RULES; i++)
		sum->lint[i] += c->lint[i];
}

int h2sess_fanout_counts(struct h2sess_fanout *f, struct h2sess_fanout_counts *ret)
{
	struct h2sess_fanout_counts sum = {.size = sizeof(sum)};
	size_t i;

	for (i = 0; i < f->n_parts; i++) {
		uv_mutex_lock(&f->parts[i].lock);
		add_counts(&sum, &f->parts[i].counts);
		uv_mutex_unlock(&f->parts[i].lock);
	}
	return open_struct_write(ret, &sum, sizeof(sum));
}

enum h2sess_fanout_state h2sess_fanout_state(const struct h2sess_fanout *f)
{
	if (atomic_load(&f->parts_running))
		return H2SESS_FANOUT_RUNNING;
	return atomic_load(&f->cancelled) ? H2SESS_FANOUT_CANCELLED : H2SESS_FANOUT_DONE;
}

/* With the part's lock held. */
static size_t take_of_part(struct fanout_part *part, struct h2sess_fanout_session *ret, size_t max)
{
	size_t n = 0;

	while (part->changed_first && n < max) {
		struct fanout_entry *e = &part->entries[part->changed_first - 1];

		part->changed_first = e->next;
		e->next = 0;
		e->changed = false;
		ret[n++] = (struct h2sess_fanout_session){
			.number = e->number, .outcome = e->outcome, .reason = e->reason};
	}
	if (!part->changed_first)
		part->changed_last = 0;
	return n;
}

size_t h2sess_fanout_take_changes(struct h2sess_fanout *f, struct h2sess_fanout_session *ret,
				  size_t max)
{
	size_t i, n = 0;

	atomic_store(&f->told, false);
	for (i = 0; i < f->n_parts && n < max; i++) {
		uv_mutex_lock(&f->parts[i].lock);
		n += take_of_part(&f->parts[i], ret + n, max - n);
		uv_mutex_unlock(&f->parts[i].lock);
	}
	return n;
}

/* With the part's lock held: every entry is in the list of changes, in order. */
static void mark_all(struct fanout_part *part)
{
	size_t i;

	for (i = 0; i < part->n; i++) {
		part->entries[i].changed = true;
		part->entries[i].next = i + 1 < part->n ? (uint32_t)(i + 2) : 0;
	}
	part->changed_first = part->n ? 1 : 0;
	part->changed_last = (uint32_t)part->n;
}

void h2sess_fanout_rewind(struct h2sess_fanout *f)
{
	size_t i;

	for (i = 0; i < f->n_parts; i++) {
		uv_mutex_lock(&f->parts[i].lock);
		mark_all(&f->parts[i]);
		uv_mutex_unlock(&f->parts[i].lock);
	}
}
