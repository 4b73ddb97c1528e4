/* SPDX-License-Identifier: Apache-2.0 */
/* See header_list.h. */
#include "header_list.h"

#include "memory.h"

#include <string.h>

void header_list_init(struct header_list *list)
{
	list->fields = list->first;
	list->bufs = list->first_bufs;
	list->n = 0;
	list->cap = HEADERS_INLINE;
	list->bytes = 0;
}

int header_list_grow(struct header_list *list)
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

void header_list_done(struct header_list *list)
{
	nghttp2_rcbuf **buf, **end = list->bufs + 2 * list->n;

	for (buf = list->bufs; buf < end; buf++)
		nghttp2_rcbuf_decref(*buf);
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
		const struct h2sess_header *field = &list->fields[i];

		/* ":method" and ":scheme" differ in their last octet; no name is empty */
		if (field->name_len == name_len && name_len &&
		    field->name[name_len - 1] == name[name_len - 1] &&
		    memcmp(field->name, name, name_len) == 0)
			return field;
	}
	return NULL;
}
