/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples: who is in a share of all, by a stable hash. Workers choose sessions by it, the daemon
 * events: both must say the same, so the hash never changes. Pure.
 */
#include "sample.h"

#include "address_block.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* FNV-1a, then the finalizer of MurmurHash3, since ids differ in their last digits alone. */
static uint64_t hash_of(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 33;
}

/* 53 bits of the hash as a share of 1, exactly: 0 to less than 1. */
static double share_of(uint64_t hash)
{
	return (double)(hash >> 11) / (double)(UINT64_C(1) << 53);
}

bool sample_has_session(const char *id, double share)
{
	return share_of(hash_of(id, strlen(id))) < share;
}

bool sample_has_peer(const char *address, double share)
{
	uint8_t octets[16];
	uint64_t hash = address_read(address, octets) ? hash_of(octets, sizeof(octets))
						      : hash_of(address, strlen(address));

	return share_of(hash) < share;
}
