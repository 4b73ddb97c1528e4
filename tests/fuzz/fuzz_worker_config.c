/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the worker's configuration file. */
#include "input_file.h"
#include "libh2sess/worker/config.h"
#include "libh2sess/worker/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input_file file;
	struct options options;

	input_file_make(&file, data, size);
	options_init(&options);
	config_read(&options, file.path);
	options_done(&options);
	input_file_remove(&file);
	return 0;
}
