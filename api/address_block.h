/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and blocks of them (CIDR). IPv4 is kept as IPv4-mapped IPv6, and the two families do
 * not match each other. Pure.
 */
#ifndef API_ADDRESS_BLOCK_H
#define API_ADDRESS_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct address_block {
	uint8_t address[16];
	unsigned int bits; /* of the prefix */
	bool is_ip4;
};

/* "192.0.2.1", "2001:db8::1". */
bool address_read(const char *text, uint8_t ret[16]);

/*
 * An address, or "ADDRESS/BITS"; bits behind the prefix do not count. Returns 0, H2SESS_EINVAL,
 * H2SESS_ERANGE (more bits than the family has).
 */
int address_block_read(const char *text, struct address_block *ret);
bool address_block_has(const struct address_block *block, const uint8_t address[16]);

#endif
