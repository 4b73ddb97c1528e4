/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of pushes: kinds, outcomes, reasons; and how often each combination came.
 *
 * Outcomes and reasons are rows of the tables in api/h2sess, so that what is kept for a session is
 * two octets. A reason that a later worker has and we have not is OTHER.
 */
#include "outcomes.h"

#include "text.h"

#include <inttypes.h>
#include <string.h>

static const char *const kind_names[PUSH_KINDS] = {"unknown", "altsvc", "origin", "goaway",
						   "drain"};

static const char *const outcome_names[PUSH_OUTCOMES] = {
#define X(name, value, wire, final, meaning) [value] = wire,
#include <h2sess/outcomes.def>
#undef X
};

static const char *const reason_names[REASONS] = {
#define X(name, value, wire, meaning) [REASON_##name] = wire,
#include <h2sess/reasons.def>
#undef X
#define X(name, value, rule, severity, error, text) [REASON_LINT_##name] = rule,
#include <h2sess/lint.def>
#undef X
	[REASON_OTHER] = "OTHER",
};

static int find(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return i;
	return -1;
}

const char *kind_name(enum push_kind kind)
{
	return kind_names[kind];
}

enum push_kind kind_by_name(const char *name)
{
	int i = name ? find(kind_names, PUSH_KINDS, name) : -1;

	return i < 0 ? PUSH_KIND_ANY : (enum push_kind)i;
}

const char *outcome_name(enum push_outcome outcome)
{
	return outcome_names[outcome];
}

const char *outcome_count_name(enum push_outcome outcome)
{
	return outcome == PUSH_NOT_SENT ? "notSent" : outcome_names[outcome];
}

int outcome_by_name(const char *name)
{
	return find(outcome_names, PUSH_OUTCOMES, name);
}

const char *reason_name(enum push_reason reason)
{
	return reason_names[reason];
}

enum push_reason reason_by_name(const char *name)
{
	int i = name ? find(reason_names, REASONS, name) : REASON_NONE;

	return i < 0 ? REASON_OTHER : (enum push_reason)i;
}

void push_totals_write(const struct push_totals *totals, struct text *text)
{
	for (int kind = 0; kind < PUSH_KINDS; kind++)
		for (int outcome = 0; outcome < PUSH_OUTCOMES; outcome++)
			for (int reason = 0; reason < REASONS; reason++) {
				uint64_t count = totals->count[kind][outcome][reason];

				if (count)
					text_format(text,
						    "h2sess_push_frames_total{kind=\"%s\","
						    "outcome=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
						    kind_names[kind], outcome_names[outcome],
						    reason_names[reason], count);
			}
}
