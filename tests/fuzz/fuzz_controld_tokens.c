/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the token file. A refusal says why and changes nothing. */
#include "controld/tokens.h"
#include "input_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tokens tokens = {0};
	struct input_file file;
	char why[256] = "";

	input_file_make(&file, data, size);
	if (tokens_load(&tokens, file.path, why, sizeof(why)) < 0) {
		if (!why[0] || tokens.list || tokens.count)
			abort();
	} else if (tokens.count > TOKENS_MAX) {
		abort();
	}
	for (size_t i = 0; i < tokens.count; i++) {
		if (tokens.list[i].role == ROLE_NONE || !tokens.list[i].name[0])
			abort();
	}
	tokens_done(&tokens);
	input_file_remove(&file);
	return 0;
}
