/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions that ended: when, and why; for 410 instead of 404.
 *
 * events.c hands over each close event, those that the store kept included. The oldest of
 * HISTORY_MAX is forgotten for a new one. No memory: the session is forgotten at once.
 */
#include "history.h"

#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void history_init(struct history *history)
{
	*history = (struct history){0};
	list_init(&history->list);
}

static void forget(struct history *history, struct ended *ended)
{
	table_remove(&history->by_session, ended->session);
	list_remove(&ended->link);
	free(ended->session);
	free(ended);
}

void history_done(struct history *history)
{
	while (!list_empty(&history->list))
		forget(history, container_of(history->list.next, struct ended, link));
	table_done(&history->by_session, NULL);
}

static void copy_text(const json_t *text, const char *otherwise, char *ret, size_t room)
{
	snprintf(ret, room, "%s", json_is_string(text) ? json_string_value(text) : otherwise);
	if (!utf8_valid(ret, strlen(ret))) /* cut inside a character */
		snprintf(ret, room, "%s", otherwise);
}

void history_take(struct history *history, const char *session, const char *time,
		  const json_t *data)
{
	struct ended *ended;

	if (table_get(&history->by_session, session))
		return;
	while (history->by_session.used >= HISTORY_MAX) {
		forget(history, container_of(history->list.next, struct ended, link));
		history->forgotten++;
	}
	ended = calloc(1, sizeof(*ended));
	if (!ended)
		return;
	ended->session = strdup(session);
	if (!ended->session || table_put(&history->by_session, session, ended) < 0) {
		free(ended->session);
		free(ended);
		return;
	}
	snprintf(ended->closed_at, sizeof(ended->closed_at), "%s", time);
	copy_text(json_object_get(data, "reason"), "closed", ended->reason, sizeof(ended->reason));
	copy_text(json_object_get(data, "limit"), "", ended->limit, sizeof(ended->limit));
	list_append(&history->list, &ended->link);
}

const struct ended *history_find(const struct history *history, const char *session)
{
	return table_get(&history->by_session, session);
}

void history_tell(const struct ended *ended, json_t *object)
{
	json_object_set_new(object, "session", json_string(ended->session));
	json_object_set_new(object, "closedAt", json_string(ended->closed_at));
	json_object_set_new(object, "reason", json_string(ended->reason));
	if (ended->limit[0])
		json_object_set_new(object, "limit", json_string(ended->limit));
}
