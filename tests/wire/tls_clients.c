/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS as its clients see it: sessions resumed by tickets, over a reload and between servers that
 * share a file of keys; client certificates; groups and ciphers.
 *
 * The client is plain OpenSSL, blocking, since the raw client of the other tests has no use for
 * tickets and certificates of its own.
 */
#include "support/certificate.h"
#include "support/cmocka_all.h"
#include "support/server.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct tls_options {
	SSL_SESSION *resume;
	const struct certificate *certificate;
	const char *groups;
	int max_version;
};

struct tls_client {
	SSL_CTX *context;
	SSL *ssl;
	int fd;
	bool shaken; /* hands */
};

static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval limit = {.tv_sec = CLIENT_DEADLINE_MS / 1000};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void use_options(struct tls_client *c, const struct tls_options *options)
{
	const struct certificate *own = options->certificate;

	SSL_CTX_set_alpn_protos(c->context, (const unsigned char *)"\2h2", 3);
	if (options->max_version)
		SSL_CTX_set_max_proto_version(c->context, options->max_version);
	if (options->groups)
		assert_int_equal(SSL_CTX_set1_groups_list(c->context, options->groups), 1);
	if (!own)
		return;
	assert_int_equal(SSL_CTX_use_certificate_file(c->context, own->cert_file, SSL_FILETYPE_PEM),
			 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(c->context, own->key_file, SSL_FILETYPE_PEM),
			 1);
}

/* Shake hands and read the server's SETTINGS: a ticket of TLS 1.3 stands before them. */
static void tls_open(struct tls_client *c, int port, const struct tls_options *options)
{
	unsigned char head[9];

	c->context = SSL_CTX_new(TLS_client_method());
	assert_non_null(c->context);
	use_options(c, options);
	c->ssl = SSL_new(c->context);
	c->fd = connect_to(port);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_tlsext_host_name(c->ssl, "localhost");
	if (options->resume)
		assert_int_equal(SSL_set_session(c->ssl, options->resume), 1);
	c->shaken = SSL_connect(c->ssl) == 1 && SSL_read(c->ssl, head, sizeof(head)) == 9;
}

static void tls_close(struct tls_client *c)
{
	SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	SSL_CTX_free(c->context);
	close(c->fd);
}

/* A whole handshake; the session that it leaves. */
static SSL_SESSION *first_session(int port, int max_version)
{
	struct tls_options options = {.max_version = max_version};
	struct tls_client c;
	SSL_SESSION *session;

	tls_open(&c, port, &options);
	assert_true(c.shaken);
	assert_false(SSL_session_reused(c.ssl));
	session = SSL_get1_session(c.ssl);
	tls_close(&c);
	return session;
}

static bool is_resumed(int port, SSL_SESSION *session)
{
	struct tls_options options = {.resume = session,
				      .max_version = SSL_SESSION_get_protocol_version(session)};
	struct tls_client c;
	bool resumed;

	tls_open(&c, port, &options);
	assert_true(c.shaken);
	resumed = SSL_session_reused(c.ssl);
	tls_close(&c);
	return resumed;
}

/* ---- tickets --------------------------------------------------------------------------------- */

static void check_tickets(int version)
{
	struct test_server *t = test_server_start(NULL, NULL);
	struct test_server *other = test_server_start(NULL, NULL);
	SSL_SESSION *session = first_session(t->tls_port, version);

	assert_true(is_resumed(t->tls_port, session));
	assert_int_equal(h2sess_server_reload_tls(t->server, NULL), 0);
	assert_true(is_resumed(t->tls_port, session)); /* keys outlive the reload */
	assert_false(is_resumed(other->tls_port, session));
	SSL_SESSION_free(session);
	test_server_free(t);
	test_server_free(other);
}

static void tickets_outlive_a_reload(void **state)
{
	(void)state;
	check_tickets(TLS1_3_VERSION);
}

static void tickets_outlive_a_reload_with_tls_1_2(void **state)
{
	(void)state;
	check_tickets(TLS1_2_VERSION);
}

static const char *write_keys(const char *name, int first, int n)
{
	static char path[2][160];
	char *at = path[first % 2];
	FILE *file;
	int i, octet;

	snprintf(at, sizeof(path[0]), "%s/%s", temporary_directory(), name);
	file = fopen(at, "w");
	assert_non_null(file);
	for (i = 0; i < n; i++) {
		for (octet = 0; octet < 80; octet++)
			fputc(first + i + octet, file);
	}
	fclose(file);
	return at;
}

