/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a URL. An origin is a URL whose origin it is itself, and it has parts. */
#include "libh2sess/src/origin.h"

#include <h2sess/h2sess.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char once[ORIGIN_URL_MAX + 512], twice[ORIGIN_URL_MAX + 512];
	struct origin_parts parts;
	int n, m;

	n = origin_of((const char *)data, size, once, sizeof(once));
	if (n < 0)
		return 0;
	m = origin_of(once, (size_t)n, twice, sizeof(twice));
	if (m != n || memcmp(once, twice, (size_t)n) != 0 || origin_split(once, &parts) < 0)
		abort();
	return 0;
}
