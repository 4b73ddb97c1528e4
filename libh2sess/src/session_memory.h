/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a loop's nghttp2 sessions: idle ones are small, busy ones are quick.
 *
 * Of the 26 kB of an nghttp2 session 16 are one buffer for the frame that is being written, and 4 a
 * table of its open streams: both are empty nearly always. They are served from slabs of pages,
 * which are given back to the kernel while a session rests. What comes and goes with a request is
 * small, and comes from a cache of blocks. One loop's thread.
 */
#ifndef H2SESS_SESSION_MEMORY_H
#define H2SESS_SESSION_MEMORY_H

#include "block_cache.h"
#include "page_slab.h"

#include <nghttp2/nghttp2.h>

/* nghttp2's NGHTTP2_FRAMEBUF_CHUNKLEN: a frame of 16,384 bytes, its header and a byte of padding.
 */
#define SESSION_FRAME_BLOCK (16384 + 9 + 1)
/* Its table of streams: 256 buckets of 16 bytes, for as long as few streams are open. */
#define SESSION_TABLE_BLOCK 4096

/* Blocks of one session that can rest. */
struct session_pages {
	void *frame; /* NULL: not from the slab */
	void *table;
};

struct session_memory {
	struct page_slab frames;
	struct page_slab tables;
	struct block_cache blocks;
	struct session_pages last; /* handed out since session_memory_last() was asked */
	nghttp2_mem mem;	   /* for nghttp2; its user is this */
};

/* Room for n sessions in the slabs; what goes beyond is served by memory.h. */
void session_memory_init(struct session_memory *memory, size_t n);
/* Every session must be gone. */
void session_memory_done(struct session_memory *memory);

/* The pages of the session that was just made. */
struct session_pages session_memory_last(struct session_memory *memory);
/* Give pages back: the frame's, whose content nobody may need, and the table's when it is empty. */
void session_memory_rest(struct session_memory *memory, const struct session_pages *pages);

#endif