static struct test_server *start_with_keys(const char *path)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;

	options.tls_ticket_keys_file = path;
	return test_server_start(&options, NULL);
}

/* The second server has a newer key in front, and still opens what the first one sealed. */
static void servers_with_one_file_resume_each_others(void **state)
{
	struct test_server *t = start_with_keys(write_keys("old.keys", 2, 1));
	struct test_server *other = start_with_keys(write_keys("new.keys", 1, 2));
	SSL_SESSION *session = first_session(t->tls_port, 0);

	(void)state;
	assert_true(is_resumed(other->tls_port, session));
	SSL_SESSION_free(session);
	session = first_session(other->tls_port, 0);
	assert_false(is_resumed(t->tls_port, session)); /* it does not know the newer one */
	SSL_SESSION_free(session);
	test_server_free(t);
	test_server_free(other);
}

static void a_bad_file_of_keys_is_refused(void **state)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	const struct certificate *made = certificate_default();
	struct h2sess_certificate certificate = {made->cert_file, made->key_file};
	struct h2sess_server *srv = NULL;
	const char *field = NULL;

	(void)state;
	options.certificates = &certificate;
	options.n_certificates = 1;
	options.tls_ticket_keys_file = made->cert_file; /* not a multiple of 80 octets */
	assert_int_equal(h2sess_server_new(&options, &srv, &field), H2SESS_EINVAL);
	assert_string_equal(field, "tls_ticket_keys_file");
	options.tls_ticket_keys_file = "/nowhere/at/all";
	assert_int_equal(h2sess_server_new(&options, &srv, &field), H2SESS_EACCES);
	assert_string_equal(field, "tls_ticket_keys_file");
}

/* ---- client certificates --------------------------------------------------------------------- */

struct properties {
	char subject[64], version[16], cipher[64];
	uint16_t local_port;
	char local_address[64];
	bool has_certificate;
};

static void ask(struct h2sess_session *s, void *user)
{
	struct h2sess_peer peer = {.size = sizeof(peer)};
	struct properties *p = user;
	X509 *certificate = SSL_get1_peer_certificate(h2sess_session_ssl(s));

	h2sess_session_peer(s, &peer);
	snprintf(p->subject, sizeof(p->subject), "%s", peer.subject ? peer.subject : "none");
	snprintf(p->version, sizeof(p->version), "%s", peer.tls_version);
	snprintf(p->cipher, sizeof(p->cipher), "%s", peer.cipher);
	snprintf(p->local_address, sizeof(p->local_address), "%s", peer.local_address);
	p->local_port = peer.local_port;
	p->has_certificate = certificate != NULL;
	X509_free(certificate);
}

static struct properties properties_of(struct test_server *t, size_t nth)
{
	struct properties p = {0};
	const struct record *r = test_server_await(t, "session", 'S', NULL, nth);

	assert_true(test_server_run(t, r->session, ask, &p));
	return p;
}

static struct test_server *start_mtls(bool required)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;

	options.tls_client_ca_file = certificate_default()->cert_file;
	options.tls_client_required = required;
	return test_server_start(&options, NULL);
}

static void a_client_certificate_is_the_subject(void **state)
{
	struct test_server *t = start_mtls(true);
	struct tls_options options = {.certificate = certificate_default()};
	struct properties p;
	struct tls_client c;

	(void)state;
	tls_open(&c, t->tls_port, &options);
	assert_true(c.shaken);
	p = properties_of(t, 1);
	assert_string_equal(p.subject, "CN=test");
	assert_true(p.has_certificate);
	assert_string_equal(p.version, "TLSv1.3");
	assert_string_equal(p.local_address, "127.0.0.1");
	assert_int_equal(p.local_port, t->tls_port);
	tls_close(&c);
	test_server_free(t);
}

static void without_one_where_it_is_not_required(void **state)
{
	struct test_server *t = start_mtls(false);
	struct tls_options options = {0};
	struct tls_client c;

	(void)state;
	tls_open(&c, t->tls_port, &options);
	assert_true(c.shaken);
	assert_string_equal(properties_of(t, 1).subject, "none");
	tls_close(&c);
	test_server_free(t);
}

