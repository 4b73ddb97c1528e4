/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY headers: any bytes, and every beginning of them says the same or "more". */
#include "libh2sess/src/proxy_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_addresses addresses;
	size_t len = 0, part = 0;
	enum proxy_result whole = proxy_header_parse(data, size, &len, &addresses);

	if (whole == PROXY_DONE && len > size)
		abort();
	for (size_t n = 1; n < size && n <= 256; n++) {
		enum proxy_result result = proxy_header_parse(data, n, &part, &addresses);

		if (result == PROXY_DONE && (whole != PROXY_DONE || part != len))
			abort();
		if (result == PROXY_BAD && whole != PROXY_BAD)
			abort();
	}
	return 0;
}
