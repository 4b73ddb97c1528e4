/* SPDX-License-Identifier: Apache-2.0 */
/* See proxy_peers.h. */
#include "proxy_peers.h"

#include "address_block.h"
#include "memory.h"

#include <h2sess/h2sess.h>

struct proxy_peers {
	size_t n;
	struct address_block blocks[];
};

int proxy_peers_new(const char *const *blocks, size_t n, struct proxy_peers **ret)
{
	struct proxy_peers *peers;
	int r = 0;

	*ret = NULL;
	if (!n)
		return 0;
	if (!blocks)
		return H2SESS_EARGTYPE;
	peers = mem_calloc(1, sizeof(*peers) + n * sizeof(*peers->blocks));
	if (!peers)
		return H2SESS_ENOMEM;
	for (; peers->n < n && r == 0; peers->n++)
		r = blocks[peers->n]
			    ? address_block_read(blocks[peers->n], &peers->blocks[peers->n])
			    : H2SESS_EARGTYPE;
	if (r < 0) {
		proxy_peers_free(peers);
		return r == H2SESS_EARGTYPE ? r : H2SESS_EADDRESS;
	}
	*ret = peers;
	return 0;
}

void proxy_peers_free(struct proxy_peers *peers)
{
	mem_free(peers);
}

bool proxy_peers_have(const struct proxy_peers *peers, const char *text)
{
	uint8_t address[16];

	if (!peers || !address_read(text, address))
		return false;
	for (size_t i = 0; i < peers->n; i++) {
		if (address_block_has(&peers->blocks[i], address))
			return true;
	}
	return false;
}
