/* SPDX-License-Identifier: Apache-2.0 */
/* See block_cache.h. A class holds blocks of up to (its index + 1) * BLOCK_STEP bytes. */
#include "block_cache.h"

#include "memory.h"

#include <string.h>

#define NO_CLASS BLOCK_CLASSES

static size_t room_of(size_t class)
{
	return BLOCK_KEPT_MAX / ((class + 1) * BLOCK_STEP);
}

void block_cache_init(struct block_cache *cache)
{
	size_t i;

	memset(cache, 0, sizeof(*cache));
	for (i = 0; i < BLOCK_CLASSES; i++)
		cache->classes[i].room = room_of(i);
#if defined(__SANITIZE_ADDRESS__)
	cache->off = true;
#else
	cache->off = mem_is_hosted();
#endif
}

void block_cache_done(struct block_cache *cache)
{
	struct block *block;
	size_t i;

	for (i = 0; i < BLOCK_CLASSES; i++) {
		while ((block = cache->classes[i].free)) {
			cache->classes[i].free = block->next;
			mem_free(block);
		}
	}
}

void *block_make(struct block_cache *cache, size_t size)
{
	size_t class =
		size == 0 || size > BLOCK_MAX || cache->off ? NO_CLASS : block_class_of(size);
	size_t whole = class == NO_CLASS ? size : (class + 1) * BLOCK_STEP;
	struct block *block =
		whole > SIZE_MAX - sizeof(*block) ? NULL : mem_alloc(sizeof(*block) + whole);

	if (!block)
		return NULL;
	block->class = class;
	block->size = size;
	return block->data;
}

void *block_calloc(struct block_cache *cache, size_t n, size_t size)
{
	void *p = size && n > SIZE_MAX / size ? NULL : block_alloc(cache, n * size);

	return p ? memset(p, 0, n * size) : NULL;
}

void *block_realloc(struct block_cache *cache, void *p, size_t size)
{
	struct block *block = p ? block_of(p) : NULL;
	size_t had;
	void *moved;

	if (!p)
		return block_alloc(cache, size);
	had = block->class == NO_CLASS ? block->size : (block->class + 1) * BLOCK_STEP;
	if (size <= had && block->class != NO_CLASS)
		return p;
	moved = block_alloc(cache, size);
	if (!moved)
		return NULL;
	memcpy(moved, p, size < had ? size : had);
	block_free(cache, p);
	return moved;
}

void block_end(struct block *block)
{
	mem_free(block);
}
