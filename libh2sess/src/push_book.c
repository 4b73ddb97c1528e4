/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pushes that this worker knows: it owns their records, says what the daemon has to be told of
 * each, and for how long. The control thread owns the book; sessions report outcomes to records on
 * their own threads.
 *
 * The happy path:
 *   - a request adds a record; the session takes it over, the answer is kept for the same request
 *     again;
 *   - each outcome marks the record, the control thread takes its state and sends an update: a
 *     record that changes twice meanwhile is sent once, as it is then;
 *   - done and told, it stays known until the place is needed.
 * What can go wrong:
 *   - the connection breaks: what is not done, and what is done without a hello that said so and
 *     was answered, goes into the next hello, since nobody knows what was read of the old
 *     connection;
 *   - the book is full of pushes under way: H2SESS_ELIMIT;
 *   - the control link stops first: records live until their sessions are through with them.
 */
#include "push_book.h"

#include "memory.h"
#include "values.h"

#include <string.h>

struct push_book {
	uv_mutex_t lock; /* guards dirty, wake, and what the records say it does */
	struct list dirty;
	void (*wake)(void *user);
	void *user;
	struct list records; /* struct push_record.link */
	size_t n;
	size_t max;
	struct push_record *buckets[PUSH_BUCKETS];
	atomic_uint references; /* ours, and one of each record */
};

static void book_unref(struct push_book *book)
{
	if (atomic_fetch_sub(&book->references, 1) != 1)
		return;
	uv_mutex_destroy(&book->lock);
	mem_free(book);
}

struct push_book *push_book_new(size_t max, void (*wake)(void *user), void *user)
{
	struct push_book *book = mem_calloc(1, sizeof(*book));

	if (!book)
		return NULL;
	if (uv_mutex_init(&book->lock) < 0) {
		mem_free(book);
		return NULL;
	}
	list_init(&book->dirty);
	list_init(&book->records);
	book->wake = wake;
	book->user = user;
	book->max = max;
	atomic_init(&book->references, 1);
	return book;
}

/* ---- records --------------------------------------------------------------------------------- */

void push_record_ref(struct push_record *record)
{
	atomic_fetch_add(&record->references, 1);
}

void push_record_unref(struct push_record *record)
{
	if (atomic_fetch_sub(&record->references, 1) != 1)
		return;
	json_decref(record->answer);
	book_unref(record->book);
	mem_free(record);
}

static bool is_last(const struct push_record *record, enum h2sess_outcome outcome)
{
	switch (outcome) {
	case H2SESS_OUTCOME_QUEUED:
		return false;
	case H2SESS_OUTCOME_WRITTEN:
		return record->receipt == H2SESS_RECEIPT_WRITTEN;
	default:
		return true;
	}
}

/* With the lock held. */
static void mark(struct push_record *record)
{
	struct push_book *book = record->book;

	record->changed = true;
	if (!record->answered || !book->wake)
		return;
	list_del(&record->dirty_link);
	list_add_tail(&book->dirty, &record->dirty_link);
	book->wake(book->user);
}

void push_record_set_moment(struct push_record *record, struct event_moment at)
{
	uv_mutex_lock(&record->book->lock);
	record->at = at;
	record->has_at = true;
	uv_mutex_unlock(&record->book->lock);
}

bool push_record_settle(struct push_record *record, enum h2sess_outcome outcome, int reason,
			bool ended)
{
	bool last = ended || is_last(record, outcome);

	uv_mutex_lock(&record->book->lock);
	record->outcome = outcome;
	record->reason = reason;
	record->done = last;
	record->has_at &= !ended;
	mark(record);
	uv_mutex_unlock(&record->book->lock);
	return last;
}

void push_book_answered(struct push_record *record, json_t *answer)
{
	record->answer = answer;
	uv_mutex_lock(&record->book->lock);
	record->answered = true;
	if (record->changed)
		mark(record);
	uv_mutex_unlock(&record->book->lock);
}

void push_book_repeat(struct push_record *record)
{
	uv_mutex_lock(&record->book->lock);
	mark(record);
	uv_mutex_unlock(&record->book->lock);
}

/* ---- the book -------------------------------------------------------------------------------- */

