/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors: which sessions are meant. Evaluated here, next to the sessions, so that nobody needs a
 * copy of them.
 *
 * Owns the parsed form. The control link parses what the daemon sent and asks for each session, on
 * that session's thread.
 *
 * Happy path: each member of the JSON object has a row in the table -> its row reads it and sets
 * its bit -> a session matches when every row with a bit says so.
 *
 * How the members are read:
 *   - ids: any of them; an empty list matches nothing. worker, alpn, label: exactly equal;
 *   - sni, userAgent: globs of `*` (any octets, also none) and `?` (one octet), without regard to
 *     case in ASCII; a session without a name, or before its first request, matches none, `*` too;
 *   - peer: an address or a CIDR block; bits behind the prefix do not count. IPv4 and IPv6 are kept
 *     apart, and an IPv4-mapped address is IPv4: ::/0 is every IPv6 peer, and no other;
 *   - origin: a URL, whose origin is in the session's origin set, which on cleartext is empty;
 *   - sample: the share of a stable hash of the session's id or the peer's address, the same in
 *     every process and version, so that a smaller percentage is a subset of a larger one;
 *   - minAge counts from the begin of the connection, on a clock that never steps.
 *
 * Failure modes: an unknown member, a wrong type, a value out of its range: an error that names the
 * member. Time: a session costs a binary search among ids, and is linear in its texts otherwise: a
 * glob is an automaton whose states are bits, so no pair of glob and text makes it slow.
 */
#include "selector.h"

#include "memory.h"
#include "sample.h"
#include "session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values of JSON -------------------------------------------------------------------------- */

/* A string that is not empty, has no NUL in it and at most max octets. */
static int read_text(const json_t *json, size_t max, const char **ret)
{
	size_t len = json_string_length(json);

	if (!json_is_string(json))
		return H2SESS_EARGTYPE;
	if (len == 0 || strlen(json_string_value(json)) != len)
		return H2SESS_EINVAL;
	if (len > max)
		return H2SESS_ERANGE;
	*ret = json_string_value(json);
	return 0;
}

static int read_number(const json_t *json, double max, double *ret)
{
	double number = json_number_value(json);

	if (!json_is_number(json))
		return H2SESS_EARGTYPE;
	if (!(number >= 0 && number <= max))
		return H2SESS_ERANGE;
	*ret = number;
	return 0;
}

static int read_seconds(const json_t *json, uint64_t *ret_ms)
{
	double seconds;
	int r = read_number(json, SELECTOR_SECONDS_MAX, &seconds);

	if (r == 0)
		*ret_ms = (uint64_t)ceil(seconds * 1000);
	return r;
}

static int read_glob(const json_t *json, struct glob **ret)
{
	const char *text;
	int r = read_text(json, GLOB_MAX, &text);

	if (r < 0)
		return r;
	*ret = mem_alloc(sizeof(**ret));
	if (!*ret)
		return H2SESS_ENOMEM;
	glob_read(text, *ret);
	return 0;
}

bool selector_sampled(const struct h2sess_session *s, bool by_peer, double share)
{
	return by_peer ? sample_has_peer(s->peer_address, share) : sample_has_session(s->id, share);
}

/* ---- the members: how each one is read, and what it says of a session ------------------------ */

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int parse_ids(struct selector *selector, const json_t *json)
{
	size_t n = json_array_size(json);
	int r;

	if (!json_is_array(json))
		return H2SESS_EARGTYPE;
	if (n > SELECTOR_IDS_MAX)
		return H2SESS_ERANGE;
	selector->ids = mem_calloc(n + 1, sizeof(*selector->ids));
	if (!selector->ids)
		return H2SESS_ENOMEM;
	for (; selector->n_ids < n; selector->n_ids++) {
		r = read_text(json_array_get(json, selector->n_ids), SELECTOR_TEXT_MAX,
			      &selector->ids[selector->n_ids]);
		if (r < 0)
			return r;
	}
	qsort(selector->ids, n, sizeof(*selector->ids), compare_ids);
	return 0;
}

