/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: who is connected, by name and boot id, and what they say.
 *
 * peer.c hands over each message. hello.c has checked a hello before a worker is made here.
 * worker.update changes what the API shows; events and push outcomes go to events.c and pushes.c.
 *
 * A boot id is remembered after its connection broke (struct boot): its sessions are then out of
 * reach, not unknown, until another boot takes the name; and its events are counted on when it
 * returns.
 *
 * Failure modes: a malformed notification is dropped and logged, an unknown one ignored. A lost
 * worker: its pushes become unknown, worker.down says how many sessions went out of sight.
 */
#include "worker.h"

#include "controld.h"
#include "hello.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

void workers_init(struct workers *workers)
{
	*workers = (struct workers){0};
	list_init(&workers->list);
	list_init(&workers->boots_by_age);
}

void boot_free(void *boot)
{
	json_decref(((struct boot *)boot)->stats);
	free(boot);
}

void workers_done(struct workers *workers)
{
	list_for_each_safe(at, next, &workers->list) {
		struct worker *worker = container_of(at, struct worker, link);

		json_decref(worker->info);
		free(worker->text);
		free(worker);
	}
	table_done(&workers->boots, boot_free);
}

const char *worker_name(const struct worker *worker)
{
	return worker->boot->name;
}

struct event_subject worker_subject(const struct worker *worker)
{
	return (struct event_subject){.worker = worker->boot->name, .boot = worker->boot->boot};
}

bool worker_can(const struct worker *worker, const char *capability)
{
	const json_t *capabilities = json_object_get(worker->info, "capabilities"), *one;
	size_t i;

	json_array_foreach(capabilities, i, one) {
		if (json_is_string(one) && strcmp(json_string_value(one), capability) == 0)
			return true;
	}
	return false;
}

const char *worker_text(struct worker *worker)
{
	if (!worker->text)
		worker->text = json_dumps(worker->info, JSON_COMPACT);
	return worker->text;
}

struct worker *worker_find(const struct workers *workers, const char *name)
{
	struct worker *found = NULL;

	list_for_each(at, &workers->list) {
		struct worker *worker = container_of(at, struct worker, link);

		if (strcmp(worker->boot->boot, name) == 0)
			return worker;
		if (strcmp(worker->boot->name, name) == 0 && (!found || !worker->boot->superseded))
			found = worker;
	}
	return found;
}

struct boot *worker_boot_of_session(const struct workers *workers, const char *session)
{
	const char *dash = strrchr(session, '-');
	char boot[WORKER_BOOT_MAX + 1];

	if (!dash || dash == session || dash - session > WORKER_BOOT_MAX || !dash[1])
		return NULL;
	memcpy(boot, session, (size_t)(dash - session));
	boot[dash - session] = 0;
	return table_get(&workers->boots, boot);
}

void workers_set_filter(struct workers *workers, json_t *filter)
{
	list_for_each_safe(at, next, &workers->list) {
		struct worker *worker = container_of(at, struct worker, link);

		peer_notify(worker->peer, RPC_EVENTS_FILTER, json_incref(filter));
	}
	json_decref(filter);
}

/* ---- what they say --------------------------------------------------------------------------- */

static void take_update(struct worker *worker, json_t *params)
{
	static const struct {
		const char *name;
		json_type type;
		bool nullable;
	} members[] = {
		{"state", JSON_STRING, false},	     {"labels", JSON_OBJECT, false},
		{"listen", JSON_ARRAY, false},	     {"sessions", JSON_INTEGER, false},
		{"certificates", JSON_ARRAY, false}, {"lastReload", JSON_OBJECT, true},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *value = json_object_get(params, members[i].name);

		if (!value)
			continue;
		if (json_typeof(value) == members[i].type ||
		    (members[i].nullable && json_is_null(value)))
			json_object_set(worker->info, members[i].name, value);
		else
			log_limited("worker %s: update: %s has the wrong type", worker_name(worker),
				    members[i].name);
	}
	json_object_set(json_object_get(worker->info, "counts"), "sessions",
			json_object_get(worker->info, "sessions"));
	free(worker->text);
	worker->text = NULL;
}

