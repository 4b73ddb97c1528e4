/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of flags, and the command line.
 *
 *   1. options_parse() takes the command line, row by row of the table.
 *   2. --config FILE: config.c takes the file; each key is a row of the same table. A flag that the
 *      command line had already keeps that value.
 *   3. What belongs together is checked: pairs of --cert and --key, something to listen on, an app.
 *
 * Failure: one line, "h2sess-worker: FLAG VALUE: RULE", and -1. Values that only the library or the
 * kernel can judge (a certificate, a busy port) are refused later, by those who use them.
 */
#include "options.h"

#include "config.h"
#include "log.h"
#include "option_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
	const char *name;     /* "--name" and the file's key */
	const char *argument; /* as the help shows it; NULL: the flag has none, and is no key of the
				 file */
	const char *text;
	option_value_fn *take;
	size_t field; /* offset in struct options */
	uint8_t kind;
};

#define REPEATABLE 1u
#define FIXED 2u /* a running worker cannot change it: a reload says so */
#define NOT_IN_FILE 4u

#define FIELD(name) offsetof(struct options, name)

static const struct row ROWS[] = {
	{"listen", "ADDR:PORT", "serve HTTP/2 over TLS here; port 0 picks a free one",
	 value_addresses, FIELD(listen), REPEATABLE | FIXED},
	{"cert", "FILE", "certificate chain (PEM, leaf first); SNI chooses among several",
	 value_strings, FIELD(cert), REPEATABLE},
	{"key", "FILE", "its private key (PEM); as many as --cert, in the same order",
	 value_strings, FIELD(key), REPEATABLE},
	{"listen-h2c", "ADDR:PORT", "serve cleartext HTTP/2 with prior knowledge here",
	 value_addresses, FIELD(listen_h2c), REPEATABLE | FIXED},
	{"app", "NAME[:CONFIG]",
	 "what answers requests: static:DIR, static:FILE.ini, echo, or a path to a plugin; "
	 "[HOST][/PATH]=NAME[:CONFIG] for a host and below a path alone",
	 value_app, FIELD(apps), REPEATABLE},
	{"app-dir", "DIR", "where plugins are looked for by name", value_string, FIELD(app_dir), 0},
	{"control", "PATH", "connect to the h2sess-controld that listens there (its --rpc)",
	 value_socket_path, FIELD(control), FIXED},
	{"name", "NAME", "name among the workers of a controld; default: host name and pid",
	 value_name, FIELD(name), FIXED},
	{"label", "KEY=VALUE", "label that selectors can choose this worker's sessions by",
	 value_labels, FIELD(labels), REPEATABLE | FIXED},
	{"origin", "URL", "announce this origin on every TLS session (ORIGIN, RFC 8336)",
	 value_strings, FIELD(origins), REPEATABLE},
	{"threads", "N", "loop threads, 1 to 64; default 1", value_threads, FIELD(threads), FIXED},
	{"proxy-protocol", "CIDR",
	 "a PROXY header (v1 or v2) comes first on connections from there: a balancer",
	 value_blocks, FIELD(proxies), REPEATABLE},
	{"health", "ADDR:PORT", "plain HTTP/1.1: 200 while serving, 503 while draining",
	 value_address, FIELD(health), FIXED},
	{"ticket-keys", "FILE",
	 "TLS session ticket keys, 80 random bytes each, newest first; for several workers",
	 value_string, FIELD(ticket_keys), 0},
	{"tls-min-version", "1.2|1.3", "lowest TLS version; default 1.2", value_tls_version,
	 FIELD(tls_min_version), 0},
	{"keylog", "FILE", "append TLS secrets there (SSLKEYLOGFILE format), for debugging only",
	 value_string, FIELD(keylog), FIXED},
	{"access-log", "FILE", "a line for each request: to a file, \"stderr\" or \"journal\"",
	 value_string, FIELD(access_log), 0},
	{"access-log-format", "FORMAT", "of its lines: json (default), common or combined",
	 value_access_format, FIELD(access_format), 0},
	{"log-format", "FORMAT", "of the worker's own lines on stderr: text (default) or json",
	 value_log_format, FIELD(log_format), 0},
	{"user", "USER", "become this user once the sockets are open", value_string, FIELD(user),
	 FIXED},
	{"group", "GROUP", "and this group; default: the user's own", value_string, FIELD(group),
	 FIXED},
	{"ready-file", "FILE", "write a JSON object there once connections are accepted",
	 value_string, FIELD(ready_file), FIXED},
	{"drain-timeout", "SECONDS", "how long SIGTERM lets streams end; default 30", value_seconds,
	 FIELD(drain_ms), 0},
	{"takeover-patience", "SECONDS",
	 "how long a succeeded worker serves sessions that go on sending requests; default 20",
	 value_seconds, FIELD(patience_ms), 0},
	{"limit", "NAME=VALUE", "set a limit (below)", value_limit, FIELD(limits), REPEATABLE},
	{"config", "FILE", "take flags from an INI file, too: \"listen = ADDR:PORT\"", value_string,
	 FIELD(config), NOT_IN_FILE},
	{"check", NULL, "check everything, certificates and apps included, and exit", value_true,
	 FIELD(check), NOT_IN_FILE},
	{"help", NULL, "print this and exit", value_true, FIELD(help), NOT_IN_FILE},
	{"version", NULL, "print the version and exit", value_true, FIELD(version), NOT_IN_FILE},
};

