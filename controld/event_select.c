/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose events: the SELECTOR of GET /v1/events, judged by what the daemon knows of an event's
 * session (facts.c), so that the log can be read, and counted, for each reader.
 *
 * That is what stays as it is while a session lives: ids, worker, label, sni, peer, encrypted, alpn;
 * and push, which means those that it has reached when the stream opens. What changes from moment to
 * moment (minAge, idleFor, openStreams, origin), comes later (userAgent) or is the workers' to
 * compute (sample) is refused by name: an event that is in the log can not be asked for it.
 *
 * Events without a session belong to their worker: `worker=` shows them, any other field hides them.
 */
#include "event_select.h"

#include "selector.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const beyond[] = {"origin",	  "minAge", "idleFor", "openStreams",
				     "userAgent", "sample", "sampleBy"};

static int refuse(const char *field, const char *detail, struct problem *ret_problem)
{
	*ret_problem = problem_of(PROBLEM_VALUE, field, detail);
	return -1;
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* 16 octets, IPv4 mapped. Returns the bits in front of the address proper, or -1. */
static int read_address(const char *text, unsigned char ret[16])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (inet_pton(AF_INET6, text, ret) == 1)
		return 0;
	memcpy(ret, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret + 12) == 1 ? 96 : -1;
}

static int read_block(const char *text, struct event_select *select)
{
	char address[64], *slash, *end;
	int before;
	long bits;

	if (strlen(text) >= sizeof(address))
		return -1;
	memcpy(address, text, strlen(text) + 1);
	slash = strchr(address, '/');
	if (slash)
		*slash = 0;
	before = read_address(address, select->peer);
	if (before < 0)
		return -1;
	select->peer_bits = 128;
	if (!slash)
		return 0;
	bits = strtol(slash + 1, &end, 10);
	if (!isdigit((unsigned char)slash[1]) || *end || bits > 128 - before)
		return -1;
	select->peer_bits = before + (int)bits;
	return 0;
}

static bool is_in_block(const struct event_select *select, const char *text)
{
	unsigned char address[16];
	int whole = select->peer_bits / 8, rest = select->peer_bits % 8;

	if (read_address(text, address) < 0 || memcmp(address, select->peer, (size_t)whole) != 0)
		return false;
	return !rest || !((address[whole] ^ select->peer[whole]) >> (8 - rest));
}

/* `*` and `?`, without regard to case; time is the product of the lengths at most. */
static bool glob_matches(const char *glob, const char *text)
{
	const char *star = NULL, *again = NULL;

	while (*text) {
		if (*glob == '*') {
			star = ++glob;
			again = text;
		} else if (*glob == '?' ||
			   tolower((unsigned char)*glob) == tolower((unsigned char)*text)) {
			glob++;
			text++;
		} else if (star) {
			glob = star;
			text = ++again;
		} else {
			return false;
		}
	}
	return glob[strspn(glob, "*")] == 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static json_t *set_of(const json_t *ids)
{
	json_t *set = json_object();
	const json_t *one;
	size_t i;

	json_array_foreach(ids, i, one) {
		json_object_set_new(set, json_string_value(one), json_true());
	}
	return set;
}

static int take(struct event_select *select, const json_t *asked, struct problem *ret_problem)
{
	const json_t *ids = json_object_get(asked, "ids");
	const json_t *encrypted = json_object_get(asked, "encrypted");
	const char *sni = json_string_value(json_object_get(asked, "sni"));
	const char *alpn = json_string_value(json_object_get(asked, "alpn"));
	const char *peer = json_string_value(json_object_get(asked, "peer"));

	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
		if (json_object_get(asked, beyond[i]))
			return refuse(beyond[i], "events can not be chosen by it", ret_problem);
	if (peer && read_block(peer, select) < 0)
		return refuse("peer", "not an address and not a CIDR block", ret_problem);
	select->ids = ids ? set_of(ids) : NULL;
	select->label = json_deep_copy(json_object_get(asked, "label"));
	select->encrypted = encrypted ? json_is_true(encrypted) : -1;
	select->sni = sni ? strdup(sni) : NULL;
	select->alpn = alpn ? strdup(alpn) : NULL;
	if ((sni && !select->sni) || (alpn && !select->alpn)) {
		*ret_problem = problem_of(PROBLEM_MEMORY, NULL, NULL);
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
	if (!select) {
		*ret_problem = problem_of(PROBLEM_MEMORY, NULL, NULL);
		return -1;
	}
	select->peer_bits = -1;
	if (selector_of_query(request, &selector, ret_problem) < 0)
		goto out;
	select->asked = json_incref(selector.select);
	if (selector.ids)
		json_object_set(select->asked, "ids", selector.ids);
	memcpy(select->worker, selector.worker, sizeof(select->worker));
	r = take(select, select->asked, ret_problem);
	if (r < 0)
		goto out;
	json_object_del(select->asked, "all");
	if (json_object_size(select->asked) || select->worker[0]) {
		*ret = select;
		select = NULL; /* the caller owns it now */
	}
out:
	selector_done(&selector);
	event_select_free(select);
	return r;
}

void event_select_free(struct event_select *select)
{
	if (!select)
		return;
	json_decref(select->ids);
	json_decref(select->label);
	json_decref(select->asked);
	free(select->sni);
	free(select->alpn);
	free(select);
}

/* ---- judging --------------------------------------------------------------------------------- */

bool event_select_needs_facts(const struct event_select *select)
{
	return select->label || select->sni || select->alpn || select->peer_bits >= 0 ||
	       select->encrypted >= 0;
}

bool event_select_asks(const struct event_select *select, const char *worker)
{
	return !select->worker[0] || strcmp(select->worker, worker) == 0;
}

static bool has_labels(const struct event_select *select, const json_t *labels)
{
	const char *name;
	json_t *value;

	json_object_foreach(select->label, name, value) {
		if (!json_equal(json_object_get(labels, name), value))
			return false;
	}
	return true;
}

static bool fits(const struct event_select *select, const struct facts *facts)
{
	if (select->encrypted >= 0 && select->encrypted != facts->encrypted)
		return false;
	if (select->alpn && (!facts->alpn || strcmp(select->alpn, facts->alpn) != 0))
		return false;
	if (select->sni && (!facts->servername || !glob_matches(select->sni, facts->servername)))
		return false;
	if (select->peer_bits >= 0 && !is_in_block(select, facts->peer))
		return false;
	return !select->label || has_labels(select, facts->labels);
}

enum event_verdict event_select_judge(const struct event_select *select, const struct facts *facts,
				      bool forgotten)
{
	if (!facts)
		return forgotten ? EVENT_UNDECIDED : EVENT_HIDDEN;
	if (!event_select_asks(select, facts->worker))
		return EVENT_HIDDEN;
	if (!facts->session[0])
		return select->ids || event_select_needs_facts(select) ? EVENT_HIDDEN : EVENT_SHOWN;
	if (select->ids && !json_object_get(select->ids, facts->session))
		return EVENT_HIDDEN;
	if (!event_select_needs_facts(select))
		return EVENT_SHOWN;
	if (!facts->known)
		return EVENT_UNDECIDED;
	return fits(select, facts) ? EVENT_SHOWN : EVENT_HIDDEN;
}
