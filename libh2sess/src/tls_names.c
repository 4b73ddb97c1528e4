/* SPDX-License-Identifier: Apache-2.0 */
/* See tls_names.h. Names that there is no memory for are left out. */
#include "tls_names.h"

#include "memory.h"

#include <openssl/x509v3.h>
#include <uv.h>

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

size_t tls_names_of(X509 *x509, char *names[TLS_NAMES_MAX])
{
	GENERAL_NAMES *list = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	size_t n = 0;
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(list) && n < TLS_NAMES_MAX; i++) {
		names[n] = name_text(sk_GENERAL_NAME_value(list, i));
		n += names[n] != NULL;
	}
	GENERAL_NAMES_free(list);
	return n;
}

time_t tls_not_after_of(X509 *x509)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(X509_get0_notAfter(x509), &tm))
		return 0;
	return timegm(&tm);
}
