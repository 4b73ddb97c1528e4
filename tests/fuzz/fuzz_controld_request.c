/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client of the API may send, past the framing: the first byte chooses a query, a body that
 * selects sessions, a policy, or a percent-encoded segment. Whatever is refused is refused by a
 * problem that can be shown.
 */
#include "controld/controld.h"
#include "controld/event_select.h"
#include "controld/policy_body.h"
#include "controld/request.h"
#include "controld/selector.h"

#include <stdlib.h>
#include <string.h>
#include <utf8.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct controld controld; /* without workers and pushes */

static void check(int r, const struct problem *problem)
{
	json_t *shown;

	if (r == 0)
		return;
	if (problem->status < 400 || !problem->code)
		abort();
	shown = problem_json(problem);
	if (!shown)
		abort(); /* not UTF-8 */
	json_decref(shown);
}

static void try_query(struct request *request, const char *text)
{
	static const char *const names[] = {"ids",    "worker",	   "label*",	  "sni",
					    "peer",   "encrypted", "alpn",	  "origin",
					    "minAge", "idleFor",   "openStreams", "userAgent",
					    "sample", "sampleBy",  "all",	  NULL};
	struct event_select *events = NULL;
	struct problem problem = {0};
	struct selector selector = {0};
	int r = query_parse(&request->query, text, names, &problem);

	check(r, &problem);
	if (r == 0) {
		check(selector_of_query(request, &selector, &problem), &problem);
		check(event_select_read(request, &events, &problem), &problem);
	}
	event_select_free(events);
	selector_done(&selector);
	query_done(&request->query);
}

static void try_body(struct request *request, const char *text, size_t len)
{
	static const char *const names[] = {"select", "alt", NULL};
	struct problem problem = {0};
	struct selector selector = {0};
	const char *alt;
	int r = body_parse(&request->body, text, len, names, &problem);

	check(r, &problem);
	if (r == 0) {
		check(body_string(&request->body, "alt", &alt, &problem) < 0 ? -1 : 0, &problem);
		check(selector_of_body(request, json_object_get(request->body.object, "select"),
				       &selector, &problem),
		      &problem);
	}
	selector_done(&selector);
	body_done(&request->body);
}

static void try_policy(struct request *request, const char *text, size_t len)
{
	static const char *const any[] = {BODY_ANY_MEMBER, NULL};
	struct problem problem = {0};
	json_t *definition = NULL;
	int r = body_parse(&request->body, text, len, any, &problem);

	check(r, &problem);
	if (r == 0) {
		r = policy_body_read(request, request->body.object, &definition, &problem);
		check(r, &problem);
	}
	if (definition) {
		policy_body_max_age(definition);
		check(policy_body_lint(definition, &problem), &problem);
	}
	json_decref(definition);
	body_done(&request->body);
}

static void try_segment(char *text)
{
	char *again;

	if (percent_decode(text, false) < 0)
		return;
	again = strdup(text);
	if (!again || !utf8_valid(text, strlen(text)))
		abort();
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request = {.controld = &controld};
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] & 3) {
	case 0:
		try_query(&request, text);
		break;
	case 1:
		try_body(&request, text, size - 1);
		break;
	case 2:
		try_policy(&request, text, size - 1);
		break;
	case 3:
		try_segment(text);
		break;
	}
	free(text);
	return 0;
}
