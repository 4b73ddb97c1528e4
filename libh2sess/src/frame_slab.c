/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See frame_slab.h. The range of addresses is reserved once (MAP_NORESERVE: no memory until
 * touched). A slot that comes back is dropped too, so a burst of sessions leaves nothing behind.
 */
#include "frame_slab.h"

#include "memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool is_ours(const struct frame_slab *slab, const void *p)
{
	const uint8_t *block = p;

	return slab->base && block >= slab->base && block < slab->base + slab->n * slab->slot;
}

static void *take(struct frame_slab *slab)
{
	size_t i;

	if (slab->n_free)
		i = slab->free[--slab->n_free];
	else if (slab->used < slab->n)
		i = slab->used++;
	else
		return NULL;
	slab->last = slab->base + i * slab->slot;
	return slab->last;
}

static void give_back(struct frame_slab *slab, void *block)
{
	frame_slab_rest(slab, block);
	slab->free[slab->n_free++] =
		(uint32_t)((size_t)((uint8_t *)block - slab->base) / slab->slot);
	if (slab->last == block)
		slab->last = NULL;
}

static void *slab_malloc(size_t size, void *user)
{
	struct frame_slab *slab = user;
	void *block = size == FRAME_SLAB_BLOCK && slab->base ? take(slab) : NULL;

	return block ? block : mem_alloc(size);
}

static void slab_free(void *p, void *user)
{
	struct frame_slab *slab = user;

	if (is_ours(slab, p))
		give_back(slab, p);
	else
		mem_free(p);
}

static void *slab_calloc(size_t n, size_t size, void *user)
{
	(void)user;
	return mem_calloc(n, size);
}

/* nghttp2 never resizes the buffer of a frame, but it makes it by a realloc() of nothing. */
static void *slab_realloc(void *p, size_t size, void *user)
{
	void *fresh;

	if (!p)
		return slab_malloc(size, user);
	if (!is_ours(user, p))
		return mem_realloc(p, size);
	fresh = mem_alloc(size);
	if (!fresh)
		return NULL;
	memcpy(fresh, p, size < FRAME_SLAB_BLOCK ? size : FRAME_SLAB_BLOCK);
	give_back(user, p);
	return fresh;
}

void frame_slab_init(struct frame_slab *slab, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *base;

	memset(slab, 0, sizeof(*slab));
	slab->mem = (nghttp2_mem){slab, slab_malloc, slab_free, slab_calloc, slab_realloc};
	slab->slot = (FRAME_SLAB_BLOCK + page - 1) / page * page;
	slab->free = mem_alloc(n * sizeof(*slab->free));
	if (!slab->free)
		return;
	base = mmap(NULL, n * slab->slot, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return;
	slab->base = base;
	slab->n = n;
}

void frame_slab_done(struct frame_slab *slab)
{
	if (slab->base)
		munmap(slab->base, slab->n * slab->slot);
	mem_free(slab->free);
	memset(slab, 0, sizeof(*slab));
}

void *frame_slab_last(struct frame_slab *slab)
{
	void *last = slab->last;

	slab->last = NULL;
	return last;
}

void frame_slab_rest(struct frame_slab *slab, void *block)
{
	if (block)
		madvise(block, slab->slot, MADV_DONTNEED);
}
