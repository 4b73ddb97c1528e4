/* SPDX-License-Identifier: Apache-2.0 */
/* See server_origins.h. */
#include "server_origins.h"

#include "memory.h"

#include <h2sess/h2sess.h>

static int add(struct origin_list *list, const char *url)
{
	char buf[H2SESS_PUSH_BYTES_MAX + 1];
	int len = url ? h2sess_origin_of(url, buf, sizeof(buf)) : H2SESS_EARGTYPE;

	if (len == H2SESS_ERANGE)
		return H2SESS_EORIGINLENGTH;
	if (len < 0)
		return len;
	list->origins[list->n] = mem_strndup(buf, (size_t)len);
	if (!list->origins[list->n])
		return H2SESS_ENOMEM;
	list->n++;
	return 0;
}

int origin_list_new(const char *const *urls, size_t n, struct origin_list **ret)
{
	struct origin_list *list;
	size_t i;
	int r = 0;

	*ret = NULL;
	if (!n)
		return 0;
	if (!urls)
		return H2SESS_EARGTYPE;
	list = mem_calloc(1, sizeof(*list) + n * sizeof(*list->origins));
	if (!list)
		return H2SESS_ENOMEM;
	atomic_init(&list->refs, 1);
	for (i = 0; i < n && r == 0; i++)
		r = add(list, urls[i]);
	if (r < 0) {
		origin_list_unref(list);
		return r;
	}
	*ret = list;
	return 0;
}

struct origin_list *origin_list_ref(struct origin_list *list)
{
	if (list)
		atomic_fetch_add(&list->refs, 1);
	return list;
}

void origin_list_unref(struct origin_list *list)
{
	size_t i;

	if (!list || atomic_fetch_sub(&list->refs, 1) > 1)
		return;
	for (i = 0; i < list->n; i++)
		mem_free(list->origins[i]);
	mem_free(list);
}
