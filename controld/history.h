/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_HISTORY_H
#define CONTROLD_HISTORY_H

#include "list.h"
#include "table.h"

#include <jansson.h>
#include <stdint.h>

#define HISTORY_MAX 50000 /* sessions that ended, remembered */

/* A session that ended. */
struct ended {
	struct list link; /* history.list, oldest first */
	char *session;
	char closed_at[40];
	char reason[64];
	char limit[32]; /* that ended it, or "" */
};

struct history {
	struct list list;
	struct table by_session;
	uint64_t forgotten; /* for newer ones */
};

void history_init(struct history *history);
void history_done(struct history *history);

/* A close event of a session came. event is the whole object. */
void history_take(struct history *history, const char *session, const char *time,
		  const json_t *data);

/* When and why it ended, into a problem document. */
void history_tell(const struct ended *ended, json_t *object);

const struct ended *history_find(const struct history *history, const char *session);

#endif
