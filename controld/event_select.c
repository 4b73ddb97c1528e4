/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose events: the SELECTOR of GET /v1/events, so that the log can be read, and counted, for each
 * reader.
 *
 * An event is judged by what its session was when it happened, as a worker judges a session now: the
 * same globs, blocks, hash and origins (api/). Two sources say what it was:
 *   - the moment that its worker told with it (moment.h): minAge, idleFor, openStreams; whether the
 *     user agent was decided, after how many changes of its labels it was, and how many origins the
 *     set had;
 *   - facts that go with that (facts.h): the user agent, the labels, the origins; and those that stay
 *     as they are: encrypted, alpn, peer, sni.
 * `sample` needs the id alone, or the peer's address. `push` means the sessions that it has reached
 * when the stream opens.
 *
 * Events without a session belong to their worker: `worker=` shows them, any other field hides them.
 *
 * Failure modes: what is not known leaves the event undecided, unless another field hides it: its
 * reader is told of a gap without a number, and never misled.
 */
#include "event_select.h"

#include "sample.h"
#include "selector.h"
#include "selector_limits.h"
#include "url_origin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int refuse(enum problem_kind kind, const char *field, const char *detail,
		  struct problem *ret_problem)
{
	*ret_problem = problem_of(kind, field, detail);
	return -1;
}

