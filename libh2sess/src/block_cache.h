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

#include <stdbool.h>
#include <stddef.h>

#define BLOCK_STEP 32
#define BLOCK_MAX 2048		   /* bytes; what is larger goes to memory.h */
#define BLOCK_KEPT_MAX (96 * 1024) /* bytes of each class that are kept: 100 requests */
#define BLOCK_CLASSES (BLOCK_MAX / BLOCK_STEP)

struct block;

struct block_cache {
	struct {
		struct block *free;
		size_t room; /* how many more are kept */
	} classes[BLOCK_CLASSES];
	bool off;
};

void block_cache_init(struct block_cache *cache);
void block_cache_done(struct block_cache *cache);

void *block_alloc(struct block_cache *cache, size_t size);
void *block_calloc(struct block_cache *cache, size_t n, size_t size);
void *block_realloc(struct block_cache *cache, void *p, size_t size);
/* p may be NULL. */
void block_free(struct block_cache *cache, void *p);

#endif
