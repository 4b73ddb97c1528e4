/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line and the configuration file, by one table: each flag is also a key of the file.
 *
 * main.c calls options_read() first of all. It reads the file that --config names (or the default
 * one, if there is one), then the command line over it: a flag that may be repeated replaces all
 * that the file said under its name.
 *
 * Failure modes, each one line and exit status 2: an unknown flag or key, a missing or malformed
 * value, a file that cannot be read, TCP without --token-file.
 */
#include "options.h"

#include <errno.h>
#include <ini.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef H2SESS_VERSION
#define H2SESS_VERSION "0.1.0"
#endif

#define DEFAULT_CONFIG "/etc/h2sess/controld.conf"
#define DEFAULT_API "unix:/run/h2sess/api.sock"
#define DEFAULT_RPC "/run/h2sess-rpc/rpc.sock"
#define DEFAULT_STATE "/var/lib/h2sess/state.db"
#define DEFAULT_WORKER_USER "_h2sess-worker"
#define DEFAULT_EVENT_STREAMS 2000
#define DEFAULT_EVENT_LOG 50000
#define DEFAULT_EVENT_LOG_BYTES (64 << 20)
#define DEFAULT_EVENT_LOG_AGE (7 * 86400)

static int out_of_memory(char *why)
{
	snprintf(why, OPTIONS_WHY_MAX, "out of memory");
	return -1;
}

static int replace(char **at, const char *value, char *why)
{
	char *copy = strdup(value);

	if (!copy)
		return out_of_memory(why);
	free(*at);
	*at = copy;
	return 0;
}

static int room_in_list(size_t count, char *why)
{
	if (count < OPTIONS_LIST_MAX)
		return 0;
	snprintf(why, OPTIONS_WHY_MAX, "more than %d", OPTIONS_LIST_MAX);
	return -1;
}

static int set_rpc(struct options *o, const char *value, char *why)
{
	char spec[512];

	snprintf(spec, sizeof(spec), "%s%s", strncmp(value, "unix:", 5) ? "unix:" : "", value);
	listen_spec_done(&o->rpc);
	return listen_spec_parse(spec, &o->rpc, why);
}

static int set_api(struct options *o, const char *value, char *why)
{
	if (room_in_list(o->api_count, why) < 0 ||
	    listen_spec_parse(value, &o->apis[o->api_count], why) < 0)
		return -1;
	o->api_count++;
	return 0;
}

static void clear_api(struct options *o)
{
	while (o->api_count)
		listen_spec_done(&o->apis[--o->api_count]);
}

static int set_metrics(struct options *o, const char *value, char *why)
{
	listen_spec_done(&o->metrics);
	o->has_metrics = listen_spec_parse(value, &o->metrics, why) == 0;
	return o->has_metrics ? 0 : -1;
}

static int set_api_host(struct options *o, const char *value, char *why)
{
	if (room_in_list(o->api_host_count, why) < 0 ||
	    replace(&o->api_hosts[o->api_host_count], value, why) < 0)
		return -1;
	o->api_host_count++;
	return 0;
}

static void clear_api_host(struct options *o)
{
	while (o->api_host_count) {
		free(o->api_hosts[--o->api_host_count]);
		o->api_hosts[o->api_host_count] = NULL;
	}
}

static int set_rpc_user(struct options *o, const char *value, char *why)
{
	const struct passwd *user = getpwnam(value);
	char *end;
	unsigned long uid = strtoul(value, &end, 10);

	if (room_in_list(o->rpc_user_count, why) < 0)
		return -1;
	if (!user && (!*value || *end || uid >= (uid_t)-1)) {
		snprintf(why, OPTIONS_WHY_MAX, "no such user: %.100s", value);
		return -1;
	}
	o->rpc_users[o->rpc_user_count++] = user ? user->pw_uid : (uid_t)uid;
	return 0;
}

static void clear_rpc_user(struct options *o)
{
	o->rpc_user_count = 0;
}

static int set_token_file(struct options *o, const char *value, char *why)
{
	return replace(&o->token_file, value, why);
}

static int set_state(struct options *o, const char *value, char *why)
{
	o->no_state = false;
	return replace(&o->state_file, value, why);
}

static int set_no_state(struct options *o, const char *value, char *why)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
		snprintf(why, OPTIONS_WHY_MAX, "not yes or no");
		return -1;
	}
	o->no_state = strcmp(value, "yes") == 0;
	return 0;
}

static int set_config(struct options *o, const char *value, char *why)
{
	return replace(&o->config_file, value, why);
}

static int set_ready_file(struct options *o, const char *value, char *why)
{
	return replace(&o->ready_file, value, why);
}

static int parse_count(const char *value, int64_t min, int64_t max, int64_t *ret, char *why)
{
	char *end;
	long long number = strtoll(value, &end, 10);

	if (!*value || *end || number < min || number > max) {
		snprintf(why, OPTIONS_WHY_MAX, "not a number from %lld to %lld", (long long)min,
			 (long long)max);
		return -1;
	}
	*ret = number;
	return 0;
}

