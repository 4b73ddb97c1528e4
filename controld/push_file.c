/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes in the state file: a row of JSON each, and for each of its workers the octets of what
 * became of its sessions.
 *
 * A record is written when it is made and when it is done, in the order of everything else that the
 * daemon writes: so an answer that is confirmed after it has it on disk. What was counted in
 * between is told again by the workers after a restart. Parts that were running then wait
 * PUSH_RETURN_MS for their worker.
 *
 * Failure modes: the disk is full: said by the store; the record is written again when the push is
 * done. A row that is damaged: left out, one line.
 */
#include "controld.h"
#include "keys.h"
#include "log.h"
#include "pushes.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_KEY_MAX (PUSH_ID_MAX + 1 + WORKER_BOOT_MAX + 1)

static void part_key(const struct push *push, const struct push_part *part, char ret[ROW_KEY_MAX])
{
	snprintf(ret, ROW_KEY_MAX, "%s/%s", push->id, part->boot);
}

/* ---- writing --------------------------------------------------------------------------------- */

static json_t *part_row(const struct push_part *part)
{
	json_t *counts = json_array();

	for (int outcome = 0; outcome < PUSH_OUTCOMES; outcome++)
		json_array_append_new(counts, json_integer((json_int_t)part->counts.of[outcome]));
	return json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:I, s:I, s:o}", "worker", part->worker,
			 "boot", part->boot, "answered", part->answered, "refused", part->refused,
			 "done", part->done, "forgotten", part->forgotten, "meant",
			 (json_int_t)part->meant, "ended", (json_int_t)part->counts.ended, "counts",
			 counts);
}

static char *push_row(const struct push *push)
{
	json_t *parts = json_array(), *row;
	char *text;

	for (size_t i = 0; i < push->part_count; i++)
		json_array_append_new(parts, part_row(&push->parts[i]));
	row = json_pack("{s:s, s:s?, s:s?, s:s?, s:I, s:I, s:i, s:b, s:b, s:b, s:O?, s:o}", "kind",
			kind_name(push->kind), "session", push->session, "by", push->by, "request",
			push->request, "seq", (json_int_t)push->seq, "createdMs",
			(json_int_t)push->created_ms, "state", (int)push->state, "receiptWritten",
			push->receipt_written, "cancelled", push->cancelled, "refusing",
			push->refusing, "warnings", push->warnings, "parts", parts);
	text = row ? json_dumps(row, JSON_COMPACT) : NULL;
	json_decref(row);
	return text;
}

static int save(struct pushes *pushes, struct push *push, store_written_fn *fn)
{
	size_t room = push->part_count + 2, count = 0;
	struct store_change *changes = calloc(room, sizeof(*changes));
	char(*keys)[ROW_KEY_MAX] = calloc(room, ROW_KEY_MAX);
	char *row = push_row(push), *key = fn ? key_row(push->key) : NULL;
	int r = -1;

	if (!changes || !keys || !row || (fn && !key))
		goto out;
	changes[count++] = (struct store_change){
		.table = STORE_PUSHES, .key = push->id, .value = row, .len = strlen(row)};
	if (key)
		changes[count++] = (struct store_change){.table = STORE_KEYS,
							 .key = key_name(push->key),
							 .value = key,
							 .len = strlen(key)};
	for (size_t i = 0; i < push->part_count; i++) {
		const struct push_part *part = &push->parts[i];

		if (part->results.count == 0)
			continue;
		part_key(push, part, keys[i]);
		changes[count++] =
			(struct store_change){.table = STORE_RESULTS,
					      .key = keys[i],
					      .value = part->results.list,
					      .len = part->results.count * sizeof(struct result),
					      .blob = true};
	}
	r = store_write(pushes->controld->store, changes, count, fn, push);
out:
	free(changes);
	free(keys);
	free(row);
	free(key);
	return r;
}

int push_save(struct pushes *pushes, struct push *push)
{
	return save(pushes, push, NULL);
}

int push_save_first(struct pushes *pushes, struct push *push, store_written_fn *fn)
{
	return save(pushes, push, fn);
}

