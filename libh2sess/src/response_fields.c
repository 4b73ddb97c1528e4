/* SPDX-License-Identifier: Apache-2.0 */
/* See response_fields.h. What HTTP/2 forbids is refused here, before anything is sent. */
#include "response_fields.h"

#include "memory.h"

#include <string.h>

/* RFC 9113 8.2.2: these speak of an HTTP/1 connection. */
static bool is_connection_specific(const struct h2sess_header *h)
{
	static const struct {
		const char *text;
		size_t len;
	} names[] = {
#define NAME(text) {text, sizeof(text) - 1}
		NAME("connection"),	   NAME("keep-alive"), NAME("proxy-connection"),
		NAME("transfer-encoding"), NAME("upgrade"),    NAME("http2-settings"),
#undef NAME
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].len == h->name_len && memcmp(names[i].text, h->name, h->name_len) == 0)
			return true;
	}
	return h->name_len == 2 && memcmp(h->name, "te", 2) == 0 &&
	       !(h->value_len == 8 && memcmp(h->value, "trailers", 8) == 0);
}

static int check_field(const struct h2sess_header *h)
{
	if (!h->name || !h->value || h->name_len == 0 || h->name[0] == ':')
		return H2SESS_EHEADER;
	if (!nghttp2_check_header_name((const uint8_t *)h->name, h->name_len) ||
	    !nghttp2_check_header_value_rfc9113((const uint8_t *)h->value, h->value_len) ||
	    is_connection_specific(h))
		return H2SESS_EHEADER;
	return 0;
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

/* Check and convert n fields that are not pseudo-header fields. */
static int convert(const struct h2sess_header *headers, size_t n, nghttp2_nv *nva)
{
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		r = check_field(&headers[i]);
		if (r < 0)
			return r;
		to_nv(&headers[i], &nva[i]);
	}
	return 0;
}

static bool has_status(const struct h2sess_header *headers, size_t n)
{
	return n && headers[0].name && headers[0].name_len == 7 &&
	       memcmp(headers[0].name, ":status", 7) == 0;
}

int response_status(const struct h2sess_header *headers, size_t n)
{
	const char *v;
	int i, status = 0;

	if (!has_status(headers, n))
		return 200;
	v = headers[0].value;
	if (!v || headers[0].value_len != 3)
		return H2SESS_ESTATUS;
	for (i = 0; i < 3; i++) {
		if (v[i] < '0' || v[i] > '9')
			return H2SESS_ESTATUS;
		status = status * 10 + (v[i] - '0');
	}
	return status >= 100 && status <= 599 ? status : H2SESS_ESTATUS;
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
