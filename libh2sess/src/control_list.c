/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions.list: a page of the sessions that a selector means, in the order in which they began.
 *
 * Owns a list's state between its steps. The control thread starts, merges and answers; the loops,
 * one after the other, do what needs a session, so that one thread at a time has the state.
 *
 * The happy path:
 *   - each loop in turn, from the first to the last, notes the numbers of its sessions that match,
 *     LIST_LOOK of them looked at a turn, and keeps the first ones: as many as were asked for, and one
 *     to know of more;
 *   - each loop, from the last, which is at it, to the first, writes the objects of its own among
 *     them, LIST_MAKE a turn, one after the other into a text: the value of one at a time is small,
 *     and in the cache;
 *   - the control thread puts an answer together of the texts, in order, as far as they fit.
 * What can go wrong:
 *   - a selector, limit or id that is wrong: an error that names it;
 *   - a session ends between the two visits: it is left out, the page is one shorter;
 *   - the objects weigh more than LIST_WEIGHT: the page ends before its limit, and `next` says
 *     where; a loop does not write more than that either;
 *   - CONTROL_LISTS_MAX are under way, or the daemon does not read: the list waits its turn.
 */
#include "control.h"
#include "memory.h"
#include "selector.h"
#include "session.h"
#include "session_json.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT_DEFAULT 100
#define LIST_LIMIT_MAX 1000
#define LIST_LOOK 1024			  /* sessions looked at in a turn of a loop */
#define LIST_MAKE 32			  /* objects written in one */
#define LIST_WEIGHT (RPC_LINE_MAX - 4096) /* bytes of objects in an answer */

/* Where the object of a session is in the text of its loop. */
struct piece {
	size_t start;
	size_t len; /* 0: not written, or the session has ended */
};

struct list_state {
	struct selector selector;
	size_t limit;
	size_t loop; /* the one at work */
	size_t loops;
	uint64_t after;	 /* number of the session that the page begins after */
	uint64_t cursor; /* the last one looked at in this loop */
	size_t taken;	 /* noted of this loop */
	size_t made;	 /* index of found that is written next */
	uint64_t *found; /* room for 2 * (limit + 1): what is kept, and one loop's */
	size_t n_found;
	struct piece *pieces; /* of found */
	struct text *texts;   /* of each loop; a comma follows each object */
	struct text object;   /* the one that is being written */
	bool failed;	      /* an object could not be written */
};

static void state_free(struct list_state *state)
{
	for (size_t i = 0; state->texts && i < state->loops; i++)
		text_done(&state->texts[i]);
	text_done(&state->object);
	selector_done(&state->selector);
	mem_free(state->pieces);
	mem_free(state->texts);
	mem_free(state->found);
	mem_free(state);
}

/* The control thread. */
static void list_finish(struct control_request *request)
{
	struct h2sess_control *control = request->control;

	state_free(request->state);
	control->n_lists--;
	control_request_finish(request);
	control_lists_continue(control);
}

/* ---- the answer: the control thread ---------------------------------------------------------- */

static size_t loop_of(uint64_t number)
{
	return number & ((1u << SESSION_LOOP_BITS) - 1);
}

/* Does an object of len bytes have a place behind what weighs that much? The first always does, so
 * that the pages go on. */
static bool fits(size_t weight, size_t len)
{
	return weight == 0 || weight + len + 1 <= LIST_WEIGHT;
}

/* Returns the index of found that did not go in, or n_found. */
static size_t add_sessions(const struct list_state *state, struct text *line)
{
	size_t weight = 0;
	size_t i;

	for (i = 0; i < state->n_found && i < state->limit; i++) {
		const struct text *text = &state->texts[loop_of(state->found[i])];
		const struct piece *piece = &state->pieces[i];

		if (piece->len == 0)
			continue;
		if (!fits(weight, piece->len))
			break;
		if (weight > 0)
			text_add(line, ",");
		text_append(line, text->data + piece->start, piece->len);
		weight += piece->len + 1;
	}
	return i;
}

