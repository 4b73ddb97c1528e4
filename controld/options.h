/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_OPTIONS_H
#define CONTROLD_OPTIONS_H

#include "tokens.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define OPTIONS_LIST_MAX 32 /* listeners, host names, users: of each */
#define OPTIONS_WHY_MAX 256
#define OPTIONS_REFUSED (-2) /* what a flag names is not what it should be: exit status 2 */

union socket_address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

/* One place to listen on. path NULL: TCP. */
struct listen_spec {
	char *path;
	char *group; /* NULL: ours */
	mode_t mode;
	enum role role; /* Unix sockets: what whoever reaches it may do */
	union socket_address address;
};

struct options {
	struct listen_spec rpc;
	struct listen_spec apis[OPTIONS_LIST_MAX];
	size_t api_count;
	struct listen_spec metrics;
	bool has_metrics;
	char *api_hosts[OPTIONS_LIST_MAX];
	size_t api_host_count;
	uid_t rpc_users[OPTIONS_LIST_MAX];
	size_t rpc_user_count;
	char *token_file;
	char *state_file;
	bool no_state;
	char *config_file;
	char *ready_file;
	int64_t event_streams; /* how many may be open at once */
	int64_t event_log;     /* events kept for those who resume */
	int64_t event_log_bytes;
	int64_t event_log_age; /* seconds */
};

enum options_result { OPTIONS_RUN, OPTIONS_EXIT_OK, OPTIONS_EXIT_USAGE };

/*
 * Read the command line and the configuration file. Prints what --help, --version and --new-token
 * ask for, and for a mistake one line to stderr. options_done() afterwards in every case.
 */
enum options_result options_read(struct options *options, int argc, char **argv);
void options_done(struct options *options);

/* Parsers of single values, -1 with a reason in why[OPTIONS_WHY_MAX]. */
int listen_spec_parse(const char *value, struct listen_spec *ret, char *why);
void listen_spec_done(struct listen_spec *spec);
bool address_equal(const union socket_address *a, const union socket_address *b);
bool address_is_loopback(const union socket_address *address);

#endif
