/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idempotency keys: a request that is sent again gets what it got the first time, and pushes
 * nothing.
 *
 * A key belongs to whoever sent it, and to one request: method, path, query and body. push_api.c
 * makes one together with its push, and both are on disk before the push is handed over; the answer
 * is kept when it is given. Two requests at once share the push. KEYS_MAX are kept, also across
 * restarts; a key that was forgotten is a new one.
 *
 * Failure modes: no memory, or a full disk: the request is refused and nothing was pushed. An
 * answer that could not be written: after a restart the push itself answers.
 */
#include "keys.h"

#include "controld.h"
#include "log.h"
#include "store.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void keys_init(struct keys *keys, struct controld *controld)
{
	*keys = (struct keys){.controld = controld};
	list_init(&keys->list);
}

static void release(struct keys *keys, struct key *key)
{
	if (key->name)
		table_remove(&keys->by_name, key->name);
	list_remove(&key->link);
	free(key->name);
	free(key->answer);
	free(key);
}

void keys_done(struct keys *keys)
{
	while (!list_empty(&keys->list))
		release(keys, container_of(keys->list.next, struct key, link));
	table_done(&keys->by_name, NULL);
}

void key_forget(struct keys *keys, struct key *key)
{
	struct push *push = table_get(&keys->controld->pushes.by_id, key->push);

	if (push && push->key == key)
		push->key = NULL;
	store_delete(keys->controld->store, STORE_KEYS, key->name, NULL, NULL);
	release(keys, key);
}

void keys_forget_push(struct keys *keys, const struct push *push)
{
	if (push->key)
		key_forget(keys, push->key);
}

/* ---- finding --------------------------------------------------------------------------------- */

int key_read(const struct request *request, const char **ret, struct problem *ret_problem)
{
	const char *key = request_header(request, "Idempotency-Key");

	*ret = key;
	if (!key)
		return 0;
	if (*key && strlen(key) <= KEY_MAX && utf8_valid(key, strlen(key)))
		return 1;
	*ret_problem = problem_of(PROBLEM_VALUE, "Idempotency-Key", "1 to 255 characters");
	return -1;
}

#define SCOPED_MAX (TOKEN_NAME_MAX + 1 + KEY_MAX + 1)

static void make_name(const struct request *request, const char *key, char ret[SCOPED_MAX])
{
	snprintf(ret, SCOPED_MAX, "%s\n%s", request->by, key);
}

static void make_fingerprint(const struct request *request, char ret[KEY_FINGERPRINT])
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	struct text text = {0};

	text_format(&text, "%s", request->method);
	for (size_t i = 0; i < request->segment_count; i++)
		text_format(&text, "/%s", request->segments[i]);
	for (size_t i = 0; i < request->query.count; i++)
		text_format(&text, "\n%s=%s", request->query.pairs[i].name,
			    request->query.pairs[i].value);
	text_add(&text, "\n\n");
	text_append(&text, request->input.data ? request->input.data : "", request->input.len);
	SHA256((const unsigned char *)(text.failed ? "" : text.data), text.len, hash);
	for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(ret + 2 * i, 3, "%02x", hash[i]);
	text_done(&text);
}

struct key *key_find(const struct keys *keys, const struct request *request, const char *name,
		     bool *ret_same)
{
	char scoped[SCOPED_MAX], fingerprint[KEY_FINGERPRINT];
	struct key *key;

	make_name(request, name, scoped);
	key = table_get(&keys->by_name, scoped);
	if (!key)
		return NULL;
	make_fingerprint(request, fingerprint);
	*ret_same = strcmp(key->fingerprint, fingerprint) == 0;
	return key;
}

/* ---- keeping --------------------------------------------------------------------------------- */

static void make_room(struct keys *keys)
{
	if (keys->by_name.used < KEYS_MAX)
		return;
	list_for_each(at, &keys->list) {
		struct key *key = container_of(at, struct key, link);

		if (!key->status)
			continue;
		key_forget(keys, key);
		keys->controld->metrics.forgotten[FORGOTTEN_IDEMPOTENCY_KEYS]++;
		return;
	}
}

static struct key *add(struct keys *keys, const char *name, const char *push)
{
	struct key *key = calloc(1, sizeof(*key));

	if (!key)
		return NULL;
	list_append(&keys->list, &key->link);
	key->seq = ++keys->seq;
	snprintf(key->push, sizeof(key->push), "%s", push);
	key->name = strdup(name);
	if (key->name && table_put(&keys->by_name, name, key) == 0)
		return key;
	release(keys, key);
	return NULL;
}

struct key *key_new(struct keys *keys, const struct request *request, const char *name,
		    const char *push)
{
	char scoped[SCOPED_MAX];
	struct key *key;

	make_room(keys);
	make_name(request, name, scoped);
	key = add(keys, scoped, push);
	if (key)
		make_fingerprint(request, key->fingerprint);
	return key;
}

void key_set_answer(struct keys *keys, struct key *key, unsigned status, const json_t *answer)
{
	struct store_change change = {.table = STORE_KEYS, .key = key->name};
	char *text = json_dumps(answer, JSON_COMPACT), *row;

	if (!text)
		return;
	free(key->answer);
	key->answer = text;
	key->status = status;
	row = key_row(key);
	if (!row)
		return;
	change.value = row;
	change.len = strlen(row);
	store_write(keys->controld->store, &change, 1, NULL, NULL);
	free(row);
}

const char *key_name(const struct key *key)
{
	return key->name;
}

char *key_row(const struct key *key)
{
	json_t *row = json_pack("{s:I, s:s, s:s, s:i, s:s?}", "seq", (json_int_t)key->seq,
				"fingerprint", key->fingerprint, "push", key->push, "status",
				(int)key->status, "answer", key->answer);
	char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;

	json_decref(row);
	return text;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void load_key(struct keys *keys, const char *name, const json_t *row)
{
	const char *fingerprint = json_string_value(json_object_get(row, "fingerprint"));
	const char *id = json_string_value(json_object_get(row, "push"));
	const char *answer = json_string_value(json_object_get(row, "answer"));
	struct key *key = fingerprint && id ? add(keys, name, id) : NULL;
	struct push *push;

	if (!key)
		return;
	key->seq = (uint64_t)json_integer_value(json_object_get(row, "seq"));
	snprintf(key->fingerprint, sizeof(key->fingerprint), "%s", fingerprint);
	key->answer = answer ? strdup(answer) : NULL;
	key->status =
		key->answer ? (unsigned)json_integer_value(json_object_get(row, "status")) : 0;
	push = table_get(&keys->controld->pushes.by_id, key->push);
	if (push)
		push->key = key;
	else if (!key->status)
		key_forget(keys, key); /* nothing would ever answer it */
}

static void on_row(void *user, const char *name, const void *value, size_t len)
{
	json_t *row = json_loadb(value, len, 0, NULL);

	if (row)
		load_key(user, name, row);
	json_decref(row);
}

static int compare_age(const struct list *a, const struct list *b)
{
	uint64_t x = container_of(a, struct key, link)->seq;
	uint64_t y = container_of(b, struct key, link)->seq;

	return (x > y) - (x < y);
}

/* Rows come by name, keys are kept by age. */
int keys_load(struct keys *keys, char *why)
{
	if (store_each(keys->controld->store, STORE_KEYS, on_row, keys, why) < 0)
		return -1;
	list_sort(&keys->list, compare_age);
	if (!list_empty(&keys->list))
		keys->seq = container_of(keys->list.prev, struct key, link)->seq;
	return 0;
}