static int refuse_memory(struct problem *ret_problem)
{
	return refuse(PROBLEM_MEMORY, NULL, NULL, ret_problem);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* controld/selector.c has seen to the types, and to the ranges of numbers. */
static int check_text(const json_t *value, size_t max, const char *field,
		      struct problem *ret_problem)
{
	size_t len = json_string_length(value);

	if (len == 0 || strlen(json_string_value(value)) != len)
		return refuse(PROBLEM_VALUE, field, "it is empty, or has a NUL in it", ret_problem);
	if (len > max)
		return refuse(PROBLEM_RANGE, field, "it is too long", ret_problem);
	return 0;
}

static int read_glob(const json_t *value, const char *field, struct event_glob *ret,
		     struct problem *ret_problem)
{
	if (check_text(value, GLOB_MAX, field, ret_problem) < 0)
		return -1;
	ret->glob = malloc(sizeof(*ret->glob));
	if (!ret->glob)
		return refuse_memory(ret_problem);
	glob_read(json_string_value(value), ret->glob);
	return 0;
}

/* What a glob said of somebody. */
struct event_memo {
	uint32_t number; /* of his facts */
	bool matches;
};

static bool matches(const struct event_glob *glob, const struct facts *facts, const char *text)
{
	struct event_memo *memo;

	if (!glob->memos)
		return glob_matches(glob->glob, text);
	memo = &glob->memos[facts->number % FACTS_MAX];
	if (memo->number != facts->number)
		*memo = (struct event_memo){facts->number, glob_matches(glob->glob, text)};
	return memo->matches;
}

static uint64_t milliseconds(const json_t *seconds)
{
	return (uint64_t)ceil(json_number_value(seconds) * 1000);
}

static enum event_verdict verdict(bool fits)
{
	return fits ? EVENT_SHOWN : EVENT_HIDDEN;
}

/* ---- the members: how each one is read, and what it says of an event -------------------------- */

static int take_ids(struct event_select *select, const json_t *value, struct problem *ret_problem)
{
	const json_t *one;
	size_t i;

	if (json_array_size(value) > SELECTOR_IDS_MAX)
		return refuse(PROBLEM_RANGE, "ids", "too many", ret_problem);
	select->ids = json_object();
	json_array_foreach(value, i, one) {
		json_object_set_new(select->ids, json_string_value(one), json_true());
	}
	return json_object_size(select->ids) || json_array_size(value) == 0
		       ? 0
		       : refuse_memory(ret_problem);
}

static enum event_verdict judge_ids(const struct event_select *select, const struct facts *facts,
				    struct moment moment)
{
	(void)moment;
	return verdict(json_object_get(select->ids, facts->session));
}

static int take_label(struct event_select *select, const json_t *value, struct problem *ret_problem)
{
	if (json_object_size(value) > SELECTOR_LABELS_MAX)
		return refuse(PROBLEM_RANGE, "label", "too many", ret_problem);
	select->label = value;
	return 0;
}

static bool has_labels(const json_t *labels, const json_t *wanted)
{
	const char *name;
	const json_t *value;

	if (json_object_size(labels) < json_object_size(wanted))
		return false;
	json_object_foreach((json_t *)wanted, name, value) {
		if (!json_equal(json_object_get(labels, name), value))
			return false;
	}
	return true;
}

/* Those of now, where the worker does not say which it had then. */
static enum event_verdict judge_label(const struct event_select *select, const struct facts *facts,
				      struct moment moment)
{
	const json_t *labels = facts->labels;

	if (!(moment.told & MOMENT_LABELS))
		return facts->known ? verdict(has_labels(labels, select->label)) : EVENT_UNDECIDED;
	labels = moment.label_changes ? facts_labels(facts, moment.label_changes) : NULL;
	if (moment.label_changes && !labels)
		return EVENT_UNDECIDED;
	return verdict(has_labels(labels, select->label));
}

static int take_sni(struct event_select *select, const json_t *value, struct problem *ret_problem)
{
	return read_glob(value, "sni", &select->sni, ret_problem);
}

static enum event_verdict judge_sni(const struct event_select *select, const struct facts *facts,
				    struct moment moment)
{
	(void)moment;
	return facts->known ? verdict(matches(&select->sni, facts, facts->servername))
			    : EVENT_UNDECIDED;
}

static int take_peer(struct event_select *select, const json_t *value, struct problem *ret_problem)
{
	if (address_block_read(json_string_value(value), &select->peer) < 0)
		return refuse(PROBLEM_VALUE, "peer", "not an address and not a CIDR block",
			      ret_problem);
	return 0;
}

static enum event_verdict judge_peer(const struct event_select *select, const struct facts *facts,
				     struct moment moment)
{
	uint8_t address[16];

	(void)moment;
	if (!facts->known)
		return EVENT_UNDECIDED;
	return verdict(address_read(facts->peer, address) &&
		       address_block_has(&select->peer, address));
}

static int take_encrypted(struct event_select *select, const json_t *value,
			  struct problem *ret_problem)
{
	(void)ret_problem;
	select->encrypted = json_is_true(value);
	return 0;
}

static enum event_verdict judge_encrypted(const struct event_select *select,
					  const struct facts *facts, struct moment moment)
{
	(void)moment;
	return facts->known ? verdict(select->encrypted == facts->encrypted) : EVENT_UNDECIDED;
}

static int take_alpn(struct event_select *select, const json_t *value, struct problem *ret_problem)
{
	select->alpn = json_string_value(value);
	return check_text(value, SELECTOR_TEXT_MAX, "alpn", ret_problem);
}

static enum event_verdict judge_alpn(const struct event_select *select, const struct facts *facts,
				     struct moment moment)
{
	(void)moment;
	if (!facts->known)
		return EVENT_UNDECIDED;
	return verdict(facts->alpn && strcmp(select->alpn, facts->alpn) == 0);
}

static int take_origin(struct event_select *select, const json_t *value,
		       struct problem *ret_problem)
{
	char room[URL_ORIGIN_ROOM(SELECTOR_TEXT_MAX)], origin[SELECTOR_ORIGIN_ROOM];

	if (check_text(value, SELECTOR_TEXT_MAX, "origin", ret_problem) < 0)
		return -1;
	if (url_origin(json_string_value(value), json_string_length(value), room, origin,
		       sizeof(origin)) < 0)
		return refuse(PROBLEM_VALUE, "origin", "not a URL that has an origin", ret_problem);
	select->origin = strdup(origin);
	return select->origin ? 0 : refuse_memory(ret_problem);
}

/* Of the set as far as we know it: the index, or its size. */
static size_t find_origin(const json_t *set, const char *origin)
{
	size_t i = 0;

	while (i < json_array_size(set)) {
		const char *one = json_string_value(json_array_get(set, i));

		if (one && strcmp(one, origin) == 0)
			break;
		i++;
	}
	return i;
}

static enum event_verdict judge_origin(const struct event_select *select, const struct facts *facts,
				       struct moment moment)
{
	size_t known = json_array_size(facts->origins), at;

	if (!(moment.told & MOMENT_ORIGINS))
		return EVENT_UNDECIDED;
	at = find_origin(facts->origins, select->origin);
	if (at < known)
		return verdict(at < moment.origins);
	return moment.origins <= known ? EVENT_HIDDEN : EVENT_UNDECIDED;
}

static int take_min_age(struct event_select *select, const json_t *value,
			struct problem *ret_problem)
{
	(void)ret_problem;
	select->min_age_ms = milliseconds(value);
	return 0;
}

static enum event_verdict judge_min_age(const struct event_select *select,
					const struct facts *facts, struct moment moment)
{
	(void)facts;
	return moment.told & MOMENT_AGE ? verdict(moment.age_ms >= select->min_age_ms)
					: EVENT_UNDECIDED;
}

static int take_idle_for(struct event_select *select, const json_t *value,
			 struct problem *ret_problem)
{
	(void)ret_problem;
	select->idle_for_ms = milliseconds(value);
	return 0;
}

static enum event_verdict judge_idle_for(const struct event_select *select,
					 const struct facts *facts, struct moment moment)
{
	(void)facts;
	return moment.told & MOMENT_IDLE ? verdict(moment.idle_ms >= select->idle_for_ms)
					 : EVENT_UNDECIDED;
}

static int take_open_streams(struct event_select *select, const json_t *value,
			     struct problem *ret_problem)
{
	(void)ret_problem;
	select->open_streams = (uint64_t)json_integer_value(value);
	return 0;
}

static enum event_verdict judge_open_streams(const struct event_select *select,
					     const struct facts *facts, struct moment moment)
{
	(void)facts;
	return moment.told & MOMENT_STREAMS ? verdict(moment.open_streams >= select->open_streams)
					    : EVENT_UNDECIDED;
}

static int take_user_agent(struct event_select *select, const json_t *value,
			   struct problem *ret_problem)
{
	return read_glob(value, "userAgent", &select->user_agent, ret_problem);
}

static enum event_verdict judge_user_agent(const struct event_select *select,
					   const struct facts *facts, struct moment moment)
{
	if (!(moment.told & MOMENT_REQUESTED))
		return EVENT_UNDECIDED;
	if (!moment.requested)
		return EVENT_HIDDEN;
	return facts->agent_told ? verdict(matches(&select->user_agent, facts, facts->user_agent))
				 : EVENT_UNDECIDED;
}

static int take_sample(struct event_select *select, const json_t *value,
		       struct problem *ret_problem)
{
	(void)ret_problem;
	select->sample = json_number_value(value) / 100;
	return 0;
}

static enum event_verdict judge_sample(const struct event_select *select, const struct facts *facts,
				       struct moment moment)
{
	(void)moment;
	if (!select->sample_by_peer)
		return verdict(sample_has_session(facts->session, select->sample));
	return facts->known ? verdict(sample_has_peer(facts->peer, select->sample))
			    : EVENT_UNDECIDED;
}

static int take_sample_by(struct event_select *select, const json_t *value,
			  struct problem *ret_problem)
{
	(void)ret_problem;
	select->sample_by_peer = strcmp(json_string_value(value), "peer") == 0;
	return 0;
}

/* Of `sample` rather than of a session. */
static enum event_verdict judge_any(const struct event_select *select, const struct facts *facts,
				    struct moment moment)
{
	(void)select;
	(void)facts;
	(void)moment;
	return EVENT_SHOWN;
}

/* The cheap ones first. */
static const struct member {
	const char *name;
	int (*take)(struct event_select *select, const json_t *value, struct problem *ret_problem);
	enum event_verdict (*judge)(const struct event_select *select, const struct facts *facts,
				    struct moment moment);
	bool needs_facts;
} members[] = {
	{"sampleBy", take_sample_by, judge_any, true},
	{"encrypted", take_encrypted, judge_encrypted, true},
	{"openStreams", take_open_streams, judge_open_streams, false},
	{"minAge", take_min_age, judge_min_age, false},
	{"idleFor", take_idle_for, judge_idle_for, false},
	{"alpn", take_alpn, judge_alpn, true},
	{"ids", take_ids, judge_ids, false},
	{"sample", take_sample, judge_sample, false},
	{"peer", take_peer, judge_peer, true},
	{"sni", take_sni, judge_sni, true},
	{"label", take_label, judge_label, true},
	{"userAgent", take_user_agent, judge_user_agent, true},
	{"origin", take_origin, judge_origin, true},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* ---- reading --------------------------------------------------------------------------------- */

static int take(struct event_select *select, struct problem *ret_problem)
{
	for (size_t i = 0; i < MEMBERS; i++) {
		const json_t *value = json_object_get(select->asked, members[i].name);

		if (!value)
			continue;
		select->given |= UINT32_C(1) << i;
		if (members[i].take(select, value, ret_problem) < 0)
			return -1;
	}
	return 0;
}

int event_select_read(const struct request *request, struct event_select **ret,
		      struct problem *ret_problem)
{
	struct event_select *select = calloc(1, sizeof(*select));
	struct selector selector = {0};
	int r = -1;

	*ret = NULL;
	if (!select)
		return refuse_memory(ret_problem);
	if (selector_of_query(request, &selector, ret_problem) < 0)
		goto out;
	select->asked = json_incref(selector.select);
	if (selector.ids)
		json_object_set(select->asked, "ids", selector.ids);
	memcpy(select->worker, selector.worker, sizeof(select->worker));
	json_object_del(select->asked, "all");
	r = take(select, ret_problem);
	if (r == 0 && (select->given || select->worker[0])) {
		*ret = select;
		select = NULL; /* the caller owns it now */
	}
out:
	selector_done(&selector);
	event_select_free(select);
	return r;
}

void event_select_begin(struct event_select *select)
{
	struct event_glob *globs[] = {&select->sni, &select->user_agent};

	for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++)
		if (globs[i]->glob)
			globs[i]->memos = calloc(FACTS_MAX, sizeof(struct event_memo));
}

void event_select_end(struct event_select *select)
{
	free(select->sni.memos);
	free(select->user_agent.memos);
	select->sni.memos = select->user_agent.memos = NULL;
}

void event_select_free(struct event_select *select)
{
	if (!select)
		return;
	event_select_end(select);
	json_decref(select->ids);
	json_decref(select->asked);
	free(select->origin);
	free(select->sni.glob);
	free(select->user_agent.glob);
	free(select);
}

/* ---- judging --------------------------------------------------------------------------------- */

bool event_select_needs_facts(const struct event_select *select)
{
	for (size_t i = 0; i < MEMBERS; i++)
		if (select->given >> i & 1 && members[i].needs_facts)
			return true;
	return false;
}

enum event_verdict event_select_asks(const struct event_select *select, const char *worker,
				     const char *boot)
{
	if (!select->worker[0] || strcmp(select->worker, worker) == 0)
		return EVENT_SHOWN;
	if (!boot[0])
		return EVENT_UNDECIDED;
	return verdict(strcmp(select->worker, boot) == 0);
}

enum event_verdict event_select_judge(const struct event_select *select, const struct facts *facts,
				      struct moment moment, bool forgotten)
{
	enum event_verdict all;

	if (!facts)
		return forgotten ? EVENT_UNDECIDED : EVENT_HIDDEN;
	all = event_select_asks(select, facts->worker, facts->boot);
	if (!facts->session[0] && select->given)
		return EVENT_HIDDEN;
	for (uint32_t left = select->given; left && all != EVENT_HIDDEN; left &= left - 1) {
		enum event_verdict one = members[__builtin_ctz(left)].judge(select, facts, moment);

		if (one != EVENT_SHOWN)
			all = one;
	}
	return all;
}
