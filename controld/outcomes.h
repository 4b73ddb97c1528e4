/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_OUTCOMES_H
#define CONTROLD_OUTCOMES_H

#include <stddef.h>
#include <stdint.h>

struct text;

enum push_kind {
	PUSH_KIND_ANY, /* what an adopted push was is not known */
	PUSH_KIND_ALTSVC,
	PUSH_KIND_ORIGIN,
	PUSH_KIND_GOAWAY,
	PUSH_KIND_DRAIN,
	PUSH_KINDS,
};

enum push_outcome {
#define X(name, value, wire, final, meaning) PUSH_##name = (value),
#include <h2sess/outcomes.def>
#undef X
	PUSH_OUTCOMES,
};

#define REASON_LINT 64 /* the lint's rules begin here */

/*
 * Why: the rows of reasons.def, the lint's rules, and one for what a later worker may say. Values
 * are on disk.
 */
enum push_reason {
#define X(name, value, wire, meaning) REASON_##name = (value),
#include <h2sess/reasons.def>
#undef X
#define X(name, value, rule, severity, error, text) REASON_LINT_##name = REASON_LINT + (value),
#include <h2sess/lint.def>
#undef X
	REASON_OTHER = 127,
	REASONS,
};

const char *kind_name(enum push_kind kind); /* "unknown" for ANY */
enum push_kind kind_by_name(const char *name);

const char *outcome_name(enum push_outcome outcome);
const char *outcome_count_name(enum push_outcome outcome); /* in the counts: "notSent" */
int outcome_by_name(const char *name);			   /* -1: no such outcome */

const char *reason_name(enum push_reason reason);
enum push_reason reason_by_name(const char *name); /* NULL: none; not known: OTHER */

/* Frames by what became of them, for /metrics. */
struct push_totals {
	uint64_t count[PUSH_KINDS][PUSH_OUTCOMES][REASONS];
};

void push_totals_write(const struct push_totals *totals, struct text *text);

#endif
