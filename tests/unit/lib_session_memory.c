/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of nghttp2 sessions: the two large blocks of each are shared, and given back; the cache
 * of blocks keeps what it may, and no more.
 */
#include "libh2sess/src/session_memory.h"
#include "tests/wire/support/cmocka_all.h"

#include <string.h>
#include <sys/mman.h>

#define SLOTS 3

static nghttp2_session_callbacks *callbacks;

static int make_callbacks(void **state)
{
	(void)state;
	return nghttp2_session_callbacks_new(&callbacks);
}

static int free_callbacks(void **state)
{
	(void)state;
	nghttp2_session_callbacks_del(callbacks);
	return 0;
}

/* Whichever way nghttp2 asks for them: this is what makes idle sessions small. */
static void test_large_blocks_are_served(void **state)
{
	struct session_memory memory;
	nghttp2_session *ng[SLOTS + 1];
	void *table;

	(void)state;
	assert_int_equal(session_memory_init(&memory, SLOTS), 0);
	for (int i = 0; i <= SLOTS; i++) {
		assert_int_equal(
			session_memory_make(&memory, callbacks, NULL, NULL, &ng[i], &table), 0);
		assert_false(memory.making);
		assert_int_equal(memory.tables.used, i < SLOTS ? i + 1 : SLOTS);
		/* Over the slab's size the table is from the heap. */
		assert_int_equal(page_slab_owns(&memory.tables, table), i < SLOTS);
	}
	table = memory.mem.malloc(SESSION_FRAME_BLOCK, &memory);
	assert_ptr_not_equal(table, memory.frame); /* not while a session is being made */
	memory.mem.free(table, &memory);
	for (int i = 0; i <= SLOTS; i++)
		nghttp2_session_del(ng[i]);
	assert_int_equal(memory.tables.n_free + memory.tables.n_warm, SLOTS);
	session_memory_done(&memory);
}

/* The next piece of what a session has to send, behind what is there. */
static bool send_piece(nghttp2_session *ng, uint8_t *into, size_t *len)
{
	const uint8_t *data;
	ssize_t n = nghttp2_session_mem_send(ng, &data);

	assert_true(n >= 0);
	if (n == 0)
		return false;
	memcpy(into + *len, data, (size_t)n);
	*len += (size_t)n;
	return true;
}

static void queue_frames(nghttp2_session *ng, uint8_t seed)
{
	static const uint8_t origin[] = "https://example.org";
	uint8_t alt[40], opaque[8];

	memset(alt, 'a' + seed, sizeof(alt));
	memset(opaque, seed, sizeof(opaque));
	nghttp2_submit_settings(ng, NGHTTP2_FLAG_NONE, NULL, 0);
	for (uint8_t i = 0; i < 10; i++) {
		nghttp2_submit_ping(ng, NGHTTP2_FLAG_NONE, opaque);
		nghttp2_submit_altsvc(ng, NGHTTP2_FLAG_NONE, 0, origin, sizeof(origin) - 1, alt,
				      sizeof(alt) - i);
	}
	nghttp2_submit_goaway(ng, NGHTTP2_FLAG_NONE, 0, seed, opaque, sizeof(opaque));
}

/* Sessions that take turns in one buffer say what each says with a buffer of its own. */
static void test_shared_frame_keeps_sessions_apart(void **state)
{
	static uint8_t shared[SLOTS][4096], alone[4096];
	size_t shared_len[SLOTS] = {0}, alone_len;
	struct session_memory memory;
	nghttp2_session *ng[SLOTS], *own;
	void *table;
	bool more = true;

	(void)state;
	assert_int_equal(session_memory_init(&memory, SLOTS), 0);
	for (uint8_t i = 0; i < SLOTS; i++) {
		assert_int_equal(
			session_memory_make(&memory, callbacks, NULL, NULL, &ng[i], &table), 0);
		queue_frames(ng[i], i);
	}
	while (more) {
		more = false;
		for (int i = 0; i < SLOTS; i++)
			more = send_piece(ng[i], shared[i], &shared_len[i]) || more;
	}
	for (uint8_t i = 0; i < SLOTS; i++) {
		nghttp2_session_del(ng[i]);
		assert_int_equal(nghttp2_session_server_new(&own, callbacks, NULL), 0);
		queue_frames(own, i);
		for (alone_len = 0; send_piece(own, alone, &alone_len);)
			;
		nghttp2_session_del(own);
		assert_true(alone_len > 500);
		assert_int_equal(shared_len[i], alone_len);
		assert_memory_equal(shared[i], alone, alone_len);
	}
	session_memory_done(&memory);
}

/* nghttp2 asks for zeros; a slot that kept its pages must not show what was there. */
static void test_table_comes_again_as_zeros(void **state)
{
	struct session_memory memory;
	uint8_t *table;

	(void)state;
	assert_int_equal(session_memory_init(&memory, 2 * PAGE_SLAB_WARM_MAX), 0);
	memory.making = true;
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

static void test_rest_gives_page_back(void **state)
{
	struct session_memory memory;
	nghttp2_session *ng;
	void *table;

	(void)state;
	assert_int_equal(session_memory_init(&memory, SLOTS), 0);
	assert_int_equal(session_memory_make(&memory, callbacks, NULL, NULL, &ng, &table), 0);
	((uint8_t *)table)[SESSION_TABLE_BLOCK - 1] = 1;
	session_memory_rest(&memory, table);
	assert_true(is_resident(table)); /* a table in use stays */
	((uint8_t *)table)[SESSION_TABLE_BLOCK - 1] = 0;
	session_memory_rest(&memory, table);
	assert_false(is_resident(table));
	session_memory_rest(&memory, NULL);
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
		cmocka_unit_test(test_large_blocks_are_served),
		cmocka_unit_test(test_shared_frame_keeps_sessions_apart),
		cmocka_unit_test(test_table_comes_again_as_zeros),
		cmocka_unit_test(test_rest_gives_page_back),
		cmocka_unit_test(test_blocks_come_again),
		cmocka_unit_test(test_realloc_keeps_content),
		cmocka_unit_test(test_cache_is_bounded),
	};

	return cmocka_run_group_tests(tests, make_callbacks, free_callbacks);
}
