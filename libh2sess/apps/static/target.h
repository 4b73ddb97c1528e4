/* SPDX-License-Identifier: Apache-2.0 */
/* From a request's :path to a path below the root. Pure. */
#ifndef STATIC_TARGET_H
#define STATIC_TARGET_H

#include <stddef.h>

enum target_result {
	TARGET_FILE,	  /* "a/b" */
	TARGET_DIRECTORY, /* "" or "a/b/": the client asked with a slash at the end */
	TARGET_MALFORMED, /* not a path at all: 400 */
	TARGET_FORBIDDEN, /* names nothing below the root, whatever is there: 404 */
};

/*
 * Decode a target: the query is cut off, %XX is decoded once, empty segments collapse. Dot segments
 * and an encoded slash are TARGET_FORBIDDEN, in any spelling; a NUL and a broken %XX are
 * TARGET_MALFORMED.
 *
 *   ret  at most size bytes with the NUL; relative, no leading slash. Written for the first two
 * alone
 */
enum target_result target_parse(const char *target, char *ret, size_t size);

/*
 * The other way: "/" and path, each byte that is not plain in a URL as %XX. Returns the length, or
 * 0 when it does not fit into size.
 */
size_t target_encode(const char *path, char *ret, size_t size);

#endif