static bool match_ids(const struct selector *selector, const struct h2sess_session *s)
{
	const char *id = s->id;

	return bsearch(&id, selector->ids, selector->n_ids, sizeof(*selector->ids), compare_ids);
}

static int parse_worker(struct selector *selector, const json_t *json)
{
	return read_text(json, SELECTOR_TEXT_MAX, &selector->worker);
}

/* Of this worker rather than of a session: selector_matches() has looked at it. */
static bool match_any(const struct selector *selector, const struct h2sess_session *s)
{
	(void)selector;
	(void)s;
	return true;
}

static int parse_labels(struct selector *selector, const json_t *json)
{
	struct selector_label *label = selector->labels;
	json_t *object = (json_t *)json; /* jansson's iterators want it so, and change nothing */
	json_t *value;
	int r;

	if (!json_is_object(json))
		return H2SESS_EARGTYPE;
	if (json_object_size(json) > SELECTOR_LABELS_MAX)
		return H2SESS_ERANGE;
	json_object_foreach(object, label->key, value) {
		if (!json_is_string(value))
			return H2SESS_EARGTYPE;
		/* An empty value is one. */
		label->value = "";
		r = json_string_length(value) ? read_text(value, SELECTOR_TEXT_MAX, &label->value)
					      : 0;
		if (r < 0)
			return r;
		label = &selector->labels[++selector->n_labels];
	}
	return 0;
}

static bool match_labels(const struct selector *selector, const struct h2sess_session *s)
{
	size_t i;

	for (i = 0; i < selector->n_labels; i++) {
		const char *value = h2sess_session_label(s, selector->labels[i].key);

		if (!value || strcmp(value, selector->labels[i].value) != 0)
			return false;
	}
	return true;
}

static int parse_sni(struct selector *selector, const json_t *json)
{
	return read_glob(json, &selector->sni);
}

