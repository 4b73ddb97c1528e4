/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event streams: readers of the log, each at its own pace, as SSE or NDJSON.
 *
 * events_api.c makes one a request. libmicrohttpd asks it for octets whenever the client's socket
 * has room:
 *   1. what is written ahead (out) goes first;
 *   2. then a batch of events from the reader's position on, up to STREAM_BATCH octets;
 *   3. then the connection sleeps until streams_wake(), a heartbeat or the end; or until its next turn
 *      (turns.c) when there is more to judge than STREAM_SLICE, or than one turn of the loop has.
 * A reader costs its position and one batch, however slow it is: the log is shared.
 *
 * When the log has dropped what a reader had not seen, a gap with the exact number takes its place.
 * It is counted a slice at a time (event_count.c). Until that is done the reader is where it was: a
 * heartbeat or the daemon's end tell it to resume from before the gap.
 * A reader whose filter hides what happens gets a bookmark with the heartbeat, so that it can
 * resume from there.
 *
 * Failure modes: a client that left: noticed by http.c or by a heartbeat that fails. One that takes
 * no byte: libmicrohttpd ends it after HTTP_STALL_S. No memory for a batch: the stream ends.
 */
#include "stream.h"

#include "controld.h"
#include "request.h"
#include "snapshot.h"
#include "times.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing --------------------------------------------------------------------------------- */

void stream_write(struct stream *stream, const char *id, const char *type, const char *json,
		  size_t len)
{
	if (!stream->ndjson) {
		if (id)
			text_format(&stream->out, "id: %s\n", id);
		text_format(&stream->out, "event: %s\ndata: ", type);
	}
	text_append(&stream->out, json, len);
	text_add(&stream->out, stream->ndjson ? "\n" : "\n\n");
}

/* An event that is not in the log, with an id to resume from. */
static void write_own(struct stream *stream, uint64_t seq, int type, const char *data)
{
	const struct events *events = &stream->controld->events;
	const char *name = event_type_name(events, type);
	char id[EVENT_ID_MAX], now[TIME_TEXT];
	struct text text = {0};

	event_id(events, seq, id);
	time_text(time_now_ms(), now);
	text_format(&text, "{\"id\":\"%s\",\"time\":\"%s\",\"type\":\"%s\",\"data\":%s}", id, now,
		    name, data);
	if (text.failed)
		stream->out.failed = true;
	else
		stream_write(stream, id, name, text.data, text.len);
	text_done(&text);
	stream->told_seq = seq;
}

void stream_write_gap(struct stream *stream, int64_t count, uint64_t from, uint64_t to,
		      const char *reason)
{
	const char *epoch = stream->controld->events.epoch;
	struct text data = {0};

	if (count < 0)
		text_add(&data, "{\"count\":null");
	else
		text_format(&data, "{\"count\":%" PRId64, count);
	if (from <= to)
		text_format(&data, ",\"from\":\"%s-%" PRIu64 "\",\"to\":\"%s-%" PRIu64 "\"", epoch,
			    from, epoch, to);
	else
		text_add(&data, ",\"from\":null,\"to\":null");
	text_format(&data, ",\"reason\":\"%s\"}", reason);
	write_own(stream, stream->seq, EVENT_GAP, data.failed ? "{}" : data.data);
	text_done(&data);
	stream->controld->streams.gaps++;
}

static void write_event(struct stream *stream, const struct event *event)
{
	const struct events *events = &stream->controld->events;
	char id[EVENT_ID_MAX];

	event_id(events, event->seq, id);
	stream_write(stream, id, event_type_name(events, event->type), event->json, event->len);
	stream->told_seq = event->seq;
	if (event->type == EVENT_GAP)
		stream->controld->streams.gaps++;
	else if (stream->left > 0 && --stream->left == 0)
		stream->ended = true;
}

/* ---- reading the log ------------------------------------------------------------------------- */

