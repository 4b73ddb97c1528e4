/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of the library's own listeners: certificates by SNI, reload without an end of sessions,
 * versions, client certificates, key log, and what is refused when the server is made.
 */
#include "support/certificate.h"
#include "support/cmocka_all.h"
#include "support/server.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool presents(struct client *c, const char *name)
{
	X509 *certificate = SSL_get1_peer_certificate(c->ssl);
	bool yes = certificate && X509_check_host(certificate, name, 0, 0, NULL) == 1;

	X509_free(certificate);
	return yes;
}

static struct test_server *start_two(struct certificate made[2])
{
	static struct h2sess_certificate certificates[2];
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	int i;

	certificate_make(&made[0], "one", "DNS:one.example,DNS:*.one.example");
	certificate_make(&made[1], "two", "DNS:two.example");
	for (i = 0; i < 2; i++) {
		certificates[i].cert_file = made[i].cert_file;
		certificates[i].key_file = made[i].key_file;
	}
	options.certificates = certificates;
	options.n_certificates = 2;
	return test_server_start(&options, NULL);
}

struct sni {
	const char *asked;
	const char *presented;
};

static void sni_picks_the_certificate(void **state)
{
	static const struct sni cases[] = {
		{"one.example", "one.example"},	  {"two.example", "two.example"},
		{"a.one.example", "one.example"}, {"TWO.example", "two.example"},
		{"other.example", "one.example"}, {"", "one.example"},
	};
	struct certificate made[2];
	struct test_server *t = start_two(made);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct client_options options = {.tls = true, .servername = cases[i].asked};
		struct client *c = client_open(t->tls_port, &options);

		assert_int_equal(c->handshake_error, 0);
		if (!presents(c, cases[i].presented))
			fail_msg("%s: not the certificate of %s", cases[i].asked,
				 cases[i].presented);
		client_check_get(c, "/", 200);
		client_free(c);
	}
	test_server_free(t);
}

static void reload_ends_no_session(void **state)
{
	struct client_options options = {.tls = true, .servername = "one.example"};
	struct certificate made[2], other;
	struct test_server *t = start_two(made);
	struct client *before = client_open(t->tls_port, &options), *after;
	const char *field = NULL;

	(void)state;
	client_check_get(before, "/", 200);
	certificate_make(&other, "one", "DNS:new.example"); /* over the files of the first */
	assert_int_equal(h2sess_server_reload_tls(t->server, &field), 0);
	client_check_get(before, "/", 200);
	options.servername = "new.example";
	after = client_open(t->tls_port, &options);
	assert_true(presents(after, "new.example"));
	client_check_get(after, "/", 200);
	client_free(before);
	client_free(after);
	test_server_free(t);
}

static void a_bad_reload_changes_nothing(void **state)
{
	struct client_options options = {.tls = true, .servername = "one.example"};
	struct certificate made[2];
	struct test_server *t = start_two(made);
	const char *field = NULL;
	struct client *c;
	FILE *file = fopen(made[1].cert_file, "w");

	(void)state;
	fputs("-----BEGIN CERTIFICATE-----\nnonsense\n", file);
	fclose(file);
	assert_int_equal(h2sess_server_reload_tls(t->server, &field), H2SESS_ECERTIFICATE);
	assert_non_null(field);
	c = client_open(t->tls_port, &options);
	assert_true(presents(c, "one.example"));
	client_check_get(c, "/", 200);
	client_free(c);
	test_server_free(t);
}

struct bad {
	struct h2sess_certificate certificate;
	int result;
};

static void bad_certificates_are_refused_at_start(void **state)
{
	const struct certificate *good = certificate_default();
	struct certificate other;
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_server *made;
	const char *field;
	size_t i;

	(void)state;
	certificate_make(&other, "other", "DNS:other.example");
	const struct bad cases[] = {
		{{"/nonexistent.crt", good->key_file}, H2SESS_ECERTIFICATE},
		{{good->key_file, good->key_file}, H2SESS_ECERTIFICATE},
		{{good->cert_file, good->cert_file}, H2SESS_EKEY},
		{{good->cert_file, other.key_file}, H2SESS_EKEY},
		{{good->cert_file, "/nonexistent.key"}, H2SESS_EKEY},
	};
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		made = NULL;
		field = NULL;
		options.certificates = &cases[i].certificate;
		options.n_certificates = 1;
		assert_int_equal(h2sess_server_new(&options, &made, &field), cases[i].result);
		assert_non_null(field);
		assert_null(made);
	}
}

static void tls_needs_a_certificate(void **state)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_server *made = NULL;

	(void)state;
	assert_int_equal(h2sess_server_new(&options, &made, NULL), 0);
	assert_true(h2sess_server_listen(made, "127.0.0.1:0", H2SESS_LISTEN_TLS) < 0);
	h2sess_server_free(made);
}

static void the_keylog_is_written(void **state)
{
	struct client_options tls = {.tls = true};
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	char path[128], line[512] = "";
	struct test_server *t;
	struct client *c;
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/keylog", temporary_directory());
	options.tls_keylog_file = path;
	t = test_server_start(&options, NULL);
	c = client_open(t->tls_port, &tls);
	client_check_get(c, "/", 200);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) && !strstr(line, "SERVER_TRAFFIC_SECRET_0"))
		;
	assert_non_null(strstr(line, "SERVER_TRAFFIC_SECRET_0"));
	fclose(file);
	client_free(c);
	test_server_free(t);
}

static void a_minimum_version_is_kept(void **state)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct client_options silent = {.no_preface = true};
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	struct test_server *t;
	struct client *c;
	SSL *ssl;

	(void)state;
	options.tls_min_version = TLS1_3_VERSION;
	t = test_server_start(&options, NULL);
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	c = client_open(t->tls_port, &silent);
	ssl = SSL_new(context);
	SSL_set_fd(ssl, c->fd);
	while (SSL_connect(ssl) < 0 && SSL_get_error(ssl, -1) == SSL_ERROR_WANT_READ)
		;
	assert_false(SSL_is_init_finished(ssl));
	SSL_free(ssl);
	SSL_CTX_free(context);
	client_free(c);
	test_server_free(t);
}

static void a_client_certificate_can_be_required(void **state)
{
	struct client_options tls = {.tls = true};
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct test_server *t;
	struct client *c;

	(void)state;
	options.tls_client_ca_file = certificate_default()->cert_file;
	options.tls_client_required = true;
	t = test_server_start(&options, NULL);
	c = client_open(t->tls_port, &tls);
	client_await_eof(c); /* with TLS 1.3 the alert comes after our handshake */
	assert_int_equal(test_server_count(t, "session", 'S', NULL), 0);
	client_free(c);
	test_server_free(t);
}

static void tls_in_small_pieces(void **state)
{
	struct client_options options = {.tls = true, .piece = 3, .receive_buffer = 4096};
	struct test_server *t = test_server_start(NULL, NULL);
	struct client *c = client_open(t->tls_port, &options);

	(void)state;
	client_check_get(c, "/", 200);
	client_check_get(c, "/", 200);
	client_free(c);
	test_server_free(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sni_picks_the_certificate),
		cmocka_unit_test(reload_ends_no_session),
		cmocka_unit_test(a_bad_reload_changes_nothing),
		cmocka_unit_test(bad_certificates_are_refused_at_start),
		cmocka_unit_test(tls_needs_a_certificate),
		cmocka_unit_test(the_keylog_is_written),
		cmocka_unit_test(a_minimum_version_is_kept),
		cmocka_unit_test(a_client_certificate_can_be_required),
		cmocka_unit_test(tls_in_small_pieces),
	};

	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