#define N_ROWS (sizeof(ROWS) / sizeof(*ROWS))

_Static_assert(N_ROWS <= 64, "a bit for each row");

/* Returns a row's number, or -1. */
static int row_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (strlen(ROWS[i].name) == len && !memcmp(ROWS[i].name, name, len))
			return (int)i;
	}
	return -1;
}

static const char *set(struct options *o, int row, const char *value)
{
	return ROWS[row].take((char *)o + ROWS[row].field, value);
}

/* ---- the command line ------------------------------------------------------------------------ */

static int refuse(const char *flag, const char *value, const char *rule)
{
	return log_refuse(flag, value, rule);
}

static int set_from_command_line(struct options *o, int row, const char *flag, const char *value)
{
	const char *rule;

	if (!(ROWS[row].kind & REPEATABLE) && o->given & (UINT64_C(1) << row))
		return refuse(flag, NULL, "given more than once");
	rule = set(o, row, value);
	if (rule)
		return refuse(flag, value, rule);
	o->given |= UINT64_C(1) << row;
	return 0;
}

/* One flag, "--name value" or "--name=value". Moves *i on. */
static int take_flag(struct options *o, int argc, char **argv, int *i)
{
	const char *flag = argv[*i];
	const char *equals = strchr(flag, '=');
	const char *value = NULL;
	int row;

	if (strncmp(flag, "--", 2) || !flag[2])
		return refuse(flag, NULL, "not a flag (h2sess-worker --help lists them)");
	row = row_by_name(flag + 2, equals ? (size_t)(equals - flag - 2) : strlen(flag + 2));
	if (row < 0)
		return refuse(flag, NULL, "no such flag (h2sess-worker --help lists them)");
	if (equals)
		value = equals + 1;
	else if (ROWS[row].argument && *i + 1 < argc)
		value = argv[++*i];
	if (ROWS[row].argument && !value)
		return refuse(flag, NULL, "needs a value");
	if (!ROWS[row].argument && value)
		return refuse(flag, NULL, "has no value");
	return set_from_command_line(o, row, equals ? ROWS[row].name : flag, value);
}

/* ---- the file -------------------------------------------------------------------------------- */

const char *options_set_from_file(struct options *o, const char *key, const char *value,
				  bool *ret_known)
{
	int row = row_by_name(key, strlen(key));

	*ret_known = row >= 0 && !(ROWS[row].kind & NOT_IN_FILE);
	if (!*ret_known || o->given & (UINT64_C(1) << row))
		return NULL;
	if (!(ROWS[row].kind & REPEATABLE) && o->in_file & (UINT64_C(1) << row))
		return "given more than once";
	o->in_file |= UINT64_C(1) << row;
	return set(o, row, value);
}

bool options_apps_given(const struct options *o)
{
	return o->given & (UINT64_C(1) << row_by_name("app", 3));
}

/* ---- what belongs together ------------------------------------------------------------------- */

static int check_apps(const struct app_routes *apps)
{
	const char *place = app_routes_conflict(apps);

	if (!apps->n)
		return refuse("--app", NULL, "an app is needed (static:DIR, echo)");
	for (size_t i = 0; i < apps->n; i++) {
		if (!apps->items[i].spec)
			return refuse("[app]", NULL, "a section for an app needs \"app = NAME\"");
	}
	if (place)
		return refuse("--app", place, "two apps for the same host and path");
	return 0;
}

