/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts: what the sessions are like that events are of, so that readers can choose by it.
 *
 * Workers tell it with each `connect`; events.c gives it here, and stores with each event the number
 * of its entry, 4 octets. Readers that choose (event_select.c) look the entry up. What happened
 * before the daemon started is learnt when the first such reader comes (snapshot.c). An entry
 * outlives its session, for those who resume.
 *
 * User agent and origin set come later, and are true of earlier events too: the one is decided once,
 * the other grows at its end, and each event says whether that was so then, and how far (moment.h).
 * Labels change: an event says after how many changes it came, and the last of them are kept. So what
 * is learnt late makes what came before it known, and nothing is judged by what was different then.
 *
 * Failure modes: more than FACTS_MAX or FACTS_BYTES_MAX: the oldest entries whose sessions have
 * ended are forgotten, those that live get a new number, and events with the old ones can not be
 * judged any more: readers that choose are told of a gap. No memory: the event's number is
 * FACTS_LOST, which is the same. Labels that have changed more than MOMENT_CHANGES_MAX times are
 * not known of the events from then on.
 */
#include "facts.h"

#include "json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_NAME 12 /* octets of the number of a change, as a name */

int facts_init(struct facts_book *book)
{
	*book = (struct facts_book){.first = 1};
	book->ring = calloc(FACTS_MAX, sizeof(struct facts *));
	return book->ring ? 0 : -1;
}

static void name_of(char *ret, size_t room, const char *worker, const char *boot,
		    const char *session)
{
	if (session && session[0])
		snprintf(ret, room, "%s", session);
	else if (boot && boot[0])
		snprintf(ret, room, "@%s", boot);
	else
		snprintf(ret, room, "@@%s", worker);
}

static void forget_details(struct facts *facts)
{
	free(facts->servername);
	free(facts->alpn);
	json_decref(facts->labels);
	facts->servername = facts->alpn = NULL;
	facts->labels = NULL;
}

static void facts_free(struct facts *facts)
{
	if (!facts)
		return;
	forget_details(facts);
	free(facts->user_agent);
	json_decref(facts->origins);
	json_decref(facts->labels_by_change);
	free(facts->session);
	free(facts);
}

static void release(struct facts_book *book, struct facts *facts)
{
	char name[160];

	if (!facts)
		return;
	name_of(name, sizeof(name), facts->worker, facts->boot, facts->session);
	if (table_get(&book->by_name, name) == facts)
		table_remove(&book->by_name, name);
	book->bytes -= facts->weight;
	facts_free(facts);
}

/* There is room for it. */
static void enter(struct facts_book *book, struct facts *facts)
{
	facts->number = ++book->last;
	book->ring[facts->number % FACTS_MAX] = facts;
}

static uint32_t count(const struct facts_book *book)
{
	return book->last - book->first + 1; /* when numbers begin anew, too */
}

/* Forget one, if there is any but `keep`, which may be NULL. */
static void forget_one(struct facts_book *book, const struct facts *keep)
{
	for (unsigned passed = 0; count(book) > (keep ? 1 : 0); passed++) {
		struct facts **place = &book->ring[book->first++ % FACTS_MAX], *oldest = *place;

		*place = NULL;
		if (!oldest || (oldest != keep && (oldest->ended || passed >= FACTS_PASSED_MAX))) {
			book->forgotten += oldest != NULL;
			release(book, oldest);
			return;
		}
		enter(book, oldest);
	}
}

void facts_done(struct facts_book *book)
{
	for (size_t i = 0; book->ring && i < FACTS_MAX; i++)
		release(book, book->ring[i]);
	free(book->ring);
	table_done(&book->by_name, NULL);
	*book = (struct facts_book){0};
}

