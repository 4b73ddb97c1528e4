/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From options to a server of the library.
 *
 *   1. host_new_server(), host_reload_server(): files can be read, origins are origins, then the
 *      library checks the rest
 *   2. host_listen(): each set of sockets
 *   3. host_start_control(): the link to controld
 *
 * Failures, one line each, name the flag and its value: the library says which option is wrong, and
 * where that option has several values they are tried one by one to find the culprit.
 */
#include "host.h"

#include "dispatch.h"
#include "log.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ORIGIN_MAX 17000 /* bytes; longer ones do not fit into a frame, and the library says so */

static int check_readable(const char *flag, const struct strings *files)
{
	for (size_t i = 0; i < files->n; i++) {
		if (access(files->items[i], R_OK) < 0)
			return log_refuse(flag, files->items[i], strerror(errno));
	}
	return 0;
}

static int check_origins(const struct strings *origins)
{
	static char buf[ORIGIN_MAX];

	for (size_t i = 0; i < origins->n; i++) {
		int r = h2sess_origin_of(origins->items[i], buf, sizeof(buf));

		if (r < 0)
			return log_refuse("--origin", origins->items[i], h2sess_strerror(r));
	}
	return 0;
}

/* The pair that alone is refused as all of them are. */
static int refuse_certificate(const struct h2sess_options *all, int error)
{
	struct h2sess_options one = *all;
	const char *flag = error == H2SESS_EKEY ? "--key" : "--cert";

	one.n_certificates = 1;
	for (uint32_t i = 0; i < all->n_certificates; i++) {
		struct h2sess_server *server = NULL;

		one.certificates = &all->certificates[i];
		if (h2sess_server_new(&one, &server, NULL) == error)
			return log_refuse(flag,
					  error == H2SESS_EKEY ? one.certificates->key_file
							       : one.certificates->cert_file,
					  h2sess_strerror(error));
		h2sess_server_free(server);
	}
	return log_refuse(flag, NULL, h2sess_strerror(error));
}

static int refuse_field(const struct h2sess_options *options, const char *field, int error)
{
	static const struct {
		const char *field;
		const char *flag;
	} FLAGS[] = {
		{"threads", "--threads"},
		{"origins", "--origin"},
		{"limits", "--limit"},
		{"tls_min_version", "--tls-min-version"},
		{"tls_keylog_file", "--keylog"},
		{"tls_ticket_keys_file", "--ticket-keys"},
		{"proxy_peers", "--proxy-protocol"},
	};

	if (error == H2SESS_ECERTIFICATE || error == H2SESS_EKEY)
		return refuse_certificate(options, error);
	if (error == H2SESS_EINVAL && field && !strcmp(field, "tls_ticket_keys_file"))
		return log_refuse("--ticket-keys", options->tls_ticket_keys_file,
				  "not 1 to 16 keys of 80 bytes each");
	for (size_t i = 0; field && i < sizeof(FLAGS) / sizeof(*FLAGS); i++) {
		if (!strcmp(FLAGS[i].field, field))
			return log_refuse(FLAGS[i].flag, NULL, h2sess_strerror(error));
	}
	return log_refuse(field ? field : "server", NULL, h2sess_strerror(error));
}

/* Only what the library does not name for itself is looked at here. */
static int check_files(const struct options *o)
{
	const struct strings ticket_keys = {(char **)(uintptr_t)&o->ticket_keys,
					    o->ticket_keys != NULL};

	if (check_readable("--cert", &o->cert) < 0 || check_readable("--key", &o->key) < 0 ||
	    check_readable("--ticket-keys", &ticket_keys) < 0)
		return -1;
	return check_origins(&o->origins);
}

