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

#include "address.h"
#include "config.h"
#include "log.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define OUT_OF_MEMORY "out of memory"

/* Sets one value. Returns NULL, or the rule that the value breaks. */
typedef const char *set_fn(struct options *o, const char *value);

struct row {
	const char *name;     /* "--name" and the file's key */
	const char *argument; /* as the help shows it; NULL: the flag has none, and is no key of the
				 file */
	const char *text;
	bool repeatable;
	set_fn *set;
};

/* ---- kinds of values ------------------------------------------------------------------------- */

static const char *set_string(char **field, const char *value)
{
	char *copy;

	if (!*value)
		return "must not be empty";
	copy = strdup(value);
	if (!copy)
		return OUT_OF_MEMORY;
	free(*field);
	*field = copy;
	return NULL;
}

static const char *add_string(struct strings *list, const char *value)
{
	char **items;

	if (!*value)
		return "must not be empty";
	if (list->n == OPTIONS_REPEATS_MAX)
		return "given too often";
	items = realloc(list->items, (list->n + 1) * sizeof(*items));
	if (!items)
		return OUT_OF_MEMORY;
	list->items = items;
	items[list->n] = strdup(value);
	if (!items[list->n])
		return OUT_OF_MEMORY;
	list->n++;
	return NULL;
}

static bool parse_number(const char *text, uint32_t max, uint32_t *ret)
{
	unsigned long long number;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
		return false;
	number = strtoull(text, NULL, 10);
	if (number > max)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool is_name(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > OPTIONS_NAME_MAX)
		return false;
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && !strchr("._-", *text))
			return false;
	}
	return true;
}

/* ---- one function a row ---------------------------------------------------------------------- */

static const char *add_address(struct strings *list, const char *value)
{
	struct sockaddr_storage address;

	return address_parse(value, &address) ? add_string(list, value) : ADDRESS_RULE;
}

static const char *set_listen(struct options *o, const char *value)
{
	return add_address(&o->listen, value);
}

static const char *set_listen_h2c(struct options *o, const char *value)
{
	return add_address(&o->listen_h2c, value);
}

static const char *set_cert(struct options *o, const char *value)
{
	return add_string(&o->cert, value);
}

static const char *set_key(struct options *o, const char *value)
{
	return add_string(&o->key, value);
}

static const char *set_app(struct options *o, const char *value)
{
	return set_string(&o->app, value);
}

static const char *set_app_dir(struct options *o, const char *value)
{
	return set_string(&o->app_dir, value);
}

static const char *set_control(struct options *o, const char *value)
{
	if (strlen(value) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "the path of a Unix socket has at most 107 bytes";
	return set_string(&o->control, value);
}

static const char *set_name(struct options *o, const char *value)
{
	return is_name(value) ? set_string(&o->name, value) : "1 to 63 of A-Z a-z 0-9 . _ -";
}

static const char *set_label(struct options *o, const char *value)
{
	const char *equals = strchr(value, '=');

	if (!equals || equals == value || equals - value > OPTIONS_NAME_MAX)
		return "KEY=VALUE with a key of 1 to 63 bytes";
	if (strlen(equals + 1) > OPTIONS_LABEL_VALUE_MAX)
		return "a label's value has at most 255 bytes";
	if (o->labels.n == OPTIONS_LABELS_MAX)
		return "at most 32 labels";
	return add_string(&o->labels, value);
}

static const char *set_origin(struct options *o, const char *value)
{
	return add_string(&o->origins, value);
}

static const char *set_threads(struct options *o, const char *value)
{
	if (!parse_number(value, H2SESS_THREADS_MAX, &o->threads) || !o->threads)
		return "a number from 1 to 64";
	return NULL;
}

static const char *set_config(struct options *o, const char *value)
{
	return set_string(&o->config, value);
}

static const char *set_check(struct options *o, const char *value)
{
	(void)value;
	o->check = true;
	return NULL;
}

static const char *set_ready_file(struct options *o, const char *value)
{
	return set_string(&o->ready_file, value);
}

static const char *set_health(struct options *o, const char *value)
{
	struct sockaddr_storage address;

	return address_parse(value, &address) ? set_string(&o->health, value) : ADDRESS_RULE;
}

static const char *set_tls_min_version(struct options *o, const char *value)
{
	if (!strcmp(value, "1.2"))
		o->tls_min_version = 0x0303;
	else if (!strcmp(value, "1.3"))
		o->tls_min_version = 0x0304;
	else
		return "1.2 or 1.3";
	return NULL;
}

static const char *set_keylog(struct options *o, const char *value)
{
	return set_string(&o->keylog, value);
}

static const char *set_drain_timeout(struct options *o, const char *value)
{
	uint32_t seconds;

	if (!parse_number(value, 7 * 24 * 3600, &seconds))
		return "seconds, at most a week (604800)";
	o->drain_ms = seconds * 1000;
	return NULL;
}

enum limit_unit { MS, COUNT, BYTES, PER_SECOND };

struct limit_row {
	const char *name;
	size_t offset; /* of a uint32_t in struct h2sess_limits */
	enum limit_unit unit;
};

static const struct limit_row LIMITS[] = {
#define X(field, value, unit, counter, text) {#field, offsetof(struct h2sess_limits, field), unit},
#include <h2sess/limits.def>
#undef X
};

static const struct limit_row *limit_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(LIMITS) / sizeof(*LIMITS); i++) {
		if (strlen(LIMITS[i].name) == len && !memcmp(LIMITS[i].name, name, len))
			return &LIMITS[i];
	}
	return NULL;
}