static bool match_sni(const struct selector *selector, const struct h2sess_session *s)
{
	const SSL *ssl = s->conn ? s->conn->ssl : NULL;

	return ssl &&
	       glob_matches(selector->sni, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

static int parse_peer(struct selector *selector, const json_t *json)
{
	const char *text;
	int r = read_text(json, SELECTOR_TEXT_MAX, &text);

	return r < 0 ? r : address_block_read(text, &selector->peer);
}

static bool match_peer(const struct selector *selector, const struct h2sess_session *s)
{
	uint8_t address[16];

	return address_read(s->peer_address, address) &&
	       address_block_has(&selector->peer, address);
}

static int parse_encrypted(struct selector *selector, const json_t *json)
{
	selector->encrypted = json_is_true(json);
	return json_is_boolean(json) ? 0 : H2SESS_EARGTYPE;
}

static bool match_encrypted(const struct selector *selector, const struct h2sess_session *s)
{
	return s->encrypted == selector->encrypted;
}

static int parse_alpn(struct selector *selector, const json_t *json)
{
	return read_text(json, SELECTOR_TEXT_MAX, &selector->alpn);
}

static bool match_alpn(const struct selector *selector, const struct h2sess_session *s)
{
	return strcmp(h2sess_session_alpn_protocol(s), selector->alpn) == 0;
}

static int parse_origin(struct selector *selector, const json_t *json)
{
	char origin[SELECTOR_ORIGIN_ROOM];
	const char *url;
	int r = read_text(json, SELECTOR_TEXT_MAX, &url);

	if (r == 0)
		r = h2sess_origin_of(url, origin, sizeof(origin));
	if (r < 0)
		return r == H2SESS_EORIGIN ? H2SESS_EINVAL : r;
	selector->origin = mem_strndup(origin, (size_t)r);
	return selector->origin ? 0 : H2SESS_ENOMEM;
}

static bool match_origin(const struct selector *selector, const struct h2sess_session *s)
{
	size_t i;

	for (i = 0; i < s->n_origin_set; i++) {
		if (strcmp(s->origin_set[i], selector->origin) == 0)
			return true;
	}
	return false;
}

static int parse_min_age(struct selector *selector, const json_t *json)
{
	return read_seconds(json, &selector->min_age_ms);
}

static bool match_min_age(const struct selector *selector, const struct h2sess_session *s)
{
	return session_age_ms(s) >= selector->min_age_ms;
}

static int parse_idle_for(struct selector *selector, const json_t *json)
{
	return read_seconds(json, &selector->idle_for_ms);
}

static bool match_idle_for(const struct selector *selector, const struct h2sess_session *s)
{
	return session_idle_ms(s) >= selector->idle_for_ms;
}

static int parse_open_streams(struct selector *selector, const json_t *json)
{
	double number;
	int r = read_number(json, INT32_MAX, &number);

	if (r < 0)
		return r;
	if (number != floor(number))
		return H2SESS_ERANGE;
	selector->open_streams = (size_t)number;
	return 0;
}

static bool match_open_streams(const struct selector *selector, const struct h2sess_session *s)
{
	return s->n_streams >= selector->open_streams;
}

static int parse_user_agent(struct selector *selector, const json_t *json)
{
	return read_glob(json, &selector->user_agent);
}

static bool match_user_agent(const struct selector *selector, const struct h2sess_session *s)
{
	return glob_matches(selector->user_agent, s->user_agent);
}

static int parse_sample(struct selector *selector, const json_t *json)
{
	double percent;
	int r = read_number(json, 100, &percent);

	if (r < 0)
		return r;
	selector->sample = percent / 100;
	return percent > 0 ? 0 : H2SESS_ERANGE;
}

static bool match_sample(const struct selector *selector, const struct h2sess_session *s)
{
	return selector_sampled(s, selector->sample_by_peer, selector->sample);
}

static int parse_sample_by(struct selector *selector, const json_t *json)
{
	const char *text;
	int r = read_text(json, SELECTOR_TEXT_MAX, &text);

	if (r < 0)
		return r;
	selector->sample_by_peer = strcmp(text, "peer") == 0;
	return selector->sample_by_peer || strcmp(text, "session") == 0 ? 0 : H2SESS_EINVAL;
}

static int parse_all(struct selector *selector, const json_t *json)
{
	(void)selector;
	if (!json_is_boolean(json))
		return H2SESS_EARGTYPE;
	return json_is_true(json) ? 0 : H2SESS_EINVAL;
}

/* The cheap ones first. */
static const struct member {
	const char *name;
	int (*parse)(struct selector *selector, const json_t *json);
	bool (*matches)(const struct selector *selector, const struct h2sess_session *s);
} members[] = {
	{"all", parse_all, match_any},
	{"worker", parse_worker, match_any},
	{"sampleBy", parse_sample_by, match_any},
	{"encrypted", parse_encrypted, match_encrypted},
	{"openStreams", parse_open_streams, match_open_streams},
	{"minAge", parse_min_age, match_min_age},
	{"idleFor", parse_idle_for, match_idle_for},
	{"alpn", parse_alpn, match_alpn},
	{"ids", parse_ids, match_ids},
	{"sample", parse_sample, match_sample},
	{"peer", parse_peer, match_peer},
	{"sni", parse_sni, match_sni},
	{"label", parse_labels, match_labels},
	{"userAgent", parse_user_agent, match_user_agent},
	{"origin", parse_origin, match_origin},
};

#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

/* ---- public ---------------------------------------------------------------------------------- */

static int parse_member(struct selector *selector, const char *name, const json_t *json)
{
	size_t i;

	for (i = 0; i < N_MEMBERS; i++) {
		if (strcmp(members[i].name, name) == 0) {
			selector->given |= UINT32_C(1) << i;
			return members[i].parse(selector, json);
		}
	}
	return H2SESS_EINVAL;
}

static int parse_object(struct selector *selector, const char **ret_field)
{
	const char *name;
	json_t *value;
	int r;

	json_object_foreach(selector->source, name, value) {
		r = parse_member(selector, name, value);
		if (r < 0) {
			*ret_field = r == H2SESS_ENOMEM ? NULL : name;
			return r;
		}
	}
	return 0;
}

int selector_parse(json_t *json, struct selector *ret, const char **ret_field)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!json)
		return 0;
	if (!json_is_object(json)) {
		*ret_field = "select";
		return H2SESS_EARGTYPE;
	}
	ret->source = json_incref(json);
	r = parse_object(ret, ret_field);
	if (r < 0)
		selector_done(ret);
	return r;
}

