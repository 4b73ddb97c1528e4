/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_GUARD_H
#define CONTROLD_GUARD_H

#include "request.h"

#define GUARD_HEADERS_MAX 100

/* Is the head unambiguous? Sets request->has_body and *ret_length (0 for a chunked body). */
int guard_framing(struct request *request, const char *version, uint64_t *ret_length,
		  struct problem *ret_problem);

/* Host, Origin and token: sets request->role and request->by. */
int guard_access(struct request *request, struct problem *ret_problem);

/* The content type of a body. */
int guard_media_type(const struct request *request, struct problem *ret_problem);

/* Does `authority` name a listener at address:port, or one of the names of --api-host? */
bool guard_is_our_host(const char *authority, const char *address, unsigned port,
		       char *const *names, size_t count);

#endif
