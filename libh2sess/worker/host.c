/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From options to a server of the library.
 *
 *   1. host_new_server(): files can be read, origins are origins, then h2sess_server_new() checks
 *      the rest
 *   2. host_listen(): each address, TLS first
 *   3. host_start_control(): the link to controld
 *
 * Failures, one line each, name the flag and its value: the library says which option is wrong, and
 * where that option has several values they are tried one by one to find the culprit.
 */
#include "host.h"

#include "log.h"
#include "options.h"
#include "ready.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ORIGIN_MAX 17000 /* bytes; longer ones do not fit into a frame, and the library says so */

static int refuse(const char *flag, const char *value, const char *rule)
{
	char thing[512];

	snprintf(thing, sizeof(thing), "%s%s%s", flag, value ? " " : "", value ? value : "");
	log_refusal(thing, rule);
	return -1;
}

static int check_readable(const char *flag, const struct strings *files)
{
	for (size_t i = 0; i < files->n; i++) {
		if (access(files->items[i], R_OK) < 0)
			return refuse(flag, files->items[i], strerror(errno));
	}
	return 0;
}

static int check_origins(const struct strings *origins)
{
	static char buf[ORIGIN_MAX];

	for (size_t i = 0; i < origins->n; i++) {
		int r = h2sess_origin_of(origins->items[i], buf, sizeof(buf));

		if (r < 0)
			return refuse("--origin", origins->items[i], h2sess_strerror(r));
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
			return refuse(flag,
				      error == H2SESS_EKEY ? one.certificates->key_file
							   : one.certificates->cert_file,
				      h2sess_strerror(error));
		h2sess_server_free(server);
	}
	return refuse(flag, NULL, h2sess_strerror(error));
}

static int refuse_field(const struct h2sess_options *options, const char *field, int error)
{
	static const struct {
		const char *field;
		const char *flag;
	} FLAGS[] = {
		{"threads", "--threads"},	 {"origins", "--origin"},
		{"limits", "--limit"},		 {"tls_min_version", "--tls-min-version"},
		{"tls_keylog_file", "--keylog"},
	};

	if (error == H2SESS_ECERTIFICATE || error == H2SESS_EKEY)
		return refuse_certificate(options, error);
	for (size_t i = 0; field && i < sizeof(FLAGS) / sizeof(*FLAGS); i++) {
		if (!strcmp(FLAGS[i].field, field))
			return refuse(FLAGS[i].flag, NULL, h2sess_strerror(error));
	}
	return refuse(field ? field : "server", NULL, h2sess_strerror(error));
}

int host_new_server(const struct options *o, struct h2sess_server **ret)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_certificate *certificates;
	const char *field = NULL;
	int r;

	if (check_readable("--cert", &o->cert) < 0 || check_readable("--key", &o->key) < 0 ||
	    check_origins(&o->origins) < 0)
		return -1;
	certificates = calloc(o->cert.n + 1, sizeof(*certificates));
	if (!certificates)
		return refuse("server", NULL, h2sess_strerror(H2SESS_ENOMEM));
	for (size_t i = 0; i < o->cert.n; i++) {
		certificates[i].cert_file = o->cert.items[i];
		certificates[i].key_file = o->key.items[i];
	}
	options.threads = o->threads;
	options.certificates = certificates;
	options.n_certificates = (uint32_t)o->cert.n;
	options.origins = (const char *const *)o->origins.items;
	options.n_origins = o->origins.n;
	options.limits = &o->limits;
	options.tls_min_version = o->tls_min_version;
	options.tls_keylog_file = o->keylog;
	options.log = log_hook;
	r = h2sess_server_new(&options, ret, &field);
	if (r < 0)
		refuse_field(&options, field, r);
	free(certificates);
	return r < 0 ? -1 : 0;
}

static int listen_all(const char *flag, const struct strings *addresses, uint32_t flags,
		      struct h2sess_server *server, struct listening *listening)
{
	for (size_t i = 0; i < addresses->n; i++) {
		int port = h2sess_server_listen(server, addresses->items[i], flags);

		if (port < 0)
			return refuse(flag, addresses->items[i], h2sess_strerror(port));
		listening[i] = (struct listening){
			.address = addresses->items[i],
			.port = (uint16_t)port,
			.tls = flags & H2SESS_LISTEN_TLS,
		};
	}
	return 0;
}

int host_listen(const struct options *o, struct h2sess_server *server, struct listening *listening)
{
	if (listen_all("--listen", &o->listen, H2SESS_LISTEN_TLS, server, listening) < 0)
		return -1;
	return listen_all("--listen-h2c", &o->listen_h2c, 0, server, listening + o->listen.n);
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

int host_start_control(const struct options *o, const char *name, struct h2sess_server *server,
		       struct h2sess_control **ret)
{
	struct h2sess_control_label labels[OPTIONS_LABELS_MAX] = {0};
	struct h2sess_control_options options = {
		.size = sizeof(options),
		.path = o->control,
		.name = name,
		.labels = labels,
		.n_labels = o->labels.n,
	};
	int r = split_labels(&o->labels, labels);

	if (!r)
		r = h2sess_control_start(server, &options, ret);
	for (size_t i = 0; i < o->labels.n; i++)
		free((char *)labels[i].key);
	if (r < 0)
		return refuse("--control", o->control, h2sess_strerror(r));
	return 0;
}