static const char *set_limit(struct options *o, const char *value)
{
	const char *equals = strchr(value, '=');
	const struct limit_row *row;
	uint32_t number;

	if (!equals)
		return "NAME=VALUE";
	row = limit_by_name(value, (size_t)(equals - value));
	if (!row)
		return "no such limit (h2sess-worker --help lists them)";
	if (row->unit == MS && !strcmp(equals + 1, "off"))
		number = UINT32_MAX;
	else if (!parse_number(equals + 1, UINT32_MAX - 1, &number) || !number)
		return row->unit == MS ? "milliseconds over 0, or off" : "a number over 0";
	memcpy((char *)&o->limits + row->offset, &number, sizeof(number));
	return NULL;
}

static const char *set_help(struct options *o, const char *value)
{
	(void)value;
	o->help = true;
	return NULL;
}

static const char *set_version(struct options *o, const char *value)
{
	(void)value;
	o->version = true;
	return NULL;
}

static const struct row ROWS[] = {
	{"listen", "ADDR:PORT", "serve HTTP/2 over TLS here; port 0 picks a free one", true,
	 set_listen},
	{"cert", "FILE", "certificate chain (PEM, leaf first); SNI chooses among several", true,
	 set_cert},
	{"key", "FILE", "its private key (PEM); as many as --cert, in the same order", true,
	 set_key},
	{"listen-h2c", "ADDR:PORT", "serve cleartext HTTP/2 with prior knowledge here", true,
	 set_listen_h2c},
	{"app", "NAME[:CONFIG]", "what answers requests: static:DIR, echo, or a path to a plugin",
	 false, set_app},
	{"app-dir", "DIR", "where plugins are looked for by name", false, set_app_dir},
	{"control", "PATH", "connect to the h2sess-controld that listens there (its --rpc)", false,
	 set_control},
	{"name", "NAME", "name among the workers of a controld; default: host name and pid", false,
	 set_name},
	{"label", "KEY=VALUE", "label that selectors can choose this worker's sessions by", true,
	 set_label},
	{"origin", "URL", "announce this origin on every TLS session (ORIGIN, RFC 8336)", true,
	 set_origin},
	{"threads", "N", "loop threads, 1 to 64; default 1", false, set_threads},
	{"health", "ADDR:PORT", "plain HTTP/1.1: 200 while serving, 503 while draining", false,
	 set_health},
	{"ready-file", "FILE", "write a JSON object there once connections are accepted", false,
	 set_ready_file},
	{"drain-timeout", "SECONDS", "how long SIGTERM lets streams end; default 30", false,
	 set_drain_timeout},
	{"limit", "NAME=VALUE", "set a limit (below)", true, set_limit},
	{"tls-min-version", "1.2|1.3", "lowest TLS version; default 1.2", false,
	 set_tls_min_version},
	{"keylog", "FILE", "append TLS secrets there (SSLKEYLOGFILE format), for debugging only",
	 false, set_keylog},
	{"config", "FILE", "take flags from an INI file, too: \"listen = ADDR:PORT\"", false,
	 set_config},
	{"check", NULL, "check everything, certificates and app included, and exit", false,
	 set_check},
	{"help", NULL, "print this and exit", false, set_help},
	{"version", NULL, "print the version and exit", false, set_version},
};

