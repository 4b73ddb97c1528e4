/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays a corpus without libFuzzer: linked with a fuzz target, it feeds that target each file of
 * tests/fuzz/corpus/NAME (this program is fuzz_NAME), and of the directories that are given. One
 * TAP line a file; a crash or a sanitizer report is the failure. The empty input always comes
 * first.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_inputs;

/* A buffer of exactly size bytes, so that a sanitizer sees the first byte that is read past it. */
static void feed(const char *name, const uint8_t *data, size_t size)
{
	LLVMFuzzerTestOneInput(data, size);
	printf("ok %u - %s\n", ++n_inputs, name);
	fflush(stdout);
}

static void feed_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat status;
	uint8_t *data = NULL;

	if (!file || fstat(fileno(file), &status) < 0 || !S_ISREG(status.st_mode))
		goto out;
	data = malloc(status.st_size ? (size_t)status.st_size : 1);
	if (data && fread(data, 1, (size_t)status.st_size, file) == (size_t)status.st_size)
		feed(path, data, (size_t)status.st_size);
	else
		printf("not ok %u - %s: %s\n", ++n_inputs, path, strerror(errno));
out:
	free(data);
	if (file)
		fclose(file);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void feed_directory(const char *dir)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_visible, alphasort);

	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];

		if (snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name) < PATH_MAX)
			feed_file(path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static const char *corpus_name(const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;

	return strncmp(name, "fuzz_", 5) ? name : name + 5;
}

int main(int argc, char **argv)
{
	char dir[PATH_MAX];

	feed("empty input", (const uint8_t *)"", 0);
	snprintf(dir, sizeof(dir), "tests/fuzz/corpus/%s", corpus_name(argv[0]));
	feed_directory(dir);
	for (int i = 1; i < argc; i++)
		feed_directory(argv[i]);
	printf("1..%u\n", n_inputs);
	return 0;
}
