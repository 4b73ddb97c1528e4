/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The origin of a URL (url_origin.c), in the library's own memory. Pure, any thread.
 *
 * Failure modes: not a URL, an opaque origin, no memory: each its error.
 */
#include "origin.h"

#include "memory.h"

#include <h2sess/h2sess.h>
#include <string.h>

int origin_of(const char *url, size_t len, char *buf, size_t cap)
{
	char *room;
	int r;

	if (len > ORIGIN_URL_MAX)
		return H2SESS_EURL;
	room = mem_alloc(URL_ORIGIN_ROOM(len));
	if (!room)
		return H2SESS_ENOMEM;
	r = url_origin(url, len, room, buf, cap);
	mem_free(room);
	return r;
}

int h2sess_origin_of(const char *url, char *buf, size_t cap)
{
	return url ? origin_of(url, strlen(url), buf, cap) : H2SESS_EURL;
}
