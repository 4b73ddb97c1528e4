/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session has of its worker's policies. It owns, for each session that has met a policy, what
 * was sent to it, and what each policy came to. A session of a worker without policies has none of
 * this, and pays nothing.
 *
 * Called by the session (after `connect`, at a request, for a response's fields) and by the loop's
 * walk (policy_turn.c).
 *
 * The happy path:
 *   - each policy is asked whether it means the session; for each origin the decision is policy.c's;
 *   - what is to be sent is pushed with a receipt, and remembered as what the session has;
 *   - a newer value for the same origin takes back the older one, if that is still queued.
 * What can go wrong:
 *   - a lint rule forbids it, the peer does not read, no memory, the frame is not sent: the policy
 *     does not hold, and says why; it is tried again when the policies change.
 */
#include "fanout.h"
#include "lint.h"
#include "memory.h"
#include "policy.h"
#include "server.h"
#include "session.h"
#include "stream.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NOTHING_SENT (-1)
#define ORIGIN_TEXT_MAX 512 /* octets of a request's scheme and authority that are looked at */

/* The last value for one origin, or one list of origins. */
struct held {
	struct push_value *value;
	struct push_value
		*before;       /* what the session had when that was still queued; may be NULL */
	struct policy *policy; /* whose it is */
	uint64_t push_id;
	uint64_t when_ms;
	uint32_t slot; /* tells its receipts from older ones */
	int outcome;
};

struct mark {
	bool meant;
	bool holds;
	const char *why;
};

struct session_policies {
	struct h2sess_session *session;
	struct policy_set *set; /* that the marks are of */
	struct mark *marks;
	struct held *held;
	size_t n_held;
	size_t cap_held;
	uint32_t last_slot;
	bool requested; /* its first request has come */
};

/* ---- state ----------------------------------------------------------------------------------- */

static void held_done(struct held *h)
{
	push_value_unref(h->value);
	push_value_unref(h->before);
	policy_unref(h->policy);
}

void session_policy_done(struct h2sess_session *s)
{
	struct session_policies *sp = s->policies;

	if (!sp)
		return;
	while (sp->n_held)
		held_done(&sp->held[--sp->n_held]);
	mem_free(sp->held);
	mem_free(sp->marks);
	policy_set_unref(sp->set);
	mem_free(sp);
	s->policies = NULL;
}

/* The state with marks for the loop's set, or NULL when out of memory. */
static struct session_policies *state_of(struct h2sess_session *s)
{
	struct policy_set *set = s->loop->policies;
	struct mark *marks;

	if (!s->policies) {
		s->policies = mem_calloc(1, sizeof(*s->policies));
		if (!s->policies)
			return NULL;
		s->policies->session = s;
	}
	if (s->policies->set == set)
		return s->policies;
	marks = mem_calloc(set->n + 1, sizeof(*marks));
	if (!marks)
		return NULL;
	mem_free(s->policies->marks);
	policy_set_unref(s->policies->set);
	s->policies->marks = marks;
	s->policies->set = policy_set_ref(set);
	return s->policies;
}

static struct held *held_of(const struct session_policies *sp, const struct push_value *value)
{
	size_t i;

	for (i = 0; i < sp->n_held; i++) {
		if (push_value_same_subject(sp->held[i].value, value))
			return &sp->held[i];
	}
	return NULL;
}

static struct held *held_add(struct session_policies *sp)
{
	size_t cap = sp->cap_held ? 2 * sp->cap_held : 2;
	struct held *held;

	if (sp->n_held == sp->cap_held) {
		held = mem_realloc(sp->held, cap * sizeof(*held));
		if (!held)
			return NULL;
		sp->held = held;
		sp->cap_held = cap;
	}
	memset(&sp->held[sp->n_held], 0, sizeof(*held));
	return &sp->held[sp->n_held++];
}

static void held_remove(struct session_policies *sp, struct held *h)
{
	held_done(h);
	*h = sp->held[--sp->n_held];
}

/* The set's index of the policy with that name, or its n. */
static size_t index_of(const struct policy_set *set, const char *name)
{
	size_t i;

	for (i = 0; i < set->n && strcmp(set->policies[i]->name, name) != 0; i++)
		;
	return i;
}

static void set_mark(struct session_policies *sp, const struct policy *policy, const char *why)
{
	size_t i = index_of(sp->set, policy->name);

	if (i == sp->set->n)
		return;
	sp->marks[i].holds = !*why;
	sp->marks[i].why = why;
	atomic_store_explicit(&sp->set->changed, true, memory_order_relaxed);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* The frame did not leave: the session has what it had before. */
static void fall_back(struct session_policies *sp, struct held *h)
{
	if (!h->before) {
		held_remove(sp, h);
		return;
	}
	push_value_unref(h->value);
	h->value = h->before;
	h->before = NULL;
	h->outcome = H2SESS_OUTCOME_WRITTEN;
}

static void on_outcome(struct h2sess_session *s, int outcome, int reason, void *user, uint32_t slot,
		       bool last)
{
	struct session_policies *sp = user;
	size_t i;

	(void)s;
	(void)last;
	for (i = 0; i < sp->n_held && sp->held[i].slot != slot; i++)
		;
	if (i == sp->n_held)
		return; /* a newer one has its place */
	sp->held[i].outcome = outcome;
	sp->held[i].when_ms = wall_clock_ms();
	atomic_store_explicit(&sp->set->changed, true, memory_order_relaxed);
	if (outcome != H2SESS_OUTCOME_NOT_SENT)
		return;
	set_mark(sp, sp->held[i].policy, h2sess_reason_name(reason));
	fall_back(sp, &sp->held[i]);
}

/* The reason not to send, or NULL. */
static const char *lint(const struct h2sess_session *s, const struct policy *policy,
			const struct push_value *value)
{
	const struct h2sess_push push = push_value_view(value);
	const struct lint_subject subject = {
		.encrypted = s->encrypted,
		.origin_set = (const char *const *)s->origin_set,
		.n_origin_set = s->n_origin_set,
		.certificate = session_certificate(s),
	};
	int rule = policy->lint ? lint_first_error_rule(lint_push(&push, &subject)) : -1;

	return rule < 0 ? NULL : h2sess_reason_name(H2SESS_REASON_LINT + rule);
}

/* The place for a new value; what is queued there is taken back. NULL when out of memory. */
static struct held *make_place(struct session_policies *sp, const struct push_value *value)
{
	struct held *h = held_of(sp, value);

	if (!h)
		return held_add(sp);
	if (h->outcome == H2SESS_OUTCOME_QUEUED &&
	    h2sess_session_cancel_push(sp->session, h->push_id) == 0) {
		push_value_unref(h->value);
	} else {
		push_value_unref(h->before);
		h->before = h->value;
	}
	policy_unref(h->policy);
	h->value = NULL;
	h->policy = NULL;
	return h;
}

/* It never left, and the session still has what is wanted now. */
static bool has_it_still(struct held *h, const struct push_value *value)
{
	if (!h->before || strcmp(h->before->alt, value->alt) != 0)
		return false;
	push_value_unref(h->value);
	h->value = h->before;
	h->before = NULL;
	h->outcome = H2SESS_OUTCOME_WRITTEN;
	return true;
}

static int push(struct session_policies *sp, struct held *h, struct push_value *value)
{
	const struct push_order order = {.receipt = H2SESS_RECEIPT_RECEIVED,
					 .sink = on_outcome,
					 .user = sp,
					 .index = h->slot};
	int r = session_push_value(sp->session, value, &order, &h->push_id);

	if (r < 0)
		fall_back(sp, h);
	return r;
}

/* Returns why not, or NULL. */
static const char *give(struct session_policies *sp, struct policy *policy,
			struct push_value *value)
{
	const char *why = lint(sp->session, policy, value);
	struct held *h;
	int r;

	if (why)
		return why;
	h = make_place(sp, value);
	if (!h)
		return h2sess_reason_name(H2SESS_REASON_NO_MEMORY);
	h->value = push_value_ref(value);
	h->policy = policy_ref(policy);
	h->slot = ++sp->last_slot;
	h->outcome = H2SESS_OUTCOME_QUEUED;
	h->when_ms = wall_clock_ms();
	if (value->alt && has_it_still(h, value))
		return NULL;
	if (value != policy->clear)
		atomic_store(&policy->last_sent_ns, uv_hrtime());
	r = push(sp, h, value);
	if (r == 0)
		return NULL;
	return h2sess_reason_name(r == H2SESS_EBACKLOGGED ? H2SESS_REASON_BACKLOGGED
							  : H2SESS_REASON_NO_MEMORY);
}

/* ---- what each policy says ------------------------------------------------------------------- */

static bool is_expired(const struct policy *policy, uint64_t now_ms)
{
	return policy->expires_ms <= now_ms;
}

/* The member of select that says no, or "percent"; *ret_unknown: not before the first request. */
static const char *refusal_of(const struct session_policies *sp, const struct policy *policy,
			      bool *ret_unknown)
{
	const struct h2sess_session *s = sp->session;
	const char *refusal = selector_refusal(&policy->selector->parsed, s, sp->set->worker);

	*ret_unknown = false;
	if (refusal && strcmp(refusal, "userAgent") == 0 && !s->user_agent_known) {
		*ret_unknown = true;
		refusal = NULL;
	}
	if (!refusal && policy->share < 1 && !selector_sampled(s, policy->by_peer, policy->share))
		refusal = "percent";
	return refusal;
}

/* Is it still taken back from sessions that come? */
static bool clears_returning(const struct policy *policy)
{
	return policy->retracting && uv_hrtime() < policy->clears_until_ns;
}

static struct policy_case case_of(struct session_policies *sp, size_t i, uint64_t now_ms)
{
	const struct policy *policy = sp->set->policies[i];
	struct policy_case c = {
		.paused = policy->paused,
		.expired = is_expired(policy, now_ms),
		.retracting = policy->retracting,
		.returns = clears_returning(policy) && sp->session->opened_ns > policy->since_ns,
		.by_frame = policy->via & POLICY_VIA_FRAME,
		.value = policy->value->alt,
	};

	c.refusal = refusal_of(sp, policy, &c.unknown);
	sp->marks[i].meant = !c.refusal && !c.unknown;
	return c;
}

/* What is to be done now, and when to come again. */
struct apply {
	struct session_policies *sp;
	uint64_t now_ms;
	bool paced;
	uint64_t due; /* uv_hrtime(); 0: there is nothing left */
};

/* Has a live session its turn? */
static bool has_turn(struct apply *a, struct policy *policy)
{
	uint64_t due = 0;

	if (!a->paced || fanout_pace(&policy->next_due_ns, policy->interval_ns, uv_hrtime(), &due))
		return true;
	if (!a->due || due < a->due)
		a->due = due;
	return false;
}

static void order(struct apply *a, struct policy *policy, struct push_value *value,
		  const char **why)
{
	const char *failure;

	*why = "pending";
	if (!has_turn(a, policy))
		return;
	failure = give(a->sp, policy, value);
	*why = failure ? failure : "";
}

/* ---- ALTSVC: one winner for an origin -------------------------------------------------------- */

struct subject {
	size_t index[POLICIES_MAX]; /* in the set */
	struct policy_case cases[POLICIES_MAX];
	const char *whys[POLICIES_MAX];
	size_t n;
};

static void gather(struct apply *a, size_t first, struct subject *subject)
{
	struct session_policies *sp = a->sp;
	size_t i;

	subject->n = 0;
	for (i = first; i < sp->set->n; i++) {
		if (sp->set->first_of[i] != first)
			continue;
		subject->index[subject->n] = i;
		subject->whys[subject->n] = "";
		subject->cases[subject->n++] = case_of(sp, i, a->now_ms);
	}
}

static size_t held_by(const struct subject *subject, const struct session_policies *sp,
		      const struct held *h)
{
	size_t i;

	for (i = 0; i < subject->n && h; i++) {
		if (strcmp(sp->set->policies[subject->index[i]]->name, h->policy->name) == 0)
			return i;
	}
	return subject->n;
}

static void decide(struct apply *a, struct subject *subject)
{
	struct session_policies *sp = a->sp;
	const struct held *h = held_of(sp, sp->set->policies[subject->index[0]]->value);
	struct policy_decision d =
		policy_decide(subject->cases, subject->n, h ? h->value->alt : NULL,
			      held_by(subject, sp, h), subject->whys);
	struct policy *policy;
	const char *failure;

	if (d.action == POLICY_SEND) {
		policy = sp->set->policies[subject->index[d.winner]];
		order(a, policy, policy->value, &subject->whys[d.winner]);
	} else if (d.action == POLICY_CLEAR) {
		policy = sp->set->policies[subject->index[d.cleared_by]];
		order(a, policy, policy->clear, &failure);
	}
}

static void apply_altsvc(struct apply *a, size_t first)
{
	struct subject subject;
	size_t i;

	gather(a, first, &subject);
	decide(a, &subject);
	for (i = 0; i < subject.n; i++) {
		struct mark *mark = &a->sp->marks[subject.index[i]];

		mark->why = subject.whys[i];
		mark->holds = !*mark->why;
	}
}

/* ---- ORIGIN: they add up --------------------------------------------------------------------- */

static void apply_origin(struct apply *a, size_t i)
{
	struct session_policies *sp = a->sp;
	struct policy *policy = sp->set->policies[i];
	struct policy_case c = case_of(sp, i, a->now_ms);
	const struct held *h = held_of(sp, policy->value);
	const char *why = c.retracting ? "retracting" : c.expired ? "expired" : c.refusal;

	if (!why && c.unknown)
		why = "userAgent";
	if (!why && h)
		why = "";
	if (!why && c.paused)
		why = "paused";
	if (!why)
		order(a, policy, policy->value, &why);
	sp->marks[i].why = why;
	sp->marks[i].holds = !*why;
}

/* ---- a session ------------------------------------------------------------------------------- */

uint64_t session_policy_apply(struct h2sess_session *s, bool paced)
{
	struct apply a = {.now_ms = wall_clock_ms(), .paced = paced};
	size_t i;

	if (!s->loop->policies || (!s->loop->policies->n && !s->policies) || s->destroyed ||
	    s->closed || !s->announced)
		return 0;
	a.sp = state_of(s);
	if (!a.sp)
		return 0;
	for (i = 0; i < a.sp->set->n; i++) {
		if (a.sp->set->policies[i]->value->kind == H2SESS_PUSH_ORIGIN)
			apply_origin(&a, i);
		else if (a.sp->set->first_of[i] == i)
			apply_altsvc(&a, i);
	}
	atomic_store_explicit(&a.sp->set->changed, true, memory_order_relaxed);
	return a.due;
}

void session_policy_request(struct h2sess_session *s)
{
	if (!s->policies || s->policies->requested)
		return;
	s->policies->requested = true;
	if (s->policies->set->any_user_agent)
		session_policy_apply(s, false); /* the response's fields leave behind it */
}

/* ---- the header field ------------------------------------------------------------------------ */

static bool is_origin_of(const char *origin, const char *text, size_t len)
{
	return strncasecmp(origin, text, len) == 0 &&
	       (!origin[len] || strcmp(origin + len, ":443") == 0);
}

/* The value that this policy's field would have on this session, or NULL. */
static const char *field_of(const struct session_policies *sp, size_t i, uint64_t now_ms)
{
	const struct policy *policy = sp->set->policies[i];
	const struct mark *mark = &sp->marks[i];

	if (!(policy->via & POLICY_VIA_HEADER) || !mark->meant)
		return NULL;
	if (policy->retracting || is_expired(policy, now_ms))
		return clears_returning(policy) ? policy->clear->alt : NULL;
	if (!mark->why || strcmp(mark->why, "priority") == 0 || strcmp(mark->why, "paused") == 0 ||
	    strcmp(mark->why, "pending") == 0)
		return NULL;
	return policy->paused ? NULL : policy->value->alt;
}

const char *session_policy_header(struct h2sess_stream *st)
{
	const struct session_policies *sp = st->session->policies;
	const char *scheme = h2sess_stream_header(st, ":scheme");
	const char *authority = h2sess_stream_header(st, ":authority");
	uint64_t now_ms = wall_clock_ms();
	char text[ORIGIN_TEXT_MAX];
	size_t i;
	int len;

	len = snprintf(text, sizeof(text), "%s://%s", scheme ? scheme : "",
		       authority ? authority : "");
	for (i = 0; i < sp->set->n && len < ORIGIN_TEXT_MAX; i++) {
		struct policy *policy = sp->set->policies[i];
		const char *value;

		if (!policy->value->origin ||
		    !is_origin_of(policy->value->origin, text, (size_t)len))
			continue;
		value = field_of(sp, i, now_ms);
		if (!value)
			continue;
		if (value != policy->clear->alt)
			atomic_store(&policy->last_sent_ns, uv_hrtime());
		return value;
	}
	return NULL;
}

/* ---- reports --------------------------------------------------------------------------------- */

void session_each_policy(const struct h2sess_session *s,
			 void (*fn)(const struct policy_report *report, void *user), void *user)
{
	const struct session_policies *sp = s->policies;
	size_t i;

	for (i = 0; sp && i < sp->set->n; i++) {
		const struct policy *policy = sp->set->policies[i];
		const struct held *h = held_of(sp, policy->value);
		bool own = h && strcmp(h->policy->name, policy->name) == 0;

		fn(
			&(struct policy_report){
				.policy = policy,
				.meant = sp->marks[i].meant,
				.holds = sp->marks[i].holds,
				.why = sp->marks[i].why ? sp->marks[i].why : "",
				.outcome = own ? h->outcome : NOTHING_SENT,
				.when_ms = own ? h->when_ms : 0,
			},
			user);
	}
}
