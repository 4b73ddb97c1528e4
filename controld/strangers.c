/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of nobody: a wrong Host, a foreign Origin, no token. They are not in the audit, where
 * strangers could push the entries of others out; they are counted, and the log has a line for the
 * first of each reason and one each STRANGERS_LOG_MS that says how many there were. guard.c calls.
 *
 * A token is never in a line. Failure mode: none.
 */
#include "strangers.h"

#include "log.h"

#include <inttypes.h>

static const struct {
	const char *label, *words;
} reasons[] = {
#define X(name, label, words) {label, words},
	STRANGERS_LIST(X)
#undef X
};

void strangers_refuse(struct strangers *strangers, enum strangers_reason reason, const char *value,
		      uint64_t now)
{
	uint64_t more = ++strangers->count[reason] - strangers->told[reason];

	if (strangers->told[reason] && now - strangers->told_at[reason] < STRANGERS_LOG_MS)
		return;
	log_limited("http: refused %" PRIu64 ": %s%s%.100s", more, reasons[reason].words,
		    value ? ", as " : "", value ? value : "");
	strangers->told[reason] = strangers->count[reason];
	strangers->told_at[reason] = now;
}

void strangers_write(const struct strangers *strangers, struct text *text)
{
	for (int i = 0; i < STRANGERS_REASONS; i++)
		text_format(text, "h2sess_api_refused_total{reason=\"%s\"} %" PRIu64 "\n",
			    reasons[i].label, strangers->count[i]);
}