static void take_event(struct worker *worker, json_t *params)
{
	json_int_t seq = json_integer_value(json_object_get(params, "seq"));
	const char *type = json_string_value(json_object_get(params, "type"));
	const char *session = json_string_value(json_object_get(params, "session"));
	const char *time = json_string_value(json_object_get(params, "time"));

	if (seq > 0 && ((uint64_t)seq > worker->boot->event_seq || !worker->boot->counted))
		worker->boot->event_seq = (uint64_t)seq;
	worker->boot->counted |= seq > 0;
	if (type && session && time && strcmp(type, "close") == 0)
		history_take(&worker->controld->history, session, time,
			     json_object_get(params, "data"));
	events_take(&worker->controld->events, worker->boot, params);
}

static void take_gap(struct worker *worker, json_t *params)
{
	json_int_t count = json_integer_value(json_object_get(params, "count"));
	json_int_t from = json_integer_value(json_object_get(params, "from"));
	json_int_t to = json_integer_value(json_object_get(params, "to"));
	struct event_subject subject;

	if (count < 1 || from < 1 || to < from)
		return;
	if ((uint64_t)to > worker->boot->event_seq)
		worker->boot->event_seq = (uint64_t)to;
	worker->boot->learnt = false;
	subject = worker_subject(worker);
	events_worker_gap(&worker->controld->events, &subject, (uint64_t)count, (uint64_t)from,
			  (uint64_t)to, "worker_dropped");
}

static void take_notification(struct worker *worker, const struct rpc_message *message)
{
	switch (message->method) {
	case RPC_WORKER_UPDATE:
		take_update(worker, message->params);
		break;
	case RPC_EVENT:
		take_event(worker, message->params);
		break;
	case RPC_EVENTS_GAP:
		take_gap(worker, message->params);
		break;
	case RPC_PUSH_UPDATE:
		pushes_take_update(&worker->controld->pushes, worker, message->params);
		break;
	case RPC_POLICY_UPDATE:
		policies_take_update(&worker->controld->policies, worker, message->params);
		break;
	default:
		break; /* rpc.md: unknown notifications are ignored */
	}
}

void worker_take_message(struct peer *peer, const struct rpc_message *message)
{
	bool hello = message->kind == RPC_REQUEST && message->method == RPC_HELLO;

	if (!peer->worker && hello) {
		hello_take(peer, message);
		return;
	}
	if (!peer->worker) {
		peer_error(peer, message->kind == RPC_REQUEST ? message->id : 0,
			   RPC_INVALID_REQUEST, NULL, "hello comes first");
		peer_close(peer, "it spoke before hello");
		return;
	}
	if (message->kind == RPC_NOTIFICATION)
		take_notification(peer->worker, message);
	else if (hello)
		peer_error(peer, message->id, RPC_INVALID_REQUEST, NULL, "hello was said");
	else
		peer_error(peer, message->id, RPC_METHOD_NOT_FOUND, NULL, NULL);
}

void worker_lost(struct worker *worker, const char *why)
{
	struct controld *controld = worker->controld;
	json_t *sessions = json_object_get(worker->info, "sessions");
	struct event_subject subject = worker_subject(worker);

	log_line("worker %s (%s) is gone: %s", worker_name(worker), worker->boot->boot, why);
	list_remove(&worker->link);
	controld->workers.count--;
	worker->boot->worker = NULL;
	worker->boot->lost_at = uv_now(controld->loop);
	pushes_worker_lost(&controld->pushes, worker->boot);
	policies_worker_lost(&controld->policies, worker->boot);
	events_publish(&controld->events, EVENT_WORKER_DOWN, &subject,
		       json_pack("{s:s, s:s, s:O}", "boot", worker->boot->boot, "reason", why,
				 "sessions", sessions));
	json_decref(worker->info);
	free(worker->text);
	free(worker);
}