const char *selector_refusal(const struct selector *selector, const struct h2sess_session *s,
			     const char *worker)
{
	size_t i;

	if (selector->worker && (!worker || strcmp(selector->worker, worker) != 0))
		return "worker";
	for (i = 0; i < N_MEMBERS; i++) {
		if (selector->given >> i & 1 && !members[i].matches(selector, s))
			return members[i].name;
	}
	return NULL;
}

bool selector_matches(const struct selector *selector, const struct h2sess_session *s,
		      const char *worker)
{
	return !selector_refusal(selector, s, worker);
}

void selector_done(struct selector *selector)
{
	mem_free(selector->ids);
	mem_free(selector->origin);
	mem_free(selector->sni);
	mem_free(selector->user_agent);
	json_decref(selector->source);
	memset(selector, 0, sizeof(*selector));
}

/* ---- public: a selector with references ------------------------------------------------------ */

struct h2sess_selector *selector_ref(const struct h2sess_selector *selector)
{
	struct h2sess_selector *shared = (struct h2sess_selector *)selector;

	atomic_fetch_add(&shared->references, 1);
	return shared;
}

/* ret_field is borrowed from json on an error. */
static int selector_new(json_t *json, struct h2sess_selector **ret, const char **ret_field)
{
	struct h2sess_selector *selector = mem_calloc(1, sizeof(*selector));
	int r;

	*ret_field = NULL;
	if (!selector)
		return H2SESS_ENOMEM;
	atomic_init(&selector->references, 1);
	r = selector_parse(json, &selector->parsed, ret_field);
	if (r < 0)
		mem_free(selector);
	else
		*ret = selector;
	return r;
}

int selector_new_copy(const json_t *json, struct h2sess_selector **ret, const char **ret_field)
{
	json_t *copy = json_deep_copy(json);
	int r = copy ? selector_new(copy, ret, ret_field) : H2SESS_ENOMEM;
	void *at;

	/* The name of an unknown member goes with the copy: it is in the original too. */
	at = r < 0 && copy && *ret_field ? json_object_iter_at((json_t *)json, *ret_field) : NULL;
	if (at)
		*ret_field = json_object_iter_key(at);
	json_decref(copy);
	return r;
}

int h2sess_selector_new(const char *text, size_t len, struct h2sess_selector **ret,
			char ret_field[H2SESS_FIELD_MAX])
{
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	const char *field = "select";
	int r = json ? selector_new(json, ret, &field) : H2SESS_EINVAL;

	if (r < 0 && ret_field)
		snprintf(ret_field, H2SESS_FIELD_MAX, "%s", field ? field : "");
	json_decref(json);
	return r;
}

void h2sess_selector_free(struct h2sess_selector *selector)
{
	if (!selector || atomic_fetch_sub(&selector->references, 1) != 1)
		return;
	selector_done(&selector->parsed);
	mem_free(selector);
}

bool h2sess_session_matches(const struct h2sess_session *s, const struct h2sess_selector *selector,
			    const char *worker)
{
	return selector_matches(&selector->parsed, s, worker);
}
