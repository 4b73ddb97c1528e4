/* SPDX-License-Identifier: Apache-2.0 */
/* See tls_tickets.h. The keys do not change once made, so any thread may use them. */
#include "tls_tickets.h"

#include "memory.h"

#include <h2sess/h2sess.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define KEYS_MAX 16

struct ticket_key {
	unsigned char name[16];
	unsigned char aes[32];
	unsigned char hmac[32];
};

struct ticket_keys {
	atomic_uint refs;
	size_t n;
	struct ticket_key keys[KEYS_MAX]; /* newest first */
};

_Static_assert(sizeof(struct ticket_key) == 80, "the file's format");

static int ex_index = -1;

/* An SSL_CTX goes: OpenSSL calls this for each index, with what was stored there. */
static void on_context_free(void *parent, void *keys, CRYPTO_EX_DATA *data, int index, long argl,
			    void *argp)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	ticket_keys_unref(keys);
}

static void make_index(void)
{
	ex_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_free);
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

static int set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	static char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->hmac, sizeof(key->hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end()};

	return EVP_MAC_CTX_set_params(mac, params);
}

static int seal(struct ticket_keys *keys, unsigned char *name, unsigned char *iv,
		EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct ticket_key *key = &keys->keys[0];

	memcpy(name, key->name, sizeof(key->name));
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
		return -1;
	if (!EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) ||
	    !set_mac(mac, key))
		return -1;
	return 1;
}

/* 0: an unknown key, a full handshake follows; 2: an old key, a new ticket follows. */
static int open_ticket(struct ticket_keys *keys, const unsigned char *name, unsigned char *iv,
		       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	size_t i;

	for (i = 0; i < keys->n; i++) {
		struct ticket_key *key = &keys->keys[i];

		if (memcmp(name, key->name, sizeof(key->name)) != 0)
			continue;
		if (!EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) ||
		    !set_mac(mac, key))
			return -1;
		return i == 0 ? 1 : 2;
	}
	return 0;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int sealing)
{
	struct ticket_keys *keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ex_index);

	return sealing ? seal(keys, name, iv, cipher, mac)
		       : open_ticket(keys, name, iv, cipher, mac);
}

static int read_file(const char *file, struct ticket_keys *keys)
{
	unsigned char extra;
	size_t n, more;
	FILE *f = fopen(file, "rbe");

	if (!f)
		return H2SESS_EACCES;
	n = fread(keys->keys, 1, sizeof(keys->keys), f);
	more = fread(&extra, 1, 1, f);
	fclose(f);
	if (n == 0 || more || n % sizeof(struct ticket_key))
		return H2SESS_EINVAL;
	keys->n = n / sizeof(struct ticket_key);
	return 0;
}

static int draw(struct ticket_keys *keys)
{
	keys->n = 1;
	return RAND_bytes((unsigned char *)&keys->keys[0], sizeof(keys->keys[0])) == 1
		       ? 0
		       : H2SESS_ETLS;
}

int ticket_keys_new(const char *file, struct ticket_keys **ret)
{
	struct ticket_keys *keys = mem_calloc(1, sizeof(*keys));
	int r;

	if (!keys)
		return H2SESS_ENOMEM;
	atomic_init(&keys->refs, 1);
	r = file ? read_file(file, keys) : draw(keys);
	if (r < 0) {
		ticket_keys_unref(keys);
		return r;
	}
	*ret = keys;
	return 0;
}

struct ticket_keys *ticket_keys_ref(struct ticket_keys *keys)
{
	atomic_fetch_add(&keys->refs, 1);
	return keys;
}

void ticket_keys_unref(struct ticket_keys *keys)
{
	if (!keys || atomic_fetch_sub(&keys->refs, 1) > 1)
		return;
	OPENSSL_cleanse(keys, sizeof(*keys));
	mem_free(keys);
}

int ticket_keys_use(struct ticket_keys *keys, SSL_CTX *ctx)
{
	CRYPTO_THREAD_run_once(&once, make_index);
	if (ex_index < 0 || !SSL_CTX_set_ex_data(ctx, ex_index, keys))
		return H2SESS_ENOMEM;
	ticket_keys_ref(keys);
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) ? 0 : H2SESS_ETLS;
}
