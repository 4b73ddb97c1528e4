/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens: who may do what over TCP.
 *
 * The file has lines `ROLE SHA256-HEX NAME`, and comments after #. main.c loads it at start and
 * again on SIGHUP; http.c asks tokens_find() for each request. A token is 32 random octets in
 * base64url, so its plain hash is enough, and reading the file gives nobody access.
 *
 * Failure modes, each a line that names the file and the line number: cannot open, a symbolic link,
 * not a regular file, owned by somebody else, writable by others, a malformed line, more than
 * TOKENS_MAX.
 */
#include "tokens.h"

#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_OCTETS 32
#define TOKEN_LINE_MAX 512

static const char *const role_names[] = {"none", "read", "push", "admin"};

enum role role_by_name(const char *name)
{
	for (int role = ROLE_READ; role <= ROLE_ADMIN; role++)
		if (strcmp(name, role_names[role]) == 0)
			return (enum role)role;
	return ROLE_NONE;
}

const char *role_name(enum role role)
{
	return role_names[role];
}

static bool valid_name(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > TOKEN_NAME_MAX)
		return false;
	for (; *name; name++)
		if (*name <= ' ' || *name > '~')
			return false;
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool parse_hash(const char *hex, unsigned char hash[32])
{
	if (strlen(hex) != 64)
		return false;
	for (int i = 0; i < 32; i++) {
		int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		hash[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* 1: a token, 0: nothing on this line, -1: malformed. */
static int parse_line(char *line, struct token *token)
{
	char *save = NULL, *role, *hash, *name;

	line[strcspn(line, "#\r\n")] = 0;
	role = strtok_r(line, " \t", &save);
	if (!role)
		return 0;
	hash = strtok_r(NULL, " \t", &save);
	name = strtok_r(NULL, " \t", &save);
	if (!hash || !name || strtok_r(NULL, " \t", &save) || !valid_name(name))
		return -1;
	token->role = role_by_name(role);
	if (token->role == ROLE_NONE || !parse_hash(hash, token->hash))
		return -1;
	snprintf(token->name, sizeof(token->name), "%s", name);
	return 1;
}

static FILE *open_checked(const char *path, char *why, size_t room)
{
	const char *wrong = NULL;
	struct stat st;
	FILE *file;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		wrong = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		wrong = "not a regular file";
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		wrong = "owned by somebody else";
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		wrong = "others may write it (chmod 0640)";
	file = wrong ? NULL : fdopen(fd, "r");
	if (!file) {
		snprintf(why, room, "%s: %s", path, wrong ? wrong : strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	return file;
}

static int add(struct tokens *tokens, const struct token *token)
{
	struct token *list = realloc(tokens->list, (tokens->count + 1) * sizeof(*list));

	if (!list)
		return -1;
	tokens->list = list;
	tokens->list[tokens->count++] = *token;
	return 0;
}

static int read_lines(FILE *file, struct tokens *tokens, const char *path, char *why, size_t room)
{
	char line[TOKEN_LINE_MAX];
	struct token token;

	for (int number = 1; fgets(line, sizeof(line), file); number++) {
		int r = strlen(line) == sizeof(line) - 1 ? -1 : parse_line(line, &token);

		if (r == 0)
			continue;
		if (r > 0 && tokens->count < TOKENS_MAX && add(tokens, &token) == 0)
			continue;
		snprintf(why, room, "%s:%d: %s", path, number,
			 r < 0 ? "not `ROLE SHA256-HEX NAME`" : "too many tokens");
		return -1;
	}
	return 0;
}

int tokens_load(struct tokens *tokens, const char *path, char *why, size_t room)
{
	struct tokens loaded = {0};
	FILE *file;
	int r;

	file = open_checked(path, why, room);
	if (!file)
		return -1;
	r = read_lines(file, &loaded, path, why, room);
	fclose(file);
	if (r < 0) {
		tokens_done(&loaded);
		return -1;
	}
	tokens_done(tokens);
	*tokens = loaded;
	return 0;
}

void tokens_done(struct tokens *tokens)
{
	free(tokens->list);
	*tokens = (struct tokens){0};
}

const struct token *tokens_by_hash(const struct tokens *tokens,
				   const unsigned char hash[TOKEN_HASH_SIZE])
{
	const struct token *found = NULL;

	for (size_t i = 0; i < tokens->count; i++) /* all of them: where it was says nothing */
		if (CRYPTO_memcmp(hash, tokens->list[i].hash, TOKEN_HASH_SIZE) == 0)
			found = &tokens->list[i];
	return found;
}

const struct token *tokens_find(const struct tokens *tokens, const char *bearer, size_t len)
{
	unsigned char hash[TOKEN_HASH_SIZE];

	SHA256((const unsigned char *)bearer, len, hash);
	return tokens_by_hash(tokens, hash);
}

int token_new(enum role role, const char *name, char ret_token[TOKEN_TEXT_MAX], char *ret_line,
	      size_t room)
{
	unsigned char secret[TOKEN_OCTETS], hash[32];
	char hex[65];

	if (!valid_name(name) || strchr(name, '#'))
		return -1;
	if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		return -1;
	base64url_encode(secret, sizeof(secret), ret_token);
	SHA256((const unsigned char *)ret_token, strlen(ret_token), hash);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	snprintf(ret_line, room, "%s %s %s", role_name(role), hex, name);
	OPENSSL_cleanse(secret, sizeof(secret));
	return 0;
}
