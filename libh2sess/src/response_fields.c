/* SPDX-License-Identifier: Apache-2.0 */
/* See response_fields.h. What HTTP/2 forbids is refused here, before anything is sent. */
#include "response_fields.h"

#include "memory.h"

#include <string.h>

/* RFC 9113 8.2.2: these speak of an HTTP/1 connection. */
static bool is_connection_specific(const struct h2sess_header *h)
{
	switch (h->name_len) {
	case 2:
		return memcmp(h->name, "te", 2) == 0 &&
		       !(h->value_len == 8 && memcmp(h->value, "trailers", 8) == 0);
	case 7:
		return memcmp(h->name, "upgrade", 7) == 0;
	case 10:
		return memcmp(h->name, "connection", 10) == 0 ||
		       memcmp(h->name, "keep-alive", 10) == 0;
	case 14:
		return memcmp(h->name, "http2-settings", 14) == 0;
	case 16:
		return memcmp(h->name, "proxy-connection", 16) == 0;
	case 17:
		return memcmp(h->name, "transfer-encoding", 17) == 0;
	default:
		return false;
	}
}

/*
 * The name as a string of ours, where it is one that most responses have; NULL: it is not. Measured:
 * to look at every octet of these, and for nghttp2 to copy them, is four hundredths of a request.
 */
static const char *common_name(const struct h2sess_header *h)
{
	static const char *const names[][3] = {
		[4] = {"date", "etag", "vary"},
		[6] = {"server"},
		[7] = {"alt-svc"},
		[8] = {"location"},
		[10] = {"set-cookie"},
		[12] = {"content-type"},
		[13] = {"cache-control", "last-modified", "accept-ranges"},
		[14] = {"content-length"},
		[16] = {"content-encoding"},
	};
	size_t i;

	if (h->name_len >= sizeof(names) / sizeof(names[0]))
		return NULL;
	for (i = 0; i < 3 && names[h->name_len][i]; i++) {
		if (memcmp(names[h->name_len][i], h->name, h->name_len) == 0)
			return names[h->name_len][i];
	}
	return NULL;
}

static bool is_good_name(const struct h2sess_header *h)
{
	return h->name[0] != ':' &&
	       nghttp2_check_header_name((const uint8_t *)h->name, h->name_len) &&
	       !is_connection_specific(h);
}

/* Visible ASCII is good; what is more, nghttp2 judges. */
static bool is_good_value(const struct h2sess_header *h)
{
	size_t n = h->value_len;

	while (n && h->value[n - 1] > ' ' && h->value[n - 1] < 0x7f)
		n--;
	return n == 0 ||
	       nghttp2_check_header_value_rfc9113((const uint8_t *)h->value, h->value_len);
}

static void to_nv(const struct h2sess_header *h, nghttp2_nv *nv)
{
	nv->name = (uint8_t *)(uintptr_t)h->name;
	nv->namelen = h->name_len;
	nv->value = (uint8_t *)(uintptr_t)h->value;
	nv->valuelen = h->value_len;
	nv->flags = h->flags & H2SESS_HEADER_SENSITIVE ? NGHTTP2_NV_FLAG_NO_INDEX
						       : NGHTTP2_NV_FLAG_NONE;
}

/* name: the same, as a string that stays. */
static void keep_name(nghttp2_nv *nv, const char *name)
{
	nv->name = (uint8_t *)(uintptr_t)name;
	nv->flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME;
}

/* Of a field that is not a pseudo-header field. */
static int check_and_convert(const struct h2sess_header *h, nghttp2_nv *nv)
{
	const char *common;

	if (!h->name || !h->value || h->name_len == 0)
		return H2SESS_EHEADER;
	common = common_name(h);
	if ((!common && !is_good_name(h)) || !is_good_value(h))
		return H2SESS_EHEADER;
	to_nv(h, nv);
	if (common)
		keep_name(nv, common);
	return 0;
}

static int convert(const struct h2sess_header *headers, size_t n, nghttp2_nv *nva)
{
	size_t i;
	int r = 0;

	for (i = 0; i < n && r == 0; i++)
		r = check_and_convert(&headers[i], &nva[i]);
	return r;
}

static bool has_status(const struct h2sess_header *headers, size_t n)
{
	return n && headers[0].name && headers[0].name_len == 7 &&
	       memcmp(headers[0].name, ":status", 7) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int response_status(const struct h2sess_header *headers, size_t n)
{
	const char *v;

	if (!has_status(headers, n))
		return 200;
	v = headers[0].value;
	if (!v || headers[0].value_len != 3 || v[0] < '1' || v[0] > '5' || !is_digit(v[1]) ||
	    !is_digit(v[2]))
		return H2SESS_ESTATUS;
	return (v[0] - '0') * 100 + (v[1] - '0') * 10 + (v[2] - '0');
}

static int use_room(struct response_fields *f, size_t n)
{
	/* One more for Alt-Svc. */
	f->nva = n + 1 > FIELDS_ON_STACK ? mem_alloc((n + 1) * sizeof(*f->nva)) : f->stack;
	f->n = n;
	return f->nva ? 0 : H2SESS_ENOMEM;
}

int response_fields_init(struct response_fields *f, const struct h2sess_header *headers, size_t n)
{
	static const struct h2sess_header ok = H2SESS_HEADER(":status", "200");
	size_t skip = has_status(headers, n) ? 1 : 0;
	int r = use_room(f, n - skip + 1);

	if (r < 0)
		return r;
	to_nv(skip ? &headers[0] : &ok, &f->nva[0]);
	keep_name(&f->nva[0], ok.name);
	return convert(headers + skip, n - skip, f->nva + 1);
}

int response_fields_init_trailers(struct response_fields *f, const struct h2sess_header *headers,
				  size_t n)
{
	int r = use_room(f, n);

	return r < 0 ? r : convert(headers, n, f->nva);
}

void response_fields_done(struct response_fields *f)
{
	if (f->nva != f->stack)
		mem_free(f->nva);
}

void response_fields_add_alt_svc(struct response_fields *f, const char *value)
{
	const struct h2sess_header field = {.name = "alt-svc",
					    .value = value,
					    .name_len = 7,
					    .value_len = value ? (uint32_t)strlen(value) : 0};
	size_t i;

	if (!value)
		return;
	for (i = 0; i < f->n; i++) {
		if (f->nva[i].namelen == 7 && memcmp(f->nva[i].name, "alt-svc", 7) == 0)
			return; /* the application's own wins */
	}
	to_nv(&field, &f->nva[f->n++]);
}
