/* SPDX-License-Identifier: Apache-2.0 */
/* The origins that a server announces: a list that does not change once made, shared by count. */
#ifndef H2SESS_SERVER_ORIGINS_H
#define H2SESS_SERVER_ORIGINS_H

#include <stdatomic.h>
#include <stddef.h>

struct origin_list {
	atomic_uint refs;
	size_t n;
	char *origins[]; /* serialised */
};

/*
 * Derive and copy n origins of URLs. *ret is NULL where n is 0. Returns 0, H2SESS_EARGTYPE,
 * H2SESS_EURL, H2SESS_EORIGIN, H2SESS_EORIGINLENGTH, H2SESS_ENOMEM.
 */
int origin_list_new(const char *const *urls, size_t n, struct origin_list **ret);
/* NULL is allowed in both. */
struct origin_list *origin_list_ref(struct origin_list *list);
void origin_list_unref(struct origin_list *list);

#endif
