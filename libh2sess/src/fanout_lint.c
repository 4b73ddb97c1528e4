/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lint of a fan-out: what a client would ignore, or choke on, of one value for many sessions.
 * Most rules depend on the certificate alone, and most sessions have the same one: what was found
 * for a certificate is remembered.
 */
#include "fanout.h"

static uint32_t lint_with(const struct fanout_part *part, const struct h2sess_session *s,
			  bool with_set)
{
	const struct h2sess_push push = push_value_view(part->fanout->value);
	const struct lint_subject subject = {
		.encrypted = s->encrypted,
		.origin_set = (const char *const *)s->origin_set,
		.n_origin_set = with_set ? s->n_origin_set : 0,
		.certificate = session_certificate(s),
	};

	return lint_push(&push, &subject);
}

/* By certificate: most sessions have the same one. */
static uint32_t lint_by_certificate(struct fanout_part *part, const struct h2sess_session *s)
{
	struct fanout_lint_memo *lint = &part->lint;
	X509 *certificate = session_certificate(s);
	size_t i;

	for (i = 0; i < lint->n; i++) {
		if (lint->rows[i].certificate == certificate &&
		    lint->rows[i].encrypted == s->encrypted)
			return lint->rows[i].rules;
	}
	if (lint->n < FANOUT_CERTIFICATES)
		i = lint->n++;
	else
		i = lint->oldest++ % FANOUT_CERTIFICATES;
	X509_free(lint->rows[i].certificate);
	if (certificate)
		X509_up_ref(certificate); /* so that no other one gets its address meanwhile */
	lint->rows[i].certificate = certificate;
	lint->rows[i].encrypted = s->encrypted;
	lint->rows[i].rules = lint_with(part, s, false);
	return lint->rows[i].rules;
}

static void count_rules(struct fanout_part *part, uint32_t rules)
{
	size_t i;

	uv_mutex_lock(&part->lock);
	for (i = 0; i < H2SESS_FANOUT_RULES; i++)
		part->counts.lint[i] += rules >> i & 1;
	uv_mutex_unlock(&part->lock);
}

int fanout_lint(struct fanout_part *part, const struct h2sess_session *s)
{
	const struct push_value *value = part->fanout->value;
	uint32_t rules;
	int rule;

	if (!part->fanout->lint || !value || value->kind == PUSH_GOAWAY)
		return H2SESS_REASON_NONE;
	rules = lint_by_certificate(part, s);
	if (s->n_origin_set + value->n_origins > H2SESS_ORIGINS_MAX && value->n_origins)
		rules = lint_with(part, s, true);
	rule = lint_first_error_rule(rules);
	if (rules)
		count_rules(part, rule < 0 ? rules : UINT32_C(1) << rule);
	return rule < 0 ? H2SESS_REASON_NONE : H2SESS_REASON_LINT + rule;
}

void fanout_lint_done(struct fanout_part *part)
{
	size_t i;

	for (i = 0; i < part->lint.n; i++)
		X509_free(part->lint.rows[i].certificate);
}
