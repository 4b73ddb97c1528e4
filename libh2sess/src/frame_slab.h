/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame buffers of idle sessions, given back to the kernel.
 *
 * Of the 26 kB of an nghttp2 session 16 are one buffer for the frame that is being written, which
 * is empty nearly always. The slab serves that block, page by page, from one range of addresses a
 * loop, so that the pages of a session at rest can be dropped (MADV_DONTNEED) and come back, as
 * zeros, when it next writes. Everything else goes to memory.h. One loop's thread.
 */
#ifndef H2SESS_FRAME_SLAB_H
#define H2SESS_FRAME_SLAB_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* nghttp2's NGHTTP2_FRAMEBUF_CHUNKLEN: a frame of 16,384 bytes, its header and a byte of padding.
 */
#define FRAME_SLAB_BLOCK (16384 + 9 + 1)

struct frame_slab {
	uint8_t *base;	/* NULL: no addresses were to be had, memory.h serves all */
	size_t slot;	/* bytes, whole pages */
	size_t n;	/* slots that there is room for */
	size_t used;	/* slots that were ever handed out */
	uint32_t *free; /* a stack of slots that came back */
	size_t n_free;
	void *last;	 /* the block handed out last, until somebody asks */
	nghttp2_mem mem; /* for nghttp2; its user is the slab */
};

/* Room for n sessions; what goes beyond is served by memory.h. */
void frame_slab_init(struct frame_slab *slab, size_t n);
/* Every block must have come back. */
void frame_slab_done(struct frame_slab *slab);

/* The block that was handed out since this was last asked; NULL: none. */
void *frame_slab_last(struct frame_slab *slab);
/* Drop the pages of a block whose content nobody needs. NULL is allowed. */
void frame_slab_rest(struct frame_slab *slab, void *block);

#endif
