/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS as HTTP/2 wants it: certificates by SNI, ALPN h2, reload.
 *
 * Owns one SSL_CTX a certificate, in sets; a reload makes a whole new set or changes nothing.
 * Connections hold their SSL_CTX by OpenSSL's own count, so an old set dies with its last
 * connection. Called by the server, from any thread.
 *
 * Happy path: tls_new() reads and checks everything -> tls_accept_new() for each connection ->
 * OpenSSL asks for the certificate (by SNI, the first one otherwise) and the protocol (h2; none
 * offered: the session's business; others only: the alert no_application_protocol).
 *
 * Failure modes: a file that cannot be read, is not PEM, does not fit its key: each one an error
 * that names the option. OpenSSL's error queue is emptied before it is asked.
 */
#include "tls.h"

#include "memory.h"
#include "tls_tickets.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define NAMES_MAX 128 /* of one certificate that are listed */

/* RFC 9113 9.2.2: ephemeral keys and AEAD only; TLS 1.3's suites are fine as they are. */
#define DEFAULT_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

struct certificate {
	char *cert_file;
	char *key_file;
	SSL_CTX *ctx;
};

struct tls {
	uv_mutex_t lock; /* guards the ctx of each certificate */
	struct certificate *certificates;
	size_t n_certificates;
	struct ticket_keys *ticket_keys;
	FILE *keylog;
	int min_version;
	char *ciphers;
	char *ciphersuites;
	char *groups;
	char *client_ca_file;
	bool client_required;
};

static int ex_index = -1;

static void make_index(void)
{
	ex_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static uv_once_t once = UV_ONCE_INIT;

/* ---- callbacks of OpenSSL
 * ------------------------------------------------------------------------ */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned int in_len, void *user)
{
	static const unsigned char h2[] = {2, 'h', '2'};
	unsigned char *selected;

	(void)ssl;
	(void)user;
	if (SSL_select_next_proto(&selected, out_len, h2, sizeof(h2), in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = selected;
	return SSL_TLSEXT_ERR_OK;
}

/* The first certificate that covers the name serves it; without one the default answers. */
static int on_servername(SSL *ssl, int *alert, void *user)
{
	struct tls *tls = user;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	size_t i;

	(void)alert;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	uv_mutex_lock(&tls->lock);
	for (i = 0; i < tls->n_certificates; i++) {
		SSL_CTX *ctx = tls->certificates[i].ctx;

		if (X509_check_host(SSL_CTX_get0_certificate(ctx), name, 0, 0, NULL) != 1)
			continue;
		SSL_set_SSL_CTX(ssl, ctx);
		break;
	}
	uv_mutex_unlock(&tls->lock);
	return SSL_TLSEXT_ERR_OK;
}

static void on_keylog(const SSL *ssl, const char *line)
{
	struct tls *tls = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ex_index);

	fprintf(tls->keylog, "%s\n", line); /* one call: stdio's lock keeps lines whole */
	fflush(tls->keylog);
}

/* ---- contexts
 * ------------------------------------------------------------------------------------ */

static int use_lists(const struct tls *tls, SSL_CTX *ctx, const char **ret_field)
{
	*ret_field = "tls_ciphers";
	if (!SSL_CTX_set_cipher_list(ctx, tls->ciphers ? tls->ciphers : DEFAULT_CIPHERS))
		return H2SESS_EINVAL;
	*ret_field = "tls_ciphersuites";
	if (tls->ciphersuites && !SSL_CTX_set_ciphersuites(ctx, tls->ciphersuites))
		return H2SESS_EINVAL;
	*ret_field = "tls_groups";
	if (tls->groups && !SSL_CTX_set1_groups_list(ctx, tls->groups))
		return H2SESS_EINVAL;
	*ret_field = "tls_min_version";
	return SSL_CTX_set_min_proto_version(ctx, tls->min_version) ? 0 : H2SESS_EINVAL;
}

static int use_client_ca(const struct tls *tls, SSL_CTX *ctx, const char **ret_field)
{
	STACK_OF(X509_NAME) * names;
	int mode = SSL_VERIFY_PEER;

	*ret_field = "tls_client_ca_file";
	if (!tls->client_ca_file)
		return tls->client_required ? H2SESS_EINVAL : 0;
	if (!SSL_CTX_load_verify_file(ctx, tls->client_ca_file))
		return H2SESS_ECERTIFICATE;
	names = SSL_load_client_CA_file(tls->client_ca_file);
	if (!names)
		return H2SESS_ECERTIFICATE;
	SSL_CTX_set_client_CA_list(ctx, names);
	if (tls->client_required)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, NULL);
	return 0;
}

static int use_certificate(const struct certificate *cert, SSL_CTX *ctx, const char **ret_field)
{
	*ret_field = "cert_file";
	if (SSL_CTX_use_certificate_chain_file(ctx, cert->cert_file) != 1)
		return H2SESS_ECERTIFICATE;
	*ret_field = "key_file";
	if (SSL_CTX_use_PrivateKey_file(ctx, cert->key_file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return H2SESS_EKEY;
	return 0;
}

static void use_options(struct tls *tls, SSL_CTX *ctx)
{
	static const unsigned char id_context[] = "h2sess";

	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, id_context, sizeof(id_context) - 1);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_servername);
	SSL_CTX_set_tlsext_servername_arg(ctx, tls);
	if (tls->keylog)
		SSL_CTX_set_keylog_callback(ctx, on_keylog);
}

static int make_context(struct tls *tls, const struct certificate *cert, SSL_CTX **ret,
			const char **ret_field)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int r = H2SESS_ENOMEM;

	if (!ctx)
		return r;
	use_options(tls, ctx);
	uv_once(&once, make_index);
	if (ex_index >= 0 && SSL_CTX_set_ex_data(ctx, ex_index, tls))
		r = use_lists(tls, ctx, ret_field);
	if (r == 0)
		r = use_client_ca(tls, ctx, ret_field);
	if (r == 0)
		r = use_certificate(cert, ctx, ret_field);
	if (r == 0)
		r = ticket_keys_use(tls->ticket_keys, ctx);
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	*ret = ctx;
	return 0;
}

