/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.altsvc, session.origin and push.cancel (control_fanout.c has the rest): from a request to
 * a record in the book, to the session's thread, to the answer. It owns a push's arguments while
 * the session looks at them.
 *
 * The happy path:
 *   - the control thread checks what is not Node's (names, flags) and enters the push into the
 *     book;
 *   - on the session's thread the rest is checked in Node's order, and the frame is pushed with a
 *     receipt;
 *   - the answer says the outcome so far and the warnings; later outcomes are the book's updates.
 * What can go wrong:
 *   - a push of the same name is known: its answer is given again, at once or when it is there;
 *   - no such session, a refused argument, a lint error: the record is taken out, nothing was sent;
 *   - the peer does not read (BACKLOGGED): not an error of the request, but its outcome.
 */
#include "control.h"
#include "memory.h"
#include "push_args.h"
#include "session_json.h"
#include "values.h"

#include <string.h>

/* ---- answers: the control thread ------------------------------------------------------------- */

static void finish_waiters(struct push_record *record, const struct control_request *first)
{
	struct list *at;

	while ((at = list_pop(&record->waiters))) {
		struct control_request *waiter = container_of(at, struct control_request, link);

		waiter->result = json_incref(record->answer);
		waiter->error = first->error;
		waiter->field = first->field;
		waiter->rule = first->rule;
		control_request_finish(waiter);
	}
}

/* The session has decided: the answer goes out, then what became of the push meanwhile. */
static void push_decided(struct control_request *request)
{
	struct push_record *record = request->state;
	struct h2sess_control *control = request->control;
	bool heard = control->link.generation == request->generation;

	if (!request->error)
		push_book_answered(record, json_incref(request->result));
	finish_waiters(record, request);
	if (request->error)
		push_book_remove(control->pushes, record);
	else if (!heard)
		push_book_repeat(record);
	control_request_finish(request);
}

/* What a check found wrong: an error, the member, a lint rule. */
struct verdict {
	int error;
	const char *field;
	const char *rule;
};

/* ---- the push: the session's thread ---------------------------------------------------------- */

static void on_outcome(struct h2sess_session *s, enum h2sess_outcome outcome, int reason,
		       void *user)
{
	if (s)
		push_record_set_moment(user, event_moment_of(s));
	if (push_record_settle(user, outcome, reason, !s))
		push_record_unref(user);
}

/* Push; a peer that does not read is an outcome, not an error. */
static int submit(struct h2sess_session *s, const struct h2sess_push *push,
		  struct push_record *record)
{
	int r;

	push_record_ref(record); /* the session's, until the last outcome */
	r = h2sess_session_push(s, push, &record->push_id);
	if (r == 0)
		return 0;
	push_record_unref(record);
	if (r != H2SESS_EBACKLOGGED)
		return r;
	push_record_set_moment(record, event_moment_of(s));
	push_record_settle(record, H2SESS_OUTCOME_NOT_SENT, H2SESS_REASON_BACKLOGGED, false);
	return 0;
}

static json_t *result_json(const struct push_record *record, json_t *warnings)
{
	const char *reason = h2sess_reason_name(record->reason);
	json_t *result = json_object();
	bool ok;

	ok = value_put(result, "outcome", json_string(h2sess_outcome_name((int)record->outcome)));
	ok &= value_put(result, "reason", json_string(reason ? reason : ""));
	ok &= value_put(result, "warnings", warnings);
	return value_if(ok, result);
}

static void read_options(const json_t *params, struct push_record *record, struct h2sess_push *push)
{
	push->lint = !json_is_false(json_object_get(params, "lint"));
	push->deadline_ms = (uint32_t)json_integer_value(json_object_get(params, "deadlineMs"));
	push->receipt = record->receipt;
	push->fn = on_outcome;
	push->user = record;
}

/* Push what the checks have passed; verdict says what the library found wrong. */
static void push_checked(struct h2sess_session *s, struct control_request *request,
			 struct h2sess_push *push, struct verdict *verdict)
{
	struct push_record *record = request->state;
	char by[PUSH_BY_BUFFER];
	uint32_t rules = 0;
	int r;

