/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_SELECTOR_H
#define H2SESS_SELECTOR_H

#include "address_block.h"
#include "glob.h"
#include "selector_limits.h"

#include <h2sess/h2sess.h>
#include <jansson.h>
#include <stdatomic.h>

struct selector_label {
	const char *key;
	const char *value;
};

/* Which sessions. Strings are borrowed from source. Read by any thread, once parsed. */
struct selector {
	json_t *source;	  /* a reference; NULL: none was given, so every session matches */
	uint32_t given;	  /* bits, in the order of the table in selector.c */
	const char **ids; /* sorted */
	size_t n_ids;
	struct selector_label labels[SELECTOR_LABELS_MAX];
	size_t n_labels;
	const char *worker;
	const char *alpn;
	char *origin; /* serialised */
	struct glob *sni;
	struct glob *user_agent;
	struct address_block peer;
	bool encrypted;
	bool sample_by_peer;
	uint64_t min_age_ms;
	uint64_t idle_for_ms;
	size_t open_streams;
	double sample; /* of 1 */
};

/*
 * Read a SELECTOR of rpc.md.
 *
 *   json       not changed, and not by anybody else until selector_done(); NULL matches every
 * session ret_field  on an error the name of the wrong member, static or borrowed from json;
 * "select" for json itself; NULL with H2SESS_ENOMEM
 *
 * Returns 0 (selector_done() is due), H2SESS_EINVAL (unknown member, value that is not allowed),
 * H2SESS_EARGTYPE, H2SESS_ERANGE (a number, a length or a count), H2SESS_EURL (origin),
 * H2SESS_ENOMEM. On an error ret is empty: selector_done() does nothing.
 */
int selector_parse(json_t *json, struct selector *ret, const char **ret_field);

/*
 * Whether the session is meant. worker: the name of this worker; NULL: it has none. The session's
 * thread.
 */
bool selector_matches(const struct selector *selector, const struct h2sess_session *s,
		      const char *worker);

/* ... and the member that says no; NULL: the session is meant. */
const char *selector_refusal(const struct selector *selector, const struct h2sess_session *s,
			     const char *worker);
/* Whether the session is in a share (0 to 1) of all: a smaller one is a subset of a larger one. */
bool selector_sampled(const struct h2sess_session *s, bool by_peer, double share);

/* Where the reference counts of the JSON are not atomic: on the thread that parsed. */
void selector_done(struct selector *selector);

/* A selector that several hold. */
struct h2sess_selector {
	atomic_uint references;
	struct selector parsed;
};

struct h2sess_selector *selector_ref(const struct h2sess_selector *selector);
/*
 * Of a copy of json, so that nobody else shares its values. Errors as selector_parse(), ret_field
 * static or borrowed from json.
 */
int selector_new_copy(const json_t *json, struct h2sess_selector **ret, const char **ret_field);

#endif
