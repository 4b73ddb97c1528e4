/* SPDX-License-Identifier: Apache-2.0 */
/* See page_slab.h. */
#include "page_slab.h"

#include "memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *page_slab_take(struct page_slab *slab)
{
	size_t i;

	if (slab->n_warm)
		return slab->warm[--slab->n_warm];
	if (slab->n_free)
		i = slab->free[--slab->n_free];
	else if (slab->used < slab->n)
		i = slab->used++;
	else
		return NULL;
	return slab->base + i * slab->slot;
}

void page_slab_give_back(struct page_slab *slab, void *block)
{
	if (slab->n_warm < PAGE_SLAB_WARM_MAX) {
		slab->warm[slab->n_warm++] = block;
		return;
	}
	page_slab_drop(slab, block);
	slab->free[slab->n_free++] =
		(uint32_t)((size_t)((uint8_t *)block - slab->base) / slab->slot);
}

void page_slab_drop(struct page_slab *slab, void *block)
{
	/* What the kernel does not take back must be zeros all the same. */
	if (madvise(block, slab->slot, MADV_DONTNEED) < 0)
		memset(block, 0, slab->slot);
}

void page_slab_init(struct page_slab *slab, size_t size, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *base;

	memset(slab, 0, sizeof(*slab));
	slab->slot = (size + page - 1) / page * page;
	slab->free = mem_alloc(n * sizeof(*slab->free));
	if (!slab->free)
		return;
	base = mmap(NULL, n * slab->slot, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return;
	slab->base = base;
	slab->n = n;
	slab->bytes = n * slab->slot;
}

void page_slab_done(struct page_slab *slab)
{
	if (slab->base)
		munmap(slab->base, slab->n * slab->slot);
	mem_free(slab->free);
	memset(slab, 0, sizeof(*slab));
}
