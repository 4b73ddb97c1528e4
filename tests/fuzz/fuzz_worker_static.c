/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The static app's parsers on whatever a client may send. The first byte chooses: a target, whose
 * path must stay below the root in its very spelling; or a range or a condition, whose part must
 * lie in the file.
 */
#include "libh2sess/apps/static/select.h"
#include "libh2sess/apps/static/target.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void check_path(char *path)
{
	require(path[0] != '/');
	for (char *segment = strtok(path, "/"); segment; segment = strtok(NULL, "/"))
		require(strcmp(segment, "..") && strcmp(segment, "."));
}

static void try_target(const char *text)
{
	char path[256], url[1024];
	enum target_result result = target_parse(text, path, sizeof(path));

	if (result != TARGET_FILE && result != TARGET_DIRECTORY)
		return;
	require(target_encode(path, url, sizeof(url)) == strlen(url));
	check_path(path);
	/* What we would redirect to is understood as the same path. */
	require(target_parse(url, path, sizeof(path)) == result);
}

static void try_selection(const struct condition *condition)
{
	const struct timespec modified = {.tv_sec = 1700000000};
	struct version version;
	enum selection selection;
	int64_t offset, length;

	version_init(&version, 1000, modified, NULL);
	selection = select_part(&version, condition, &offset, &length);
	if (selection == SELECT_ALL)
		require(offset == 0 && length == 1000);
	if (selection == SELECT_PART)
		require(offset >= 0 && length > 0 && length <= 1000 - offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct condition condition = {0};
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] & 3) {
	case 0:
		try_target(text);
		break;
	case 1:
		condition.range = text;
		break;
	case 2:
		condition.if_none_match = text;
		break;
	case 3:
		condition.if_modified_since = text;
		break;
	}
	try_selection(&condition);
	free(text);
	return 0;
}
