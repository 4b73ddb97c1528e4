/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a loop's nghttp2 sessions: idle ones are small, busy ones are quick.
 *
 * Of the 26 kB of an nghttp2 session 16 are a buffer for the frame that is being sent. All sessions
 * of a loop share one: what nghttp2_session_mem_send() returns is all that was in the buffer, it is
 * copied before nghttp2 is called again, for whichever session, and nghttp2 makes the next frame
 * from the buffer's start. (The further buffers of a header block over 16 kB are not shared.)
 *
 * Another 4 kB are a table of the open streams, empty nearly always. It comes from a slab of pages,
 * which go back to the kernel while a session rests. What comes and goes with a request is small,
 * and comes from a cache of blocks. One loop's thread.
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

/* More than nghttp2's largest item. */
#define SESSION_RESERVE 256

struct session_memory {
	void *frame; /* SESSION_FRAME_BLOCK bytes, shared */
	struct page_slab tables;
	struct block_cache blocks;
	bool making;	 /* a session: the next frame's buffer is the shared one */
	void *table;	 /* that was handed out meanwhile; NULL: none */
	size_t failures; /* allocations that failed: nghttp2 keeps some to itself */
	void *newest;	 /* what malloc() gave last */
	void *spared;	 /* not to be freed by the very next call: see on_free() */
	void *reserve;	 /* SESSION_RESERVE bytes for when there are none; NULL: to be made */
	bool reserve_open;
	nghttp2_mem mem; /* for nghttp2; its user is this */
};

/* Room for the tables of n sessions; others come from memory.h. Returns 0, H2SESS_ENOMEM. */
int session_memory_init(struct session_memory *memory, size_t n);
/* Every session must be gone. */
void session_memory_done(struct session_memory *memory);

/*
 * Make a server's session from this memory. ret_table: what session_memory_rest() takes; NULL: not
 * from the slab. Returns 0, H2SESS_ENOMEM.
 */
int session_memory_make(struct session_memory *memory, const nghttp2_session_callbacks *callbacks,
			const nghttp2_option *option, void *user, nghttp2_session **ret,
			void **ret_table);
/* Give a table's page back if the table is empty. NULL is allowed. */
void session_memory_rest(struct session_memory *memory, void *table);

/*
 * Until session_memory_unreserve(), one block of at most SESSION_RESERVE bytes is there for nghttp2
 * whatever happens. Returns 0, H2SESS_ENOMEM.
 */
int session_memory_reserve(struct session_memory *memory);
void session_memory_unreserve(struct session_memory *memory);

#endif
