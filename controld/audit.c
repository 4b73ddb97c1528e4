/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit: who asked for what, when, and what it was answered; GET /v1/audit.
 *
 * request.c writes down each call that may change something, refused ones too, when its answer is
 * known, and lets the answer go when the entry is on disk. Calls of nobody (a wrong token, no such
 * path) are not in it: strangers could push the entries of others out.
 *
 * An entry holds the path, the query, the body and the status; never a header, so never a token, and
 * of an emitted event not its data. AUDIT_MAX entries are kept, in memory and in the state file.
 *
 * Failure modes: the state file cannot be written: request.c answers 503 in place of a success. A
 * long body: its length stands for it. A row that is damaged: left out.
 */
#include "audit.h"

#include "controld.h"
#include "handlers.h"
#include "request.h"
#include "route.h"
#include "store.h"
#include "text.h"
#include "times.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT 100
#define LIST_LIMIT_MAX 1000
#define ROW_KEY 24 /* octets of a number with leading zeros, and a NUL */

struct entry {
	struct list link;
	uint64_t seq;
	size_t len;
	char json[];
};

/* An entry on its way to the disk. */
struct writing {
	struct request *request; /* NULL: nobody waits */
	void (*fn)(struct request *request, const char *error);
	struct audit *audit;
	struct entry *entry;
};

void audit_init(struct audit *audit, struct controld *controld)
{
	*audit = (struct audit){.controld = controld};
	list_init(&audit->list);
}

static void remove_oldest(struct audit *audit)
{
	struct entry *entry = container_of(audit->list.next, struct entry, link);

	list_remove(&entry->link);
	audit->count--;
	audit->bytes -= entry->len;
	free(entry);
}

void audit_done(struct audit *audit)
{
	while (!list_empty(&audit->list))
		remove_oldest(audit);
}

static void row_key(uint64_t seq, char ret[ROW_KEY])
{
	snprintf(ret, ROW_KEY, "%020" PRIu64, seq);
}

static void trim(struct audit *audit)
{
	while (audit->count > AUDIT_MAX || audit->bytes > AUDIT_BYTES_MAX) {
		char key[ROW_KEY];

		row_key(container_of(audit->list.next, struct entry, link)->seq, key);
		store_delete(audit->controld->store, STORE_AUDIT, key, NULL, NULL);
		remove_oldest(audit);
		audit->controld->metrics.forgotten[FORGOTTEN_AUDIT]++;
	}
}

/* The entry is taken. */
static void add(struct audit *audit, struct entry *entry)
{
	list_append(&audit->list, &entry->link);
	audit->count++;
	audit->bytes += entry->len;
	trim(audit);
}

static struct entry *make_entry(uint64_t seq, const char *json, size_t len)
{
	struct entry *entry = malloc(sizeof(*entry) + len + 1);

	if (!entry)
		return NULL;
	list_init(&entry->link);
	entry->seq = seq;
	entry->len = len;
	memcpy(entry->json, json, len);
	entry->json[len] = 0;
	return entry;
}

static void on_row(void *user, const char *key, const void *value, size_t len)
{
	struct audit *audit = user;
	uint64_t seq = strtoull(key, NULL, 10);
	json_t *json = json_loadb(value, len, 0, NULL);
	struct entry *entry = json ? make_entry(seq, value, len) : NULL;

	json_decref(json);
	if (!entry)
		return;
	audit->seq = seq;
	add(audit, entry);
}

int audit_load(struct audit *audit, char *why)
{
	return store_each(audit->controld->store, STORE_AUDIT, on_row, audit, why);
}

/* ---- writing --------------------------------------------------------------------------------- */

bool audit_wants(const struct request *request)
{
	return request->route && request->by[0] && strcmp(request->method, "GET") != 0 &&
	       !request->head;
}

static json_t *path_of(const struct request *request)
{
	struct text path = {0};
	json_t *json;

	for (size_t i = 0; i < request->segment_count; i++)
		text_format(&path, "/%s", request->segments[i]);
	json = path.failed ? NULL : json_stringn(path.data, path.len);
	text_done(&path);
	return json;
}

