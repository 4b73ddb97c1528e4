/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_PUSH_BOOK_H
#define H2SESS_PUSH_BOOK_H

#include "event_moment.h"
#include "list.h"

#include <h2sess/h2sess.h>
#include <jansson.h>
#include <stdatomic.h>
#include <uv.h>

#define PUSH_NAME_MAX 64 /* characters of a push's name */
/*
 * Pushes that are remembered: those that are not done, and as many that are. A hello with all of
 * them fits into a line: none takes more than 400 bytes there.
 */
#define CONTROL_PUSHES_MAX 8192
#define PUSH_BUCKETS 4096

struct push_book;

/*
 * A push to one session, from its request until it is forgotten. The book has a reference, and the
 * session has one from the call until the last outcome, since either may end first.
 */
struct push_record {
	/* The control thread's. */
	struct list link;	  /* push_book.records, oldest first */
	struct push_record *next; /* in its bucket */
	char name[PUSH_NAME_MAX + 1];
	char session[H2SESS_SESSION_ID_MAX];
	json_t *answer;	     /* the result, once it was given */
	struct list waiters; /* struct control_request.link: the same request again, before that */
	bool confirmed;	     /* done, and a hello that said so was answered */
	bool in_hello;	     /* done, as the hello under way says */

	/* The session's thread. */
	enum h2sess_receipt receipt;
	uint64_t push_id; /* of h2sess_session_push() */

	/* Guarded by the book's lock. */
	struct list dirty_link; /* push_book.dirty */
	enum h2sess_outcome outcome;
	int reason;
	bool done;
	bool changed; /* since its last update */
	bool has_at;  /* the session told what it was like at this outcome */
	struct event_moment at;
	bool answered; /* updates may follow */

	atomic_uint references;
	struct push_book *book;
};

/* What an update says. */
struct push_state {
	const struct push_record *record;
	enum h2sess_outcome outcome;
	int reason;
	bool done;
	bool has_at;
	struct event_moment at;
};

/* `wake` is called, on any thread, when there are updates to take. */
struct push_book *push_book_new(size_t max, void (*wake)(void *user), void *user);
/* Forget every record; outcomes that still come are heard by nobody. The control thread, last. */
void push_book_close(struct push_book *book);

/* A name that a daemon may choose: 1 to PUSH_NAME_MAX printable ASCII characters, no space. */
bool push_name_ok(const char *name);
struct push_record *push_book_find(const struct push_book *book, const char *name);
/*
 * A new record; the oldest one that is done makes room. Returns 0, H2SESS_ELIMIT (all of them are
 * under way), H2SESS_ENOMEM.
 */
int push_book_add(struct push_book *book, const char *name, const char *session,
		  struct push_record **ret);
/* The push was refused: as if it had never been asked for. */
void push_book_remove(struct push_book *book, struct push_record *record);
/* Its result was given, answer is taken; updates may go out from now on. */
void push_book_answered(struct push_record *record, json_t *answer);
/* Have an update sent although nothing changed: its answer was lost with a connection. */
void push_book_repeat(struct push_record *record);
/* The next record with something to say. Returns false when there is none. */
bool push_book_take_update(struct push_book *book, struct push_state *ret);

/* Every push that a hello has to tell of, as an array. */
json_t *push_book_hello(struct push_book *book);
/* That hello was answered. */
void push_book_hello_answered(struct push_book *book);
/* Params of push.update, and an entry of the hello. */
json_t *push_state_json(const struct push_state *state);

void push_record_ref(struct push_record *record);
void push_record_unref(struct push_record *record);
/* What its session is like at the outcome that follows; its thread. */
void push_record_set_moment(struct push_record *record, struct event_moment at);
/*
 * An outcome; any thread. ended: the session is gone, so nothing more can become of it. Returns
 * whether it was the last one.
 */
bool push_record_settle(struct push_record *record, enum h2sess_outcome outcome, int reason,
			bool ended);

#endif