static void add_next(struct text *line, const struct list_state *state, size_t end)
{
	char next[64] = "null";

	if (end < state->n_found)
		snprintf(next, sizeof(next), "\"%s-%llu\"", h2sess_boot_id(),
			 (unsigned long long)state->found[end - 1]);
	text_add(line, next);
}

static void list_answer(struct control_request *request)
{
	struct list_state *state = request->state;
	struct text *line = &request->line;
	char total[32];
	size_t end;

	snprintf(total, sizeof(total), "%llu",
		 (unsigned long long)control_sessions(request->control));
	rpc_result_begin(line, request->id);
	text_add(line, "{\"sessions\":[");
	end = add_sessions(state, line);
	text_add(line, "],\"next\":");
	add_next(line, state, end);
	text_add(line, ",\"total\":");
	text_add(line, total);
	text_add(line, "}");
	rpc_result_end(line);
	request->error = state->failed || line->failed ? H2SESS_ENOMEM : 0;
	list_finish(request);
}

/* ---- writing: the loops ---------------------------------------------------------------------- */

/* Have the loop at hand take the next step, or the thread that calls when it cannot. */
static void visit(struct control_request *request, loop_fn *fn)
{
	struct list_state *state = request->state;
	struct h2sess_server *srv = request->control->server;

	if (server_run_on_loop(srv, state->loop, fn, request) == 0)
		return;
	request->error = H2SESS_ENOMEM;
	control_request_return(request, list_finish);
}

/*
 * Write the object of found[made]. Returns false when the loop has written enough: the piece is
 * noted, and is where the answer ends, since what this loop has before it is in the answer too.
 */
static bool write_session(struct list_state *state, struct h2sess_session *s, const char *worker)
{
	struct text *text = &state->texts[state->loop];
	struct text *object = &state->object;
	json_t *value = session_json(s, worker);

	object->len = 0;
	text_add_json(object, value);
	json_decref(value);
	state->pieces[state->made] = (struct piece){.start = text->len, .len = object->len};
	state->failed |= object->failed;
	if (state->failed || !fits(text->len, object->len))
		return false;
	text_append(text, object->data, object->len);
	text_append(text, ",", 1);
	state->failed |= text->failed;
	return true;
}

/* Returns whether the loop is through with its own. */
static bool write_sessions(struct list_state *state, struct loop *loop, const char *worker)
{
	size_t budget = LIST_MAKE;

	for (; state->made < state->n_found && state->made < state->limit; state->made++) {
		uint64_t number = state->found[state->made];
		struct h2sess_session *s;

		if (loop_of(number) != state->loop)
			continue;
		if (budget-- == 0)
			return false;
		s = session_table_find(&loop->table, number);
		if (s && !write_session(state, s, worker))
			return true;
	}
	return true;
}

/* A loop that has ended (NULL) has no sessions. */
static void write_some(struct loop *loop, void *arg)
{
	struct control_request *request = arg;
	struct list_state *state = request->state;

	if (loop && !write_sessions(state, loop, request->control->name)) {
		visit(request, write_some);
		return;
	}
	state->made = 0;
	if (state->loop == 0) {
		control_request_return(request, list_answer);
		return;
	}
	state->loop--;
	visit(request, write_some);
}

/* ---- looking: the loops ---------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* Keep the first ones; one over the limit says that there are more. */
static void keep_first(struct list_state *state)
{
	qsort(state->found, state->n_found, sizeof(*state->found), compare);
	if (state->n_found > state->limit + 1)
		state->n_found = state->limit + 1;
}

/* Returns whether there is nothing left to look at, or enough was found. */
static bool look(struct list_state *state, struct loop *loop, const char *worker)
{
	struct h2sess_session *sessions[LIST_LOOK];
	size_t n = loop_sessions_after(loop, state->cursor, sessions, LIST_LOOK);

	for (size_t i = 0; i < n && state->taken <= state->limit; i++) {
		state->cursor = session_number(sessions[i]);
		if (!selector_matches(&state->selector, sessions[i], worker))
			continue;
		state->found[state->n_found++] = state->cursor;
		state->taken++;
	}
	return n < LIST_LOOK || state->taken > state->limit;
}

