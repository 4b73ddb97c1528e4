/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a loop brings its sessions to what its policies say: it owns the loop's set, and the list of
 * sessions whose turn has not come.
 *
 * The happy path:
 *   - a new set comes with a post: the loop walks its sessions, POLICY_SLICE a turn, and applies it;
 *   - those that a pace keeps waiting are visited again when it allows one more, and those whose
 *     labels have changed in the next turn;
 *   - a policy expires: the loop walks again. The wall clock says so, which may be set either way: it
 *     is looked at every POLICY_CLOCK_MS. What is a duration (pace, retracting) goes by uv_hrtime().
 * What can go wrong: the loop has ended (the set is let go); a session ends while it waits (it leaves
 * the list by itself).
 */
#include "memory.h"
#include "policy.h"
#include "session.h"

static void start_walk(struct loop *loop)
{
	while (!list_empty(&loop->policy_pending))
		list_pop(&loop->policy_pending);
	loop->policy_walking = true;
	loop->policy_cursor = 0;
	loop->policy_due_ns = UINT64_MAX;
}

/* One session; it waits in the list where its turn has not come. */
static void visit(struct loop *loop, struct h2sess_session *s)
{
	uint64_t due = session_policy_apply(s, true);

	list_del(&s->policy_link);
	if (!due)
		return;
	list_add_tail(&loop->policy_pending, &s->policy_link);
	if (due < loop->policy_due_ns)
		loop->policy_due_ns = due;
}

static void walk_some(struct loop *loop)
{
	struct h2sess_session *sessions[POLICY_SLICE];
	size_t i, n = loop_sessions_after(loop, loop->policy_cursor, sessions, POLICY_SLICE);

	for (i = 0; i < n; i++) {
		loop->policy_cursor = sessions[i]->number;
		visit(loop, sessions[i]);
	}
	loop->policy_walking = n == POLICY_SLICE;
}

static void visit_pending(struct loop *loop)
{
	struct list waiting, *link;
	size_t budget = POLICY_SLICE;

	loop->policy_due_ns = UINT64_MAX;
	list_init(&waiting);
	list_splice(&waiting, &loop->policy_pending);
	while (budget-- && (link = list_pop(&waiting)))
		visit(loop, container_of(link, struct h2sess_session, policy_link));
	if (!list_empty(&waiting) && loop->policy_due_ns == UINT64_MAX)
		loop->policy_due_ns = 0; /* the rest was not asked */
	list_splice(&waiting, &loop->policy_pending);
	list_splice(&loop->policy_pending, &waiting);
}

/* Has a policy expired, or, where the clock was set back, one no longer? */
static void look_at_clock(struct loop *loop)
{
	size_t expired = policy_set_expired(loop->policies, wall_clock_ms());

	if (expired == loop->policy_expired)
		return;
	loop->policy_expired = expired;
	start_walk(loop);
}

/* What fell due while it waited is visited in the turn that follows. */
static void on_time(uv_timer_t *timer)
{
	struct loop *loop = timer->data;

	if (loop->policies && loop->policies->any_expires)
		look_at_clock(loop);
}

/* How long until the clock is looked at: a timer knows nothing of a clock that is set. */
static uint64_t until_look(const struct loop *loop)
{
	uint64_t now = wall_clock_ms(), end;

	if (!loop->policies->any_expires)
		return UINT64_MAX;
	end = policy_set_next_end(loop->policies, now);
	return end - now < POLICY_CLOCK_MS ? end - now : POLICY_CLOCK_MS;
}

static void arm(struct loop *loop)
{
	uint64_t now_ns = uv_hrtime(), wait = until_look(loop), due = UINT64_MAX;

	if (loop->policy_due_ns != UINT64_MAX)
		due = loop->policy_due_ns > now_ns ? (loop->policy_due_ns - now_ns) / 1000000 + 1
						   : 0;
	wait = due < wait ? due : wait;
	if (wait == UINT64_MAX)
		uv_timer_stop(&loop->policy_timer);
	else
		uv_timer_start(&loop->policy_timer, on_time, wait, 0);
}

bool policy_turn(struct loop *loop)
{
	if (loop->policy_walking)
		walk_some(loop);
	else if (loop->policy_due_ns != UINT64_MAX && uv_hrtime() >= loop->policy_due_ns)
		visit_pending(loop);
	else if (uv_is_active((uv_handle_t *)&loop->policy_timer) || !loop->policies->any_expires)
		return false;
	arm(loop);
	return loop->policy_walking || loop->policy_due_ns == 0;
}

void policy_revisit(struct h2sess_session *s)
{
	struct loop *loop = s->loop;

	if (s->destroyed || !loop->policies || !loop->policies->any_label)
		return; /* a listener of close may set labels, too */
	list_del(&s->policy_link);
	list_add_tail(&loop->policy_pending, &s->policy_link);
	loop->policy_due_ns = 0;
	loop_go_again(loop);
}

void policy_installed(struct loop *loop, void *user)
{
	struct policy_install *install = user;

	if (loop && !loop->stopping) {
		policy_set_unref(loop->policies);
		loop->policies = install->set;
		install->set = NULL; /* the loop has it now */
		loop->policy_expired = policy_set_expired(loop->policies, wall_clock_ms());
		start_walk(loop);
		loop_go_again(loop);
	}
	policy_set_unref(install->set);
	mem_free(install);
}

void policy_stop(struct loop *loop)
{
	policy_set_unref(loop->policies);
	loop->policies = NULL;
	loop->policy_walking = false;
	loop->policy_due_ns = UINT64_MAX;
}