int tls_reload(struct tls *tls, const char **ret_field)
{
	SSL_CTX **fresh = mem_calloc(tls->n_certificates, sizeof(*fresh));
	size_t i, n = tls->n_certificates;
	int r = 0;

	if (!fresh)
		return H2SESS_ENOMEM;
	ERR_clear_error();
	for (i = 0; i < n && r == 0; i++)
		r = make_context(tls, &tls->certificates[i], &fresh[i], ret_field);
	ERR_clear_error();
	uv_mutex_lock(&tls->lock);
	for (i = 0; i < n && r == 0; i++) {
		SSL_CTX *old = tls->certificates[i].ctx;

		tls->certificates[i].ctx = fresh[i];
		fresh[i] = old;
	}
	uv_mutex_unlock(&tls->lock);
	for (i = 0; i < n; i++)
		SSL_CTX_free(fresh[i]);
	mem_free(fresh);
	return r;
}

SSL *tls_accept_new(struct tls *tls)
{
	SSL *ssl;

	ERR_clear_error();
	uv_mutex_lock(&tls->lock);
	ssl = SSL_new(tls->certificates[0].ctx);
	uv_mutex_unlock(&tls->lock);
	if (ssl)
		SSL_set_accept_state(ssl);
	return ssl;
}

enum tls_protocol tls_protocol_of(SSL *ssl)
{
	const unsigned char *name;
	unsigned int len;

	SSL_get0_alpn_selected(ssl, &name, &len);
	if (!len)
		return TLS_PROTOCOL_NONE;
	return len == 2 && memcmp(name, "h2", 2) == 0 ? TLS_PROTOCOL_H2 : TLS_PROTOCOL_OTHER;
}

/* ---- what a certificate says
 * --------------------------------------------------------------------- */

static char *ip_text(const ASN1_OCTET_STRING *ip)
{
	char text[64] = "";
	int family = ip->length == 4 ? AF_INET : AF_INET6;

	if (ip->length != 4 && ip->length != 16)
		return NULL;
	uv_inet_ntop(family, ip->data, text, sizeof(text));
	return mem_strdup(text);
}

static char *name_text(const GENERAL_NAME *name)
{
	if (name->type == GEN_DNS)
		return mem_strndup((const char *)ASN1_STRING_get0_data(name->d.dNSName),
				   (size_t)ASN1_STRING_length(name->d.dNSName));
	return name->type == GEN_IPADD ? ip_text(name->d.iPAddress) : NULL;
}

static size_t names_of(X509 *x509, char *names[NAMES_MAX])
{
	GENERAL_NAMES *list = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	size_t n = 0;
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(list) && n < NAMES_MAX; i++) {
		names[n] = name_text(sk_GENERAL_NAME_value(list, i));
		n += names[n] != NULL;
	}
	GENERAL_NAMES_free(list);
	return n;
}

static time_t not_after_of(X509 *x509)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(X509_get0_notAfter(x509), &tm))
		return 0;
	return timegm(&tm);
}