static void look_at_some(struct loop *loop, void *arg)
{
	struct control_request *request = arg;
	struct list_state *state = request->state;

	if (loop && !look(state, loop, request->control->name)) {
		visit(request, look_at_some);
		return;
	}
	keep_first(state);
	state->cursor = state->after;
	state->taken = 0;
	if (state->loop + 1 < state->loops) {
		state->loop++;
		visit(request, look_at_some);
		return;
	}
	write_some(loop, arg);
}

/* ---- the request: the control thread --------------------------------------------------------- */

static int read_limit(const json_t *json, size_t *ret)
{
	*ret = LIST_LIMIT_DEFAULT;
	if (!json)
		return 0;
	if (!json_is_integer(json))
		return H2SESS_EARGTYPE;
	if (json_integer_value(json) < 1 || json_integer_value(json) > LIST_LIMIT_MAX)
		return H2SESS_ERANGE;
	*ret = (size_t)json_integer_value(json);
	return 0;
}

static int read_after(const json_t *json, uint64_t *ret)
{
	*ret = 0;
	if (!json || json_is_null(json))
		return 0;
	if (!json_is_string(json))
		return H2SESS_EARGTYPE;
	return session_id_parse(json_string_value(json), ret) == 0 ? 0 : H2SESS_EINVAL;
}

static int state_read(struct list_state *state, json_t *params, const char **ret_field)
{
	int r = read_limit(json_object_get(params, "limit"), &state->limit);

	*ret_field = "limit";
	if (r < 0)
		return r;
	*ret_field = "after";
	r = read_after(json_object_get(params, "after"), &state->after);
	if (r < 0)
		return r;
	state->cursor = state->after;
	return selector_parse(json_object_get(params, "select"), &state->selector, ret_field);
}

static int state_new(struct control_request *request, const char **ret_field)
{
	struct list_state *state = mem_calloc(1, sizeof(*state));
	int r;

	if (!state)
		return H2SESS_ENOMEM;
	r = state_read(state, request->params, ret_field);
	if (r == 0) {
		state->loops = server_loops(request->control->server);
		state->found = mem_calloc(2 * (state->limit + 1), sizeof(*state->found));
		state->pieces = mem_calloc(state->limit, sizeof(*state->pieces));
		state->texts = mem_calloc(state->loops, sizeof(*state->texts));
		state->object.max = RPC_LINE_MAX;
		if (!state->found || !state->pieces || (!state->texts && state->loops > 0))
			r = H2SESS_ENOMEM;
	}
	if (r < 0)
		state_free(state);
	else
		request->state = state;
	return r;
}

void control_list(struct control_request *request)
{
	const char *field = NULL;
	int r = state_new(request, &field);

	if (r < 0) {
		control_request_fail(request, r, r == H2SESS_ENOMEM ? NULL : field);
		return;
	}
	list_add_tail(&request->control->lists, &request->link);
	control_lists_continue(request->control);
}

static void list_begin(struct control_request *request)
{
	struct h2sess_control *control = request->control;
	struct list_state *state = request->state;

	control->n_lists++;
	if (control_server_started(control) && state->loops > 0)
		visit(request, look_at_some);
	else
		list_answer(request);
}

void control_lists_continue(struct h2sess_control *control)
{
	while (control->n_lists < CONTROL_LISTS_MAX && link_has_room(&control->link) &&
	       !list_empty(&control->lists)) {
		struct list *at = list_pop(&control->lists);

		list_begin(container_of(at, struct control_request, link));
	}
}

void control_lists_drop(struct h2sess_control *control)
{
	struct list *at;

	while ((at = list_pop(&control->lists))) {
		struct control_request *request = container_of(at, struct control_request, link);

		state_free(request->state);
		control_request_fail(request, H2SESS_ESTATE, NULL);
	}
}