#define N_ROWS (sizeof(ROWS) / sizeof(*ROWS))

/* Returns a row's number, or -1. */
static int row_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (strlen(ROWS[i].name) == len && !memcmp(ROWS[i].name, name, len))
			return (int)i;
	}
	return -1;
}

/* ---- the command line ------------------------------------------------------------------------ */

static int refuse(const char *flag, const char *value, const char *rule)
{
	char thing[512];

	snprintf(thing, sizeof(thing), "%s%s%s", flag, value ? " " : "", value ? value : "");
	log_refusal(thing, rule);
	return -1;
}

static int set_from_command_line(struct options *o, int row, const char *flag, const char *value)
{
	const char *rule;

	if (!ROWS[row].repeatable && o->given & (UINT64_C(1) << row))
		return refuse(flag, NULL, "given more than once");
	rule = ROWS[row].set(o, value);
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

const char *options_set_from_file(struct options *o, const char *key, const char *value,
				  bool *ret_known)
{
	int row = row_by_name(key, strlen(key));

	*ret_known = row >= 0 && ROWS[row].argument && ROWS[row].set != set_config;
	if (!*ret_known || o->given & (UINT64_C(1) << row))
		return NULL;
	if (!ROWS[row].repeatable && o->in_file & (UINT64_C(1) << row))
		return "given more than once";
	o->in_file |= UINT64_C(1) << row;
	return ROWS[row].set(o, value);
}

/* ---- what belongs together ------------------------------------------------------------------- */

static int check_whole(const struct options *o)
{
	if (o->cert.n != o->key.n)
		return refuse("--cert and --key", NULL, "as many of the one as of the other");
	if (!o->listen.n && !o->listen_h2c.n)
		return refuse("--listen", NULL, "at least one --listen or --listen-h2c is needed");
	if (o->listen.n && !o->cert.n)
		return refuse("--listen", o->listen.items[0],
			      "TLS needs a --cert and its --key (cleartext is --listen-h2c)");
	if (!o->app)
		return refuse("--app", NULL, "an app is needed (static:DIR, echo)");
	return 0;
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

void options_print_help(void)
{
	puts("Usage: h2sess-worker --listen ADDR:PORT --cert FILE --key FILE --app APP [FLAG]...\n"
	     "Serve HTTP/2 and let h2sess-controld push to its live sessions.\n");
	for (size_t i = 0; i < N_ROWS; i++) {
		char flag[64];

		snprintf(flag, sizeof(flag), "--%s %s", ROWS[i].name,
			 ROWS[i].argument ? ROWS[i].argument : "");
		printf("  %-26s %s%s\n", flag, ROWS[i].text,
		       ROWS[i].repeatable ? "; repeatable" : "");
	}
	puts("\nLimits (milliseconds, counts or bytes), with their defaults, and what they stop:");
#define X(field, value, unit, counter, text)                       \
	if ((value) == UINT32_MAX)                                 \
		printf("  %-28s %10s  %s\n", #field, "off", text); \
	else                                                       \
		printf("  %-28s %10" PRIu32 "  %s\n", #field, (uint32_t)(value), text);
#include <h2sess/limits.def>
#undef X
	puts("\nSIGTERM, SIGINT: drain, then end; again: end at once. SIGHUP: read certificates "
	     "again.");
}

/* ---- life ------------------------------------------------------------------------------------ */

void options_init(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->limits.size = sizeof(o->limits);
	o->threads = 1;
	o->drain_ms = OPTIONS_DRAIN_SECONDS * 1000;
}

static void free_strings(struct strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	memset(list, 0, sizeof(*list));
}

void options_done(struct options *o)
{
	free_strings(&o->listen);
	free_strings(&o->listen_h2c);
	free_strings(&o->cert);
	free_strings(&o->key);
	free_strings(&o->origins);
	free_strings(&o->labels);
	free(o->app);
	free(o->app_dir);
	free(o->control);
	free(o->name);
	free(o->config);
	free(o->ready_file);
	free(o->health);
	free(o->keylog);
	memset(o, 0, sizeof(*o));
}
