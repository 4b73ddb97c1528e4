/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of whole pages, whose memory can go back to the kernel while they are held.
 *
 * The slots come from one range of addresses, reserved once (MAP_NORESERVE: no memory until
 * touched). A page that was dropped comes back, as zeros, when it is next touched. A slot that is
 * given back is dropped too, so a burst leaves nothing behind. One thread.
 */
#ifndef H2SESS_PAGE_SLAB_H
#define H2SESS_PAGE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page_slab {
	uint8_t *base;	/* NULL: no addresses were to be had, nothing is served */
	size_t slot;	/* bytes, whole pages */
	size_t n;	/* slots that there is room for */
	size_t bytes;	/* of all of them */
	size_t used;	/* slots that were ever handed out */
	uint32_t *free; /* a stack of slots that came back */
	size_t n_free;
};

/* Room for n blocks of size bytes. */
void page_slab_init(struct page_slab *slab, size_t size, size_t n);
/* Every block must have come back. */
void page_slab_done(struct page_slab *slab);

/* A zeroed block, or NULL: no slot is left. */
void *page_slab_take(struct page_slab *slab);
void page_slab_give_back(struct page_slab *slab, void *block);
static inline bool page_slab_owns(const struct page_slab *slab, const void *p)
{
	return (uintptr_t)p - (uintptr_t)slab->base < slab->bytes;
}
/* Make a block zeros that take no memory. */
void page_slab_drop(struct page_slab *slab, void *block);

#endif
