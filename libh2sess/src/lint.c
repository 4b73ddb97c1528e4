/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authority lint: what a client would ignore or choke on, before it is pushed.
 *
 * Owns nothing. h2sess_lint() calls it, on the session's thread or, without a session, on any.
 *
 * Happy path: the push's kind chooses what is looked at -> each alternative, each origin and the
 * connection add the bits of the rules that they break -> the caller asks whether one of them is an
 * error.
 *
 * How the rules are read, where lint.def leaves it open:
 *   - what the push itself would refuse (an origin that is no URL, an alt with characters that may
 *     not be sent) breaks no rule here, but for an alt without a value: that is no Alt-Svc value;
 *   - hosts are judged without one last dot; lengths in octets, A-labels as they are;
 *   - origin-not-covered: the host alone, whatever the scheme or port. A wildcard of the
 *     certificate stands for one whole label, as in browsers; an address needs an iPAddress name. A
 *     certificate without DNS names is known by its common name: browsers do not take that, others
 *     do. Without a certificate there is nothing to judge by;
 *   - an ORIGIN entry with a wildcard matches no host at all, so it is origin-wildcard and never
 *     origin-not-covered;
 *   - too-many-origins: distinct origins, those in the set already and those pushed. Out of memory
 *     an origin counts as a new one: the push is refused sooner rather than the session ended;
 *   - max-age-default: any alternative without ma.
 */
#include "lint.h"

#include "alt_value.h"
#include "memory.h"
#include "origin.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX 253
#define LABEL_MAX 63
#define MAX_AGE_LONG (7 * 24 * 3600) /* seconds */
#define ORIGIN_ROOM (H2SESS_PUSH_BYTES_MAX + 8)
#define HTTPS "https://"

/* What one push is judged by. */
struct lint {
	const struct lint_subject *subject;
	uint32_t rules; /* broken so far */
};

/* ---- hosts ----------------------------------------------------------------------------------- */

static size_t without_last_dot(const char *host, size_t len)
{
	return len && host[len - 1] == '.' ? len - 1 : len;
}

static bool has_long_label(const char *host, size_t len)
{
	size_t i, label = 0;

	for (i = 0; i < len; i++) {
		label = host[i] == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return true;
	}
	return false;
}

static void check_length(struct lint *lint, const char *host, size_t len)
{
	len = without_last_dot(host, len);
	if (len > HOST_MAX || has_long_label(host, len))
		lint->rules |= H2SESS_LINT_HOST_TOO_LONG;
}

/* ---- the certificate ------------------------------------------------------------------------- */

static bool is_ip4(const char *host)
{
	struct in_addr address;

	return inet_pton(AF_INET, host, &address) == 1;
}

/* host has no brackets any more, and no last dot. A leading dot would mean any name below it. */
static bool certificate_covers(X509 *certificate, const char *host, bool is_ip)
{
	if (is_ip)
		return X509_check_ip_asc(certificate, host, 0) == 1;
	return host[0] && host[0] != '.' &&
	       X509_check_host(certificate, host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) ==
		       1;
}

static bool covers(X509 *certificate, const char *host, size_t len)
{
	char text[HOST_MAX + 1];
	bool is_ip6 = len > 2 && host[0] == '[';

	if (is_ip6) {
		host++;
		len -= 2;
	}
	len = without_last_dot(host, len);
	if (len > HOST_MAX)
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	return certificate_covers(certificate, text, is_ip6 || is_ip4(text));
}

static void check_covered(struct lint *lint, const char *host, size_t len)
{
	const struct lint_subject *subject = lint->subject;

	if (subject->any || !subject->encrypted || !subject->certificate)
		return;
	if (!covers(subject->certificate, host, len))
		lint->rules |= H2SESS_LINT_ORIGIN_NOT_COVERED;
}

static bool is_wildcard_name(const GENERAL_NAME *name)
{
	const unsigned char *text;

	if (name->type != GEN_DNS)
		return false;
	text = ASN1_STRING_get0_data(name->d.dNSName);
	return memchr(text, '*', (size_t)ASN1_STRING_length(name->d.dNSName));
}

static bool has_wildcard(X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool found = false;
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++)
		found = is_wildcard_name(sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
	return found;
}

/* ---- distinct origins ------------------------------------------------------------------------ */

/* No more are remembered than it takes to know that there are too many. */
struct distinct {
	char *origins[H2SESS_ORIGINS_MAX + 1];
	size_t n;
};

static bool is_known(const struct distinct *d, const char *origin)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		if (d->origins[i] && strcmp(d->origins[i], origin) == 0)
			return true;
	}
	return false;
}

static void distinct_add(struct distinct *d, const char *origin)
{
	if (d->n <= H2SESS_ORIGINS_MAX && !is_known(d, origin))
		d->origins[d->n++] = mem_strdup(origin);
}

static void distinct_done(struct distinct *d)
{
	while (d->n)
		mem_free(d->origins[--d->n]);
}

/* ---- ORIGIN ---------------------------------------------------------------------------------- */