	push_args_by(by, request->params, record->name);
	push->by = by;
	read_options(request->params, record, push);
	if (push->lint)
		h2sess_lint(s, push, &rules);
	r = submit(s, push, record);
	if (r < 0)
		*verdict = (struct verdict){r, push_args_field(push, r), push_args_rule(r)};
	else
		request->result = result_json(record, push_args_warnings(rules));
}

static void push_on_loop(struct h2sess_session *s, void *user)
{
	struct control_request *request = user;
	struct h2sess_push push = H2SESS_PUSH_INIT;
	struct verdict verdict = {H2SESS_ENOTFOUND, "session", NULL};

	if (s && h2sess_session_destroyed(s))
		verdict.error = H2SESS_EDESTROYED;
	else if (s)
		verdict.error = request->method == RPC_SESSION_ORIGIN
					? push_args_origin(request->params, &push, &verdict.field)
					: push_args_altsvc(request->params, &push, &verdict.field);
	if (verdict.error == 0)
		push_checked(s, request, &push, &verdict);
	request->error = verdict.error;
	request->field = verdict.field;
	request->rule = verdict.rule;
	mem_free((void *)push.origins);
	control_request_return(request, push_decided);
}

/* ---- the request: the control thread --------------------------------------------------------- */

/* The same request again: the same answer. */
static void push_again(struct control_request *request, struct push_record *record)
{
	if (!record->answered) {
		list_add_tail(&record->waiters, &request->link);
		return;
	}
	request->result = json_incref(record->answer);
	control_request_finish(request);
}

static void push_start(struct control_request *request, const char *name, const char *session)
{
	struct h2sess_control *control = request->control;
	struct push_record *record;
	int r;

	r = push_book_add(control->pushes, name, session, &record);
	if (r < 0) {
		control_request_fail(request, r, NULL);
		return;
	}
	request->state = record;
	record->receipt = push_args_receipt(request->params);
	r = control_request_post(request, session, push_on_loop, request);
	if (r < 0) {
		push_book_remove(control->pushes, record);
		control_request_fail(request, r, r == H2SESS_ENOTFOUND ? "session" : NULL);
	}
}

void control_push(struct control_request *request)
{
	struct push_record *known;
	const char *field = NULL;
	const char *name;
	int r;

	r = push_args_check(request->params, &field);
	if (r < 0) {
		control_request_fail(request, r, field);
		return;
	}
	name = json_string_value(json_object_get(request->params, "push"));
	known = push_book_find(request->control->pushes, name);
	if (control_fanout_knows(request->control, name))
		control_request_fail(request, H2SESS_EINVAL, "push");
	else if (known)
		push_again(request, known);
	else
		push_start(request, name,
			   json_string_value(json_object_get(request->params, "session")));
}

/* ---- cancelling ------------------------------------------------------------------------------ */

static void cancelled(struct control_request *request)
{
	push_record_unref(request->state);
	control_request_finish(request);
}

static void cancel_on_loop(struct h2sess_session *s, void *user)
{
	struct control_request *request = user;
	const struct push_record *record = request->state;
	json_t *result = json_object();
	bool taken = s && h2sess_session_cancel_push(s, record->push_id) == 0;

	request->result = value_if(value_put(result, "cancelled", json_integer(taken)), result);
	control_request_return(request, cancelled);
}

void control_push_cancel(struct control_request *request)
{
	const char *name = json_string_value(json_object_get(request->params, "push"));
	struct push_record *record;
	int r;

	if (name && control_fanout_cancel(request, name))
		return;
	record = name ? push_book_find(request->control->pushes, name) : NULL;
	if (!record) {
		control_request_fail(request, name ? H2SESS_ENOTFOUND : H2SESS_EARGTYPE, "push");
		return;
	}
	push_record_ref(record); /* the book may forget it meanwhile */
	request->state = record;
	r = control_request_post(request, record->session, cancel_on_loop, request);
	if (r == 0)
		return;
	push_record_unref(record);
	control_request_fail(request, r, NULL);
}
