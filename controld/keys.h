/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_KEYS_H
#define CONTROLD_KEYS_H

#include "pushes.h"
#include "request.h"

#include <openssl/sha.h>

#define KEYS_MAX 20000 /* kept; the oldest that was answered goes first */
#define KEY_MAX 255    /* characters of an Idempotency-Key */
#define KEY_FINGERPRINT (2 * SHA256_DIGEST_LENGTH + 1)

/* A request that had an Idempotency-Key, and what it was answered. */
struct key {
	struct list link; /* keys.list, oldest first */
	uint64_t seq;	  /* the order that they came in, over restarts */
	char *name;	  /* whose it is, a newline, and the key */
	char fingerprint[KEY_FINGERPRINT];
	char push[PUSH_ID_MAX + 1];
	unsigned status; /* 0: not answered yet */
	char *answer;	 /* a JSON document, or NULL */
};

struct keys {
	struct controld *controld;
	struct list list;
	struct table by_name;
	uint64_t seq; /* of the newest */
};

void keys_init(struct keys *keys, struct controld *controld);
void keys_done(struct keys *keys);
int keys_load(struct keys *keys, char *why);

/* The key of a request: 1, 0 when it has none, -1 and the problem. */
int key_read(const struct request *request, const char **ret, struct problem *ret_problem);

/* The one that this request repeats, or NULL. *ret_same: with the same body, too. */
struct key *key_find(const struct keys *keys, const struct request *request, const char *name,
		     bool *ret_same);

/* Remember a new one; it is on disk when its push is. NULL: out of memory. */
struct key *key_new(struct keys *keys, const struct request *request, const char *name,
		    const char *push);

/* What the request was answered: kept with it, on disk before any answer that is confirmed. */
void key_set_answer(struct keys *keys, struct key *key, unsigned status, const json_t *answer);

void key_forget(struct keys *keys, struct key *key);
void keys_forget_push(struct keys *keys, const struct push *push);

/* For the state file. */
const char *key_name(const struct key *key);
char *key_row(const struct key *key); /* to be freed; NULL: out of memory */

#endif
