/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's header list, as it came: order, duplicates and the never-indexed flag kept. The
 * octets are nghttp2's own, held by reference count; the first fields need no allocation.
 */
#ifndef H2SESS_HEADER_LIST_H
#define H2SESS_HEADER_LIST_H

#include <h2sess/h2sess.h>
#include <nghttp2/nghttp2.h>

#define HEADERS_INLINE 12 /* fields of a request without an allocation of their own */

struct header_list {
	struct h2sess_header *fields; /* first[] or on the heap */
	nghttp2_rcbuf **bufs;	      /* two a field */
	size_t n;
	size_t cap;
	size_t bytes; /* RFC 9113 6.5.2: names, values and 32 a field */
	struct h2sess_header first[HEADERS_INLINE];
	nghttp2_rcbuf *first_bufs[2 * HEADERS_INLINE];
};

void header_list_init(struct header_list *list);
void header_list_done(struct header_list *list);
/* Room for more. Returns 0, H2SESS_ENOMEM. */
int header_list_grow(struct header_list *list);
const struct h2sess_header *header_list_find(const struct header_list *list, const char *name,
					     size_t name_len);

/* Returns the field, valid until the next one; NULL: no memory. flags: nghttp2's. */
static inline const struct h2sess_header *header_list_add(struct header_list *list,
							  nghttp2_rcbuf *name, nghttp2_rcbuf *value,
							  uint8_t flags)
{
	struct h2sess_header *field;
	nghttp2_vec octets;

	if (list->n == list->cap && header_list_grow(list) < 0)
		return NULL;
	nghttp2_rcbuf_incref(name);
	nghttp2_rcbuf_incref(value);
	list->bufs[2 * list->n] = name;
	list->bufs[2 * list->n + 1] = value;
	field = &list->fields[list->n++];
	octets = nghttp2_rcbuf_get_buf(name);
	field->name = (const char *)octets.base;
	field->name_len = (uint32_t)octets.len;
	octets = nghttp2_rcbuf_get_buf(value);
	field->value = (const char *)octets.base;
	field->value_len = (uint32_t)octets.len;
	field->flags = flags & NGHTTP2_NV_FLAG_NO_INDEX ? H2SESS_HEADER_SENSITIVE : 0;
	field->reserved = 0;
	list->bytes += (size_t)field->name_len + field->value_len + 32;
	return field;
}

#endif