/* ret's certificates are to be freed. Returns 0, or -1. */
static int fill_options(const struct options *o, struct h2sess_options *ret)
{
	struct h2sess_certificate *certificates;

	if (check_files(o) < 0)
		return -1;
	certificates = calloc(o->cert.n + 1, sizeof(*certificates));
	if (!certificates)
		return log_refuse("server", NULL, h2sess_strerror(H2SESS_ENOMEM));
	for (size_t i = 0; i < o->cert.n; i++) {
		certificates[i].cert_file = o->cert.items[i];
		certificates[i].key_file = o->key.items[i];
	}
	*ret = (struct h2sess_options)H2SESS_OPTIONS_INIT;
	ret->threads = o->threads;
	ret->certificates = certificates;
	ret->n_certificates = (uint32_t)o->cert.n;
	ret->origins = (const char *const *)o->origins.items;
	ret->n_origins = o->origins.n;
	ret->limits = &o->limits;
	ret->tls_min_version = o->tls_min_version;
	ret->tls_keylog_file = o->keylog;
	ret->tls_ticket_keys_file = o->ticket_keys;
	ret->proxy_peers = (const char *const *)o->proxies.items;
	ret->n_proxy_peers = o->proxies.n;
	ret->log = log_hook;
	return 0;
}

int host_new_server(const struct options *o, struct dispatch *dispatch, struct h2sess_server **ret)
{
	struct h2sess_options options;
	const char *field = NULL;
	int r;

	if (fill_options(o, &options) < 0)
		return -1;
	options.stream_end = dispatch_stream_end;
	options.session_end = dispatch_session_end;
	options.end_user = dispatch;
	r = h2sess_server_new(&options, ret, &field);
	if (r < 0)
		refuse_field(&options, field, r);
	free((void *)(uintptr_t)options.certificates);
	return r < 0 ? -1 : 0;
}

int host_reload_server(const struct options *o, struct h2sess_server *server)
{
	struct h2sess_options options;
	const char *field = NULL;
	int r;

	if (fill_options(o, &options) < 0)
		return -1;
	r = h2sess_server_reload(server, &options, &field);
	if (r < 0)
		refuse_field(&options, field, r);
	free((void *)(uintptr_t)options.certificates);
	return r < 0 ? -1 : 0;
}

static int listen_on(const struct socket_set *set, struct h2sess_server *server)
{
	uint32_t flags = set->kind == SOCKET_TLS ? H2SESS_LISTEN_TLS : 0;
	int fds[H2SESS_THREADS_MAX];
	int r;

	if (sockets_copy(set, fds) < 0)
		return log_refuse(socket_kind_name(set->kind), set->address, strerror(errno));
	r = h2sess_server_listen_fds(server, fds, set->n, flags);
	for (size_t i = 0; i < set->n && r < 0; i++)
		close(fds[i]);
	return r < 0 ? log_refuse(socket_kind_name(set->kind), set->address, h2sess_strerror(r))
		     : 0;
}

int host_listen(const struct sockets *sockets, struct h2sess_server *server)
{
	int r = 0;

	for (size_t i = 0; i < sockets->n && r == 0; i++) {
		if (sockets->items[i].kind != SOCKET_HEALTH)
			r = listen_on(&sockets->items[i], server);
	}
	return r;
}

/* "K=V" is cut at its first '=': keys are copies to be freed, values point into the option. */
static int split_labels(const struct strings *strings, struct h2sess_control_label *labels)
{
	for (size_t i = 0; i < strings->n; i++) {
		const char *equals = strchr(strings->items[i], '=');

		labels[i].key = strndup(strings->items[i], (size_t)(equals - strings->items[i]));
		labels[i].value = equals + 1;
		if (!labels[i].key)
			return H2SESS_ENOMEM;
	}
	return 0;
}

int host_start_control(const struct options *o, const char *name, const char *succeeds,
		       struct h2sess_server *server, struct h2sess_control **ret)
{
	struct h2sess_control_label labels[OPTIONS_LABELS_MAX] = {0};
	struct h2sess_control_options options = {
		.size = sizeof(options),
		.path = o->control,
		.name = name,
		.succeeds = succeeds,
		.labels = labels,
		.n_labels = o->labels.n,
	};
	int r = split_labels(&o->labels, labels);

	if (!r)
		r = h2sess_control_start(server, &options, ret);
	for (size_t i = 0; i < o->labels.n; i++)
		free((char *)labels[i].key);
	if (r < 0)
		return log_refuse("--control", o->control, h2sess_strerror(r));
	return 0;
}