void tls_each_certificate(struct tls *tls,
			  void (*fn)(const char *const *names, size_t n, time_t not_after,
				     void *user),
			  void *user)
{
	char *names[NAMES_MAX];
	size_t i, j, n;
	SSL_CTX *ctx;
	X509 *x509;

	for (i = 0; i < tls->n_certificates; i++) {
		uv_mutex_lock(&tls->lock);
		ctx = tls->certificates[i].ctx;
		SSL_CTX_up_ref(ctx);
		uv_mutex_unlock(&tls->lock);
		x509 = SSL_CTX_get0_certificate(ctx);
		n = names_of(x509, names);
		fn((const char *const *)names, n, not_after_of(x509), user);
		for (j = 0; j < n; j++)
			mem_free(names[j]);
		SSL_CTX_free(ctx);
	}
}

/* ---- life
 * ---------------------------------------------------------------------------------------- */

static int copy_text(const char *text, char **ret)
{
	if (!text)
		return 0;
	*ret = mem_strdup(text);
	return *ret ? 0 : H2SESS_ENOMEM;
}

static int copy_certificates(struct tls *tls, const struct h2sess_options *options)
{
	size_t i;

	tls->certificates = mem_calloc(options->n_certificates, sizeof(*tls->certificates));
	if (!tls->certificates)
		return H2SESS_ENOMEM;
	tls->n_certificates = options->n_certificates;
	for (i = 0; i < tls->n_certificates; i++) {
		const struct h2sess_certificate *from = &options->certificates[i];

		if (!from->cert_file || !from->key_file)
			return H2SESS_EARGTYPE;
		if (copy_text(from->cert_file, &tls->certificates[i].cert_file) < 0 ||
		    copy_text(from->key_file, &tls->certificates[i].key_file) < 0)
			return H2SESS_ENOMEM;
	}
	return 0;
}

static int copy_options(struct tls *tls, const struct h2sess_options *options)
{
	tls->min_version = options->tls_min_version ? options->tls_min_version : TLS1_2_VERSION;
	tls->client_required = options->tls_client_required;
	if (copy_text(options->tls_ciphers, &tls->ciphers) < 0 ||
	    copy_text(options->tls_ciphersuites, &tls->ciphersuites) < 0 ||
	    copy_text(options->tls_groups, &tls->groups) < 0 ||
	    copy_text(options->tls_client_ca_file, &tls->client_ca_file) < 0)
		return H2SESS_ENOMEM;
	return 0;
}

static int open_keylog(struct tls *tls, const char *file)
{
	if (!file)
		return 0;
	tls->keylog = fopen(file, "ae");
	return tls->keylog ? 0 : H2SESS_EACCES;
}

int tls_new(const struct h2sess_options *options, struct tls **ret, const char **ret_field)
{
	struct tls *tls;
	int r;

	*ret_field = "tls_min_version";
	if (options->tls_min_version && options->tls_min_version != TLS1_2_VERSION &&
	    options->tls_min_version != TLS1_3_VERSION)
		return H2SESS_EINVAL;
	tls = mem_calloc(1, sizeof(*tls));
	if (!tls)
		return H2SESS_ENOMEM;
	if (uv_mutex_init(&tls->lock) != 0) {
		mem_free(tls);
		return H2SESS_ENOMEM;
	}
	*ret_field = "certificates";
	r = copy_certificates(tls, options);
	if (r == 0)
		r = copy_options(tls, options);
	*ret_field = "tls_keylog_file";
	if (r == 0)
		r = open_keylog(tls, options->tls_keylog_file);
	*ret_field = "tls_ticket_keys_file";
	if (r == 0)
		r = ticket_keys_new(options->tls_ticket_keys_file, &tls->ticket_keys);
	if (r == 0)
		r = tls_reload(tls, ret_field);
	if (r < 0) {
		tls_free(tls);
		return r;
	}
	*ret = tls;
	return 0;
}

void tls_free(struct tls *tls)
{
	size_t i;

	if (!tls)
		return;
	for (i = 0; i < tls->n_certificates; i++) {
		SSL_CTX_free(tls->certificates[i].ctx);
		mem_free(tls->certificates[i].cert_file);
		mem_free(tls->certificates[i].key_file);
	}
	mem_free(tls->certificates);
	ticket_keys_free(tls->ticket_keys);
	if (tls->keylog)
		fclose(tls->keylog);
	mem_free(tls->ciphers);
	mem_free(tls->ciphersuites);
	mem_free(tls->groups);
	mem_free(tls->client_ca_file);
	uv_mutex_destroy(&tls->lock);
	mem_free(tls);
}
