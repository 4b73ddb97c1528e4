/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot=1: every live session as an event of type `session`, then `snapshot` with their number,
 * then what changes: no session twice, none missed.
 *
 * The stream's position is taken first. Then the workers are asked one after another, a page at a
 * time, and the next page only when the reader has taken the one before. On one connection a
 * worker's answers and events keep their order, so when its last page comes, every `connect` before
 * that number was of a session that was listed, or has ended: snapshot_covers() drops those.
 * Workers that come up meanwhile are asked too.
 *
 * A learning one walks in the same way, before, when the stream chooses by facts and workers were
 * connected before the daemon started: it writes nothing, and is skipped when all is known.
 *
 * Failure modes: a worker that does not answer: a gap without a number says so. One that is lost:
 * its worker.down is in the log.
 */
#include "snapshot.h"

#include "controld.h"

#include <stdlib.h>
#include <string.h>

struct asked {
	struct list link; /* snapshot.asked */
	char boot[WORKER_BOOT_MAX + 1];
	bool done;
	uint64_t until; /* seq: connect events up to here are told */
};

struct snapshot {
	struct stream *stream; /* NULL: it is gone, the call under way frees us */
	struct list asked;
	struct asked *now;
	char *after; /* id of the last session of the page before, or NULL */
	uint64_t count;
	bool calling;
	bool complete;
	bool learning;
};

struct snapshot *snapshot_new(struct stream *stream)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return NULL;
	snapshot->stream = stream;
	list_init(&snapshot->asked);
	return snapshot;
}

struct snapshot *snapshot_new_learning(struct stream *stream)
{
	struct snapshot *snapshot = NULL;

	list_for_each(at, &stream->controld->workers.list)
		if (!container_of(at, struct worker, link)->boot->learnt && !snapshot)
			snapshot = snapshot_new(stream);
	if (snapshot)
		snapshot->learning = true;
	return snapshot;
}

static void release(struct snapshot *snapshot)
{
	list_for_each_safe(at, next, &snapshot->asked)
		free(container_of(at, struct asked, link));
	free(snapshot->after);
	free(snapshot);
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	snapshot->stream = NULL;
	if (!snapshot->calling)
		release(snapshot);
}

static void worker_done(struct snapshot *snapshot)
{
	snapshot->now->done = true;
	snapshot->now->until = snapshot->stream->controld->events.seq;
	snapshot->now = NULL;
	free(snapshot->after);
	snapshot->after = NULL;
}

static void write_session(struct snapshot *snapshot, const char *worker, json_t *session)
{
	json_t *event = json_pack("{s:s, s:s, s:O?, s:O}", "type", "session", "worker", worker,
				  "session", json_object_get(session, "id"), "data", session);
	char *json = event ? json_dumps(event, JSON_COMPACT) : NULL;

	if (json)
		stream_write(snapshot->stream, NULL, "session", json, strlen(json));
	else
		snapshot->stream->out.failed = true;
	snapshot->count++;
	free(json);
	json_decref(event);
}

static void take_page(struct snapshot *snapshot, struct boot *boot, const json_t *result)
{
	const char *next = json_string_value(json_object_get(result, "next"));
	const json_t *sessions = json_object_get(result, "sessions");
	json_t *session;
	size_t i;

	json_array_foreach(sessions, i, session) {
		facts_learn(&snapshot->stream->controld->events.facts, boot->name, session);
		if (!snapshot->learning)
			write_session(snapshot, boot->name, session);
	}
	free(snapshot->after);
	snapshot->after = next ? strdup(next) : NULL;
	if (snapshot->after)
		return;
	boot->learnt |= snapshot->learning;
	worker_done(snapshot);
}