void stream_count_dropped(struct stream *stream, bool unknown_id)
{
	struct events *events = &stream->controld->events;

	stream->position = events->first;
	stream->counting = true;
	stream->unknown_id = unknown_id;
	event_count_begin(&stream->count, events, &stream->filter, stream->seq + 1,
			  events_last_dropped(events));
}

/* Returns whether all is counted. */
static bool count_on(struct stream *stream)
{
	struct turns *turns = &stream->controld->streams.turns;
	struct event_count *count = &stream->count;

	for (unsigned n = 0; n < STREAM_SLICE && !event_count_is_done(count); n++) {
		if (!turns_take(turns))
			break;
		event_count_next(count, &stream->controld->events, &stream->filter);
	}
	return event_count_is_done(count);
}

/* To a long poll a gap is an answer. */
static void tell_count(struct stream *stream)
{
	struct event_count *count = &stream->count;

	event_count_end(count, &stream->controld->events, &stream->filter);
	stream->counting = false;
	stream->seq = count->to;
	if (count->shown == 0 && !stream->unknown_id)
		return;
	stream_write_gap(stream, count->shown, count->from, count->to,
			 stream->unknown_id ? "unknown_id" : "dropped");
	if (stream->poll_end)
		stream->poll_end = uv_now(stream->controld->loop);
}

/* Count what was dropped, if anything, and tell. Returns false when there is more to count. */
static bool pass_dropped(struct stream *stream)
{
	if (!stream->counting && stream->position < stream->controld->events.first)
		stream_count_dropped(stream, false);
	if (!stream->counting)
		return true;
	if (!count_on(stream))
		return false;
	tell_count(stream);
	return true;
}

static enum event_verdict judge(const struct stream *stream, const struct event *event)
{
	if (stream->snapshot && snapshot_covers(stream->snapshot, event))
		return EVENT_HIDDEN;
	return events_judge(&stream->controld->events, &stream->filter, event);
}

/* The next event of the log. */
static void read_one(struct stream *stream)
{
	const struct event *event = events_at(&stream->controld->events, stream->position++);
	enum event_verdict verdict = judge(stream, event);

	stream->seq = event->seq;
	if (verdict == EVENT_SHOWN)
		write_event(stream, event);
	else if (verdict == EVENT_UNDECIDED)
		stream_write_gap(stream, -1, event->seq, event->seq, "session_unknown");
}

/* Write ahead from the log. Returns whether there is more to judge, in another turn. */
static bool fill_from_log(struct stream *stream)
{
	struct streams *streams = &stream->controld->streams;

	for (unsigned n = 0; stream->out.len < STREAM_BATCH && !stream->ended; n++) {
		if (!pass_dropped(stream))
			return true;
		if (stream->position >= stream->controld->events.visible)
			return false;
		if (n >= STREAM_SLICE || !turns_take(&streams->turns))
			return true;
		read_one(stream);
	}
	return false;
}

/* A long poll that has an answer, or waited long enough, has what else there is and ends. */
static void end_poll(struct stream *stream, bool more)
{
	uint64_t now = uv_now(stream->controld->loop);

	if (stream->out.len)
		stream->poll_end = now;
	if (now >= stream->poll_end && !more &&
	    stream->position >= stream->controld->events.visible)
		stream->ended = true;
}

/* Write ahead. Returns whether there is more to judge, in another turn. */
static bool fill(struct stream *stream)
{
	bool more;

	stream->out_sent = stream->out.len = 0;
	if (stream->counting && !pass_dropped(stream))
		return true;
	if ((stream->learning && snapshot_fill(stream->learning)) ||
	    (stream->snapshot && snapshot_fill(stream->snapshot)))
		return false;
	more = fill_from_log(stream);
	if (stream->poll_end)
		end_poll(stream, more);
	return more;
}

static bool has_pending(const struct stream *stream)
{
	return stream->out_sent < stream->out.len;
}

static void on_poll_end(uv_timer_t *timer);

