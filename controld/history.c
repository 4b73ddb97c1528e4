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

void history_take(struct history *history, const char *session, const char *time,
		  const json_t *data)
{
	const char *reason = json_string_value(json_object_get(data, "reason"));
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
	snprintf(ended->reason, sizeof(ended->reason), "%s", reason ? reason : "closed");
	if (!utf8_valid(ended->reason, strlen(ended->reason)))
		snprintf(ended->reason, sizeof(ended->reason), "closed");
	list_append(&history->list, &ended->link);
}

const struct ended *history_find(const struct history *history, const char *session)
{
	return table_get(&history->by_session, session);
}
