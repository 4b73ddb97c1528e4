/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event log: what happened, numbered, in memory for those who read along and those who resume.
 *
 * Workers' events, worker.up and worker.down, and the progress of pushes are added; each becomes
 * one JSON text under the next number. Readers (stream.c) hold a position and take what is before
 * `visible`. With a store an event is visible once it is on disk, so that no reader knows an id
 * that a crash takes back.
 *
 * The log drops its oldest events when it holds too many, too many octets or too old ones, and keeps
 * 21 octets of each: its type, a number for whom it is of (facts.c), and what its session was like
 * (moment.c). So a reader that fell behind, or resumes late, is told exactly how many events of his
 * choice he did not see (event_count.c). The store keeps the same beside each event, and for the last
 * STORE_DROPPED_MAX numbers before the log, so that a restart changes nothing for them.
 *
 * Failure modes: no memory for an event, or one over EVENT_SIZE_MAX: a gap event of one takes its
 * place, with no memory for that either the number is skipped. An event that was kept by a version
 * which knew less of it: it is undecided for those who ask for that.
 */
#include "events.h"

#include "api_error.h"
#include "log.h"
#include "names.h"
#include "store.h"
#include "text.h"
#include "times.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int events_init(struct events *events, int64_t capacity, int64_t bytes_max)
{
	*events = (struct events){0};
	events->capacity = (uint64_t)capacity;
	events->bytes_max = (size_t)bytes_max;
	events->history_first = 1;
	events->ring = calloc(events->capacity, sizeof(struct event *));
	events->history = calloc(EVENT_HISTORY, 1); /* pages come as they are written */
	events->history_facts = calloc(EVENT_HISTORY, sizeof(uint32_t));
	events->history_moments = calloc(EVENT_HISTORY, sizeof(struct moment));
	random_name(events->epoch, 10);
	if (facts_init(&events->facts) < 0)
		return -1;
	return events->ring && events->history && events->history_facts && events->history_moments
		       ? 0
		       : -1;
}

void events_done(struct events *events)
{
	for (uint64_t at = events->first; at < events->next; at++)
		free(events->ring[at % events->capacity]);
	for (int i = 0; i < EVENT_CUSTOM_MAX; i++)
		free(events->custom[i]);
	free(events->ring);
	free(events->history);
	free(events->history_facts);
	free(events->history_moments);
	facts_done(&events->facts);
	*events = (struct events){0};
}

/* ---- whose ----------------------------------------------------------------------------------- */

static enum event_verdict judge(const struct events *events, const struct event_filter *filter,
				int type, uint32_t number, struct moment moment)
{
	const struct facts *facts = facts_by_number(&events->facts, number);

	if (!filter->types[type])
		return EVENT_HIDDEN;
	if (!filter->select)
		return EVENT_SHOWN;
	if (type != EVENT_GAP)
		return event_select_judge(filter->select, facts, moment, number && !facts);
	if (facts && event_select_asks(filter->select, facts->worker, facts->boot) == EVENT_HIDDEN)
		return EVENT_HIDDEN;
	return EVENT_SHOWN; /* what is missing may be the reader's */
}

enum event_verdict events_judge(const struct events *events, const struct event_filter *filter,
				const struct event *event)
{
	return judge(events, filter, event->type, event->facts, event->moment);
}

/* ---- ids ------------------------------------------------------------------------------------- */

void event_id(const struct events *events, uint64_t seq, char ret[EVENT_ID_MAX])
{
	snprintf(ret, EVENT_ID_MAX, "%s-%" PRIu64, events->epoch, seq);
}