static void a_certificate_of_another_ca_is_refused(void **state)
{
	struct test_server *t = start_mtls(false);
	struct certificate stranger;
	struct tls_options options = {.certificate = &stranger};
	struct tls_client c;

	(void)state;
	certificate_make(&stranger, "stranger", "DNS:stranger.example");
	tls_open(&c, t->tls_port, &options);
	assert_false(c.shaken);
	assert_int_equal(test_server_count(t, "session", 'S', NULL), 0);
	tls_close(&c);
	test_server_free(t);
}

/* A ticket carries the client's certificate: the session id context is set. */
static void resumption_keeps_the_subject(void **state)
{
	struct test_server *t = start_mtls(true);
	struct tls_options options = {.certificate = certificate_default()};
	struct tls_client c;

	(void)state;
	tls_open(&c, t->tls_port, &options);
	assert_true(c.shaken);
	options.resume = SSL_get1_session(c.ssl);
	tls_close(&c);
	tls_open(&c, t->tls_port, &options);
	assert_true(c.shaken);
	assert_true(SSL_session_reused(c.ssl));
	assert_string_equal(properties_of(t, 2).subject, "CN=test");
	SSL_SESSION_free(options.resume);
	tls_close(&c);
	test_server_free(t);
}

/* ---- groups and ciphers ---------------------------------------------------------------------- */

static void only_the_groups_of_the_options(void **state)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct tls_options p256 = {.groups = "P-256"}, p384 = {.groups = "P-384"};
	struct test_server *t;
	struct tls_client c;

	(void)state;
	options.tls_groups = "P-384";
	t = test_server_start(&options, NULL);
	tls_open(&c, t->tls_port, &p256);
	assert_false(c.shaken);
	tls_close(&c);
	tls_open(&c, t->tls_port, &p384);
	assert_true(c.shaken);
	assert_int_equal(SSL_get_negotiated_group(c.ssl), NID_secp384r1);
	tls_close(&c);
	test_server_free(t);
}

static void only_the_ciphers_of_the_options(void **state)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct tls_options old = {.max_version = TLS1_2_VERSION}, any = {0};
	struct test_server *t;
	struct tls_client c;

	(void)state;
	options.tls_ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
	options.tls_ciphersuites = "TLS_AES_256_GCM_SHA384";
	t = test_server_start(&options, NULL);
	tls_open(&c, t->tls_port, &old);
	assert_true(c.shaken);
	assert_string_equal(properties_of(t, 1).cipher, "ECDHE-ECDSA-CHACHA20-POLY1305");
	tls_close(&c);
	tls_open(&c, t->tls_port, &any);
	assert_true(c.shaken);
	assert_string_equal(properties_of(t, 2).cipher, "TLS_AES_256_GCM_SHA384");
	tls_close(&c);
	test_server_free(t);
}

static void what_openssl_does_not_know_is_refused(void **state)
{
	static const struct {
		const char *field;
		size_t offset;
	} rows[] = {
		{"tls_ciphers", offsetof(struct h2sess_options, tls_ciphers)},
		{"tls_ciphersuites", offsetof(struct h2sess_options, tls_ciphersuites)},
		{"tls_groups", offsetof(struct h2sess_options, tls_groups)},
	};
	const struct certificate *made = certificate_default();
	struct h2sess_certificate certificate = {made->cert_file, made->key_file};
	const char *nonsense = "NO-SUCH-THING", *field;
	struct h2sess_server *srv = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct h2sess_options options = H2SESS_OPTIONS_INIT;

		options.certificates = &certificate;
		options.n_certificates = 1;
		memcpy((char *)&options + rows[i].offset, &nonsense, sizeof(nonsense));
		assert_int_equal(h2sess_server_new(&options, &srv, &field), H2SESS_EINVAL);
		assert_string_equal(field, rows[i].field);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tickets_outlive_a_reload),
		cmocka_unit_test(tickets_outlive_a_reload_with_tls_1_2),
		cmocka_unit_test(servers_with_one_file_resume_each_others),
		cmocka_unit_test(a_bad_file_of_keys_is_refused),
		cmocka_unit_test(a_client_certificate_is_the_subject),
		cmocka_unit_test(without_one_where_it_is_not_required),
		cmocka_unit_test(a_certificate_of_another_ca_is_refused),
		cmocka_unit_test(resumption_keeps_the_subject),
		cmocka_unit_test(only_the_groups_of_the_options),
		cmocka_unit_test(only_the_ciphers_of_the_options),
		cmocka_unit_test(what_openssl_does_not_know_is_refused),
	};

	return cmocka_run_group_tests_name("tls_clients", tests, NULL, NULL);
}
