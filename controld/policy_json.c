/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as JSON, in each of its forms: the row of the state file, the API's object, POLICY of
 * rpc.md; and its ETag. Pure: policies.c and policies_api.c ask.
 */
#include "policies.h"
#include "policy_body.h"
#include "policy_workers.h"
#include "times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void policy_record_done(struct policy_record *record)
{
	json_decref(record->definition);
	json_decref(record->warnings);
	*record = (struct policy_record){0};
}

static json_t *time_json(int64_t ms)
{
	char text[TIME_TEXT];

	if (!ms)
		return json_null();
	time_text(ms, text);
	return json_string(text);
}

json_t *policy_record_json(const struct policy_record *record)
{
	return json_pack("{s:O, s:O?, s:I, s:I, s:I, s:I, s:I, s:i, s:s}", "definition",
			 record->definition, "warnings", record->warnings, "revision",
			 record->revision, "created", (json_int_t)record->created_ms, "updated",
			 (json_int_t)record->updated_ms, "lastSent",
			 (json_int_t)record->last_sent_ms, "until", (json_int_t)record->until_ms,
			 "ending", (int)record->ending, "by", record->by);
}

int policy_record_read(const json_t *row, struct policy_record *ret)
{
	json_t *definition = json_object_get(row, "definition");
	json_t *warnings = json_object_get(row, "warnings");
	const char *by = json_string_value(json_object_get(row, "by"));
	json_int_t ending = json_integer_value(json_object_get(row, "ending"));

	if (!json_is_object(json_object_get(definition, "select")) || ending < POLICY_STANDS ||
	    ending > POLICY_EXPIRED)
		return -1;
	*ret = (struct policy_record){
		.definition = json_incref(definition),
		.warnings = json_is_array(warnings) ? json_incref(warnings) : json_array(),
		.revision = json_integer_value(json_object_get(row, "revision")),
		.created_ms = json_integer_value(json_object_get(row, "created")),
		.updated_ms = json_integer_value(json_object_get(row, "updated")),
		.last_sent_ms = json_integer_value(json_object_get(row, "lastSent")),
		.until_ms = json_integer_value(json_object_get(row, "until")),
		.ending = (enum policy_ending)ending,
	};
	snprintf(ret->by, sizeof(ret->by), "%s", by ? by : "");
	return 0;
}

/* Of what the client said, and when it began to say it: not of how far it has come. */
void policy_etag(const struct policy_record *record, char ret[POLICY_ETAG_MAX])
{
	char *text = json_dumps(record->definition, JSON_COMPACT | JSON_SORT_KEYS);
	uint64_t hash = 14695981039346656037u ^ (uint64_t)record->created_ms; /* FNV-1a */

	for (const char *at = text; at && *at; at++)
		hash = (hash ^ (unsigned char)*at) * 1099511628211u;
	snprintf(ret, POLICY_ETAG_MAX, "\"%016llx\"", (unsigned long long)hash);
	free(text);
}

const char *policy_state_name(const struct policy_record *record)
{
	if (record->ending == POLICY_REMOVED)
		return "retracting";
	if (record->ending == POLICY_EXPIRED)
		return "expired";
	return json_is_true(json_object_get(record->definition, "paused")) ? "paused" : "active";
}

json_t *policy_remembered_until(const struct policy *policy)
{
	const struct policy_record *record = &policy->record;

	if (!record->last_sent_ms || policy_body_is_origin(record->definition))
		return json_null();
	return time_json(record->last_sent_ms + policy_body_max_age(record->definition) * 1000);
}

json_t *policy_json(const struct policy *policy)
{
	const struct policy_record *record = &policy->record;
	json_t *object = json_pack("{s:s, s:I, s:s}", "name", policy->name, "revision",
				   record->revision, "state", policy_state_name(record));

	if (!object)
		return NULL;
	json_object_update(object, record->definition);
	json_object_set_new(object, "by", json_string(record->by));
	json_object_set_new(object, "createdAt", time_json(record->created_ms));
	json_object_set_new(object, "updatedAt", time_json(record->updated_ms));
	json_object_set_new(object, "retractingUntil",
			    record->ending ? time_json(record->until_ms) : json_null());
	json_object_set_new(object, "lastSent", time_json(record->last_sent_ms));
	json_object_set_new(object, "clientsRememberUntil", policy_remembered_until(policy));
	json_object_set_new(object, "counts", policy_counts_json(policy));
	json_object_set_new(object, "workers", policy_workers_json(policy));
	json_object_set(object, "warnings", record->warnings);
	return object;
}

/* POLICY of rpc.md. */
json_t *policy_wire_json(const struct policy *policy)
{
	static const char *const same[] = {"select",   "alt",	 "origin", "origins",
					   "priority", "paused", "via",	   "expires"};
	const struct policy_record *record = &policy->record;
	const json_t *definition = record->definition;
	const json_t *rollout = json_object_get(definition, "rollout");
	const char *lint = json_string_value(json_object_get(definition, "lint"));
	json_t *object = json_pack("{s:s, s:I, s:s, s:b, s:O?}", "name", policy->name, "revision",
				   record->revision, "by", record->by, "lint",
				   !lint || strcmp(lint, "on") == 0, "percent",
				   json_object_get(rollout, "percent"));

	for (size_t i = 0; object && i < sizeof(same) / sizeof(same[0]); i++) {
		json_t *value = json_object_get(definition, same[i]);

		if (value && !json_is_null(value))
			json_object_set(object, same[i], value);
	}
	if (object && json_is_number(json_object_get(rollout, "perSecond")))
		json_object_set(object, "perSecond", json_object_get(rollout, "perSecond"));
	if (object)
		json_object_set_new(object, "retracting",
				    record->ending ? time_json(record->until_ms) : json_null());
	return object;
}
