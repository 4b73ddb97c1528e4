/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of whole pages, whose memory can go back to the kernel while they are held.
 *
 * The slots come from one range of addresses, reserved once (MAP_NORESERVE: no memory until
 * touched). A page that was dropped comes back, as zeros, when it is next touched. Slots that are
 * given back are dropped too, so a burst leaves nothing behind, but for a few: a page fault and the
 * way back cost more than the rest of a short session in cleartext.
 *
 * One thread.
 */
#ifndef H2SESS_PAGE_SLAB_H
#define H2SESS_PAGE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SLAB_WARM_MAX 64 /* slots that keep their pages when they are given back */

struct page_slab {
	uint8_t *base;	/* NULL: no addresses were to be had, nothing is served */
	size_t slot;	/* bytes, whole pages */
	size_t n;	/* slots that there is room for */
	size_t bytes;	/* of all of them */
	size_t used;	/* slots that were ever handed out */
	uint32_t *free; /* a stack of slots that came back and were dropped */
	size_t n_free;
	void *warm[PAGE_SLAB_WARM_MAX]; /* a stack of those that were not */
	size_t n_warm;
};

/* Room for n blocks of size bytes. */
void page_slab_init(struct page_slab *slab, size_t size, size_t n);
/* Every block must have come back. */
void page_slab_done(struct page_slab *slab);

/* A block that is zeros, or what it was when it was given back. NULL: no slot is left. */
void *page_slab_take(struct page_slab *slab);
void page_slab_give_back(struct page_slab *slab, void *block);
static inline bool page_slab_owns(const struct page_slab *slab, const void *p)
{
	return (uintptr_t)p - (uintptr_t)slab->base < slab->bytes;
}
/* Make a block zeros that take no memory. */
void page_slab_drop(struct page_slab *slab, void *block);

#endif
