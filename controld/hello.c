/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello: who a worker is, and whether it may have its name.
 *
 *   1. its members have the right types, name and boot id the right letters, the versions meet;
 *   2. the name is free; or this boot has it already (a new connection replaces the old one); or it
 *      succeeds the one that has it; or the one that has it succeeded it;
 *   3. the answer goes out with the event filter, then events that were missed are counted,
 *      unfinished pushes are adopted, and worker.up is told.
 *
 * Failure modes: each is answered with an error of rpc.md that names the member, and the connection
 * closes.
 */
#include "hello.h"

#include "api_error.h"
#include "controld.h"
#include "log.h"
#include "times.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct refusal {
	int error; /* 0: none */
	const char *field;
	const char *detail;
};

static const struct member {
	const char *name;
	json_type type;
	bool required;
	bool nullable;
	bool shown;
} members[] = {
	{"name", JSON_STRING, true, false, true},
	{"boot", JSON_STRING, true, false, true},
	{"pid", JSON_INTEGER, false, true, true},
	{"version", JSON_STRING, false, true, true},
	{"state", JSON_STRING, false, false, true},
	{"startedAt", JSON_STRING, false, true, true},
	{"succeeds", JSON_STRING, false, true, true},
	{"listen", JSON_ARRAY, false, false, true},
	{"labels", JSON_OBJECT, false, false, true},
	{"sessions", JSON_INTEGER, false, false, true},
	{"capabilities", JSON_ARRAY, false, false, true},
	{"certificates", JSON_ARRAY, false, false, true},
	{"lastReload", JSON_OBJECT, false, true, true},
	{"protocol", JSON_OBJECT, true, false, false},
	{"events", JSON_INTEGER, false, false, false},
	{"pushes", JSON_ARRAY, false, false, false},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

static bool has_letters(const char *text, const char *letters, size_t min, size_t max)
{
	size_t len = strlen(text);

	return len >= min && len <= max && strspn(text, letters) == len;
}

static struct refusal check_member(const json_t *params, const struct member *member)
{
	const json_t *value = json_object_get(params, member->name);

	if (!value && !member->required)
		return (struct refusal){0};
	if (value &&
	    (json_typeof(value) == member->type || (member->nullable && json_is_null(value))))
		return (struct refusal){0};
	return (struct refusal){API_EARGTYPE, member->name,
				value ? "it has the wrong type" : "it is missing"};
}

static struct refusal check_version(const json_t *params)
{
	const json_t *protocol = json_object_get(params, "protocol");
	const json_t *min = json_object_get(protocol, "min");
	const json_t *max = json_object_get(protocol, "max");

	if (!json_is_integer(min) || !json_is_integer(max))
		return (struct refusal){API_EARGTYPE, "protocol", "it needs min and max"};
	if (json_integer_value(min) > RPC_PROTOCOL_MAX ||
	    json_integer_value(max) < RPC_PROTOCOL_MIN)
		return (struct refusal){API_EVERSION, "protocol", NULL};
	return (struct refusal){0};
}

static struct refusal check_params(const json_t *params)
{
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char any[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	struct refusal refusal = check_version(params); /* a later version may have other members */
	const char *state;

	for (size_t i = 0; i < MEMBERS && !refusal.error; i++)
		refusal = check_member(params, &members[i]);
	if (refusal.error)
		return refusal;
	if (!has_letters(json_string_value(json_object_get(params, "name")), any, 1,
			 WORKER_NAME_MAX))
		return (struct refusal){API_EINVAL, "name", "1 to 63 of A-Z a-z 0-9 . _ -"};
	if (!has_letters(json_string_value(json_object_get(params, "boot")), lower, 8,
			 WORKER_BOOT_MAX))
		return (struct refusal){API_EINVAL, "boot", "8 to 32 of a-z 0-9"};
	state = json_string_value(json_object_get(params, "state"));
	if (state && strcmp(state, "running") != 0 && strcmp(state, "draining") != 0)
		return (struct refusal){API_EINVAL, "state", "running or draining"};
	return (struct refusal){0};
}

static bool same(const json_t *value, const char *text)
{
	const char *string = json_string_value(value);

	return string && strcmp(string, text) == 0;
}

static void mark_superseded(struct worker *worker)
{
	worker->boot->superseded = true;
	json_object_set_new(worker->info, "state", json_string("draining"));
	free(worker->text);
	worker->text = NULL;
}

/* May this boot have the name? *ret_superseded: yes, but as the one that is going. */
static struct refusal check_name(struct controld *controld, const json_t *params,
				 bool *ret_superseded)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	const char *boot = json_string_value(json_object_get(params, "boot"));
	const struct boot *known = table_get(&controld->workers.boots, boot);
	struct worker *holder = worker_find(&controld->workers, name);

	*ret_superseded = false;
	if (known && strcmp(known->name, name) != 0)
		return (struct refusal){API_EINVAL, "boot", "it belongs to another name"};
	if (holder && strcmp(holder->boot->name, name) != 0)
		holder = NULL; /* a boot id that looks like the name */
	if (!holder || strcmp(holder->boot->boot, boot) == 0)
		return (struct refusal){0};
	*ret_superseded = (known && known->superseded) ||
			  same(json_object_get(holder->info, "succeeds"), boot);
	if (*ret_superseded)
		return (struct refusal){0};
	if (!same(json_object_get(params, "succeeds"), holder->boot->boot))
		return (struct refusal){API_EBUSYNAME, "name", NULL};
	mark_superseded(holder);
	return (struct refusal){0};
}

static void forget_oldest(struct workers *workers)
{
	list_for_each(at, &workers->boots_by_age) {
		struct boot *boot = container_of(at, struct boot, link);

		if (boot->worker)
			continue;
		list_remove(&boot->link);
		table_remove(&workers->boots, boot->boot);
		boot_free(boot);
		workers->boots_forgotten++;
		return;
	}
}

/* The sessions of earlier boots of this name are gone, unless their worker is still connected. */
static void supersede_others(struct workers *workers, const struct boot *current)
{
	list_for_each(at, &workers->boots_by_age) {
		struct boot *boot = container_of(at, struct boot, link);

		if (boot != current && !boot->worker && strcmp(boot->name, current->name) == 0)
			boot->superseded = true;
	}
}

static struct boot *remember(struct workers *workers, const json_t *params)
{
	const char *id = json_string_value(json_object_get(params, "boot"));
	struct boot *boot = table_get(&workers->boots, id);

	if (boot)
		return boot;
	if (workers->boots.used >= WORKER_BOOTS_MAX)
		forget_oldest(workers);
	boot = calloc(1, sizeof(*boot));
	if (!boot || table_put(&workers->boots, id, boot) < 0) {
		free(boot);
		return NULL;
	}
	snprintf(boot->boot, sizeof(boot->boot), "%s", id);
	snprintf(boot->name, sizeof(boot->name), "%s",
		 json_string_value(json_object_get(params, "name")));
	list_append(&workers->boots_by_age, &boot->link);
	return boot;
}

static json_t *default_value(const struct member *member)
{
	if (member->nullable)
		return json_null();
	if (member->type == JSON_ARRAY)
		return json_array();
	if (member->type == JSON_OBJECT)
		return json_object();
	return member->type == JSON_INTEGER ? json_integer(0) : json_string("running");
}

static json_t *make_info(const json_t *params, bool superseded)
{
	char now[TIME_TEXT];
	json_t *info = json_object();

	for (size_t i = 0; i < MEMBERS; i++) {
		json_t *value = json_object_get(params, members[i].name);

		if (!members[i].shown)
			continue;
		json_object_set_new(info, members[i].name,
				    value ? json_incref(value) : default_value(&members[i]));
	}
	if (superseded)
		json_object_set_new(info, "state", json_string("draining"));
	time_text(time_now_ms(), now);
	json_object_set_new(info, "connectedAt", json_string(now));
	json_object_set_new(info, "counts",
			    json_pack("{s:O}", "sessions", json_object_get(info, "sessions")));
	return info;
}

/* Sorted by name; a later one of the same name goes behind. */
static void insert(struct workers *workers, struct worker *worker)
{
	struct list *before = &workers->list;

	list_for_each(at, &workers->list) {
		if (strcmp(worker_name(container_of(at, struct worker, link)),
			   worker_name(worker)) <= 0)
			continue;
		before = at;
		break;
	}
	list_append(before, &worker->link); /* append to a list is: put before its head */
	workers->count++;
}

static struct worker *make_worker(struct peer *peer, const json_t *params, bool superseded)
{
	struct controld *controld = peer->controld;
	struct boot *boot = remember(&controld->workers, params);
	struct worker *worker = boot ? boot->worker : NULL;
	json_t *info = boot ? make_info(params, superseded) : NULL;

	if (!boot || !info)
		return NULL;
	if (worker) { /* the same boot again: this connection replaces the old one */
		worker->peer->worker = NULL;
		peer_close(worker->peer, "its worker has connected again");
		json_decref(worker->info);
		free(worker->text);
		worker->text = NULL;
	} else {
		worker = calloc(1, sizeof(*worker));
		if (!worker) {
			json_decref(info);
			return NULL;
		}
		worker->controld = controld;
		worker->boot = boot;
		boot->worker = worker;
		boot->superseded = superseded;
		insert(&controld->workers, worker);
	}
	worker->info = info;
	worker->peer = peer;
	peer->worker = worker;
	supersede_others(&controld->workers, boot);
	return worker;
}

/* Events that the worker numbered while nobody listened. */
static void count_missed(struct worker *worker, const json_t *params)
{
	const json_t *events = json_object_get(params, "events");
	uint64_t numbered = (uint64_t)json_integer_value(events);
	uint64_t known = worker->boot->event_seq;
	struct event_subject subject = worker_subject(worker);

	if (!json_is_integer(events) || json_integer_value(events) < 0)
		return;
	worker->boot->event_seq = numbered;
	worker->boot->learnt = numbered == 0 || (worker->boot->learnt && known == numbered);
	if (worker->boot->counted && known < numbered)
		events_worker_gap(&worker->controld->events, &subject, numbered - known, known + 1,
				  numbered, "not_connected");
	worker->boot->counted = true;
}

/* What was wrong beside the error's own words, or NULL; of versions: which they are, in ret. */
static const char *detail_of(const struct refusal *refusal, const json_t *params, char *ret,
			     size_t room)
{
	const json_t *protocol = json_object_get(params, "protocol");

	if (refusal->error != API_EVERSION)
		return refusal->detail;
	snprintf(ret, room, "the worker speaks %lld to %lld, the daemon %d to %d",
		 (long long)json_integer_value(json_object_get(protocol, "min")),
		 (long long)json_integer_value(json_object_get(protocol, "max")), RPC_PROTOCOL_MIN,
		 RPC_PROTOCOL_MAX);
	return ret;
}

static void refuse(struct peer *peer, const struct rpc_message *message,
		   const struct refusal *refusal)
{
	const char *name = json_string_value(json_object_get(message->params, "name"));
	char versions[128], why[256];
	const char *detail = detail_of(refusal, message->params, versions, sizeof(versions));

	peer_error(peer, message->id, refusal->error, refusal->field, detail);
	snprintf(why, sizeof(why), "hello of %.*s refused: %s (%s)%s%s", WORKER_NAME_MAX,
		 name ? name : "a worker", api_error_name(refusal->error), refusal->field,
		 detail ? ": " : "", detail ? detail : "");
	peer_close(peer, why);
}

static bool is_connected(const struct workers *workers, const json_t *params)
{
	const struct boot *boot =
		table_get(&workers->boots, json_string_value(json_object_get(params, "boot")));

	return boot && boot->worker;
}

void hello_take(struct peer *peer, const struct rpc_message *message)
{
	struct controld *controld = peer->controld;
	struct refusal refusal = check_params(message->params);
	struct event_subject subject;
	struct worker *worker;
	bool superseded = false, again;

	if (!refusal.error)
		refusal = check_name(controld, message->params, &superseded);
	if (refusal.error) {
		refuse(peer, message, &refusal);
		return;
	}
	again = is_connected(&controld->workers, message->params);
	worker = make_worker(peer, message->params, superseded);
	if (!worker) {
		refuse(peer, message, &(struct refusal){API_ENOMEM, "hello", NULL});
		return;
	}
	peer_result(peer, message->id,
		    json_pack("{s:i, s:o, s:o, s:b, s:b}", "protocol", RPC_PROTOCOL_MAX, "filter",
			      demand_filter(&controld->demand), "policies",
			      policies_for_worker(&controld->policies, worker), "accepting",
			      pushes_accepting(&controld->pushes, worker->boot->boot), "runs",
			      true));
	if (peer->worker != worker)
		return; /* its queue is full already */
	count_missed(worker, message->params);
	pushes_adopt(&controld->pushes, worker, json_object_get(message->params, "pushes"));
	if (again)
		return;
	log_line("worker %s (%s) is connected, pid %lld", worker_name(worker), worker->boot->boot,
		 (long long)json_integer_value(json_object_get(message->params, "pid")));
	subject = worker_subject(worker);
	events_publish(&controld->events, EVENT_WORKER_UP, &subject, json_deep_copy(worker->info));
}