static int set_event_streams(struct options *o, const char *value, char *why)
{
	return parse_count(value, 1, 100000, &o->event_streams, why);
}

static int set_event_log(struct options *o, const char *value, char *why)
{
	return parse_count(value, 16, 1 << 22, &o->event_log, why);
}

static int set_event_log_bytes(struct options *o, const char *value, char *why)
{
	return parse_count(value, 1 << 16, 1LL << 36, &o->event_log_bytes, why);
}

static int set_event_log_age(struct options *o, const char *value, char *why)
{
	return parse_count(value, 1, 10LL * 365 * 86400, &o->event_log_age, why);
}

static const struct option_row {
	const char *name;
	const char *argument; /* NULL: a flag */
	int (*set)(struct options *o, const char *value, char *why);
	void (*clear)(struct options *o); /* of a flag that may be repeated */
	const char *help;
} rows[] = {
	{"rpc", "PATH[,group=GROUP][,mode=OCTAL]", set_rpc, NULL,
	 "Unix socket that workers connect to (" DEFAULT_RPC ")"},
	{"rpc-user", "USER", set_rpc_user, clear_rpc_user,
	 "who may connect there, repeatable (root, ourselves, " DEFAULT_WORKER_USER ")"},
	{"api", "LISTENER", set_api, clear_api,
	 "unix:PATH[,role=ROLE][,group=GROUP][,mode=OCTAL] or ADDR:PORT,\n"
	 "                        repeatable (" DEFAULT_API ")"},
	{"api-host", "NAME", set_api_host, clear_api_host,
	 "a further Host that TCP listeners answer to, repeatable"},
	{"token-file", "FILE", set_token_file, NULL,
	 "lines `ROLE TOKEN-SHA256 NAME`; TCP needs it"},
	{"metrics", "ADDR:PORT", set_metrics, NULL, "/metrics and /healthz alone, without a token"},
	{"state", "FILE", set_state, NULL, "durable state (" DEFAULT_STATE ")"},
	{"no-state", NULL, set_no_state, NULL, "keep nothing"},
	{"config", "FILE", set_config, NULL, "key = value of these names (" DEFAULT_CONFIG ")"},
	{"ready-file", "FILE", set_ready_file, NULL, "written once the daemon accepts"},
	{"event-streams", "N", set_event_streams, NULL, "event streams at once (2000)"},
	{"event-log", "N", set_event_log, NULL, "events kept for those who resume (50000)"},
	{"event-log-bytes", "N", set_event_log_bytes, NULL, "and octets of them (64 MiB)"},
	{"event-log-age", "SECONDS", set_event_log_age, NULL, "and how old they may be (a week)"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct option_row *find_row(const char *name, size_t len)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strncmp(rows[i].name, name, len) == 0 && !rows[i].name[len])
			return &rows[i];
	return NULL;
}

static void print_help(void)
{
	printf("usage: h2sess-controld [OPTION]...\n\n");
	for (size_t i = 0; i < ROWS; i++) {
		const char *argument = rows[i].argument ? rows[i].argument : "";
		int width = printf("  --%s %s", rows[i].name, argument);

		printf("%s%*s%s\n", width > 23 ? "\n" : "", width > 23 ? 24 : 24 - width, "",
		       rows[i].help);
	}
	printf("  --new-token ROLE NAME print a token and its line for the token file\n"
	       "  --version             print the version\n"
	       "  --help                print this\n\n"
	       "Roles: read, push, admin. See h2sess-controld(8).\n");
}

static enum options_result complain(const char *about, const char *why)
{
	fprintf(stderr, "h2sess-controld: %s: %s\n", about, why);
	return OPTIONS_EXIT_USAGE;
}

static enum options_result print_token(int argc, char **argv)
{
	char token[TOKEN_TEXT_MAX], line[256];
	enum role role = argc == 4 ? role_by_name(argv[2]) : ROLE_NONE;

	if (role == ROLE_NONE)
		return complain("--new-token", "needs a role (read, push, admin) and a name");
	if (token_new(role, argv[3], token, line, sizeof(line)) < 0)
		return complain("--new-token", "the name must be 1 to 64 printable characters");
	printf("%s\n%s\n", token, line);
	return OPTIONS_EXIT_OK;
}

struct file_reader {
	struct options *options;
	const char *path;
	FILE *file;
	int line; /* the last that was read */
	bool failed;
};

/* As inih wants it: a line, and we know its number when a key of it is refused. */
static char *read_line(char *ret, int room, void *user)
{
	struct file_reader *reader = user;

	reader->line++;
	return fgets(ret, room, reader->file);
}

