/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the configuration file with inih, and hands each key to the table in options.c.
 *
 * Failures, each one line with the file and the line number: the file cannot be read; a line is no
 * "key = value"; a line is longer than inih takes (it would be cut in silence); a section or a key
 * that nobody knows; a value that breaks its key's rule. The first one counts.
 */
#include "config.h"

#include "log.h"
#include "options.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct reading {
	struct options *options;
	FILE *file;
	const char *path;
	int line;
	bool refused;
};

static void refuse(struct reading *r, const char *what, const char *rule)
{
	char thing[512];

	if (r->refused)
		return;
	r->refused = true;
	snprintf(thing, sizeof(thing), "%s:%d: %s", r->path, r->line, what);
	log_refusal(thing, rule);
}

/* inih's fgets(): counts lines, which inih does not tell its handler, and finds those that do not
 * fit. */
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
	bool known;

	if (*section && strcmp(section, "worker")) {
		refuse(r, section, "no such section ([worker], or none)");
		return 0;
	}
	rule = options_set_from_file(r->options, key, value, &known);
	if (!known)
		rule = "no such key";
	if (rule)
		refuse(r, key, rule);
	return !rule;
}

int config_read(struct options *o, const char *path)
{
	struct reading r = {.options = o, .path = path};
	int bad_line;

	r.file = fopen(path, "re");
	if (!r.file) {
		log_refusal(path, strerror(errno));
		return -1;
	}
	bad_line = ini_parse_stream(read_line, &r, on_key, &r);
	if (ferror(r.file))
		refuse(&r, "file", strerror(errno));
	fclose(r.file);
	if (bad_line) {
		r.line = bad_line > 0 ? bad_line : r.line;
		refuse(&r, "line", "not a [section], a comment or KEY = VALUE");
	}
	return r.refused ? -1 : 0;
}