static struct facts *add(struct facts_book *book, const char *name, const char *worker,
			 const char *boot, const char *session)
{
	struct facts *facts = calloc(1, sizeof(*facts));
	const char *dash = session ? strrchr(session, '-') : NULL;

	if (facts)
		facts->session = strdup(session ? session : "");
	if (!facts || !facts->session || table_put(&book->by_name, name, facts) < 0) {
		facts_free(facts);
		return NULL;
	}
	snprintf(facts->worker, sizeof(facts->worker), "%s", worker ? worker : "");
	if (boot)
		snprintf(facts->boot, sizeof(facts->boot), "%s", boot);
	else if (dash)
		snprintf(facts->boot, sizeof(facts->boot), "%.*s", (int)(dash - session), session);
	if (count(book) >= FACTS_MAX)
		forget_one(book, NULL);
	enter(book, facts);
	return facts;
}

struct facts *facts_of(struct facts_book *book, const char *worker, const char *boot,
		       const char *session)
{
	struct facts *facts;
	char name[160];

	if ((!worker && !session) || (session && strlen(session) >= sizeof(name)))
		return NULL;
	name_of(name, sizeof(name), worker, boot, session);
	facts = table_get(&book->by_name, name);
	return facts ? facts : add(book, name, worker, boot, session);
}

const struct facts *facts_by_number(const struct facts_book *book, uint32_t number)
{
	const struct facts *facts = book->ring[number % FACTS_MAX];

	return facts && facts->number == number && number && number != FACTS_LOST ? facts : NULL;
}

/* ---- what they are like ---------------------------------------------------------------------- */

/* A list of strings, or an object of them: what a worker says else would not be weighed. */
static bool are_texts(const json_t *texts)
{
	const json_t *one;
	const char *key;
	size_t i;

	json_array_foreach(texts, i, one) {
		if (!json_is_string(one))
			return false;
	}
	json_object_foreach((json_t *)texts, key, one) {
		if (!json_is_string(one))
			return false;
	}
	return true;
}

static size_t weigh_text(const char *text)
{
	return text ? strlen(text) : 0;
}

static size_t weigh_json(const json_t *texts)
{
	size_t sum = 0, i;
	const json_t *one;
	const char *key;

	json_array_foreach(texts, i, one) {
		sum += sizeof(json_t) + json_string_length(one);
	}
	json_object_foreach((json_t *)texts, key, one) {
		sum += sizeof(json_t) + strlen(key) + json_string_length(one);
	}
	return sum;
}

/* It holds something else now: the oldest make room for it. */
static void weigh(struct facts_book *book, struct facts *facts)
{
	const json_t *labels;
	const char *change;

	book->bytes -= facts->weight;
	facts->weight = weigh_text(facts->servername) + weigh_text(facts->alpn) +
			weigh_text(facts->user_agent) + weigh_json(facts->labels) +
			weigh_json(facts->origins);
	json_object_foreach(facts->labels_by_change, change, labels) {
		facts->weight += sizeof(json_t) + weigh_json(labels);
	}
	book->bytes += facts->weight;
	while (book->bytes > FACTS_BYTES_MAX && count(book) > 1)
		forget_one(book, facts);
}

static char *copy_string(const json_t *value)
{
	const char *text = json_string_value(value);

	return text ? strdup(text) : NULL;
}

/* A string, or null: the first request had none. */
static void take_agent(struct facts *facts, const json_t *value)
{
	if (facts->agent_told || json_string_length(value) > FACTS_USER_AGENT_MAX)
		return;
	facts->user_agent = copy_string(value);
	facts->agent_told = json_is_null(value) || facts->user_agent;
}

/* The longer one is the later one. */
static void take_origins(struct facts *facts, json_t *set)
{
	size_t count = json_array_size(set);

	if (!json_is_array(set) || count > MOMENT_ORIGINS_MAX || !are_texts(set) ||
	    (facts->origins && count <= json_array_size(facts->origins)))
		return;
	json_decref(facts->origins);
	facts->origins = json_incref(set);
}

static void name_change(char ret[CHANGE_NAME], unsigned changes)
{
	snprintf(ret, CHANGE_NAME, "%u", changes);
}

