/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header fields of a response, checked and as nghttp2 wants them.
 */
#ifndef H2SESS_RESPONSE_FIELDS_H
#define H2SESS_RESPONSE_FIELDS_H

#include <h2sess/h2sess.h>
#include <nghttp2/nghttp2.h>

#define FIELDS_ON_STACK 32

struct response_fields {
	nghttp2_nv stack[FIELDS_ON_STACK];
	nghttp2_nv *nva; /* stack, or on the heap */
	size_t n;
};

/* The status, 200 where none is given, or H2SESS_ESTATUS. */
int response_status(const struct h2sess_header *headers, size_t n);
/*
 * :status first, then the rest. Returns 0, H2SESS_EHEADER, H2SESS_ENOMEM; response_fields_done()
 * afterwards, in any case.
 */
int response_fields_init(struct response_fields *f, const struct h2sess_header *headers, size_t n);
/* The field Alt-Svc, unless there is one; value may be NULL. Borrowed until it is submitted. */
void response_fields_add_alt_svc(struct response_fields *f, const char *value);
/* The same for trailers, which have no pseudo-header field. */
int response_fields_init_trailers(struct response_fields *f, const struct h2sess_header *headers,
				  size_t n);
void response_fields_done(struct response_fields *f);

#endif
