/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of nghttp2 sessions: slabs serve the two large blocks of each, and take their pages
 * back; the cache of blocks keeps what it may, and no more.
 */
#include "libh2sess/src/session_memory.h"
#include "tests/wire/support/cmocka_all.h"

#include <string.h>
#include <sys/mman.h>

#define SLOTS 3

static nghttp2_session *session_of(struct session_memory *memory)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *ng;

	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	assert_int_equal(nghttp2_session_server_new3(&ng, callbacks, NULL, NULL, &memory->mem), 0);
	nghttp2_session_callbacks_del(callbacks);
	return ng;
}

/* Whichever way nghttp2 asks for them: this is what makes idle sessions small. */
static void test_slabs_serve_sessions(void **state)
{
	struct session_memory memory;
	nghttp2_session *ng[SLOTS + 1];
	struct session_pages pages;

	(void)state;
	session_memory_init(&memory, SLOTS);
	for (int i = 0; i < SLOTS; i++) {
		ng[i] = session_of(&memory);
		pages = session_memory_last(&memory);
		assert_non_null(pages.frame);
		assert_non_null(pages.table);
		assert_null(session_memory_last(&memory).frame);
	}
	ng[SLOTS] = session_of(&memory); /* over the slabs' size: from the heap */
	pages = session_memory_last(&memory);
	assert_null(pages.frame);
	assert_null(pages.table);
	for (int i = 0; i <= SLOTS; i++)
		nghttp2_session_del(ng[i]);
	assert_int_equal(memory.frames.n_free + memory.frames.n_warm, SLOTS);
	assert_int_equal(memory.tables.n_free + memory.tables.n_warm, SLOTS);
	session_memory_done(&memory);
}

/* nghttp2 asks for zeros; a slot that kept its pages must not show what was there. */
static void test_table_comes_again_as_zeros(void **state)
{
	struct session_memory memory;
	uint8_t *table;

	(void)state;
	session_memory_init(&memory, 2 * PAGE_SLAB_WARM_MAX);
	for (int round = 0; round < 3; round++) {
		void *tables[2 * PAGE_SLAB_WARM_MAX];

		for (int i = 0; i < 2 * PAGE_SLAB_WARM_MAX; i++) {
			table = tables[i] = memory.mem.calloc(256, 16, &memory);
			assert_true(page_slab_owns(&memory.tables, table));
			for (int j = 0; j < SESSION_TABLE_BLOCK; j++)
				assert_int_equal(table[j], 0);
			memset(table, 'x', SESSION_TABLE_BLOCK);
		}
		for (int i = 0; i < 2 * PAGE_SLAB_WARM_MAX; i++)
			memory.mem.free(tables[i], &memory);
	}
	session_memory_done(&memory);
}

static bool is_resident(void *page)
{
	unsigned char resident;

	assert_int_equal(mincore(page, 1, &resident), 0);
	return resident & 1;
}

static void test_rest_gives_pages_back(void **state)
{
	struct session_memory memory;
	struct session_pages pages;
	nghttp2_session *ng;

	(void)state;
	session_memory_init(&memory, SLOTS);
	ng = session_of(&memory);
	pages = session_memory_last(&memory);
	memset(pages.frame, 'x', SESSION_FRAME_BLOCK);
	((uint8_t *)pages.table)[SESSION_TABLE_BLOCK - 1] = 1;
	session_memory_rest(&memory, &pages);
	assert_false(is_resident(pages.frame));
	assert_true(is_resident(pages.table)); /* a table in use stays */
	((uint8_t *)pages.table)[SESSION_TABLE_BLOCK - 1] = 0;
	session_memory_rest(&memory, &pages);
	assert_false(is_resident(pages.table));
	nghttp2_session_del(ng);
	session_memory_done(&memory);
}

static void test_blocks_come_again(void **state)
{
	struct block_cache cache;
	void *first, *second;

	(void)state;
	block_cache_init(&cache);
	first = block_alloc(&cache, 100);
	memset(first, 'x', 100);
	block_free(&cache, first);
	second = block_calloc(&cache, 1, 97); /* the same class */
	if (!cache.off)
		assert_ptr_equal(second, first);
	for (int i = 0; i < 97; i++)
		assert_int_equal(((char *)second)[i], 0);
	block_free(&cache, second);
	block_free(&cache, NULL);
	block_cache_done(&cache);
}

static void test_realloc_keeps_content(void **state)
{
	static const size_t sizes[] = {1, 32, 33, 2048, 2049, 100000, 40, 1};
	struct block_cache cache;
	char *p = NULL;

	(void)state;
	block_cache_init(&cache);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		p = block_realloc(&cache, p, sizes[i]);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		if (i)
			assert_int_equal(p[0], 'a');
		memset(p, 'a', sizes[i]);
	}
	block_free(&cache, p);
	assert_null(block_calloc(&cache, SIZE_MAX / 2, 4));
	block_cache_done(&cache);
}

static void test_cache_is_bounded(void **state)
{
	enum { BLOCKS = BLOCK_KEPT_MAX / BLOCK_STEP + 1 };
	struct block_cache cache;
	void *blocks[BLOCKS];

	(void)state;
	block_cache_init(&cache);
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = block_alloc(&cache, BLOCK_STEP);
	for (int i = 0; i < BLOCKS; i++)
		block_free(&cache, blocks[i]);
	if (!cache.off)
		assert_int_equal(cache.classes[0].room, 0);
	block_cache_done(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slabs_serve_sessions),
		cmocka_unit_test(test_table_comes_again_as_zeros),
		cmocka_unit_test(test_rest_gives_pages_back),
		cmocka_unit_test(test_blocks_come_again),
		cmocka_unit_test(test_realloc_keeps_content),
		cmocka_unit_test(test_cache_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
