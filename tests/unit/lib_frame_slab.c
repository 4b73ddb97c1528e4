/* SPDX-License-Identifier: Apache-2.0 */
/* The slab serves the one large buffer of an nghttp2 session, and takes its pages back. */
#include "libh2sess/src/frame_slab.h"
#include "tests/wire/support/cmocka_all.h"

#include <string.h>
#include <sys/mman.h>

#define SLOTS 3

static nghttp2_session *session_of(struct frame_slab *slab)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *ng;

	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	assert_int_equal(nghttp2_session_server_new3(&ng, callbacks, NULL, NULL, &slab->mem), 0);
	nghttp2_session_callbacks_del(callbacks);
	return ng;
}

/* Whichever way nghttp2 asks for it: this is what makes idle sessions small. */
static void test_session_is_served(void **state)
{
	struct frame_slab slab;
	nghttp2_session *ng[SLOTS + 1];

	(void)state;
	frame_slab_init(&slab, SLOTS);
	for (int i = 0; i < SLOTS; i++) {
		ng[i] = session_of(&slab);
		assert_non_null(frame_slab_last(&slab));
		assert_null(frame_slab_last(&slab));
	}
	ng[SLOTS] = session_of(&slab); /* over the slab's size: from the heap */
	assert_null(frame_slab_last(&slab));
	for (int i = 0; i <= SLOTS; i++)
		nghttp2_session_del(ng[i]);
	assert_int_equal(slab.n_free, SLOTS);
	frame_slab_done(&slab);
}

static void test_rest_drops_pages(void **state)
{
	struct frame_slab slab;
	nghttp2_session *ng;
	unsigned char resident[8];
	uint8_t *block;

	(void)state;
	frame_slab_init(&slab, SLOTS);
	ng = session_of(&slab);
	block = frame_slab_last(&slab);
	memset(block, 'x', FRAME_SLAB_BLOCK);
	frame_slab_rest(&slab, block);
	assert_int_equal(mincore(block, slab.slot, resident), 0);
	for (size_t i = 0; i < slab.slot / 4096 && i < sizeof(resident); i++)
		assert_int_equal(resident[i] & 1, 0);
	assert_int_equal(block[0], 0);
	nghttp2_session_del(ng);
	frame_slab_done(&slab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session_is_served),
		cmocka_unit_test(test_rest_drops_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
