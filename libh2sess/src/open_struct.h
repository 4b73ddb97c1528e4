/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open structs of the public header: `size` first, grown at the end only.
 *
 * A host that was compiled against an older header has a smaller struct, one that was compiled
 * against a newer header a larger one. Reading: members that the host's struct does not have are 0,
 * which means default; members that we do not know are not looked at. Writing: no more than the
 * host's struct holds, and its size stays as it was.
 */
#ifndef H2SESS_OPEN_STRUCT_H
#define H2SESS_OPEN_STRUCT_H

#include <h2sess/h2sess.h>
#include <string.h>

/* into: our struct, `size` bytes. Returns 0, H2SESS_EINVAL (NULL, or without its size). */
static inline int open_struct_read(void *into, size_t size, const void *from)
{
	size_t given = 0;

	if (from)
		memcpy(&given, from, sizeof(given));
	if (given < sizeof(given))
		return H2SESS_EINVAL;
	memset(into, 0, size);
	memcpy(into, from, given < size ? given : size);
	memcpy(into, &size, sizeof(size));
	return 0;
}

/* ret: the host's struct, with its size set. Returns as open_struct_read(). */
static inline int open_struct_write(void *ret, const void *from, size_t size)
{
	size_t given = 0, n;

	if (ret)
		memcpy(&given, ret, sizeof(given));
	if (given < sizeof(given))
		return H2SESS_EINVAL;
	n = given < size ? given : size;
	memcpy((char *)ret + sizeof(given), (const char *)from + sizeof(given), n - sizeof(given));
	return 0;
}

#endif
