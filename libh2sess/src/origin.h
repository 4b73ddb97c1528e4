/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_ORIGIN_H
#define H2SESS_ORIGIN_H

#include "url_origin.h"

#define ORIGIN_URL_MAX 65536 /* bytes of a URL that is looked at; over it: H2SESS_EURL */

/*
 * The origin of a URL, as Node's `new URL(url).origin`; at most cap bytes with the NUL are stored.
 * Returns the length, H2SESS_EURL, H2SESS_EORIGIN (opaque), H2SESS_ERANGE (cap), H2SESS_ENOMEM.
 */
int origin_of(const char *url, size_t len, char *buf, size_t cap);

#endif
