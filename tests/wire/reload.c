/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a running server, replaced: limits, origins, certificates and ticket keys, with a
 * session that is there all the time.
 */
#include "support/certificate.h"
#include "support/cmocka_all.h"
#include "support/server.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define KEY 80 /* bytes of a ticket key */

static uint32_t announced(const struct frame *settings, uint16_t id)
{
	for (size_t at = 0; at + 6 <= settings->length; at += 6)
		if (settings->payload[at] << 8 == (id & 0xff00) &&
		    settings->payload[at + 1] == (id & 0xff))
			return frame_u32(settings, at + 2);
	return 0;
}

static struct h2sess_certificate pair_of(const struct certificate *made)
{
	return (struct h2sess_certificate){made->cert_file, made->key_file};
}

static void limits_and_origins_are_replaced(void **state)
{
	const char *const origins[] = {"https://example.org"};
	struct client_options tls = {.tls = true};
	struct h2sess_certificate pair = pair_of(certificate_default());
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_limits limits = H2SESS_LIMITS_INIT;
	struct test_server *t = test_server_start(NULL, NULL);
	struct bystander bystander;
	struct client *c;

	(void)state;
	bystander_start(&bystander, t);
	limits.max_concurrent_streams = 7;
	options.limits = &limits;
	options.origins = origins;
	options.n_origins = 1;
	options.certificates = &pair;
	options.n_certificates = 1;
	for (int i = 0; i < 3; i++)
		assert_int_equal(h2sess_server_reload(t->server, &options, NULL), 0);
	c = client_open(t->tls_port, &tls);
	client_check_get(c, "/", 200);
	assert_int_equal(
		announced(client_find(c, FRAME_SETTINGS, 0), SETTING_MAX_CONCURRENT_STREAMS), 7);
	assert_int_equal(client_count(c, FRAME_ORIGIN), 1);
	client_free(c);
	limits.max_sessions = 1; /* at once, for everybody */
	assert_int_equal(h2sess_server_reload(t->server, &options, NULL), 0);
	c = client_open(t->port, NULL);
	client_await_eof(c);
	assert_true(h2sess_server_limit_count(t->server, "max_sessions") >= 1);
	client_free(c);
	bystander_check(&bystander);
	bystander_stop(&bystander);
	test_server_free(t);
}

static void a_bad_reload_names_its_field_and_changes_nothing(void **state)
{
	static const char *const bad[] = {"not a url"};
	struct h2sess_certificate pair = pair_of(certificate_default());
	struct h2sess_certificate none = {"/nonexistent.pem", "/nonexistent.key"};
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_limits limits = H2SESS_LIMITS_INIT;
	struct test_server *t = test_server_start(NULL, NULL);
	const char *field = NULL;
	struct client *c;

	(void)state;
	limits.max_concurrent_streams = 7;
	options.limits = &limits;
	options.certificates = &none;
	options.n_certificates = 1;
	assert_int_equal(h2sess_server_reload(t->server, &options, &field), H2SESS_ECERTIFICATE);
	assert_string_equal(field, "cert_file");
	options.certificates = &pair;
	options.tls_ticket_keys_file = "/nonexistent";
	assert_int_equal(h2sess_server_reload(t->server, &options, &field), H2SESS_EACCES);
	assert_string_equal(field, "tls_ticket_keys_file");
	options.tls_ticket_keys_file = NULL;
	options.origins = bad;
	options.n_origins = 1;
	assert_int_equal(h2sess_server_reload(t->server, &options, &field), H2SESS_EURL);
	assert_string_equal(field, "origins");
	options.n_origins = 0;
	options.n_certificates = 0;
	assert_int_equal(h2sess_server_reload(t->server, &options, &field), H2SESS_EINVAL);
	assert_string_equal(field, "certificates");
	assert_int_equal(h2sess_server_reload(t->server, NULL, &field), H2SESS_EINVAL);
	c = client_open(t->port, NULL);
	client_check_get(c, "/", 200);
	assert_int_equal(
		announced(client_find(c, FRAME_SETTINGS, 0), SETTING_MAX_CONCURRENT_STREAMS), 100);
	client_free(c);
	test_server_free(t);
}

static void a_cleartext_server_takes_no_certificates(void **state)
{
	struct h2sess_certificate pair = pair_of(certificate_default());
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_server *server = NULL;

	(void)state;
	assert_int_equal(h2sess_server_new(&options, &server, NULL), 0);
	assert_int_equal(h2sess_server_reload(server, &options, NULL), 0);
	options.certificates = &pair;
	options.n_certificates = 1;
	assert_int_equal(h2sess_server_reload(server, &options, NULL), H2SESS_ESTATE);
	h2sess_server_free(server);
}

