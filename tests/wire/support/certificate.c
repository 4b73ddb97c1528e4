/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key on P-256 and a certificate signed with it, as PEM files.
 */
#include "certificate.h"

#include "cmocka_all.h"
#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[64];
static pid_t owner;

static void remove_directory(void)
{
	char path[sizeof(directory) + 260];
	struct dirent *entry;
	DIR *dir = getpid() == owner ? opendir(directory) : NULL;

	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	closedir(dir);
	rmdir(directory);
}

const char *temporary_directory(void)
{
	if (directory[0] == '\0') {
		strcpy(directory, "/tmp/h2sess-wire-XXXXXX");
		assert_non_null(mkdtemp(directory));
		owner = getpid();
		atexit(remove_directory);
	}
	return directory;
}

static void add_names(X509 *cert, const char *names)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static X509 *sign(EVP_PKEY *key, const char *names)
{
	static long serial = 1;
	X509 *cert = X509_new();
	X509_NAME *subject;

	assert_non_null(cert);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	subject = X509_get_subject_name(cert);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
				   -1, 0);
	X509_set_issuer_name(cert, subject);
	X509_set_pubkey(cert, key);
	add_names(cert, names);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

static FILE *create(const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	return file;
}

void certificate_make(struct certificate *ret, const char *file_stem, const char *names)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert;
	FILE *file;

	assert_non_null(key);
	cert = sign(key, names);
	snprintf(ret->cert_file, sizeof(ret->cert_file), "%s/%s.crt", temporary_directory(),
		 file_stem);
	snprintf(ret->key_file, sizeof(ret->key_file), "%s/%s.key", temporary_directory(),
		 file_stem);
	file = create(ret->cert_file);
	assert_int_equal(PEM_write_X509(file, cert), 1);
	fclose(file);
	file = create(ret->key_file);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	X509_free(cert);
	EVP_PKEY_free(key);
}

const struct certificate *certificate_default(void)
{
	static struct certificate made;

	if (made.cert_file[0] == '\0')
		certificate_make(&made, "default",
				 "DNS:localhost,DNS:example.org,DNS:*.wild.example,IP:127.0.0.1");
	return &made;
}