static int check_whole(const struct options *o)
{
	if (o->cert.n != o->key.n)
		return refuse("--cert and --key", NULL, "as many of the one as of the other");
	if (!o->listen.n && !o->listen_h2c.n)
		return refuse("--listen", NULL, "at least one --listen or --listen-h2c is needed");
	if (o->listen.n && !o->cert.n)
		return refuse("--listen", o->listen.items[0],
			      "TLS needs a --cert and its --key (cleartext is --listen-h2c)");
	if (o->group && !o->user)
		return refuse("--group", o->group, "needs a --user");
	return check_apps(&o->apps);
}

int options_parse(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (take_flag(o, argc, argv, &i) < 0)
			return -1;
	}
	if (o->help || o->version)
		return 0;
	if (o->config && config_read(o, o->config) < 0)
		return -1;
	return check_whole(o);
}

/* ---- differences ----------------------------------------------------------------------------- */

static bool strings_of_row_differ(const struct row *row, const struct options *a,
				  const struct options *b)
{
	const void *one = (const char *)a + row->field, *other = (const char *)b + row->field;
	const char *const *text = one, *const *other_text = other;

	if (row->kind & REPEATABLE)
		return !strings_equal(one, other);
	if (row->take == value_threads)
		return memcmp(one, other, sizeof(uint32_t)) != 0;
	return strcmp(*text ? *text : "", *other_text ? *other_text : "") != 0;
}

const char *options_fixed_difference(const struct options *a, const struct options *b)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (ROWS[i].kind & FIXED && strings_of_row_differ(&ROWS[i], a, b))
			return ROWS[i].name;
	}
	return NULL;
}

/* ---- help ------------------------------------------------------------------------------------ */

#define HELP_COLUMN 30
#define HELP_WIDTH 70 /* of the text beside it */

/* The text, broken at blanks, each line below the first one indented. */
static void print_text(const char *text, const char *more)
{
	char whole[512];
	const char *rest = whole;

	snprintf(whole, sizeof(whole), "%s%s", text, more);
	while (strlen(rest) > HELP_WIDTH) {
		int len = HELP_WIDTH;

		while (len > 1 && rest[len] != ' ')
			len--;
		printf("%.*s\n%*s", len, rest, HELP_COLUMN, "");
		rest += len + (rest[len] == ' ');
	}
	puts(rest);
}

static void print_row(const struct row *row)
{
	char flag[64];

	snprintf(flag, sizeof(flag), "--%s %s", row->name, row->argument ? row->argument : "");
	printf("  %-*s", HELP_COLUMN - 2, flag);
	if (strlen(flag) > HELP_COLUMN - 3)
		printf("\n%*s", HELP_COLUMN, "");
	print_text(row->text, row->kind & REPEATABLE ? "; repeatable" : "");
}

void options_print_help(void)
{
	puts("Usage: h2sess-worker --listen ADDR:PORT --cert FILE --key FILE --app APP [FLAG]...\n"
	     "Serve HTTP/2 and let h2sess-controld push to its live sessions.\n");
	for (size_t i = 0; i < N_ROWS; i++)
		print_row(&ROWS[i]);
	puts("\nThe file of --config has each flag as a key; a section [app NAME] has the keys "
	     "app, host\n(repeatable) and path, a section [limits] a key for each limit.\n"
	     "\nLimits (milliseconds, counts or bytes), with their defaults, and what they stop:");
	value_print_limits();
	puts("\nSIGTERM, SIGINT: drain, then end; again: end at once. SIGHUP: read certificates, "
	     "ticket keys,\nthe file and apps again. SIGUSR1: open the access log again. SIGUSR2: "
	     "start a successor that\ntakes the listening sockets over, then drain.");
}

/* ---- life ------------------------------------------------------------------------------------ */

void options_init(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->limits.size = sizeof(o->limits);
	o->threads = 1;
	o->drain_ms = OPTIONS_DRAIN_SECONDS * 1000;
	o->patience_ms = OPTIONS_PATIENCE_SECONDS * 1000;
}

void options_done(struct options *o)
{
	strings_done(&o->listen);
	strings_done(&o->listen_h2c);
	strings_done(&o->cert);
	strings_done(&o->key);
	strings_done(&o->origins);
	strings_done(&o->labels);
	strings_done(&o->proxies);
	app_routes_done(&o->apps);
	free(o->app_dir);
	free(o->control);
	free(o->name);
	free(o->config);
	free(o->ready_file);
	free(o->health);
	free(o->keylog);
	free(o->ticket_keys);
	free(o->access_log);
	free(o->user);
	free(o->group);
	memset(o, 0, sizeof(*o));
}
