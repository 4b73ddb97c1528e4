/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the operator asked for: from the command line, and from the file that --config names. One
 * table (options.c) has a row for each flag; a row is the flag, the file's key, its help and its
 * rule.
 */
#ifndef WORKER_OPTIONS_H
#define WORKER_OPTIONS_H

#include "access_format.h"
#include "app_route.h"
#include "strings.h"

#include <h2sess/h2sess.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_NAME_MAX 63	    /* bytes, of --name and of a label's key (rpc.md) */
#define OPTIONS_LABEL_VALUE_MAX 255 /* bytes */
#define OPTIONS_LABELS_MAX 32
#define OPTIONS_REPEATS_MAX 256 /* of one flag */
#define OPTIONS_DRAIN_SECONDS 30
#define OPTIONS_PATIENCE_SECONDS 20
#define OPTIONS_SECONDS_MAX (7 * 24 * 3600)

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct options {
	struct strings listen;
	struct strings listen_h2c;
	struct strings cert; /* as many as key: pairs, in order */
	struct strings key;
	struct strings origins;
	struct strings labels;	/* "K=V" */
	struct strings proxies; /* addresses and blocks */
	struct app_routes apps;
	char *app_dir;
	char *control;
	char *name;
	char *config;
	char *ready_file;
	char *health;
	char *keylog;
	char *ticket_keys;
	char *access_log; /* a file, "stderr" or "journal" */
	char *user;
	char *group;
	struct h2sess_limits limits;
	enum access_format access_format;
	enum log_format log_format;
	uint32_t threads;
	uint32_t drain_ms;
	uint32_t patience_ms; /* of a worker that was succeeded */
	int tls_min_version;  /* 0x0303, 0x0304, 0 = default */
	bool check;
	bool help;
	bool version;
	uint64_t given; /* bit of each row that the command line set: the file does not change it */
	uint64_t in_file; /* bit of each row that the file set */
};

void options_init(struct options *o);
void options_done(struct options *o);

/*
 * Take the command line, and the file of --config. What the command line says wins over the file,
 * flag by flag. Refusals are logged. Returns 0, or -1.
 */
int options_parse(struct options *o, int argc, char **argv);

/*
 * One key of the file. Returns NULL, or the rule that it breaks.
 *
 *   ret_known  false when there is no such key
 */
const char *options_set_from_file(struct options *o, const char *key, const char *value,
				  bool *ret_known);

/* Did the command line name apps? Then the file's sections are not heard. */
bool options_apps_given(const struct options *o);

/*
 * The first setting in which they differ and that a running worker cannot change, as its flag; NULL
 * when there is none.
 */
const char *options_fixed_difference(const struct options *a, const struct options *b);

void options_print_help(void);

#endif
