/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_STRANGERS_H
#define CONTROLD_STRANGERS_H

#include "text.h"

#include <stdint.h>

#define STRANGERS_LOG_MS 10000 /* between two lines of one reason */

/* Why a request of nobody is refused: X(NAME, "label", "in words"). */
#define STRANGERS_LIST(X)                               \
	X(HOST, "host", "a Host that is not ours")      \
	X(ORIGIN, "origin", "an Origin from elsewhere") \
	X(TOKEN, "token", "no token, or a wrong one")

enum strangers_reason {
#define X(name, label, words) STRANGERS_##name,
	STRANGERS_LIST(X)
#undef X
		STRANGERS_REASONS,
};

/* By reason. All zero: none. */
struct strangers {
	uint64_t count[STRANGERS_REASONS];
	uint64_t told[STRANGERS_REASONS];    /* of these the log knows */
	uint64_t told_at[STRANGERS_REASONS]; /* loop time of its last line */
};

/* One was refused; now is loop time, value what it said (untrusted), or NULL. */
void strangers_refuse(struct strangers *strangers, enum strangers_reason reason, const char *value,
		      uint64_t now);
void strangers_write(const struct strangers *strangers, struct text *text); /* for /metrics */

#endif
