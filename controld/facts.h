/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_FACTS_H
#define CONTROLD_FACTS_H

#include "table.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define FACTS_MAX 65536 /* whom events are of: the oldest is forgotten for a new one */

/* Whom an event is of: a session, or with session "" a worker itself. */
struct facts {
	uint32_t number; /* from 1 on, never used twice */
	bool known;	 /* what follows was told, else only the names */
	bool encrypted;
	char worker[64];
	char peer[64]; /* address */
	char *session;
	char *servername; /* or NULL */
	char *alpn;	  /* or NULL */
	json_t *labels;	  /* or NULL */
};

/* What the events' sessions are like, by the numbers that the log keeps. */
struct facts_book {
	struct facts **ring; /* number % FACTS_MAX */
	uint32_t last;
	struct table by_name; /* a session's id; @ and a worker's name */
};

int facts_init(struct facts_book *book);
void facts_done(struct facts_book *book);

/* The entry of a session, made if it is new. session NULL: of the worker. NULL: out of memory. */
struct facts *facts_of(struct facts_book *book, const char *worker, const char *session);

/* By its number; NULL: forgotten by now. */
const struct facts *facts_by_number(const struct facts_book *book, uint32_t number);

/* A session object of rpc.md. */
void facts_learn(struct facts_book *book, const char *worker, const json_t *session);
void facts_set_labels(struct facts_book *book, const char *session, const json_t *labels);

#endif
