/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS as HTTP/2 wants it: certificates by SNI, ALPN h2, reload.
 *
 * Owns one SSL_CTX a certificate, in sets; a reload makes a whole new set or changes nothing.
 * Connections hold their SSL_CTX by OpenSSL's own count, so what is in use of an old set dies with
 * its last connection. Called by the server, from any thread.
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
#include "tls_names.h"
#include "tls_tickets.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

/* RFC 9113 9.2.2: ephemeral keys and AEAD only; TLS 1.3's suites are fine as they are. */
#define DEFAULT_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

struct certificate {
	char *cert_file;
	char *key_file;
	SSL_CTX *ctx;
};

/* What one reading of the options gave. It does not change once made. */
struct tls_set {
	struct certificate *certificates;
	size_t n_certificates;
	struct ticket_keys *ticket_keys;
	char *ticket_keys_file; /* NULL: they were drawn */
	int min_version;
	char *ciphers;
	char *ciphersuites;
	char *groups;
	char *client_ca_file;
	bool client_required;
};

struct tls {
	uv_mutex_t lock;	/* guards set */
	uv_mutex_t reload_lock; /* one reload at a time */
	struct tls_set *set;
	FILE *keylog;
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
	for (i = 0; i < tls->set->n_certificates; i++) {
		SSL_CTX *ctx = tls->set->certificates[i].ctx;

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

static int use_lists(const struct tls_set *set, SSL_CTX *ctx, const char **ret_field)
{
	*ret_field = "tls_ciphers";
	if (!SSL_CTX_set_cipher_list(ctx, set->ciphers ? set->ciphers : DEFAULT_CIPHERS))
		return H2SESS_EINVAL;
	*ret_field = "tls_ciphersuites";
	if (set->ciphersuites && !SSL_CTX_set_ciphersuites(ctx, set->ciphersuites))
		return H2SESS_EINVAL;
	*ret_field = "tls_groups";
	if (set->groups && !SSL_CTX_set1_groups_list(ctx, set->groups))
		return H2SESS_EINVAL;
	*ret_field = "tls_min_version";
	return SSL_CTX_set_min_proto_version(ctx, set->min_version) ? 0 : H2SESS_EINVAL;
}

static int use_client_ca(const struct tls_set *set, SSL_CTX *ctx, const char **ret_field)
{
	STACK_OF(X509_NAME) * names;
	int mode = SSL_VERIFY_PEER;

	*ret_field = "tls_client_ca_file";
	if (!set->client_ca_file)
		return set->client_required ? H2SESS_EINVAL : 0;
	if (!SSL_CTX_load_verify_file(ctx, set->client_ca_file))
		return H2SESS_ECERTIFICATE;
	names = SSL_load_client_CA_file(set->client_ca_file);
	if (!names)
		return H2SESS_ECERTIFICATE;
	SSL_CTX_set_client_CA_list(ctx, names);
	if (set->client_required)
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

static int make_context(struct tls *tls, const struct tls_set *set, struct certificate *cert,
			const char **ret_field)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int r = H2SESS_ENOMEM;

	if (!ctx)
		return r;
	use_options(tls, ctx);
	uv_once(&once, make_index);
	if (ex_index >= 0 && SSL_CTX_set_ex_data(ctx, ex_index, tls))
		r = use_lists(set, ctx, ret_field);
	if (r == 0)
		r = use_client_ca(set, ctx, ret_field);
	if (r == 0)
		r = use_certificate(cert, ctx, ret_field);
	if (r == 0)
		r = ticket_keys_use(set->ticket_keys, ctx);
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	cert->ctx = ctx;
	return 0;
}

SSL *tls_accept_new(struct tls *tls)
{
	SSL *ssl;

	ERR_clear_error();
	uv_mutex_lock(&tls->lock);
	ssl = SSL_new(tls->set->certificates[0].ctx);
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

/* ---- what certificates say -------------------------------------------------------------------- */

/* The i-th certificate's context with a reference, or NULL past the end. */
static SSL_CTX *context_at(struct tls *tls, size_t i)
{
	SSL_CTX *ctx = NULL;

	uv_mutex_lock(&tls->lock);
	if (i < tls->set->n_certificates) {
		ctx = tls->set->certificates[i].ctx;
		SSL_CTX_up_ref(ctx);
	}
	uv_mutex_unlock(&tls->lock);
	return ctx;
}

void tls_each_certificate(struct tls *tls,
			  void (*fn)(const char *const *names, size_t n, time_t not_after,
				     void *user),
			  void *user)
{
	char *names[TLS_NAMES_MAX];
	size_t i, j, n;
	SSL_CTX *ctx;
	X509 *x509;

	for (i = 0; (ctx = context_at(tls, i)); i++) {
		x509 = SSL_CTX_get0_certificate(ctx);
		n = tls_names_of(x509, names);
		fn((const char *const *)names, n, tls_not_after_of(x509), user);
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

static int copy_certificates(struct tls_set *set, const struct h2sess_options *options)
{
	size_t i;

	set->certificates = mem_calloc(options->n_certificates, sizeof(*set->certificates));
	if (!set->certificates)
		return H2SESS_ENOMEM;
	set->n_certificates = options->n_certificates;
	for (i = 0; i < set->n_certificates; i++) {
		const struct h2sess_certificate *from = &options->certificates[i];

		if (!from->cert_file || !from->key_file)
			return H2SESS_EARGTYPE;
		if (copy_text(from->cert_file, &set->certificates[i].cert_file) < 0 ||
		    copy_text(from->key_file, &set->certificates[i].key_file) < 0)
			return H2SESS_ENOMEM;
	}
	return 0;
}

static int copy_options(struct tls_set *set, const struct h2sess_options *options)
{
	set->min_version = options->tls_min_version ? options->tls_min_version : TLS1_2_VERSION;
	set->client_required = options->tls_client_required;
	if (copy_text(options->tls_ciphers, &set->ciphers) < 0 ||
	    copy_text(options->tls_ciphersuites, &set->ciphersuites) < 0 ||
	    copy_text(options->tls_groups, &set->groups) < 0 ||
	    copy_text(options->tls_client_ca_file, &set->client_ca_file) < 0 ||
	    copy_text(options->tls_ticket_keys_file, &set->ticket_keys_file) < 0)
		return H2SESS_ENOMEM;
	return 0;
}

static void set_free(struct tls_set *set)
{
	size_t i;

	if (!set)
		return;
	for (i = 0; i < set->n_certificates; i++) {
		SSL_CTX_free(set->certificates[i].ctx);
		mem_free(set->certificates[i].cert_file);
		mem_free(set->certificates[i].key_file);
	}
	mem_free(set->certificates);
	ticket_keys_unref(set->ticket_keys);
	mem_free(set->ticket_keys_file);
	mem_free(set->ciphers);
	mem_free(set->ciphersuites);
	mem_free(set->groups);
	mem_free(set->client_ca_file);
	mem_free(set);
}

/* From the file, or those that were drawn before, or drawn now. */
static int find_ticket_keys(struct tls_set *set, const struct tls_set *old)
{
	if (!set->ticket_keys_file && old && !old->ticket_keys_file) {
		set->ticket_keys = ticket_keys_ref(old->ticket_keys);
		return 0;
	}
	return ticket_keys_new(set->ticket_keys_file, &set->ticket_keys);
}

static int make_contexts(struct tls *tls, struct tls_set *set, const char **ret_field)
{
	size_t i;
	int r = 0;

	ERR_clear_error();
	for (i = 0; i < set->n_certificates && r == 0; i++)
		r = make_context(tls, set, &set->certificates[i], ret_field);
	ERR_clear_error();
	return r;
}

/* old: the set that it is to follow, or NULL. */
static int set_new(struct tls *tls, const struct h2sess_options *options, const struct tls_set *old,
		   struct tls_set **ret, const char **ret_field)
{
	struct tls_set *set;
	int r;

	*ret_field = "tls_min_version";
	if (options->tls_min_version && options->tls_min_version != TLS1_2_VERSION &&
	    options->tls_min_version != TLS1_3_VERSION)
		return H2SESS_EINVAL;
	*ret_field = "certificates";
	if (!options->n_certificates || !options->certificates)
		return H2SESS_EINVAL;
	set = mem_calloc(1, sizeof(*set));
	if (!set)
		return H2SESS_ENOMEM;
	r = copy_certificates(set, options);
	if (r == 0)
		r = copy_options(set, options);
	if (r == 0) {
		*ret_field = "tls_ticket_keys_file";
		r = find_ticket_keys(set, old);
	}
	if (r == 0)
		r = make_contexts(tls, set, ret_field);
	if (r < 0) {
		set_free(set);
		return r;
	}
	*ret = set;
	return 0;
}

/* What made this set, to make it again; certificates are to be freed. */
static int options_of(const struct tls_set *set, struct h2sess_options *ret)
{
	struct h2sess_certificate *certificates;
	size_t i;

	certificates = mem_calloc(set->n_certificates, sizeof(*certificates));
	if (!certificates)
		return H2SESS_ENOMEM;
	for (i = 0; i < set->n_certificates; i++) {
		certificates[i].cert_file = set->certificates[i].cert_file;
		certificates[i].key_file = set->certificates[i].key_file;
	}
	ret->certificates = certificates;
	ret->n_certificates = (uint32_t)set->n_certificates;
	ret->tls_min_version = set->min_version;
	ret->tls_ciphers = set->ciphers;
	ret->tls_ciphersuites = set->ciphersuites;
	ret->tls_groups = set->groups;
	ret->tls_client_ca_file = set->client_ca_file;
	ret->tls_client_required = set->client_required;
	ret->tls_ticket_keys_file = set->ticket_keys_file;
	return 0;
}

/* Under reload_lock, so tls->set stays. */
static int replace_set(struct tls *tls, const struct h2sess_options *options,
		       const char **ret_field)
{
	struct tls_set *old = tls->set, *fresh;
	int r;

	r = set_new(tls, options, old, &fresh, ret_field);
	if (r < 0)
		return r;
	uv_mutex_lock(&tls->lock);
	tls->set = fresh;
	uv_mutex_unlock(&tls->lock);
	set_free(old);
	return 0;
}

int tls_reload(struct tls *tls, const struct h2sess_options *options, const char **ret_field)
{
	struct h2sess_options same = H2SESS_OPTIONS_INIT;
	int r = 0;

	uv_mutex_lock(&tls->reload_lock);
	if (!options)
		r = options_of(tls->set, &same);
	if (r == 0)
		r = replace_set(tls, options ? options : &same, ret_field);
	mem_free((void *)(uintptr_t)same.certificates);
	uv_mutex_unlock(&tls->reload_lock);
	return r;
}

static int open_keylog(struct tls *tls, const char *file)
{
	if (!file)
		return 0;
	tls->keylog = fopen(file, "ae");
	return tls->keylog ? 0 : H2SESS_EACCES;
}

static struct tls *tls_alloc(void)
{
	struct tls *tls = mem_calloc(1, sizeof(*tls));

	if (!tls)
		return NULL;
	if (uv_mutex_init(&tls->lock) != 0)
		goto no_lock;
	if (uv_mutex_init(&tls->reload_lock) != 0)
		goto no_reload_lock;
	return tls;

no_reload_lock:
	uv_mutex_destroy(&tls->lock);
no_lock:
	mem_free(tls);
	return NULL;
}

int tls_new(const struct h2sess_options *options, struct tls **ret, const char **ret_field)
{
	struct tls *tls = tls_alloc();
	int r;

	if (!tls)
		return H2SESS_ENOMEM;
	*ret_field = "tls_keylog_file";
	r = open_keylog(tls, options->tls_keylog_file);
	if (r == 0)
		r = set_new(tls, options, NULL, &tls->set, ret_field);
	if (r < 0) {
		tls_free(tls);
		return r;
	}
	*ret = tls;
	return 0;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	set_free(tls->set);
	if (tls->keylog)
		fclose(tls->keylog);
	uv_mutex_destroy(&tls->reload_lock);
	uv_mutex_destroy(&tls->lock);
	mem_free(tls);
}