static void refuse_line(struct file_reader *reader, const char *about, const char *why)
{
	fprintf(stderr, "h2sess-controld: %s:%d: %s: %s\n", reader->path, reader->line, about, why);
	reader->failed = true;
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
	struct file_reader *reader = user;
	const struct option_row *row = find_row(name, strlen(name));
	char why[OPTIONS_WHY_MAX];

	if (reader->failed)
		return 1;
	if (section[0] && strcmp(section, "controld") != 0)
		refuse_line(reader, section, "no such section");
	else if (!row || row->set == set_config)
		refuse_line(reader, name, "no such key");
	else if (row->set(reader->options, value, why) < 0)
		refuse_line(reader, name, why);
	return 1;
}

static enum options_result read_file(struct options *o)
{
	const char *path = o->config_file ? o->config_file : DEFAULT_CONFIG;
	struct file_reader reader = {.options = o, .path = path};
	char why[64];
	int line;

	reader.file = fopen(path, "re");
	if (!reader.file && errno == ENOENT && !o->config_file)
		return OPTIONS_RUN;
	if (!reader.file)
		return complain(path, strerror(errno));
	line = ini_parse_stream(read_line, &reader, on_key, &reader);
	fclose(reader.file);
	if (reader.failed)
		return OPTIONS_EXIT_USAGE;
	if (!line)
		return OPTIONS_RUN;
	snprintf(why, sizeof(why), "line %d is not `key = value`, or is too long", line);
	return complain(path, why);
}

/* Take the flag at argv[*index], and its value. Only --config when `first`, all others when not. */
static enum options_result take_flag(struct options *o, int argc, char **argv, int *index,
				     bool first, bool seen[ROWS])
{
	const char *flag = argv[*index], *name = flag + 2, *value;
	size_t len = strcspn(name, "=");
	const struct option_row *row = strncmp(flag, "--", 2) ? NULL : find_row(name, len);
	char why[OPTIONS_WHY_MAX];

	if (!row)
		return complain(flag, "no such option (see --help)");
	value = name[len] ? name + len + 1 : row->argument ? argv[++*index] : "yes";
	if (*index >= argc)
		return complain(flag, "needs a value");
	if ((row->set == set_config) != first)
		return OPTIONS_RUN;
	if (row->clear && !seen[row - rows])
		row->clear(o);
	seen[row - rows] = true;
	return row->set(o, value, why) == 0 ? OPTIONS_RUN : complain(flag, why);
}

static enum options_result take_flags(struct options *o, int argc, char **argv, bool first)
{
	enum options_result result = OPTIONS_RUN;
	bool seen[ROWS] = {0};

	for (int i = 1; i < argc && result == OPTIONS_RUN; i++)
		result = take_flag(o, argc, argv, &i, first, seen);
	return result;
}

static enum options_result fill_defaults(struct options *o)
{
	char why[OPTIONS_WHY_MAX] = "";
	int r = 0;

	if (!o->rpc.path)
		r |= set_rpc(o, DEFAULT_RPC, why);
	if (!o->api_count)
		r |= set_api(o, DEFAULT_API, why);
	if (!o->state_file && !o->no_state)
		r |= set_state(o, DEFAULT_STATE, why);
	if (!o->rpc_user_count) {
		o->rpc_users[o->rpc_user_count++] = 0;
		o->rpc_users[o->rpc_user_count++] = geteuid();
		if (getpwnam(DEFAULT_WORKER_USER))
			r |= set_rpc_user(o, DEFAULT_WORKER_USER, why);
	}
	return r ? complain("defaults", why) : OPTIONS_RUN;
}

static enum options_result check(const struct options *o)
{
	if (o->has_metrics && o->metrics.path)
		return complain("--metrics", "takes ADDR:PORT");
	for (size_t i = 0; i < o->api_count; i++)
		if (!o->apis[i].path && !o->token_file)
			return complain("--api", "a TCP listener needs --token-file");
	return OPTIONS_RUN;
}

enum options_result options_read(struct options *options, int argc, char **argv)
{
	enum options_result result;

	*options = (struct options){
		.event_streams = DEFAULT_EVENT_STREAMS,
		.event_log = DEFAULT_EVENT_LOG,
		.event_log_bytes = DEFAULT_EVENT_LOG_BYTES,
		.event_log_age = DEFAULT_EVENT_LOG_AGE,
	};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			return OPTIONS_EXIT_OK;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("h2sess-controld %s\n", H2SESS_VERSION);
			return OPTIONS_EXIT_OK;
		}
	}
	if (argc > 1 && strcmp(argv[1], "--new-token") == 0)
		return print_token(argc, argv);
	result = take_flags(options, argc, argv, true);
	if (result == OPTIONS_RUN)
		result = read_file(options);
	if (result == OPTIONS_RUN)
		result = take_flags(options, argc, argv, false);
	if (result == OPTIONS_RUN)
		result = fill_defaults(options);
	return result == OPTIONS_RUN ? check(options) : result;
}

void options_done(struct options *options)
{
	clear_api(options);
	clear_api_host(options);
	listen_spec_done(&options->rpc);
	listen_spec_done(&options->metrics);
	free(options->token_file);
	free(options->state_file);
	free(options->config_file);
	free(options->ready_file);
}
