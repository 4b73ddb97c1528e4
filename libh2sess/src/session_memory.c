/* SPDX-License-Identifier: Apache-2.0 */
/* See session_memory.h. Which block is which is told by its size. */
#include "session_memory.h"

#include "memory.h"

#include <h2sess/h2sess.h>
#include <string.h>

static void *take_reserve(struct session_memory *memory, size_t size)
{
	void *block = memory->reserve_open && size <= SESSION_RESERVE ? memory->reserve : NULL;

	if (block)
		memory->reserve = NULL; /* nghttp2 owns it now */
	return block;
}

static void *on_malloc(size_t size, void *user)
{
	struct session_memory *memory = user;
	void *block;

	if (memory->making && size == SESSION_FRAME_BLOCK) {
		memory->making = false;
		return memory->frame;
	}
	memory->spared = NULL;
	block = block_alloc(&memory->blocks, size);
	if (!block)
		block = take_reserve(memory, size);
	memory->failures += !block;
	memory->newest = block;
	return block;
}

/* As zeros, which is how it is to come again. */
static void give_back_table(struct session_memory *memory, void *table)
{
	memset(table, 0, SESSION_TABLE_BLOCK);
	page_slab_give_back(&memory->tables, table);
}

/*
 * nghttp2 1.52's nghttp2_submit_data() frees the item that it has just made and given to its stream
 * when the queue of streams cannot grow, and nghttp2_session_del() frees it again. So what was made
 * last before a realloc() that failed outlives the next call.
 */
static void on_free(void *p, void *user)
{
	struct session_memory *memory = user;
	bool spare = p && p == memory->spared;

	memory->spared = NULL;
	if (spare || p == memory->frame)
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

	if (table) {
		memory->table = table;
		return table;
	}
	table = block_calloc(&memory->blocks, n, size);
	memory->failures += !table;
	return table;
}

/* nghttp2 makes the frame's buffer by a realloc() of nothing, and resizes neither it nor the table.
 */
static void *resize(void *p, size_t size, void *user)
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

static void *on_realloc(void *p, size_t size, void *user)
{
	struct session_memory *memory = user;
	void *newest = memory->newest, *block;

	block = resize(p, size, user);
	memory->failures += !block;
	memory->spared = block ? NULL : newest;
	return block;
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
	block_free(&memory->blocks, memory->reserve);
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

int session_memory_reserve(struct session_memory *memory)
{
	if (!memory->reserve)
		memory->reserve = block_alloc(&memory->blocks, SESSION_RESERVE);
	memory->reserve_open = memory->reserve != NULL;
	return memory->reserve_open ? 0 : H2SESS_ENOMEM;
}

void session_memory_unreserve(struct session_memory *memory)
{
	memory->reserve_open = false;
}