static json_t *query_of(const struct request *request)
{
	json_t *query = json_object();

	for (size_t i = 0; i < request->query.count; i++)
		json_object_set_new(query, request->query.pairs[i].name,
				    json_string(request->query.pairs[i].value));
	return query;
}

static void set_body(json_t *entry, const struct request *request)
{
	json_t *body = json_copy(request->body.object);

	if (!body || json_object_size(body) == 0 || request->input.len > AUDIT_BODY_MAX) {
		if (request->input.len)
			json_object_set_new(entry, "bodyLength",
					    json_integer((json_int_t)request->input.len));
		json_decref(body);
		return;
	}
	if (json_object_get(body, "data"))
		json_object_set_new(body, "data", json_string("(not kept)"));
	json_object_set_new(entry, "body", body);
}

static json_t *describe(const struct request *request, uint64_t seq)
{
	char now[TIME_TEXT], id[ROW_KEY];
	json_t *entry;

	time_text(time_now_ms(), now);
	snprintf(id, sizeof(id), "%" PRIu64, seq);
	entry = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "id", id, "time", now, "by",
			  request->by, "role", role_name(request->role), "method", request->method,
			  "path", path_of(request));
	if (entry && request->query.count)
		json_object_set_new(entry, "query", query_of(request));
	if (entry)
		set_body(entry, request);
	json_object_set_new(entry, "status", json_integer(request->status));
	if (request->notes)
		json_object_update(entry, request->notes);
	return entry;
}

static void on_written(void *user, const char *error)
{
	struct writing *writing = user;

	if (error)
		free(writing->entry);
	else
		add(writing->audit, writing->entry);
	if (writing->fn)
		writing->fn(writing->request, error);
	free(writing);
}

static struct writing *begin(struct audit *audit, const struct request *request)
{
	struct writing *writing = calloc(1, sizeof(*writing));
	json_t *json = describe(request, audit->seq + 1);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (writing && text) {
		writing->audit = audit;
		writing->entry = make_entry(++audit->seq, text, strlen(text));
	}
	free(text);
	if (writing && writing->entry)
		return writing;
	free(writing);
	return NULL;
}

int audit_write(struct request *request, void (*fn)(struct request *request, const char *error))
{
	struct audit *audit = &request->controld->audit;
	struct writing *writing = begin(audit, request);
	struct store_change change = {.table = STORE_AUDIT};
	char key[ROW_KEY];

	if (!writing)
		return -1;
	writing->request = request;
	writing->fn = fn;
	row_key(writing->entry->seq, key);
	change.key = key;
	change.value = writing->entry->json;
	change.len = writing->entry->len;
	if (store_write(audit->controld->store, &change, 1, on_written, writing) == 0)
		return 0;
	free(writing->entry);
	free(writing);
	return -1;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Newest first; a cursor is the id of the last one seen. */
static struct list *find_start(const struct audit *audit, uint64_t before)
{
	struct list *at = audit->list.prev;

	while (before && at != &audit->list && container_of(at, struct entry, link)->seq >= before)
		at = at->prev;
	return at;
}

void handle_audit(struct request *request)
{
	const struct audit *audit = &request->controld->audit;
	int64_t limit = LIST_LIMIT, cursor = 0;
	struct text text = {0};
	struct problem problem;
	uint64_t last = 0;
	struct list *at;

	if (query_integer(&request->query, "limit", 1, LIST_LIMIT_MAX, &limit, &problem) < 0 ||
	    query_integer(&request->query, "cursor", 1, INT64_MAX, &cursor, &problem) < 0) {
		request_reply_problem(request, &problem);
		return;
	}
	text_add(&text, "{\"audit\":[");
	for (at = find_start(audit, (uint64_t)cursor); at != &audit->list && limit--;
	     at = at->prev) {
		const struct entry *entry = container_of(at, struct entry, link);

		text_add(&text, last ? "," : "");
		text_append(&text, entry->json, entry->len);
		last = entry->seq;
	}
	if (at != &audit->list)
		text_format(&text, "],\"next\":\"%" PRIu64 "\"}\n", last);
	else
		text_add(&text, "],\"next\":null}\n");
	request_reply_text(request, 200, "application/json", &text);
}
