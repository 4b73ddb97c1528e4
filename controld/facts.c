/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts: what the sessions are like that events are of, so that readers can choose by it.
 *
 * Workers tell it with each `connect`; events.c gives it here, and stores with each event the number
 * of its entry, 4 octets. Readers that choose (event_select.c) look the entry up. What happened
 * before the daemon started is learnt when the first such reader comes (snapshot.c). An entry
 * outlives its session, for those who resume.
 *
 * Failure modes: more than FACTS_MAX: the oldest entry is forgotten, and events with its number can
 * not be judged any more: readers that choose are told of a gap. No memory: the event has no entry,
 * which is the same.
 */
#include "facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int facts_init(struct facts_book *book)
{
	*book = (struct facts_book){0};
	book->ring = calloc(FACTS_MAX, sizeof(struct facts *));
	return book->ring ? 0 : -1;
}

static void name_of(char *ret, size_t room, const char *worker, const char *session)
{
	if (session && session[0])
		snprintf(ret, room, "%s", session);
	else
		snprintf(ret, room, "@%s", worker);
}

static void forget_details(struct facts *facts)
{
	free(facts->servername);
	free(facts->alpn);
	json_decref(facts->labels);
	facts->servername = facts->alpn = NULL;
	facts->labels = NULL;
}

static void release(struct facts_book *book, struct facts *facts)
{
	char name[160];

	if (!facts)
		return;
	name_of(name, sizeof(name), facts->worker, facts->session);
	if (table_get(&book->by_name, name) == facts)
		table_remove(&book->by_name, name);
	forget_details(facts);
	free(facts->session);
	free(facts);
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
			 const char *session)
{
	struct facts *facts = calloc(1, sizeof(*facts));
	struct facts **place;

	if (facts)
		facts->session = strdup(session ? session : "");
	if (!facts || !facts->session || table_put(&book->by_name, name, facts) < 0) {
		if (facts)
			free(facts->session);
		free(facts);
		return NULL;
	}
	snprintf(facts->worker, sizeof(facts->worker), "%s", worker ? worker : "");
	facts->number = ++book->last;
	place = &book->ring[facts->number % FACTS_MAX];
	release(book, *place);
	*place = facts;
	return facts;
}

struct facts *facts_of(struct facts_book *book, const char *worker, const char *session)
{
	struct facts *facts;
	char name[160];

	if ((!worker && !session) || (session && strlen(session) >= sizeof(name)))
		return NULL;
	name_of(name, sizeof(name), worker, session);
	facts = table_get(&book->by_name, name);
	return facts ? facts : add(book, name, worker, session);
}

const struct facts *facts_by_number(const struct facts_book *book, uint32_t number)
{
	const struct facts *facts = book->ring[number % FACTS_MAX];

	return number && facts && facts->number == number ? facts : NULL;
}

static char *copy_string(const json_t *value)
{
	const char *text = json_string_value(value);

	return text ? strdup(text) : NULL;
}

void facts_learn(struct facts_book *book, const char *worker, const json_t *session)
{
	const char *id = json_string_value(json_object_get(session, "id"));
	const char *peer =
		json_string_value(json_object_get(json_object_get(session, "peer"), "address"));
	json_t *labels = json_object_get(session, "labels");
	struct facts *facts = id ? facts_of(book, worker, id) : NULL;

	if (!facts)
		return;
	forget_details(facts);
	facts->known = true;
	facts->encrypted = json_is_true(json_object_get(session, "encrypted"));
	facts->servername = copy_string(json_object_get(session, "servername"));
	facts->alpn = copy_string(json_object_get(session, "alpnProtocol"));
	snprintf(facts->peer, sizeof(facts->peer), "%s", peer ? peer : "");
	if (json_object_size(labels))
		facts->labels =
			json_deep_copy(labels); /* the event's text is all that stays else */
}

void facts_set_labels(struct facts_book *book, const char *session, const json_t *labels)
{
	struct facts *facts = table_get(&book->by_name, session);

	if (!facts || !json_is_object(labels))
		return;
	json_decref(facts->labels);
	facts->labels = json_deep_copy(labels);
}
