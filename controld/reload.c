/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP: the configuration and the tokens again, while everything runs on.
 *
 * main.c calls it from the loop, with the command line of the start.
 *   1. the options are read anew, as at the start;
 *   2. the token file that they name is read;
 *   3. both are good: tokens (streams of those that are gone end), api-host, rpc-user and
 *      event-log-age are taken over; what else has changed needs a restart, and the log says which.
 *
 * Failure modes: a mistake in either: the log says it, everything stays as it was.
 */
#include "reload.h"

#include "controld.h"
#include "log.h"
#include "notify.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_spec(const struct listen_spec *a, const struct listen_spec *b)
{
	return same_text(a->path, b->path) && same_text(a->group, b->group) && a->mode == b->mode &&
	       a->role == b->role && address_equal(&a->address, &b->address);
}

static bool same_apis(const struct options *a, const struct options *b)
{
	if (a->api_count != b->api_count)
		return false;
	for (size_t i = 0; i < a->api_count; i++)
		if (!same_spec(&a->apis[i], &b->apis[i]))
			return false;
	return true;
}

/* What is fixed while the daemon runs. */
static void report_fixed(const struct options *now, const struct options *wanted)
{
	const struct {
		const char *name;
		bool same;
	} rows[] = {
		{"rpc", same_spec(&now->rpc, &wanted->rpc)},
		{"api", same_apis(now, wanted)},
		{"metrics", now->has_metrics == wanted->has_metrics &&
				    same_spec(&now->metrics, &wanted->metrics)},
		{"state", now->no_state == wanted->no_state &&
				  same_text(now->state_file, wanted->state_file)},
		{"ready-file", same_text(now->ready_file, wanted->ready_file)},
		{"event-streams", now->event_streams == wanted->event_streams},
		{"event-log", now->event_log == wanted->event_log},
		{"event-log-bytes", now->event_log_bytes == wanted->event_log_bytes},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!rows[i].same)
			log_line("reload: %s has changed and needs a restart", rows[i].name);
}

/* The old values go where the new ones came from, and are released with them. */
static void take_over(struct options *now, struct options *wanted)
{
	struct options old = *now;

	now->token_file = wanted->token_file;
	wanted->token_file = old.token_file;
	memcpy(now->api_hosts, wanted->api_hosts, sizeof(now->api_hosts));
	memcpy(wanted->api_hosts, old.api_hosts, sizeof(old.api_hosts));
	now->api_host_count = wanted->api_host_count;
	wanted->api_host_count = old.api_host_count;
	memcpy(now->rpc_users, wanted->rpc_users, sizeof(now->rpc_users));
	now->rpc_user_count = wanted->rpc_user_count;
	now->event_log_age = wanted->event_log_age;
}

static int load_tokens(const char *path, struct tokens *ret)
{
	char why[OPTIONS_WHY_MAX];

	if (!path || tokens_load(ret, path, why, sizeof(why)) == 0)
		return 0;
	log_line("reload: %s", why);
	return -1;
}

void reload(struct controld *controld, int argc, char **argv)
{
	struct options wanted;
	struct tokens tokens = {0};

	notify_reloading();
	if (options_read(&wanted, argc, argv) != OPTIONS_RUN ||
	    load_tokens(wanted.token_file, &tokens) < 0) {
		log_line("reload: the old configuration and tokens are kept");
	} else {
		report_fixed(&controld->options, &wanted);
		take_over(&controld->options, &wanted);
		tokens_done(&controld->tokens);
		controld->tokens = tokens;
		streams_check_tokens(&controld->streams, &controld->tokens);
		log_line("reload: done, %zu tokens", controld->tokens.count);
	}
	options_done(&wanted);
	notify_service_manager("READY=1");
}