static void another_list_of_certificates(void **state)
{
	struct client_options two = {.tls = true, .servername = "two.example"};
	struct certificate made;
	struct h2sess_certificate pairs[2];
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct test_server *t = test_server_start(NULL, NULL);
	struct client *c;
	X509 *x509;

	(void)state;
	certificate_make(&made, "two", "DNS:two.example");
	pairs[0] = pair_of(certificate_default());
	pairs[1] = pair_of(&made);
	options.certificates = pairs;
	options.n_certificates = 2;
	assert_int_equal(h2sess_server_reload(t->server, &options, NULL), 0);
	c = client_open(t->tls_port, &two);
	x509 = SSL_get1_peer_certificate(c->ssl);
	assert_int_equal(X509_check_host(x509, "two.example", 0, 0, NULL), 1);
	X509_free(x509);
	client_free(c);
	test_server_free(t);
}

/* ---- ticket keys ----------------------------------------------------------------------------- */

/* n keys; each one is its own letter all over, the first given the newest. */
static void write_keys(const char *path, const char *letters)
{
	unsigned char key[KEY];
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	for (; *letters; letters++) {
		memset(key, *letters, sizeof(key));
		fwrite(key, sizeof(key), 1, file);
	}
	fclose(file);
}

/* A TLS 1.2 handshake, whose ticket comes with it. Returns whether *session was resumed. */
static bool handshake(SSL_CTX *context, int port, SSL_SESSION **session)
{
	struct client_options silent = {.no_preface = true};
	struct client *c = client_open(port, &silent);
	SSL *ssl = SSL_new(context);
	bool resumed;
	int r;

	SSL_set_fd(ssl, c->fd);
	if (*session)
		SSL_set_session(ssl, *session);
	do {
		r = SSL_connect(ssl);
	} while (r < 0 && SSL_get_error(ssl, r) == SSL_ERROR_WANT_READ);
	assert_int_equal(r, 1);
	resumed = SSL_session_reused(ssl);
	SSL_SESSION_free(*session);
	*session = SSL_get1_session(ssl);
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN); /* else OpenSSL calls the session unfit */
	SSL_free(ssl);
	client_free(c);
	return resumed;
}

static void ticket_keys_are_rotated(void **state)
{
	struct h2sess_certificate pair = pair_of(certificate_default());
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_SESSION *session = NULL;
	struct test_server *t;
	char path[160];

	(void)state;
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\2h2", 3);
	snprintf(path, sizeof(path), "%s/tickets", temporary_directory());
	write_keys(path, "a");
	options.certificates = &pair;
	options.n_certificates = 1;
	options.tls_ticket_keys_file = path;
	t = test_server_start(&options, NULL);
	assert_false(handshake(context, t->tls_port, &session));
	assert_true(handshake(context, t->tls_port, &session));
	write_keys(path, "ba"); /* b seals, a opens still */
	assert_int_equal(h2sess_server_reload(t->server, &options, NULL), 0);
	assert_true(handshake(context, t->tls_port, &session));
	write_keys(path, "cb"); /* what b sealed meanwhile opens */
	assert_int_equal(h2sess_server_reload_tls(t->server, NULL), 0);
	assert_true(handshake(context, t->tls_port, &session));
	write_keys(path, "d");
	assert_int_equal(h2sess_server_reload(t->server, &options, NULL), 0);
	assert_false(handshake(context, t->tls_port, &session));
	options.tls_ticket_keys_file = NULL; /* drawn, and kept from then on */
	assert_int_equal(h2sess_server_reload(t->server, &options, NULL), 0);
	assert_false(handshake(context, t->tls_port, &session));
	assert_int_equal(h2sess_server_reload(t->server, &options, NULL), 0);
	assert_true(handshake(context, t->tls_port, &session));
	SSL_SESSION_free(session);
	SSL_CTX_free(context);
	test_server_free(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_and_origins_are_replaced),
		cmocka_unit_test(a_bad_reload_names_its_field_and_changes_nothing),
		cmocka_unit_test(a_cleartext_server_takes_no_certificates),
		cmocka_unit_test(another_list_of_certificates),
		cmocka_unit_test(ticket_keys_are_rotated),
	};

	return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
