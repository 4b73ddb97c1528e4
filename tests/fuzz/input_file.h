/* SPDX-License-Identifier: Apache-2.0 */
/* The input as a file of its own, for parsers that take a path. */
#ifndef FUZZ_INPUT_FILE_H
#define FUZZ_INPUT_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct input_file {
	char path[32];
};

static inline void input_file_make(struct input_file *file, const uint8_t *data, size_t size)
{
	FILE *stream;
	int fd;

	snprintf(file->path, sizeof(file->path), "/tmp/h2sess-fuzz-XXXXXX");
	fd = mkstemp(file->path); /* mode 0600 */
	stream = fd < 0 ? NULL : fdopen(fd, "w");
	if (!stream || fwrite(data, 1, size, stream) != size || fclose(stream) != 0)
		abort();
}

static inline void input_file_remove(struct input_file *file)
{
	unlink(file->path);
}

#endif
