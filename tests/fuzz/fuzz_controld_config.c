/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the daemon's configuration file. */
#include "controld/options.h"
#include "input_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input_file file;
	struct options options;
	char program[] = "h2sess-controld", flag[] = "--config";
	char *argv[] = {program, flag, file.path, NULL};

	input_file_make(&file, data, size);
	options_read(&options, 3, argv);
	options_done(&options);
	input_file_remove(&file);
	return 0;
}
