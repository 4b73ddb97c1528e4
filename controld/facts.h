/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_FACTS_H
#define CONTROLD_FACTS_H

#include "moment.h"
#include "table.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Whom events are of: the oldest that has ended is forgotten for a new one, */
#define FACTS_MAX 65536
#define FACTS_BYTES_MAX (64u << 20) /* or for octets of their texts, about; */
#define FACTS_PASSED_MAX 64	    /* where so many that live come first, the oldest of all */

#define FACTS_USER_AGENT_MAX 2044 /* octets; a longer one may have been cut by its worker */
#define FACTS_LABELS_MAX 16   /* changes of a session's labels that are remembered, the latest */
#define FACTS_LOST UINT32_MAX /* a number for whom there was no memory */

/* Whom an event is of: a session, or with session "" a worker itself. */
struct facts {
	/* Another one when it was passed over; none comes again in EVENT_HISTORY. */
	uint32_t number;
	bool known; /* encrypted, peer, servername, alpn, labels were told */
	bool encrypted;
	bool ended;	 /* its close was heard */
	bool agent_told; /* the user agent was: it is decided, and never another one */
	char worker[64];
	char boot[64]; /* "": not known */
	char peer[64]; /* address */
	char *session;
	char *servername;	  /* or NULL */
	char *alpn;		  /* or NULL */
	char *user_agent;	  /* NULL: the first request had none */
	json_t *labels;		  /* that it has now, or NULL */
	json_t *labels_by_change; /* after which change of them: the last ones; or NULL */
	json_t *origins; /* the first of its origin set, which grows at its end; NULL: not told */
	size_t weight;	 /* octets of the texts, about */
};

/* What the events' sessions are like, by the numbers that the log keeps. */
struct facts_book {
	struct facts **ring;  /* number % FACTS_MAX */
	uint32_t first;	      /* numbers from here ... */
	uint32_t last;	      /* ... to here may be there: FACTS_MAX of them */
	size_t bytes;	      /* of the weights */
	uint64_t forgotten;   /* for newer ones */
	struct table by_name; /* a session's id; @ and a worker's boot id; @@ and its name */
};

int facts_init(struct facts_book *book);
void facts_done(struct facts_book *book);

/*
 * The entry of a session, made if it is new. session NULL: of the worker. boot NULL: as the session's
 * id says, else not known. NULL: of nobody, or out of memory.
 */
struct facts *facts_of(struct facts_book *book, const char *worker, const char *boot,
		       const char *session);

/* By its number; NULL: forgotten by now. */
const struct facts *facts_by_number(const struct facts_book *book, uint32_t number);

/*
 * Of the data of an event, as the log keeps it, what facts_learn() reads of a session object, and the
 * boot id of a worker's. The rest of the text is passed over, since a start reads very many of them.
 * NULL: it has none.
 */
json_t *facts_of_event(const char *json);

/* A session object of rpc.md. */
void facts_learn(struct facts_book *book, const char *worker, const json_t *session);

/*
 * `at` of an event, which may be NULL: what it has beside the numbers. session: the object that came
 * with it, or NULL.
 */
void facts_hear(struct facts_book *book, struct facts *facts, const json_t *at,
		const json_t *session);

/* The labels after so many changes; NULL: not known. */
const json_t *facts_labels(const struct facts *facts, unsigned changes);
void facts_set_labels(struct facts_book *book, const char *session, const json_t *labels);

#endif
