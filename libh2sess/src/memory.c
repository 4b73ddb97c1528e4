/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator hook. The host may set it once, before the first server; from then on every
 * allocation goes to it. Without one: malloc() and friends. Failure: NULL, never an abort.
 */
#include "memory.h"

#include "open_struct.h"

#include <h2sess/h2sess.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct h2sess_allocator hook; /* malloc_fn NULL: the C library's */
static atomic_bool frozen;

void mem_freeze(void)
{
	atomic_store(&frozen, true);
}

bool mem_is_hosted(void)
{
	return hook.malloc_fn != NULL;
}

void *mem_alloc(size_t size)
{
	return hook.malloc_fn ? hook.malloc_fn(size, hook.user) : malloc(size);
}

void *mem_calloc(size_t n, size_t size)
{
	void *p;

	if (!hook.malloc_fn)
		return calloc(n, size);
	if (size && n > SIZE_MAX / size)
		return NULL;
	p = mem_alloc(n * size);
	return p ? memset(p, 0, n * size) : NULL;
}

void *mem_realloc(void *p, size_t size)
{
	return hook.malloc_fn ? hook.realloc_fn(p, size, hook.user) : realloc(p, size);
}

void mem_free(void *p)
{
	if (!p)
		return;
	if (hook.malloc_fn)
		hook.free_fn(p, hook.user);
	else
		free(p);
}

char *mem_strndup(const char *s, size_t len)
{
	char *copy = mem_alloc(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

int h2sess_set_allocator(const struct h2sess_allocator *allocator)
{
	struct h2sess_allocator own;

	if (atomic_load(&frozen))
		return H2SESS_ESTATE;
	if (!allocator) {
		memset(&hook, 0, sizeof(hook));
		return 0;
	}
	if (open_struct_read(&own, sizeof(own), allocator) < 0 || !own.malloc_fn ||
	    !own.realloc_fn || !own.free_fn)
		return H2SESS_EINVAL;
	hook = own;
	return 0;
}