static void check_entry(struct lint *lint, const char *origin)
{
	struct origin_parts parts;

	if (origin_split(origin, &parts) < 0)
		return;
	if (parts.scheme_len != 5 || memcmp(parts.scheme, "https", 5) != 0)
		lint->rules |= H2SESS_LINT_ORIGIN_NOT_HTTPS;
	check_length(lint, parts.host, parts.host_len);
	if (memchr(parts.host, '*', parts.host_len))
		lint->rules |= H2SESS_LINT_ORIGIN_WILDCARD;
	else
		check_covered(lint, parts.host, parts.host_len);
}

static void check_entries(struct lint *lint, const struct h2sess_push *push, struct distinct *d)
{
	char origin[ORIGIN_ROOM];
	size_t i;

	for (i = 0; i < push->n_origins && push->origins; i++) {
		if (!push->origins[i] ||
		    h2sess_origin_of(push->origins[i], origin, sizeof(origin)) < 0)
			continue;
		check_entry(lint, origin);
		distinct_add(d, origin);
	}
}

static void check_connection(struct lint *lint)
{
	const struct lint_subject *subject = lint->subject;

	if (subject->any)
		return;
	if (!subject->encrypted)
		lint->rules |= H2SESS_LINT_ORIGIN_ON_CLEARTEXT;
	else if (subject->certificate && has_wildcard(subject->certificate))
		lint->rules |= H2SESS_LINT_WILDCARD_CERTIFICATE;
}

static void lint_origin(struct lint *lint, const struct h2sess_push *push)
{
	struct distinct d = {.n = 0};
	size_t i;

	for (i = 0; i < lint->subject->n_origin_set; i++)
		distinct_add(&d, lint->subject->origin_set[i]);
	check_entries(lint, push, &d);
	if (d.n > H2SESS_ORIGINS_MAX)
		lint->rules |= H2SESS_LINT_TOO_MANY_ORIGINS;
	distinct_done(&d);
	check_connection(lint);
}

/* ---- ALTSVC ---------------------------------------------------------------------------------- */

static void check_alternative(const struct alt_alternative *alternative, void *user)
{
	struct lint *lint = user;

	check_length(lint, alternative->host, alternative->host_len);
	if (!alternative->has_max_age)
		lint->rules |= H2SESS_LINT_MAX_AGE_DEFAULT;
	else if (alternative->max_age > MAX_AGE_LONG)
		lint->rules |= H2SESS_LINT_MAX_AGE_LONG;
}

static void check_alt(struct lint *lint, const char *alt)
{
	struct lint found = {.subject = lint->subject};
	int r = alt ? alt_value_parse(alt, strlen(alt), check_alternative, &found) : 1;

	if (r == 0)
		lint->rules |= found.rules;
	if (r == H2SESS_EALTGRAMMAR || r == H2SESS_EINVAL)
		lint->rules |= H2SESS_LINT_ALT_GRAMMAR;
}

static void check_origin(struct lint *lint, const char *url)
{
	char origin[ORIGIN_ROOM];
	struct origin_parts parts;

	if (!url || h2sess_origin_of(url, origin, sizeof(origin)) < 0 ||
	    origin_split(origin, &parts) < 0)
		return;
	check_length(lint, parts.host, parts.host_len);
	check_covered(lint, parts.host, parts.host_len);
}

static void lint_altsvc(struct lint *lint, const struct h2sess_push *push)
{
	check_alt(lint, push->alt);
	check_origin(lint, push->origin);
}

static void lint_altsvc_stream(struct lint *lint, const struct h2sess_push *push)
{
	const char *authority = lint->subject->stream_authority;
	char url[ORIGIN_ROOM];

	check_alt(lint, push->alt);
	if (authority && strlen(authority) < sizeof(url) - sizeof(HTTPS)) {
		snprintf(url, sizeof(url), HTTPS "%s", authority);
		check_origin(lint, url);
	}
}

/* ---- public ---------------------------------------------------------------------------------- */

uint32_t lint_push(const struct h2sess_push *push, const struct lint_subject *subject)
{
	static void (*const kinds[])(struct lint *, const struct h2sess_push *) = {
		[H2SESS_PUSH_ALTSVC] = lint_altsvc,
		[H2SESS_PUSH_ALTSVC_STREAM] = lint_altsvc_stream,
		[H2SESS_PUSH_ORIGIN] = lint_origin,
	};
	struct lint lint = {.subject = subject};

	if (push->kind <= H2SESS_PUSH_ORIGIN)
		kinds[push->kind](&lint, push);
	return lint.rules;
}

static const struct {
	int value;
	int error;
} error_rules[] = {
#define ROW_ERROR(value, error) {(value), H2SESS_##error},
#define ROW_WARNING(value, error)
#define X(name, value, wire, severity, error, text) ROW_##severity(value, error)
#include <h2sess/lint.def>
#undef X
#undef ROW_WARNING
#undef ROW_ERROR
};

/* The row of the first one, or -1. */
static int first_error_row(uint32_t rules)
{
	size_t i;

	for (i = 0; i < sizeof(error_rules) / sizeof(error_rules[0]); i++) {
		if (rules >> error_rules[i].value & 1)
			return (int)i;
	}
	return -1;
}

int lint_first_error(uint32_t rules)
{
	int row = first_error_row(rules);

	return row < 0 ? 0 : error_rules[row].error;
}

int lint_first_error_rule(uint32_t rules)
{
	int row = first_error_row(rules);

	return row < 0 ? -1 : error_rules[row].value;
}
