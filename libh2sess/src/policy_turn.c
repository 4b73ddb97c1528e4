/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a loop brings its sessions to what its policies say: it owns the loop's set, and the list of
 * sessions whose turn has not come.
 *
 * The happy path:
 *   - a new set comes with a post: the loop walks its sessions, POLICY_SLICE a turn, and applies it;
 *   - those that a pace keeps waiting are visited again when it allows one more;
 *   - a policy expires: the loop walks again.
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

static void on_time(uv_timer_t *timer)
{
	struct loop *loop = timer->data;

	if (loop->policies && wall_clock_ms() >= loop->policy_end_ms) {
		loop->policy_end_ms = policy_set_next_end(loop->policies, wall_clock_ms());
		start_walk(loop);
	}
}

#define TIMER_MAX_MS 3600000 /* the wall clock may step meanwhile */

static void arm(struct loop *loop)
{
	uint64_t now_ns = uv_hrtime(), now_ms = wall_clock_ms(), wait = UINT64_MAX;

	if (loop->policy_due_ns != UINT64_MAX)
		wait = loop->policy_due_ns > now_ns ? (loop->policy_due_ns - now_ns) / 1000000 + 1
						    : 0;
	if (loop->policy_end_ms != POLICY_NEVER) {
		uint64_t end = loop->policy_end_ms > now_ms ? loop->policy_end_ms - now_ms : 0;

		end = end > TIMER_MAX_MS ? TIMER_MAX_MS : end;
		wait = end < wait ? end : wait;
	}
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
	else if (uv_is_active((uv_handle_t *)&loop->policy_timer) ||
		 loop->policy_end_ms == POLICY_NEVER)
		return false;
	arm(loop);
	return loop->policy_walking || loop->policy_due_ns == 0;
}

void policy_installed(struct loop *loop, void *user)
{
	struct policy_install *install = user;

	if (loop && !loop->stopping) {
		policy_set_unref(loop->policies);
		loop->policies = install->set;
		install->set = NULL; /* the loop has it now */
		loop->policy_end_ms = policy_set_next_end(loop->policies, wall_clock_ms());
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
	loop->policy_end_ms = POLICY_NEVER;
}