bool push_name_ok(const char *name)
{
	size_t len = strnlen(name, PUSH_NAME_MAX + 1);

	if (len < 1 || len > PUSH_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return true;
}

/* FNV-1a. The names are the daemon's, which has no reason to make them collide. */
static struct push_record **bucket_of(const struct push_book *book, const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return (struct push_record **)&book->buckets[hash % PUSH_BUCKETS];
}

struct push_record *push_book_find(const struct push_book *book, const char *name)
{
	struct push_record *record = *bucket_of(book, name);

	while (record && strcmp(record->name, name) != 0)
		record = record->next;
	return record;
}

void push_book_remove(struct push_book *book, struct push_record *record)
{
	struct push_record **at = bucket_of(book, record->name);

	while (*at != record)
		at = &(*at)->next;
	*at = record->next;
	list_del(&record->link);
	book->n--;
	uv_mutex_lock(&book->lock);
	list_del(&record->dirty_link);
	record->answered = false; /* no update any more */
	uv_mutex_unlock(&book->lock);
	push_record_unref(record);
}

/* The oldest record that is done and told of: one to forget. NULL: none. */
static struct push_record *find_spare(struct push_book *book)
{
	struct push_record *spare = NULL;
	struct list *at;

	uv_mutex_lock(&book->lock);
	list_for_each(at, &book->records) {
		struct push_record *record = container_of(at, struct push_record, link);

		if (!record->done || record->changed || !record->answered)
			continue;
		spare = record;
		break;
	}
	uv_mutex_unlock(&book->lock);
	return spare;
}

static int make_room(struct push_book *book)
{
	struct push_record *spare;

	if (book->n < book->max)
		return 0;
	spare = find_spare(book);
	if (!spare)
		return H2SESS_ELIMIT;
	push_book_remove(book, spare);
	return 0;
}

static struct push_record *record_new(struct push_book *book, const char *name, const char *session)
{
	struct push_record *record = mem_calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	list_init(&record->dirty_link);
	list_init(&record->waiters);
	strncpy(record->name, name, sizeof(record->name) - 1);
	strncpy(record->session, session, sizeof(record->session) - 1);
	record->outcome = H2SESS_OUTCOME_QUEUED;
	atomic_init(&record->references, 1);
	atomic_fetch_add(&book->references, 1);
	record->book = book;
	return record;
}

int push_book_add(struct push_book *book, const char *name, const char *session,
		  struct push_record **ret)
{
	struct push_record **bucket = bucket_of(book, name);
	struct push_record *record;
	int r;

	r = make_room(book);
	if (r < 0)
		return r;
	record = record_new(book, name, session);
	if (!record)
		return H2SESS_ENOMEM;
	record->next = *bucket;
	*bucket = record;
	list_add_tail(&book->records, &record->link);
	book->n++;
	*ret = record;
	return 0;
}

void push_book_close(struct push_book *book)
{
	if (!book)
		return;
	uv_mutex_lock(&book->lock);
	book->wake = NULL;
	uv_mutex_unlock(&book->lock);
	while (!list_empty(&book->records))
		push_book_remove(book, container_of(book->records.next, struct push_record, link));
	book_unref(book);
}

/* ---- what the daemon is told ----------------------------------------------------------------- */

/* With the lock held. */
static struct push_state state_of(const struct push_record *record)
{
	return (struct push_state){.record = record,
				   .outcome = record->outcome,
				   .reason = record->reason,
				   .done = record->done,
				   .has_at = record->has_at,
				   .at = record->at};
}

bool push_book_take_update(struct push_book *book, struct push_state *ret)
{
	struct list *at;

	uv_mutex_lock(&book->lock);
	at = list_pop(&book->dirty);
	if (at) {
		struct push_record *record = container_of(at, struct push_record, dirty_link);

		record->changed = false;
		*ret = state_of(record);
	}
	uv_mutex_unlock(&book->lock);
	return at != NULL;
}

static bool put_count(json_t *object, const char *key, bool one)
{
	return value_put(object, key, json_integer(one));
}

static json_t *session_entry(const struct push_state *state)
{
	const char *reason = h2sess_reason_name(state->reason);
	json_t *entry = json_object();
	bool ok;

	ok = value_put(entry, "session", json_string(state->record->session));
	ok &= value_put(entry, "outcome", json_string(h2sess_outcome_name((int)state->outcome)));
	ok &= value_put(entry, "reason", json_string(reason ? reason : ""));
	if (state->has_at)
		ok &= value_put(entry, "at", event_moment_json(&state->at, NULL));
	return value_if(ok, entry);
}

json_t *push_state_json(const struct push_state *state)
{
	json_t *sessions = json_array();
	json_t *object = json_object();
	bool ok;

	ok = value_put(object, "push", json_string(state->record->name));
	ok &= value_put(object, "state", json_string(state->done ? "done" : "running"));
	ok &= put_count(object, "matched", true);
	ok &= put_count(object, "queued", state->outcome == H2SESS_OUTCOME_QUEUED);
	ok &= put_count(object, "written", state->outcome == H2SESS_OUTCOME_WRITTEN);
	ok &= put_count(object, "received", state->outcome == H2SESS_OUTCOME_RECEIVED);
	ok &= put_count(object, "notSent", state->outcome == H2SESS_OUTCOME_NOT_SENT);
	ok &= put_count(object, "unknown", state->outcome == H2SESS_OUTCOME_UNKNOWN);
	ok &= json_array_append_new(sessions, session_entry(state)) == 0;
	ok &= value_put(object, "sessions", sessions);
	return value_if(ok, object);
}

/*
 * What the hello says of one record. One whose request is still under way is not told of: it may
 * yet be refused, and an update follows when it is not.
 */
static bool hello_state(struct push_record *record, struct push_state *ret)
{
	bool told;

	uv_mutex_lock(&record->book->lock);
	*ret = state_of(record);
	ret->has_at = false; /* it is another moment by now */
	told = record->answered && !(record->done && record->confirmed);
	uv_mutex_unlock(&record->book->lock);
	record->in_hello = told && ret->done;
	return told;
}

json_t *push_book_hello(struct push_book *book)
{
	json_t *array = json_array();
	bool ok = array != NULL;
	struct list *at;

	list_for_each(at, &book->records) {
		struct push_record *record = container_of(at, struct push_record, link);
		struct push_state state;

		if (hello_state(record, &state))
			ok &= json_array_append_new(array, push_state_json(&state)) == 0;
	}
	return value_if(ok, array);
}

void push_book_hello_answered(struct push_book *book)
{
	struct list *at;

	list_for_each(at, &book->records) {
		struct push_record *record = container_of(at, struct push_record, link);

		record->confirmed |= record->in_hello;
		record->in_hello = false;
	}
}
