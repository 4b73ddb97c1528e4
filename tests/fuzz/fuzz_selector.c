/* SPDX-License-Identifier: Apache-2.0 */
/* Any JSON as a selector, and the globs and address blocks in it. */
#include "libh2sess/src/selector.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct h2sess_selector *copy = NULL;
	const char *field = NULL;
	struct selector selector;
	int r;

	if (!json)
		return 0;
	r = selector_parse(json, &selector, &field);
	if (r < 0 && r != H2SESS_ENOMEM && !field)
		abort(); /* an error names the member */
	if (r < 0 && selector.source)
		abort();
	if (selector_new_copy(json, &copy, &field) != r)
		abort();
	h2sess_selector_free(copy);
	selector_done(&selector);
	json_decref(json);
	return 0;
}