/* They are those after so many changes. The first ones are forgotten for what is too many. */
static void take_labels(struct facts *facts, unsigned changes, json_t *labels)
{
	json_t *all = facts->labels_by_change;
	char name[CHANGE_NAME];

	name_change(name, changes);
	if (!changes || changes > MOMENT_CHANGES_MAX || !json_is_object(labels) ||
	    !are_texts(labels) || json_object_get(all, name))
		return;
	if (!all)
		all = facts->labels_by_change = json_object();
	if (json_object_size(all) >= FACTS_LABELS_MAX)
		json_object_del(all, json_object_iter_key(json_object_iter(all)));
	json_object_set(all, name, labels);
	json_decref(facts->labels);
	facts->labels = json_incref(labels);
}

const json_t *facts_labels(const struct facts *facts, unsigned changes)
{
	char name[CHANGE_NAME];

	name_change(name, changes);
	return json_object_get(facts->labels_by_change, name);
}

/* What the first request decides is null before it, too. */
static void take_session_agent(struct facts *facts, const json_t *session)
{
	const json_t *value = json_object_get(session, "userAgent");

	if (json_is_string(value) || json_integer_value(json_object_get(session, "streams")) > 0)
		take_agent(facts, value);
}

static json_t *data_of(const char *json)
{
	json_t *event = json_loads(json, 0, NULL);
	json_t *data = json_incref(json_object_get(event, "data"));

	json_decref(event);
	return data;
}

json_t *facts_of_event(const char *json)
{
	struct json_member event = {.key = "data"};
	struct json_member members[] = {
		{.key = "id"},	       {.key = "peer"},		{.key = "encrypted"},
		{.key = "servername"}, {.key = "alpnProtocol"}, {.key = "labels"},
		{.key = "userAgent"},  {.key = "streams"},	{.key = "originSet"},
		{.key = "boot"},
	};
	const size_t n = sizeof(members) / sizeof(members[0]);
	json_t *session;

	if (!json_text_object(json, strlen(json), &event, 1) || !event.value.data ||
	    !json_text_object(event.value.data, event.value.len, members, n))
		return data_of(json);
	session = json_object();
	for (size_t i = 0; i < n; i++) {
		const struct json_span *value = &members[i].value;

		if (value->data)
			json_object_set_new(
				session, members[i].key,
				json_loadb(value->data, value->len, JSON_DECODE_ANY, NULL));
	}
	return session;
}

void facts_learn(struct facts_book *book, const char *worker, const json_t *session)
{
	const char *id = json_string_value(json_object_get(session, "id"));
	const char *peer =
		json_string_value(json_object_get(json_object_get(session, "peer"), "address"));
	json_t *labels = json_object_get(session, "labels");
	struct facts *facts = id ? facts_of(book, worker, NULL, id) : NULL;

	if (!facts)
		return;
	forget_details(facts);
	facts->known = true;
	facts->encrypted = json_is_true(json_object_get(session, "encrypted"));
	facts->servername = copy_string(json_object_get(session, "servername"));
	facts->alpn = copy_string(json_object_get(session, "alpnProtocol"));
	snprintf(facts->peer, sizeof(facts->peer), "%s", peer ? peer : "");
	/* A copy: the event's text is all that stays else. */
	if (json_object_size(labels) && are_texts(labels))
		facts->labels = json_deep_copy(labels);
	take_session_agent(facts, session);
	take_origins(facts, json_object_get(session, "originSet"));
	weigh(book, facts);
}

void facts_hear(struct facts_book *book, struct facts *facts, const json_t *at,
		const json_t *session)
{
	const json_t *agent = json_object_get(at, "userAgent");
	json_t *origins = json_object_get(at, "originSet");
	json_t *labels = json_object_get(at, "labels");

	if (!labels)
		labels = json_object_get(session, "labels");
	if (!agent && !origins && !labels)
		return;
	take_agent(facts, agent);
	take_origins(facts, origins);
	take_labels(facts, moment_read(at).label_changes, labels);
	weigh(book, facts);
}

void facts_set_labels(struct facts_book *book, const char *session, const json_t *labels)
{
	struct facts *facts = table_get(&book->by_name, session);

	if (!facts || !json_is_object(labels) || !are_texts(labels))
		return;
	json_decref(facts->labels);
	facts->labels = json_deep_copy(labels);
	weigh(book, facts);
}
