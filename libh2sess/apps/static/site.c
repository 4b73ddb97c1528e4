/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The app's configuration.
 *
 *   root = DIR             the directory; the one key that is needed
 *   index = NAME ...       what a directory answers with, the first that is there; "index.html"
 *   precompressed = no     leave NAME.br and NAME.gz alone; "yes"
 *   cache-control = VALUE  sent with every file
 *   [types]
 *   EXTENSION = TYPE       in place of the app's own
 *
 * Failures, each one line: the file cannot be read, a key that nobody knows or a value that breaks
 * its rule (with the line's number), a directory that cannot be read.
 */
#include "site.h"

#include "root.h"
#include "types.h"

#include <errno.h>
#include <h2sess/h2sess.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define OUT_OF_MEMORY "out of memory"

struct reading {
	struct site *site;
	FILE *file;
	const char *path;
	char *dir; /* root's */
	char *error;
	size_t error_len;
	int line;
	bool refused;
};

/* ---- keys ------------------------------------------------------------------------------------ */

static const char *replace(char **field, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return OUT_OF_MEMORY;
	free(*field);
	*field = copy;
	return NULL;
}

static const char *set_root(struct reading *r, const char *value)
{
	return *value ? replace(&r->dir, value) : "a directory";
}

static void drop_indexes(struct site *site)
{
	while (site->n_indexes)
		free(site->indexes[--site->n_indexes]);
}

static const char *set_index(struct reading *r, const char *value)
{
	struct site *site = r->site;

	drop_indexes(site);
	for (value += strspn(value, " "); *value; value += strspn(value, " ")) {
		size_t len = strcspn(value, " ");

		if (site->n_indexes == SITE_INDEXES_MAX || len > 255 || memchr(value, '/', len))
			return "at most 8 names without a slash";
		site->indexes[site->n_indexes] = strndup(value, len);
		if (!site->indexes[site->n_indexes])
			return OUT_OF_MEMORY;
		site->n_indexes++;
		value += len;
	}
	return NULL;
}

static const char *set_precompressed(struct reading *r, const char *value)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return "yes or no";
	r->site->precompressed = strcmp(value, "yes") == 0;
	return NULL;
}

static bool is_field_value(const char *value)
{
	for (; *value; value++) {
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	}
	return true;
}

static const char *set_cache_control(struct reading *r, const char *value)
{
	return *value && is_field_value(value) ? replace(&r->site->cache_control, value)
					       : "a field value, without control characters";
}

static const char *set_type(struct reading *r, const char *extension, const char *value)
{
	struct site *site = r->site;
	struct site_type *type = &site->types[site->n_types];

	if (site->n_types == SITE_TYPES_MAX)
		return "at most 64 types";
	if (!strchr(value, '/') || !is_field_value(value))
		return "a media type (text/plain)";
	site->n_types++;
	type->extension = strdup(extension);
	type->type = strdup(value);
	return type->extension && type->type ? NULL : OUT_OF_MEMORY;
}

static const struct {
	const char *key;
	const char *(*set)(struct reading *r, const char *value);
} SITE_KEYS[] = {
	{"root", set_root},
	{"index", set_index},
	{"precompressed", set_precompressed},
	{"cache-control", set_cache_control},
};

static const char *set_key(struct reading *r, const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof(SITE_KEYS) / sizeof(*SITE_KEYS); i++) {
		if (strcmp(SITE_KEYS[i].key, key) == 0)
			return SITE_KEYS[i].set(r, value);
	}
	return "no such key (root, index, precompressed, cache-control)";
}

/* ---- the file -------------------------------------------------------------------------------- */

static void refuse(struct reading *r, const char *key, const char *rule)
{
	if (!r->refused)
		snprintf(r->error, r->error_len, "%s:%d: %s: %s", r->path, r->line, key, rule);
	r->refused = true;
}

/* inih's fgets(): counts lines, and finds those that it would cut. */
static char *read_line(char *buf, int size, void *user)
{
	struct reading *r = user;
	char *line = r->refused ? NULL : fgets(buf, size, r->file);

	if (!line)
		return NULL;
	r->line++;
	if (!strchr(line, '\n') && !feof(r->file))
		refuse(r, "line", "too long");
	return line;
}

static int on_key(void *user, const char *section, const char *key, const char *value)
{
	struct reading *r = user;
	const char *rule;

	if (!*section)
		rule = set_key(r, key, value);
	else if (strcmp(section, "types") == 0)
		rule = set_type(r, key, value);
	else
		rule = "no such section ([types])";
	if (rule)
		refuse(r, key, rule);
	return !rule;
}

static int read_file(struct reading *r)
{
	int bad_line;

	r->file = fopen(r->path, "re");
	if (!r->file) {
		snprintf(r->error, r->error_len, "%s: %s", r->path, strerror(errno));
		return H2SESS_EACCES;
	}
	bad_line = ini_parse_stream(read_line, r, on_key, r);
	fclose(r->file);
	if (bad_line) {
		r->line = bad_line > 0 ? bad_line : r->line;
		refuse(r, "line", "not a [section], a comment or KEY = VALUE");
	}
	if (!r->refused && !r->dir) {
		snprintf(r->error, r->error_len, "%s: needs root = DIR", r->path);
		r->refused = true;
	}
	return r->refused ? H2SESS_EINVAL : 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool is_file_name(const char *config)
{
	size_t len = strlen(config);

	return len > 4 && strcmp(config + len - 4, ".ini") == 0;
}

static int open_dir(struct site *site, const char *dir, bool named, char *error, size_t error_len)
{
	site->root = root_open(dir);
	if (site->root >= 0)
		return 0;
	/* On the command line the directory is named already. */
	snprintf(error, error_len, "%s%s%s", named ? dir : "", named ? ": " : "",
		 strerror(-site->root));
	return H2SESS_EACCES;
}

int site_init(struct site *site, const char *config, const char *prefix, char *error,
	      size_t error_len)
{
	struct reading r = {.site = site, .path = config, .error = error, .error_len = error_len};
	const char *rule;
	int result = 0;

	memset(site, 0, sizeof(*site));
	site->root = -1;
	site->precompressed = true;
	site->prefix_len = strlen(prefix);
	rule = *config ? set_index(&r, "index.html") : "needs a directory (static:DIR)";
	if (rule) {
		snprintf(error, error_len, "%s", rule);
		return H2SESS_EINVAL;
	}
	if (is_file_name(config))
		result = read_file(&r);
	if (result == 0)
		result = open_dir(site, r.dir ? r.dir : config, r.dir, error, error_len);
	free(r.dir);
	return result;
}

void site_done(struct site *site)
{
	drop_indexes(site);
	for (size_t i = 0; i < H2SESS_THREADS_MAX; i++)
		files_free(site->files[i]);
	while (site->n_types) {
		struct site_type *type = &site->types[--site->n_types];

		free(type->extension);
		free(type->type);
	}
	free(site->cache_control);
	if (site->root >= 0)
		close(site->root);
}

const char *site_type_of(const struct site *site, const char *path)
{
	const char *extension = type_extension(path);

	for (size_t i = 0; extension && i < site->n_types; i++) {
		if (strcasecmp(site->types[i].extension, extension) == 0)
			return site->types[i].type;
	}
	return type_of(path);
}
