/* SPDX-License-Identifier: Apache-2.0 */
/* See address_block.h. */
#include "address_block.h"

#include "error_values.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define IP4_OFFSET 96 /* bits before the IPv4 address in a mapped one */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool address_read(const char *text, uint8_t ret[16])
{
	memcpy(ret, mapped_prefix, sizeof(mapped_prefix));
	return inet_pton(AF_INET, text, ret + sizeof(mapped_prefix)) == 1 ||
	       inet_pton(AF_INET6, text, ret) == 1;
}

static bool is_mapped(const uint8_t address[16])
{
	return memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* One to three digits, at most max. */
static int read_prefix(const char *text, unsigned int max, unsigned int *ret)
{
	size_t len = strspn(text, "0123456789");
	unsigned int bits;

	if (len == 0 || text[len])
		return H2SESS_EINVAL;
	bits = len > 3 ? max + 1 : (unsigned int)strtoul(text, NULL, 10);
	if (bits > max)
		return H2SESS_ERANGE;
	*ret = bits;
	return 0;
}

int address_block_read(const char *text, struct address_block *ret)
{
	struct address_block block = {.bits = 128};
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	unsigned int offset;
	int r = 0;

	if (len >= sizeof(address))
		return H2SESS_EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!address_read(address, block.address))
		return H2SESS_EINVAL;
	offset = strchr(address, ':') ? 0 : IP4_OFFSET;
	if (text[len])
		r = read_prefix(text + len + 1, 128 - offset, &block.bits);
	if (r < 0)
		return r;
	if (text[len])
		block.bits += offset;
	block.is_ip4 = is_mapped(block.address) && block.bits >= IP4_OFFSET;
	*ret = block;
	return 0;
}

bool address_block_has(const struct address_block *block, const uint8_t address[16])
{
	size_t bytes = block->bits / 8;
	unsigned int rest = block->bits % 8;

	if (is_mapped(address) != block->is_ip4 || memcmp(block->address, address, bytes) != 0)
		return false;
	return !rest || (block->address[bytes] ^ address[bytes]) >> (8 - rest) == 0;
}
