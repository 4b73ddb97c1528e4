/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small blocks that come and go with every request, kept by a loop for the next one.
 *
 * Measured: malloc() and free() took an eighth of the cycles of a request. glibc keeps seven blocks
 * of a size at hand for a thread, and a session with ten requests under way spends the rest on the
 * slow path. A block carries its class in a head of 16 bytes, since nghttp2 does not say how large
 * what it frees was.
 *
 * The cache is off, and every allocation reaches memory.h, when the host has brought an allocator
 * of its own, and under AddressSanitizer, which could not see a use after free. One thread.
 */
#ifndef H2SESS_BLOCK_CACHE_H
#define H2SESS_BLOCK_CACHE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_STEP 32
#define BLOCK_MAX 2048		   /* bytes; what is larger goes to memory.h */
#define BLOCK_KEPT_MAX (96 * 1024) /* bytes of each class that are kept: 100 requests */
#define BLOCK_CLASSES (BLOCK_MAX / BLOCK_STEP)

struct block {
	alignas(16) size_t class; /* BLOCK_CLASSES: never kept */
	union {
		size_t size;	    /* bytes that were asked for, while it is out without a class */
		struct block *next; /* while it is kept */
	};
	alignas(16) uint8_t data[];
};

struct block_cache {
	struct {
		struct block *free;
		size_t room;	      /* how many more are kept */
	} classes[BLOCK_CLASSES + 1]; /* the last one has no room */
	bool off;
};

void block_cache_init(struct block_cache *cache);
void block_cache_done(struct block_cache *cache);

/* A block that was not kept, and the end of one that is not to be. */
void *block_make(struct block_cache *cache, size_t size);
void block_end(struct block *block);

static inline struct block *block_of(void *p)
{
	return (struct block *)((uint8_t *)p - sizeof(struct block));
}

/* Of a size that is not 0. */
static inline size_t block_class_of(size_t size)
{
	return (size - 1) / BLOCK_STEP;
}

static inline void *block_alloc(struct block_cache *cache, size_t size)
{
	size_t class = block_class_of(size);
	struct block *block = class < BLOCK_CLASSES ? cache->classes[class].free : NULL;

	if (!block)
		return block_make(cache, size);
	cache->classes[class].free = block->next;
	cache->classes[class].room++;
	return block->data;
}

/* p may be NULL. */
static inline void block_free(struct block_cache *cache, void *p)
{
	struct block *block = p ? block_of(p) : NULL;

	if (!p)
		return;
	if (!cache->classes[block->class].room) {
		block_end(block);
		return;
	}
	block->next = cache->classes[block->class].free;
	cache->classes[block->class].free = block;
	cache->classes[block->class].room--;
}

void *block_calloc(struct block_cache *cache, size_t n, size_t size);
void *block_realloc(struct block_cache *cache, void *p, size_t size);
#endif