int event_id_parse(const struct events *events, const char *id, uint64_t *ret_seq)
{
	size_t len = strlen(events->epoch);
	uint64_t seq;
	char *end;

	if (strncmp(id, events->epoch, len) != 0 || id[len] != '-')
		return -1;
	id += len + 1;
	if (strspn(id, "0123456789") != strlen(id) || !*id || strlen(id) > 19)
		return -1;
	seq = strtoull(id, &end, 10);
	if (seq > events->seq)
		return -1;
	*ret_seq = seq;
	return 0;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static void drop_oldest(struct events *events)
{
	struct event **at = &events->ring[events->first % events->capacity];

	events->bytes -= (*at)->len;
	free(*at);
	*at = NULL;
	events->first++;
	if (events->visible < events->first)
		events->visible = events->first;
}

/* What stays when its text is dropped. */
struct trace {
	int type;
	uint32_t facts;
	struct moment moment;
};

static void remember(struct events *events, uint64_t seq, struct trace trace)
{
	size_t at = seq % EVENT_HISTORY;

	events->history[at] = (uint8_t)trace.type;
	events->history_facts[at] = trace.facts;
	events->history_moments[at] = trace.moment;
	if (seq >= events->history_first + EVENT_HISTORY)
		events->history_first = seq - EVENT_HISTORY + 1;
}

static uint64_t steady_ms(void)
{
	return uv_hrtime() / 1000000;
}

static int append(struct events *events, uint64_t seq, struct trace trace, const char *json,
		  size_t len, size_t session_at)
{
	struct event *event = len <= EVENT_SIZE_MAX ? malloc(sizeof(*event) + len + 1) : NULL;

	if (!event)
		return -1;
	event->seq = seq;
	event->at_ms = steady_ms();
	event->type = (uint8_t)trace.type;
	event->len = (uint32_t)len;
	event->facts = trace.facts;
	event->moment = trace.moment;
	event->session_at = (uint32_t)session_at;
	memcpy(event->json, json, len);
	event->json[len] = 0;
	while (events->next > events->first && (events->next - events->first >= events->capacity ||
						events->bytes + len > events->bytes_max))
		drop_oldest(events);
	events->ring[events->next % events->capacity] = event;
	events->next++;
	events->bytes += len;
	remember(events, seq, trace);
	return 0;
}

/* about: what the store keeps beside it, or NULL. */
static void show(struct events *events, const struct event *event, const char *about)
{
	if (events->store) {
		store_append_event(events->store, event->seq, event_type_name(events, event->type),
				   event->json, event->len, about);
		return;
	}
	events->visible = events->next;
	if (events->on_visible)
		events->on_visible(events);
}

/* One string as JSON. */
static void add_string(struct text *text, const char *key, const char *value)
{
	json_t *string = json_string(value);
	char *dumped = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

	text_format(text, ",\"%s\":%s", key, dumped ? dumped : "null");
	free(dumped);
	json_decref(string);
}

struct draft {
	int type;
	const char *time; /* NULL: now */
	struct event_subject subject;
	json_int_t stream;  /* 0: none */
	const json_t *data; /* NULL: {} */
};

static void write_event(const struct events *events, uint64_t seq, const struct draft *draft,
			struct text *text, size_t *ret_session_at)
{
	char id[EVENT_ID_MAX], now[TIME_TEXT];
	char *data = draft->data ? json_dumps(draft->data, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	event_id(events, seq, id);
	text_format(text, "{\"id\":\"%s\"", id);
	if (!draft->time)
		time_text(time_now_ms(), now);
	add_string(text, "time", draft->time ? draft->time : now);
	add_string(text, "type", event_type_name(events, draft->type));
	if (draft->subject.worker)
		add_string(text, "worker", draft->subject.worker);
	*ret_session_at = draft->subject.session ? text->len + strlen(",\"session\":\"") : 0;
	if (draft->subject.session)
		add_string(text, "session", draft->subject.session);
	if (draft->stream)
		text_format(text, ",\"stream\":%lld", (long long)draft->stream);
	text_format(text, ",\"data\":%s}", data ? data : "{}");
	free(data);
}

/* Whom an event is of. A connect says what its session is like, and any may say more. */
static uint32_t number_of(struct events *events, const struct draft *draft)
{
	const struct event_subject *of = &draft->subject;
	struct facts *facts;

	if (!of->worker && !of->session)
		return 0;
	if (draft->type == EVENT_CONNECT && of->session)
		facts_learn(&events->facts, of->worker, draft->data);
	facts = facts_of(&events->facts, of->worker, of->session ? NULL : of->boot, of->session);
	if (!facts)
		return FACTS_LOST;
	facts->ended |= draft->type == EVENT_CLOSE;
	if (of->session)
		facts_hear(&events->facts, facts, draft->subject.at,
			   draft->type == EVENT_CONNECT ? draft->data : NULL);
	return facts->number ? facts->number : FACTS_LOST;
}

static struct trace trace_of(struct events *events, const struct draft *draft)
{
	return (struct trace){draft->type, number_of(events, draft),
			      moment_read(draft->subject.at)};
}

/* What the store keeps beside an event, to be freed; NULL: nothing, or out of memory. */
static char *write_about(const struct draft *draft)
{
	const struct event_subject *of = &draft->subject;
	json_t *about = of->session ? moment_keep(draft->subject.at) : NULL;
	char *text;

	if (!of->session && of->boot)
		about = json_pack("{s:s}", "boot", of->boot);
	text = about ? json_dumps(about, JSON_COMPACT) : NULL;
	json_decref(about);
	if (text && strlen(text) > EVENT_SIZE_MAX) {
		free(text);
		text = NULL;
	}
	return text;
}

static void add(struct events *events, const struct draft *draft)
{
	uint64_t seq = ++events->seq;
	struct trace trace = trace_of(events, draft);
	char *about = events->store ? write_about(draft) : NULL;
	struct text text = {0};
	size_t session_at = 0;
	int r;

	remember(events, seq, (struct trace){0});
	if (events->store)
		store_reserve(events->store, seq);
	write_event(events, seq, draft, &text, &session_at);
	r = text.failed ? -1 : append(events, seq, trace, text.data, text.len, session_at);
	text_done(&text);
	if (r == 0)
		show(events, events->ring[(events->next - 1) % events->capacity], about);
	else if (draft->type != EVENT_GAP)
		events_worker_gap(events, &draft->subject, 1, seq, seq, "too_large");
	free(about);
}

void events_publish(struct events *events, int type, const struct event_subject *subject,
		    json_t *data)
{
	struct draft draft = {.type = type, .data = data};

	if (subject)
		draft.subject = *subject;
	add(events, &draft);
	json_decref(data);
}

void events_worker_gap(struct events *events, const struct event_subject *subject, uint64_t count,
		       uint64_t from, uint64_t to, const char *reason)
{
	struct event_subject worker = {.worker = subject->worker, .boot = subject->boot};

	events_publish(events, EVENT_GAP, &worker,
		       json_pack("{s:I, s:I, s:I, s:s}", "count", (json_int_t)count, "from",
				 (json_int_t)from, "to", (json_int_t)to, "reason", reason));
}

void events_take(struct events *events, const struct boot *boot, json_t *params)
{
	const char *name = json_string_value(json_object_get(params, "type"));
	struct draft draft = {
		.type = name ? event_type_by_name(events, name) : EVENT_NONE,
		.time = json_string_value(json_object_get(params, "time")),
		.subject = {.worker = boot->name,
			    .boot = boot->boot,
			    .session = json_string_value(json_object_get(params, "session")),
			    .at = json_object_get(params, "at")},
		.stream = json_integer_value(json_object_get(params, "stream")),
		.data = json_object_get(params, "data"),
	};

	if (draft.type == EVENT_NONE ||
	    (draft.type >= EVENT_SNAPSHOT && draft.type < EVENT_CUSTOM)) {
		log_limited("events: worker %s says %s, which is no event that it may say",
			    boot->name, name ? name : "none");
		return;
	}
	if (draft.type < EVENT_CUSTOM && draft.data && !json_is_object(draft.data))
		draft.data = NULL;
	add(events, &draft);
}

/* How long ago it was, when the store gives it back: the wall clock is asked this once. */
static uint64_t age_of(const char *json)
{
	const char *time = strstr(json, "\"time\":\"");
	char text[TIME_TEXT];
	int64_t then, now = time_now_ms();

	if (!time)
		return 0;
	time += strlen("\"time\":\"");
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(time, "\""), time);
	if (time_parse(text, &then) < 0 || then > now)
		return 0;
	return (uint64_t)(now - then);
}

/* A member that write_event() wrote, before `data`: names have no escapes in them. */
static bool find_member(const char *json, const char *mark, char *ret, size_t room)
{
	const char *data = strstr(json, ",\"data\":"), *at = strstr(json, mark);

	if (!at || (data && at > data))
		return false;
	at += strlen(mark);
	snprintf(ret, room, "%.*s", (int)strcspn(at, "\""), at);
	return true;
}

/* Of what names somebody else than a session: its boot id, where it says so itself. */
static const char *boot_of(const json_t *about, const json_t *data)
{
	const char *boot = json_string_value(json_object_get(about, "boot"));

	return boot ? boot : json_string_value(json_object_get(data, "boot"));
}

static struct trace restore_trace(struct events *events, int type, const char *json,
				  const char *about)
{
	bool telling =
		type == EVENT_CONNECT || type == EVENT_WORKER_UP || type == EVENT_WORKER_DOWN;
	char worker[WORKER_NAME_MAX + 1], session[128];
	bool has_worker = find_member(json, ",\"worker\":\"", worker, sizeof(worker));
	bool has_session = find_member(json, ",\"session\":\"", session, sizeof(session));
	json_t *data = telling ? facts_of_event(json) : NULL;
	json_t *at = about ? json_loads(about, 0, NULL) : NULL;
	struct draft draft = {.type = type, .data = data};
	struct trace trace;

	draft.subject.worker = has_worker ? worker : NULL;
	draft.subject.session = has_session ? session : NULL;
	draft.subject.at = at;
	draft.subject.boot = has_session ? NULL : boot_of(at, draft.data);
	trace = trace_of(events, &draft);
	json_decref(data);
	json_decref(at);
	return trace;
}

/* The next number, if it is one, and a type that we know. */
static int restore_type(struct events *events, uint64_t seq, const char *type)
{
	int number = event_type_by_name(events, type);

	if (seq <= events->seq || number == EVENT_NONE)
		return EVENT_NONE;
	if (events->seq == 0)
		events->history_first = seq;
	events->seq = seq;
	return number;
}

void events_restore_dropped(struct events *events, uint64_t seq, const char *type, const char *json,
			    const char *about)
{
	int number = restore_type(events, seq, type);

	if (number != EVENT_NONE)
		remember(events, seq, restore_trace(events, number, json, about));
}

int events_restore(struct events *events, uint64_t seq, const char *type, const char *json,
		   const char *about)
{
	int number = restore_type(events, seq, type);

	if (number == EVENT_NONE || append(events, seq, restore_trace(events, number, json, about),
					   json, strlen(json), 0) < 0)
		return -1;
	events->ring[(events->next - 1) % events->capacity]->at_ms -= age_of(json);
	events->visible = events->next;
	return 0;
}

void events_expire(struct events *events, uint64_t age_ms)
{
	uint64_t now = steady_ms();

	while (events->first < events->next &&
	       (int64_t)(now - events_at(events, events->first)->at_ms) > (int64_t)age_ms)
		drop_oldest(events);
}

void events_make_visible(struct events *events, uint64_t seq)
{
	uint64_t before = events->visible;

	while (events->visible < events->next && events_at(events, events->visible)->seq <= seq)
		events->visible++;
	if (events->visible != before && events->on_visible)
		events->on_visible(events);
}

/* ---- reading --------------------------------------------------------------------------------- */

const struct event *events_at(const struct events *events, uint64_t position)
{
	assert(position >= events->first && position < events->next);
	return events->ring[position % events->capacity];
}

uint64_t events_position_after(const struct events *events, uint64_t seq)
{
	uint64_t low = events->first, high = events->next;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (events_at(events, middle)->seq <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t events_last_dropped(const struct events *events)
{
	return events->first < events->next ? events_at(events, events->first)->seq - 1
					    : events->seq;
}

enum event_verdict events_judge_dropped(const struct events *events,
					const struct event_filter *filter, uint64_t seq)
{
	size_t at = seq % EVENT_HISTORY;

	assert(seq >= events->history_first && seq <= events->seq);
	return judge(events, filter, events->history[at], events->history_facts[at],
		     events->history_moments[at]);
}