void push_forget(struct pushes *pushes, const struct push *push)
{
	struct store *store = pushes->controld->store;
	char key[ROW_KEY_MAX];

	store_delete(store, STORE_PUSHES, push->id, NULL, NULL);
	for (size_t i = 0; i < push->part_count; i++) {
		part_key(push, &push->parts[i], key);
		store_delete(store, STORE_RESULTS, key, NULL, NULL);
	}
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool flag(const json_t *row, const char *name)
{
	return json_is_true(json_object_get(row, name));
}

static void load_counts(struct push_part *part, const json_t *row)
{
	const json_t *counts = json_object_get(row, "counts");

	part->counts = (struct push_counts){
		.ended = (uint64_t)json_integer_value(json_object_get(row, "ended"))};
	for (int outcome = 0; outcome < PUSH_OUTCOMES; outcome++) {
		part->counts.of[outcome] =
			(uint64_t)json_integer_value(json_array_get(counts, (size_t)outcome));
		part->counts.matched += part->counts.of[outcome];
	}
}

static int load_part(struct pushes *pushes, struct push *push, const json_t *row)
{
	const char *worker = json_string_value(json_object_get(row, "worker"));
	const char *boot = json_string_value(json_object_get(row, "boot"));
	struct push_part *part = worker && boot ? push_add_part(push, worker, boot) : NULL;

	if (!part)
		return -1;
	part->answered = flag(row, "answered");
	part->refused = flag(row, "refused");
	part->done = flag(row, "done");
	part->forgotten = flag(row, "forgotten");
	part->meant = (uint64_t)json_integer_value(json_object_get(row, "meant"));
	load_counts(part, row);
	if (!part->done)
		part->give_up_at = uv_now(pushes->tick.loop) + PUSH_RETURN_MS;
	return 0;
}

static int load_parts(struct pushes *pushes, struct push *push, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		if (load_part(pushes, push, row) < 0)
			return -1;
	}
	return 0;
}

/* rows: null where there were none. */
static int load_warnings(struct push *push, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const char *rule = json_string_value(json_object_get(row, "rule"));
		const char *detail = json_string_value(json_object_get(row, "detail"));

		if (!rule || !detail)
			return -1;
		push_warn(push, rule, detail, json_integer_value(json_object_get(row, "sessions")));
	}
	return 0;
}

static struct push *load_push(struct pushes *pushes, const char *id, const json_t *row)
{
	json_int_t state = json_integer_value(json_object_get(row, "state"));
	const char *request = json_string_value(json_object_get(row, "request"));
	const char *kind = json_string_value(json_object_get(row, "kind"));
	struct push *push;

	if (!kind || strcmp(kind_name(kind_by_name(kind)), kind) != 0) /* "unknown" is one */
		return NULL;
	push = push_new(pushes, id, kind_by_name(kind),
			json_string_value(json_object_get(row, "session")),
			json_string_value(json_object_get(row, "by")));
	if (!push)
		return NULL;
	push->seq = (uint64_t)json_integer_value(json_object_get(row, "seq"));
	push->created_ms = json_integer_value(json_object_get(row, "createdMs"));
	push->receipt_written = flag(row, "receiptWritten");
	push->cancelled = flag(row, "cancelled");
	push->refusing = flag(row, "refusing");
	push->request = request ? strdup(request) : NULL;
	if (load_warnings(push, json_object_get(row, "warnings")) < 0 ||
	    load_parts(pushes, push, json_object_get(row, "parts")) < 0) {
		push_free(pushes, push);
		return NULL;
	}
	if (state == PUSH_STATE_DONE || state == PUSH_STATE_CANCELLED) {
		push->state = (enum push_state)state;
		push->totalled = true; /* by the one before us */
		list_remove(&push->running_link);
	}
	return push;
}

static void on_push_row(void *user, const char *key, const void *value, size_t len)
{
	json_t *row = strlen(key) <= PUSH_ID_MAX ? json_loadb(value, len, 0, NULL) : NULL;

	if (!row || !load_push(user, key, row))
		log_limited("state: the push %.80s is damaged and left out", key);
	json_decref(row);
}

static void on_result_row(void *user, const char *key, const void *value, size_t len)
{
	struct pushes *pushes = user;
	const char *slash = strrchr(key, '/');
	struct push_part *part = NULL;
	char id[PUSH_ID_MAX + 1];
	struct push *push;

	if (slash && (size_t)(slash - key) < sizeof(id)) {
		memcpy(id, key, (size_t)(slash - key));
		id[slash - key] = 0;
		push = push_find(pushes, id);
		part = push ? push_find_part(push, slash + 1) : NULL;
	}
	if (!part)
		return;
	if (pushes->result_count + len / sizeof(struct result) > PUSH_RESULTS_MAX ||
	    results_load(&part->results, value, len) < 0) {
		part->forgotten = true;
		results_done(&part->results);
	}
	pushes->result_count += part->results.count;
}

/* Rows come by id, records are kept by age. */
static int compare_age(const struct list *a, const struct list *b)
{
	const struct push *x = container_of(a, struct push, link);
	const struct push *y = container_of(b, struct push, link);

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	if (x->created_ms != y->created_ms) /* of a version that did not number them */
		return x->created_ms < y->created_ms ? -1 : 1;
	if (strlen(x->id) != strlen(y->id))
		return strlen(x->id) < strlen(y->id) ? -1 : 1;
	return strcmp(x->id, y->id);
}

int pushes_load(struct pushes *pushes, char *why)
{
	struct store *store = pushes->controld->store;

	if (store_each(store, STORE_PUSHES, on_push_row, pushes, why) < 0 ||
	    store_each(store, STORE_RESULTS, on_result_row, pushes, why) < 0)
		return -1;
	list_sort(&pushes->list, compare_age);
	if (!list_empty(&pushes->list))
		pushes->seq = container_of(pushes->list.prev, struct push, link)->seq;
	return 0;
}