static void on_page(const struct peer_answer *answer, void *user)
{
	struct snapshot *snapshot = user;
	struct stream *stream = snapshot->stream;
	struct boot *boot;

	snapshot->calling = false;
	if (!stream) {
		release(snapshot);
		return;
	}
	boot = table_get(&stream->controld->workers.boots, snapshot->now->boot);
	if (answer->outcome == PEER_RESULT && boot) {
		take_page(snapshot, boot, answer->result);
	} else {
		if (answer->outcome != PEER_LOST)
			stream_write_gap(stream, -1, 1, 0, "worker_unreachable");
		worker_done(snapshot);
	}
	stream_resume(stream);
}

static bool was_asked(const struct snapshot *snapshot, const char *boot)
{
	list_for_each(at, &snapshot->asked)
		if (strcmp(container_of(at, struct asked, link)->boot, boot) == 0)
			return true;
	return false;
}

static bool is_asked_for(const struct snapshot *snapshot, const struct worker *worker)
{
	const struct event_select *select = snapshot->stream->filter.select;

	if (snapshot->learning && worker->boot->learnt)
		return false;
	return !select ||
	       event_select_asks(select, worker_name(worker), worker->boot->boot) == EVENT_SHOWN;
}

/* Which sessions, as rpc.md has it. */
static json_t *select_json(const struct snapshot *snapshot)
{
	const struct event_select *select = snapshot->stream->filter.select;

	return select && !snapshot->learning ? json_incref(select->asked) : json_object();
}

/* The worker to ask: the one that has more pages, or one that was not asked. */
static struct worker *choose(struct snapshot *snapshot)
{
	const struct workers *workers = &snapshot->stream->controld->workers;

	if (snapshot->now) {
		struct boot *boot = table_get(&workers->boots, snapshot->now->boot);

		if (boot && boot->worker)
			return boot->worker;
		worker_done(snapshot);
	}
	list_for_each(at, &workers->list) {
		struct worker *worker = container_of(at, struct worker, link);

		if (was_asked(snapshot, worker->boot->boot) || !is_asked_for(snapshot, worker))
			continue;
		snapshot->now = calloc(1, sizeof(*snapshot->now));
		if (!snapshot->now)
			return NULL;
		memcpy(snapshot->now->boot, worker->boot->boot, sizeof(snapshot->now->boot));
		list_append(&snapshot->asked, &snapshot->now->link);
		return worker;
	}
	return NULL;
}

static void write_end(struct snapshot *snapshot)
{
	struct text text = {0};

	text_format(&text, "{\"type\":\"snapshot\",\"data\":{\"count\":%llu}}",
		    (unsigned long long)snapshot->count);
	stream_write(snapshot->stream, NULL, "snapshot", text.failed ? "{}" : text.data, text.len);
	text_done(&text);
	snapshot->complete = true;
}

bool snapshot_fill(struct snapshot *snapshot)
{
	struct worker *worker;

	if (snapshot->complete)
		return false;
	if (snapshot->calling)
		return true;
	while ((worker = choose(snapshot))) {
		json_t *after = snapshot->after ? json_string(snapshot->after) : json_null();
		json_t *params = json_pack("{s:o, s:i, s:o}", "select", select_json(snapshot),
					   "limit", SNAPSHOT_PAGE, "after", after);

		if (peer_call(worker->peer, RPC_SESSIONS_LIST, params, SNAPSHOT_CALL_MS, on_page,
			      snapshot) == 0) {
			snapshot->calling = true;
			return true;
		}
		stream_write_gap(snapshot->stream, -1, 1, 0, "worker_unreachable");
		worker_done(snapshot);
	}
	if (snapshot->learning) {
		snapshot->complete = true;
		return false;
	}
	write_end(snapshot);
	return true;
}

bool snapshot_covers(const struct snapshot *snapshot, const struct event *event)
{
	const char *session = event->json + event->session_at;

	if (event->type != EVENT_CONNECT || !event->session_at)
		return false;
	list_for_each(at, &snapshot->asked) {
		const struct asked *asked = container_of(at, struct asked, link);
		size_t len = strlen(asked->boot);

		if (strncmp(session, asked->boot, len) == 0 && session[len] == '-')
			return asked->done && event->seq <= asked->until;
	}
	return false;
}
