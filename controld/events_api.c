/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/events: which events a reader wants, from where on, and in which form.
 *
 *   type=       names, by comma or repeated; none: every one
 *   SELECTOR    whose (event_select.c)
 *   since=      an id to resume after; the header Last-Event-ID goes before it
 *   once=1      one event, then the end; limit=N: N events
 *   wait=       long poll: what there is, or what comes within so many seconds, then the end
 *   snapshot=1  the live sessions first
 *
 * Failure modes: an unknown type, a malformed value: 400. Every place is taken: 503 with
 * Retry-After. An id that this log never gave, or whose events are gone: a gap goes first, then
 * what the log holds.
 */
#include "controld.h"
#include "handlers.h"
#include "request.h"
#include "snapshot.h"
#include "stream.h"

#include <string.h>

#define LIMIT_MAX 1000000000
#define WAIT_MAX 300 /* seconds */

static int want_type(struct request *request, struct event_filter *filter, const char *name,
		     struct problem *ret_problem)
{
	bool full;
	int type = event_type_wanted(&request->controld->events, name, &full);

	if (type != EVENT_NONE) {
		filter->types[type] = 1;
		return 0;
	}
	*ret_problem = problem_of(full ? PROBLEM_BUSY : PROBLEM_EVENT_TYPE, "type", name);
	if (full)
		request->controld->metrics.limits[LIMIT_EVENT_TYPES]++;
	return -1;
}

/* Every `type`, split at commas. */
static int read_types(struct request *request, struct event_filter *filter,
		      struct problem *ret_problem)
{
	bool any = false;

	for (size_t i = 0; i < request->query.count; i++) {
		char *save = NULL, *list = (char *)request->query.pairs[i].value; /* ours to cut */

		if (strcmp(request->query.pairs[i].name, "type") != 0)
			continue;
		for (char *name = strtok_r(list, ",", &save); name;
		     name = strtok_r(NULL, ",", &save)) {
			any = true;
			if (want_type(request, filter, name, ret_problem) < 0)
				return -1;
		}
	}
	if (!any)
		memset(filter->types, 1, sizeof(filter->types));
	filter->types[EVENT_NONE] = 0;
	filter->types[EVENT_GAP] = 1; /* nobody can do without */
	return 0;
}

struct wish {
	struct event_filter filter;
	const char *since;
	int64_t limit;
	double wait;
	bool once, snapshot, waits;
};

static int read_wish(struct request *request, struct wish *wish, struct problem *ret_problem)
{
	const char *last = request_header(request, "Last-Event-ID");
	const struct query *query = &request->query;
	int r;

	wish->limit = -1;
	wish->since = last ? last : query_get(query, "since");
	r = query_number(query, "wait", 0, WAIT_MAX, &wish->wait, ret_problem);
	wish->waits = r > 0;
	if (r < 0 || query_boolean(query, "once", &wish->once, ret_problem) < 0 ||
	    query_boolean(query, "snapshot", &wish->snapshot, ret_problem) < 0 ||
	    query_integer(query, "limit", 1, LIMIT_MAX, &wish->limit, ret_problem) < 0 ||
	    read_types(request, &wish->filter, ret_problem) < 0 ||
	    event_select_read(request, &wish->filter.select, ret_problem) < 0)
		return -1;
	if (wish->once)
		wish->limit = 1;
	return 0;
}

/* From the start of what the log holds, after a gap for what came before. */
static void start_over(struct stream *stream)
{
	stream->seq = 0;
	stream_count_dropped(stream, true);
}

static void resume_after(struct stream *stream, const char *since)
{
	const struct events *events = &stream->controld->events;
	uint64_t seq;

	if (event_id_parse(events, since, &seq) < 0) {
		start_over(stream);
		return;
	}
	if (!demand_recorded_since(&stream->controld->demand, &stream->filter, seq)) {
		stream->seq = seq;
		stream_write_gap(stream, -1, seq + 1, events->seq, "not_recorded");
	}
	stream->seq = stream->told_seq = seq;
	stream->position = events_position_after(events, seq);
	if (seq < events_last_dropped(events))
		stream_count_dropped(stream, false);
}

static void open_stream(struct request *request, struct wish *wish)
{
	struct stream *stream = stream_new(request);
	const char *accept = request_header(request, "Accept");
	uint64_t gaps = request->controld->streams.gaps;

	if (!stream) {
		request_refuse(request, PROBLEM_MEMORY, NULL, NULL);
		return;
	}
	stream->filter = wish->filter;
	wish->filter.select = NULL; /* the stream owns it now */
	stream->left = wish->limit;
	stream->ndjson = accept && strstr(accept, "application/x-ndjson");
	if (wish->waits)
		stream->poll_end =
			uv_now(request->controld->loop) + (uint64_t)(wish->wait * 1000) + 1;
	if (!stream->ndjson)
		text_add(&stream->out, "retry: 1000\n\n");
	if (wish->since)
		resume_after(stream, wish->since);
	if (wish->waits && stream->controld->streams.gaps != gaps)
		stream->poll_end = uv_now(request->controld->loop); /* a gap is an answer */
	if (stream->filter.select && event_select_needs_facts(stream->filter.select))
		stream->learning = snapshot_new_learning(stream);
	if (wish->snapshot)
		stream->snapshot = snapshot_new(stream);
	stream_reply(stream, request);
}

void handle_events(struct request *request)
{
	struct controld *controld = request->controld;
	struct problem problem;
	struct wish wish = {0};
	struct text nothing = {0};

	if (read_wish(request, &wish, &problem) < 0) {
		request_reply_problem(request, &problem);
	} else if (controld->stopping) {
		request_refuse(request, PROBLEM_STOPPING, NULL, NULL);
	} else if (request->head) {
		text_add(&nothing, "");
		request_reply_text(request, 200, "text/event-stream", &nothing);
	} else if (controld->streams.count >= (size_t)controld->options.event_streams) {
		controld->metrics.limits[LIMIT_EVENT_STREAMS]++;
		request_refuse(request, PROBLEM_TOO_MANY_STREAMS, NULL, NULL);
	} else {
		open_stream(request, &wish);
	}
	event_select_free(wish.filter.select);
}
