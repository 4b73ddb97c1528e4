/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the configuration file with inih, and hands each key to where it belongs: keys of no
 * section or of [worker] to the table in options.c, [limits] to its row "limit", [app NAME] to a
 * route of its own.
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

#define SECTION_MAX 64

struct reading {
	struct options *options;
	FILE *file;
	const char *path;
	char section[SECTION_MAX]; /* of an app: the one that its route is being made for */
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

/* ---- sections -------------------------------------------------------------------------------- */

static const char *set_worker(struct reading *r, const char *key, const char *value)
{
	bool known;
	const char *rule = options_set_from_file(r->options, key, value, &known);

	return known ? rule : "no such key";
}

static const char *set_limit(struct reading *r, const char *key, const char *value)
{
	char text[128];
	bool known;

	if (snprintf(text, sizeof(text), "%s=%s", key, value) >= (int)sizeof(text))
		return "too long";
	return options_set_from_file(r->options, "limit", text, &known);
}

static const char *set_app(struct reading *r, const char *key, const char *value)
{
	struct app_routes *apps = &r->options->apps;
	struct app_route *route = apps->n ? &apps->items[apps->n - 1] : NULL;

	if (strcmp(key, "app") == 0)
		return app_route_set_spec(route, value);
	if (strcmp(key, "host") == 0)
		return app_route_add_host(route, value);
	if (strcmp(key, "path") == 0)
		return app_route_set_path(route, value);
	return "no such key of an app (app, host, path)";
}

/* The section's first key makes its route. */
static const char *set_app_of(struct reading *r, const char *section, const char *key,
			      const char *value)
{
	const char *rule = NULL;

	if (options_apps_given(r->options))
		return NULL;
	if (strlen(section) >= sizeof(r->section))
		return "the section's name is too long";
	if (strcmp(r->section, section) != 0) {
		strcpy(r->section, section);
		rule = app_routes_add_empty(&r->options->apps);
	}
	return rule ? rule : set_app(r, key, value);
}

static int on_key(void *user, const char *section, const char *key, const char *value)
{
	struct reading *r = user;
	const char *rule;

	if (!*section || strcmp(section, "worker") == 0) {
		rule = set_worker(r, key, value);
	} else if (strcmp(section, "limits") == 0) {
		rule = set_limit(r, key, value);
	} else if (strncmp(section, "app ", 4) == 0) {
		rule = set_app_of(r, section, key, value);
	} else {
		key = section;
		rule = "no such section ([worker] or none, [limits], [app NAME])";
	}
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