/* Wake those whose long poll is over by then, at the latest at the next tick. */
static void wake_polls_at(struct streams *streams, uint64_t due)
{
	uint64_t now = uv_now(streams->poll.loop);

	if (uv_is_active((uv_handle_t *)&streams->poll) && streams->poll_due <= due)
		return;
	streams->poll_due = due;
	uv_timer_start(&streams->poll, on_poll_end, due > now ? due - now : 0, 0);
}

static ssize_t on_read(void *user, uint64_t offset, char *buf, size_t room)
{
	struct stream *stream = user;
	bool more = false;
	size_t len;

	(void)offset;
	if (stream->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (!has_pending(stream) && !stream->ended)
		more = fill(stream);
	if (stream->out.failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (has_pending(stream)) {
		len = stream->out.len - stream->out_sent;
		len = len < room ? len : room;
		memcpy(buf, stream->out.data + stream->out_sent, len);
		stream->out_sent += len;
		stream->sent_at = uv_now(stream->controld->loop);
		return (ssize_t)len;
	}
	if (stream->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	stream->suspended = true;
	MHD_suspend_connection(stream->connection);
	if (more)
		turns_wait(&stream->controld->streams.turns, &stream->turn);
	else if (stream->poll_end)
		wake_polls_at(&stream->controld->streams, stream->poll_end);
	return 0;
}

/* ---- waking ---------------------------------------------------------------------------------- */

void stream_resume(struct stream *stream)
{
	if (!stream->suspended)
		return;
	stream->suspended = false;
	turns_leave(&stream->turn);
	MHD_resume_connection(stream->connection);
	http_mark_dirty(stream->server);
}

/* Pass over what a sleeping reader does not want; wake it for the first that it wants. */
static void look_ahead(struct stream *stream)
{
	const struct events *events = &stream->controld->events;
	struct turns *turns = &stream->controld->streams.turns;

	for (unsigned n = 0;
	     stream->position >= events->first && stream->position < events->visible; n++) {
		const struct event *event = events_at(events, stream->position);

		if (n >= STREAM_SLICE || !turns_take(turns)) {
			turns_wait(turns, &stream->turn);
			return;
		}
		if (judge(stream, event) != EVENT_HIDDEN)
			break;
		stream->seq = event->seq;
		stream->position++;
	}
	if (stream->position < events->visible)
		stream_resume(stream);
}

/* Of turns.c: it sleeps, and has more to judge. */
static void on_turn(struct turn_taker *taker)
{
	struct stream *stream = container_of(taker, struct stream, turn);

	if (!stream->counting)
		look_ahead(stream);
	else if (count_on(stream))
		stream_resume(stream);
	else
		turns_wait(&stream->controld->streams.turns, taker);
}

void streams_wake(struct events *events)
{
	struct controld *controld = events->user;

	list_for_each(at, &controld->streams.list) {
		struct stream *stream = container_of(at, struct stream, link);

		if (stream->suspended && !turns_is_waiting(&stream->turn))
			look_ahead(stream);
	}
}

void stream_heartbeat(struct stream *stream)
{
	if (!stream->suspended || stream->ended || has_pending(stream))
		return;
	stream->out_sent = stream->out.len = 0;
	if (stream->ndjson || stream->told_seq != stream->seq)
		write_own(stream, stream->seq, EVENT_BOOKMARK, "{}");
	else
		text_add(&stream->out, ": heartbeat\n\n");
	stream_resume(stream);
}

static void on_poll_end(uv_timer_t *timer)
{
	struct streams *streams = container_of(timer, struct streams, poll);
	uint64_t now = uv_now(timer->loop);

	list_for_each(at, &streams->list) {
		struct stream *stream = container_of(at, struct stream, link);

		if (!stream->poll_end || !stream->suspended)
			continue;
		if (now >= stream->poll_end)
			stream_resume(stream);
		else
			wake_polls_at(streams, stream->poll_end);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct streams *streams = container_of(timer, struct streams, tick);
	uint64_t now = uv_now(timer->loop);

	events_expire(&streams->controld->events,
		      (uint64_t)streams->controld->options.event_log_age * 1000);
	list_for_each(at, &streams->list) {
		struct stream *stream = container_of(at, struct stream, link);

		if (stream->poll_end && now >= stream->poll_end)
			stream_resume(stream);
		else if (!stream->poll_end && now - stream->sent_at >= STREAM_HEARTBEAT_MS)
			stream_heartbeat(stream);
	}
}

void stream_client_gone(struct stream *stream)
{
	stream->gone = true;
	stream_resume(stream);
}

void stream_detach(struct stream *stream)
{
	stream->from = NULL;
}

/* ---- all of them ----------------------------------------------------------------------------- */

void streams_start(struct streams *streams, struct controld *controld)
{
	streams->controld = controld;
	list_init(&streams->list);
	uv_timer_init(controld->loop, &streams->tick);
	uv_timer_init(controld->loop, &streams->poll);
	turns_start(&streams->turns, controld->loop);
	uv_timer_start(&streams->tick, on_tick, STREAM_TICK_MS, STREAM_TICK_MS);
	streams->started = true;
}

static void end_with(struct stream *stream, const char *why)
{
	write_own(stream, stream->seq, EVENT_BOOKMARK, why);
	stream->ended = true;
	stream_resume(stream);
}

void streams_stop(struct streams *streams)
{
	if (!streams->started)
		return;
	streams->started = false;
	uv_close((uv_handle_t *)&streams->tick, NULL);
	uv_close((uv_handle_t *)&streams->poll, NULL);
	turns_stop(&streams->turns);
	list_for_each(at, &streams->list) {
		struct stream *stream = container_of(at, struct stream, link);

		if (!stream->ended)
			end_with(stream, "{\"reason\":\"stopping\"}");
	}
}

void streams_check_tokens(struct streams *streams, const struct tokens *tokens)
{
	list_for_each(at, &streams->list) {
		struct stream *stream = container_of(at, struct stream, link);

		if (!stream->ended && stream->has_token && !tokens_by_hash(tokens, stream->token))
			end_with(stream, "{\"reason\":\"token_gone\"}");
	}
}

struct stream *stream_new(struct request *request)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	struct streams *streams = &request->controld->streams;

	if (!stream)
		return NULL;
	stream->controld = request->controld;
	stream->server = request->server;
	stream->connection = request->connection;
	stream->from = request->from;
	stream->from->stream = stream;
	stream->has_token = request->has_token;
	memcpy(stream->token, request->token, sizeof(stream->token));
	stream->turn.go_on = on_turn;
	stream->left = -1;
	stream->position = stream->controld->events.next;
	stream->seq = stream->told_seq = stream->controld->events.seq;
	stream->sent_at = uv_now(stream->controld->loop);
	list_append(&streams->list, &stream->link);
	streams->count++;
	return stream;
}

static void on_free(void *user)
{
	struct stream *stream = user;

	demand_remove(&stream->controld->demand, &stream->filter);
	list_remove(&stream->link);
	stream->controld->streams.count--;
	if (stream->from)
		stream->from->stream = NULL;
	turns_leave(&stream->turn);
	event_count_end(&stream->count, &stream->controld->events, &stream->filter);
	snapshot_free(stream->learning);
	snapshot_free(stream->snapshot);
	event_select_free(stream->filter.select);
	text_done(&stream->out);
	free(stream);
}

void stream_reply(struct stream *stream, struct request *request)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BATCH, on_read, stream, on_free);

	demand_add(&stream->controld->demand, &stream->filter);
	if (!response) {
		on_free(stream);
		request_refuse(request, PROBLEM_MEMORY, NULL, NULL);
		return;
	}
	request_reply_stream(request, stream->ndjson ? "application/x-ndjson" : "text/event-stream",
			     response);
}
