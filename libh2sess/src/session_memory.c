/* SPDX-License-Identifier: Apache-2.0 */
/* See session_memory.h. Which block is which is told by its size. */
#include "session_memory.h"

#include <string.h>

static void *take_frame(struct session_memory *memory)
{
	memory->last.frame = page_slab_take(&memory->frames);
	return memory->last.frame;
}

static void *on_malloc(size_t size, void *user)
{
	struct session_memory *memory = user;
	void *frame = size == SESSION_FRAME_BLOCK ? take_frame(memory) : NULL;

	return frame ? frame : block_alloc(&memory->blocks, size);
}

/* As zeros, which is how it is to come again. */
static void give_back_table(struct session_memory *memory, void *table)
{
	memset(table, 0, SESSION_TABLE_BLOCK);
	page_slab_give_back(&memory->tables, table);
}

static void on_free(void *p, void *user)
{
	struct session_memory *memory = user;

	if (page_slab_owns(&memory->frames, p))
		page_slab_give_back(&memory->frames, p);
	else if (page_slab_owns(&memory->tables, p))
		give_back_table(memory, p);
	else
		block_free(&memory->blocks, p);
}

static void *on_calloc(size_t n, size_t size, void *user)
{
	struct session_memory *memory = user;
	void *table =
		n > 1 && n * size == SESSION_TABLE_BLOCK ? page_slab_take(&memory->tables) : NULL;

	if (!table)
		return block_calloc(&memory->blocks, n, size);
	memory->last.table = table;
	return table;
}

/* nghttp2 makes the frame's buffer by a realloc() of nothing, and resizes neither it nor the table.
 */
static void *on_realloc(void *p, size_t size, void *user)
{
	struct session_memory *memory = user;
	bool frame = page_slab_owns(&memory->frames, p);
	size_t had = frame ? SESSION_FRAME_BLOCK : SESSION_TABLE_BLOCK;
	void *moved;

	if (!p)
		return on_malloc(size, user);
	if (!frame && !page_slab_owns(&memory->tables, p))
		return block_realloc(&memory->blocks, p, size);
	moved = block_alloc(&memory->blocks, size);
	if (!moved)
		return NULL;
	memcpy(moved, p, size < had ? size : had);
	on_free(p, user);
	return moved;
}

void session_memory_init(struct session_memory *memory, size_t n)
{
	memset(memory, 0, sizeof(*memory));
	memory->mem = (nghttp2_mem){memory, on_malloc, on_free, on_calloc, on_realloc};
	page_slab_init(&memory->frames, SESSION_FRAME_BLOCK, n);
	page_slab_init(&memory->tables, SESSION_TABLE_BLOCK, n);
	block_cache_init(&memory->blocks);
}

void session_memory_done(struct session_memory *memory)
{
	page_slab_done(&memory->frames);
	page_slab_done(&memory->tables);
	block_cache_done(&memory->blocks);
}

struct session_pages session_memory_last(struct session_memory *memory)
{
	struct session_pages last = memory->last;

	memset(&memory->last, 0, sizeof(memory->last));
	return last;
}

static bool is_zeros(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

void session_memory_rest(struct session_memory *memory, const struct session_pages *pages)
{
	if (pages->frame)
		page_slab_drop(&memory->frames, pages->frame);
	/* Dropped pages come back as zeros: whatever nghttp2 keeps there, that must be true now. */
	if (pages->table && is_zeros(pages->table, SESSION_TABLE_BLOCK))
		page_slab_drop(&memory->tables, pages->table);
}
