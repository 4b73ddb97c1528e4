/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's header list, as it came: order, duplicates and the never-indexed flag kept. The
 * octets are nghttp2's own, held by reference count; the first fields need no allocation.
 */
#include "memory.h"
#include "stream.h"

#include <string.h>

void header_list_init(struct header_list *list)
{
	list->fields = list->first;
	list->bufs = list->first_bufs;
	list->n = 0;
	list->cap = HEADERS_INLINE;
	list->bytes = 0;
}

static int grow(struct header_list *list)
{
	size_t cap = 2 * list->cap;
	struct h2sess_header *fields = mem_alloc(cap * sizeof(*fields));
	nghttp2_rcbuf **bufs = mem_alloc(2 * cap * sizeof(*bufs));

	if (!fields || !bufs) {
		mem_free(fields);
		mem_free(bufs);
		return H2SESS_ENOMEM;
	}
	memcpy(fields, list->fields, list->n * sizeof(*fields));
	memcpy(bufs, list->bufs, 2 * list->n * sizeof(*bufs));
	if (list->fields != list->first) {
		mem_free(list->fields);
		mem_free(list->bufs);
	}
	list->fields = fields;
	list->bufs = bufs;
	list->cap = cap;
	return 0;
}

int header_list_add(struct header_list *list, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
		    const nghttp2_vec *name_vec, const nghttp2_vec *value_vec, uint8_t flags)
{
	struct h2sess_header *field;

	if (list->n == list->cap && grow(list) < 0)
		return H2SESS_ENOMEM;
	nghttp2_rcbuf_incref(name);
	nghttp2_rcbuf_incref(value);
	list->bufs[2 * list->n] = name;
	list->bufs[2 * list->n + 1] = value;
	field = &list->fields[list->n++];
	field->name = (const char *)name_vec->base;
	field->name_len = (uint32_t)name_vec->len;
	field->value = (const char *)value_vec->base;
	field->value_len = (uint32_t)value_vec->len;
	field->flags = flags & NGHTTP2_NV_FLAG_NO_INDEX ? H2SESS_HEADER_SENSITIVE : 0;
	field->reserved = 0;
	return 0;
}

void header_list_done(struct header_list *list)
{
	size_t i;

	for (i = 0; i < 2 * list->n; i++)
		nghttp2_rcbuf_decref(list->bufs[i]);
	if (list->fields != list->first) {
		mem_free(list->fields);
		mem_free(list->bufs);
	}
	header_list_init(list);
}

const struct h2sess_header *header_list_find(const struct header_list *list, const char *name,
					     size_t name_len)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (list->fields[i].name_len == name_len &&
		    memcmp(list->fields[i].name, name, name_len) == 0)
			return &list->fields[i];
	}
	return NULL;
}
