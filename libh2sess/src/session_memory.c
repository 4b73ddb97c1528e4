/* SPDX-License-Identifier: Apache-2.0 */
/* See session_memory.h. Which block is which is told by its size. */
#include "session_memory.h"

#include "memory.h"

#include <h2sess/h2sess.h>
#include <string.h>

static void *on_malloc(size_t size, void *user)
{
	struct session_memory *memory = user;

	if (!memory->making || size != SESSION_FRAME_BLOCK)
		return block_alloc(&memory->blocks, size);
	memory->making = false;
	return memory->frame;
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

	if (p == memory->frame)
		return;
	if (page_slab_owns(&memory->tables, p))
		give_back_table(memory, p);
	else
		block_free(&memory->blocks, p);
}

static void *on_calloc(size_t n, size_t size, void *user)
{
	struct session_memory *memory = user;
	void *table = memory->making && n * size == SESSION_TABLE_BLOCK
			      ? page_slab_take(&memory->tables)
			      : NULL;

	if (!table)
		return block_calloc(&memory->blocks, n, size);
	memory->table = table;
	return table;
}

/* nghttp2 makes the frame's buffer by a realloc() of nothing, and resizes neither it nor the table.
 */
static void *on_realloc(void *p, size_t size, void *user)
{
	struct session_memory *memory = user;
	size_t had = p == memory->frame ? SESSION_FRAME_BLOCK : SESSION_TABLE_BLOCK;
	void *moved;

	if (!p)
		return on_malloc(size, user);
	if (p != memory->frame && !page_slab_owns(&memory->tables, p))
		return block_realloc(&memory->blocks, p, size);
	moved = block_alloc(&memory->blocks, size);
	if (!moved)
		return NULL;
	memcpy(moved, p, size < had ? size : had);
	on_free(p, user);
	return moved;
}

int session_memory_init(struct session_memory *memory, size_t n)
{
	memset(memory, 0, sizeof(*memory));
	memory->frame = mem_alloc(SESSION_FRAME_BLOCK);
	if (!memory->frame)
		return H2SESS_ENOMEM;
	memory->mem = (nghttp2_mem){memory, on_malloc, on_free, on_calloc, on_realloc};
	page_slab_init(&memory->tables, SESSION_TABLE_BLOCK, n);
	block_cache_init(&memory->blocks);
	return 0;
}

void session_memory_done(struct session_memory *memory)
{
	page_slab_done(&memory->tables);
	block_cache_done(&memory->blocks);
	mem_free(memory->frame);
	memory->frame = NULL;
}

int session_memory_make(struct session_memory *memory, const nghttp2_session_callbacks *callbacks,
			const nghttp2_option *option, void *user, nghttp2_session **ret,
			void **ret_table)
{
	int r;

	memory->making = true;
	memory->table = NULL;
	r = nghttp2_session_server_new3(ret, callbacks, user, option, &memory->mem);
	memory->making = false;
	if (r != 0)
		return H2SESS_ENOMEM;
	*ret_table = memory->table;
	return 0;
}

static bool is_zeros(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* A dropped page comes back as zeros: whatever nghttp2 keeps there, that must be true now. */
void session_memory_rest(struct session_memory *memory, void *table)
{
	if (table && is_zeros(table, SESSION_TABLE_BLOCK))
		page_slab_drop(&memory->tables, table);
}
