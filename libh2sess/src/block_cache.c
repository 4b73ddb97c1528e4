/* SPDX-License-Identifier: Apache-2.0 */
/* See block_cache.h. A class holds blocks of up to (its index + 1) * BLOCK_STEP bytes. */
#include "block_cache.h"

#include "memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#define NO_CLASS BLOCK_CLASSES

struct block {
	alignas(16) size_t class; /* NO_CLASS: never kept */
	union {
		size_t size;	    /* bytes that were asked for, while it is out without a class */
		struct block *next; /* while it is kept */
	};
	alignas(16) uint8_t data[];
};

static size_t class_of(const struct block_cache *cache, size_t size)
{
	return size == 0 || size > BLOCK_MAX || cache->off ? NO_CLASS : (size - 1) / BLOCK_STEP;
}

static struct block *block_of(void *p)
{
	return (struct block *)((uint8_t *)p - sizeof(struct block));
}

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

static void *fresh(size_t class, size_t size)
{
	size_t whole = class == NO_CLASS ? size : (class + 1) * BLOCK_STEP;
	struct block *block =
		whole > SIZE_MAX - sizeof(*block) ? NULL : mem_alloc(sizeof(*block) + whole);

	if (!block)
		return NULL;
	block->class = class;
	block->size = size;
	return block->data;
}

void *block_alloc(struct block_cache *cache, size_t size)
{
	size_t class = class_of(cache, size);
	struct block *block = class == NO_CLASS ? NULL : cache->classes[class].free;

	if (!block)
		return fresh(class, size);
	cache->classes[class].free = block->next;
	cache->classes[class].room++;
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

void block_free(struct block_cache *cache, void *p)
{
	struct block *block = p ? block_of(p) : NULL;

	if (!p)
		return;
	if (block->class == NO_CLASS || !cache->classes[block->class].room) {
		mem_free(block);
		return;
	}
	block->next = cache->classes[block->class].free;
	cache->classes[block->class].free = block;
	cache->classes[block->class].room--;
}
