/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_TOKENS_H
#define CONTROLD_TOKENS_H

#include <stddef.h>

enum role { ROLE_NONE, ROLE_READ, ROLE_PUSH, ROLE_ADMIN }; /* each can do what the one before can */

#define TOKEN_NAME_MAX 64
#define TOKENS_MAX 1024
#define TOKEN_HASH_SIZE 32

struct token {
	enum role role;
	unsigned char hash[TOKEN_HASH_SIZE]; /* SHA-256 of the token */
	char name[TOKEN_NAME_MAX + 1];
};

struct tokens {
	struct token *list;
	size_t count;
};

enum role role_by_name(const char *name); /* ROLE_NONE: no such role */
const char *role_name(enum role role);

/* Returns 0, or -1 with one line in why; tokens is changed on success only. */
int tokens_load(struct tokens *tokens, const char *path, char *why, size_t room);
void tokens_done(struct tokens *tokens);

/* The token with this text, or NULL. Takes the same time for each text of a length. */
const struct token *tokens_find(const struct tokens *tokens, const char *bearer, size_t len);

/* The token with this hash, or NULL. */
const struct token *tokens_by_hash(const struct tokens *tokens,
				   const unsigned char hash[TOKEN_HASH_SIZE]);

/* Draw a token: its text into ret_token, its line for the file (without a newline) into ret_line.
 */
#define TOKEN_TEXT_MAX 64
int token_new(enum role role, const char *name, char ret_token[TOKEN_TEXT_MAX], char *ret_line,
	      size_t room);

#endif
