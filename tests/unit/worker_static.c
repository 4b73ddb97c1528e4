/* SPDX-License-Identifier: Apache-2.0 */
/* The static app's pure parts, and its walls: targets, selections, opening below a root. */
#include "libh2sess/apps/static/encoding.h"
#include "libh2sess/apps/static/root.h"
#include "libh2sess/apps/static/select.h"
#include "libh2sess/apps/static/site.h"
#include "libh2sess/apps/static/target.h"
#include "libh2sess/apps/static/types.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_targets(void **state)
{
	static const struct {
		const char *target;
		enum target_result result;
		const char *path;
	} ROWS[] = {
		{"/", TARGET_DIRECTORY, ""},
		{"/?q=/../x", TARGET_DIRECTORY, ""},
		{"//", TARGET_DIRECTORY, ""},
		{"/a", TARGET_FILE, "a"},
		{"/a/", TARGET_DIRECTORY, "a/"},
		{"/a//b", TARGET_FILE, "a/b"},
		{"//evil.example/x", TARGET_FILE, "evil.example/x"},
		{"/a%20b%C3%A9", TARGET_FILE, "a b\xc3\xa9"},
		{"/a%2eb", TARGET_FILE, "a.b"},
		{"/...", TARGET_FILE, "..."},
		{"/..a/a..", TARGET_FILE, "..a/a.."},
		{"/.hidden", TARGET_FILE, ".hidden"},
		{"/a#b", TARGET_FILE, "a"},
		{"/%252e%252e/x", TARGET_FILE, "%2e%2e/x"},
		{"/..", TARGET_FORBIDDEN, NULL},
		{"/.", TARGET_FORBIDDEN, NULL},
		{"/../etc/passwd", TARGET_FORBIDDEN, NULL},
		{"/a/../b", TARGET_FORBIDDEN, NULL},
		{"/a/./b", TARGET_FORBIDDEN, NULL},
		{"/a/..", TARGET_FORBIDDEN, NULL},
		{"/%2e%2e/x", TARGET_FORBIDDEN, NULL},
		{"/.%2E/x", TARGET_FORBIDDEN, NULL},
		{"/%2E./x?y", TARGET_FORBIDDEN, NULL},
		{"/a%2fb", TARGET_FORBIDDEN, NULL},
		{"/..%2f..%2fetc%2fpasswd", TARGET_FORBIDDEN, NULL},
		{"/a%00b", TARGET_MALFORMED, NULL},
		{"/a%0", TARGET_MALFORMED, NULL},
		{"/a%", TARGET_MALFORMED, NULL},
		{"/a%zz", TARGET_MALFORMED, NULL},
		{"", TARGET_MALFORMED, NULL},
		{"*", TARGET_MALFORMED, NULL},
		{"a", TARGET_MALFORMED, NULL},
		{"http://x/a", TARGET_MALFORMED, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		char path[64] = "untouched";
		enum target_result result = target_parse(ROWS[i].target, path, sizeof(path));

		if (result != ROWS[i].result || (ROWS[i].path && strcmp(path, ROWS[i].path)))
			fail_msg("%s: %d, '%s'", ROWS[i].target, result, path);
	}
}

static void test_target_that_does_not_fit(void **state)
{
	char path[4];

	(void)state;
	assert_int_equal(target_parse("/abc", path, sizeof(path)), TARGET_FILE);
	assert_int_equal(target_parse("/abcd", path, sizeof(path)), TARGET_FORBIDDEN);
	assert_int_equal(target_parse("/ab/c", path, sizeof(path)), TARGET_FORBIDDEN);
}

static void test_target_encode(void **state)
{
	char url[32];

	(void)state;
	assert_int_equal(target_encode("a b/\xc3\xa9\"", url, sizeof(url)), 16);
	assert_string_equal(url, "/a%20b/%C3%A9%22");
	assert_int_equal(target_encode("abc", url, 4), 0);
	assert_int_equal(target_encode("ab", url, 4), 3);
}

static void test_types(void **state)
{
	(void)state;
	assert_string_equal(type_of("a/b.HTML"), "text/html; charset=utf-8");
	assert_string_equal(type_of("a.tar.gz"), "application/gzip");
	assert_string_equal(type_of("a.html/b"), "application/octet-stream");
	assert_string_equal(type_of("html"), "application/octet-stream");
}

static enum selection selected(const struct condition *condition, int64_t *offset, int64_t *length)
{
	const struct timespec modified = {.tv_sec = 784111777, .tv_nsec = 5};
	struct version version;

	version_init(&version, 100, modified, NULL);
	assert_string_equal(version.etag, "\"2ebc98a1-5-64\"");
	assert_string_equal(version.last_modified, "Sun, 06 Nov 1994 08:49:37 GMT");
	return select_part(&version, condition, offset, length);
}

static void test_conditions(void **state)
{
	static const struct {
		struct condition condition;
		enum selection selection;
	} ROWS[] = {
		{{0}, SELECT_ALL},
		{{.if_none_match = "\"2ebc98a1-5-64\""}, SELECT_NOT_MODIFIED},
		{{.if_none_match = "\"a\", W/\"2ebc98a1-5-64\""}, SELECT_NOT_MODIFIED},
		{{.if_none_match = "*"}, SELECT_NOT_MODIFIED},
		{{.if_none_match = "\"a\""}, SELECT_ALL},
		{{.if_none_match = "\"a"}, SELECT_ALL},
		{{.if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT"}, SELECT_NOT_MODIFIED},
		{{.if_modified_since = "Sun, 06 Nov 1994 08:49:36 GMT"}, SELECT_ALL},
		{{.if_modified_since = "yesterday"}, SELECT_ALL},
		{{.if_modified_since = "Sunday, 06-Nov-94 08:49:37 GMT"}, SELECT_NOT_MODIFIED},
		{{.if_modified_since = "Sun Nov  6 08:49:37 1994"}, SELECT_NOT_MODIFIED},
		{{.if_match = "\"2ebc98a1-5-64\""}, SELECT_ALL},
		{{.if_match = "*"}, SELECT_ALL},
		{{.if_match = "\"a\", \"2ebc98a1-5-64\""}, SELECT_ALL},
		{{.if_match = "W/\"2ebc98a1-5-64\""}, SELECT_FAILED}, /* strong comparison */
		{{.if_match = "\"a\""}, SELECT_FAILED},
		{{.if_match = "\"a\"", .if_none_match = "*"}, SELECT_FAILED},
		{{.if_unmodified_since = "Sun, 06 Nov 1994 08:49:37 GMT"}, SELECT_ALL},
		{{.if_unmodified_since = "Sun, 06 Nov 1994 08:49:36 GMT"}, SELECT_FAILED},
		{{.if_unmodified_since = "yesterday"}, SELECT_ALL},
		{{.if_match = "\"2ebc98a1-5-64\"",
		  .if_unmodified_since = "Sun, 06 Nov 1994 08:49:36 GMT"},
		 SELECT_ALL}, /* If-Match alone counts */
		{{.if_none_match = "\"a\"", .if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT"},
		 SELECT_ALL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		int64_t offset, length;
		enum selection selection = selected(&ROWS[i].condition, &offset, &length);

		if (selection != ROWS[i].selection)
			fail_msg("row %zu: %d", i, selection);
	}
}

static void test_ranges(void **state)
{
	static const struct {
		const char *range;
		enum selection selection;
		int64_t offset, length;
	} ROWS[] = {
		{"bytes=0-0", SELECT_PART, 0, 1},
		{"bytes=10-19", SELECT_PART, 10, 10},
		{"bytes=90-", SELECT_PART, 90, 10},
		{"bytes=90-1000", SELECT_PART, 90, 10},
		{"bytes=-10", SELECT_PART, 90, 10},
		{"bytes=-1000", SELECT_PART, 0, 100},
		{"bytes=100-", SELECT_NOT_SATISFIABLE, 0, 0},
		{"bytes=-0", SELECT_NOT_SATISFIABLE, 0, 0},
		{"bytes=999999999999999999999-", SELECT_ALL, 0, 100},
		{"bytes=5-4", SELECT_ALL, 0, 100},
		{"bytes=-", SELECT_ALL, 0, 100},
		{"bytes=0-1,3-4", SELECT_ALL, 0, 100},
		{"lines=0-1", SELECT_ALL, 0, 100},
		{"bytes=a-b", SELECT_ALL, 0, 100},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		const struct condition condition = {.range = ROWS[i].range};
		int64_t offset = 0, length = 0;
		enum selection selection = selected(&condition, &offset, &length);

		if (selection != ROWS[i].selection)
			fail_msg("%s: %d", ROWS[i].range, selection);
		if (selection != SELECT_NOT_SATISFIABLE &&
		    (offset != ROWS[i].offset || length != ROWS[i].length))
			fail_msg("%s: %lld+%lld", ROWS[i].range, (long long)offset,
				 (long long)length);
	}
}

static void test_if_range(void **state)
{
	struct condition condition = {.range = "bytes=1-1", .if_range = "\"2ebc98a1-5-64\""};
	int64_t offset, length;

	(void)state;
	assert_int_equal(selected(&condition, &offset, &length), SELECT_PART);
	condition.if_range = "Sun, 06 Nov 1994 08:49:37 GMT";
	assert_int_equal(selected(&condition, &offset, &length), SELECT_PART);
	condition.if_range = "W/\"2ebc98a1-5-64\"";
	assert_int_equal(selected(&condition, &offset, &length), SELECT_ALL);
	condition.if_range = "Sun, 06 Nov 1994 08:49:38 GMT";
	assert_int_equal(selected(&condition, &offset, &length), SELECT_ALL);
}

/* ---- below a root ---------------------------------------------------------------------------- */

struct tree {
	char dir[64];
	int root; /* DIR/root */
};

static void make_file(int dir, const char *path)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	close(fd);
}

static int make_tree(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	int dir;

	strcpy(tree->dir, "/tmp/h2sess-root-XXXXXX");
	assert_non_null(mkdtemp(tree->dir));
	dir = open(tree->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(dir, "root", 0755), 0);
	assert_int_equal(mkdirat(dir, "root/sub", 0755), 0);
	make_file(dir, "secret");
	make_file(dir, "root/file");
	make_file(dir, "root/sub/file");
	assert_int_equal(symlinkat("../secret", dir, "root/out"), 0);
	assert_int_equal(symlinkat("..", dir, "root/up"), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "root/absolute"), 0);
	assert_int_equal(symlinkat("sub/file", dir, "root/in"), 0);
	assert_int_equal(mkfifoat(dir, "root/fifo", 0644), 0);
	close(dir);
	strcat(tree->dir, "/root");
	tree->root = root_open(tree->dir);
	assert_true(tree->root >= 0);
	*state = tree;
	return 0;
}

static int remove_tree(void **state)
{
	struct tree *tree = *state;
	char command[96];

	close(tree->root);
	*strrchr(tree->dir, '/') = '\0';
	snprintf(command, sizeof(command), "rm -rf '%s'", tree->dir);
	free(tree);
	return system(command);
}

static void refused(int fd)
{
	if (fd >= 0)
		close(fd);
	assert_true(fd < 0);
}

static void opened(int fd)
{
	assert_true(fd >= 0);
	close(fd);
}

static void walls_of(const struct tree *tree, int open_below(int root, const char *path))
{
	opened(open_below(tree->root, "file"));
	opened(open_below(tree->root, "sub/file"));
	opened(open_below(tree->root, "sub"));
	opened(open_below(tree->root, "fifo"));
	refused(open_below(tree->root, "nothing"));
	refused(open_below(tree->root, "file/more"));
	refused(open_below(tree->root, "out"));
	refused(open_below(tree->root, "up/secret"));
	refused(open_below(tree->root, "absolute"));
	refused(open_below(tree->root, "../secret"));
	refused(open_below(tree->root, "sub/../../secret"));
	refused(open_below(tree->root, "/etc/passwd"));
	refused(open_below(tree->root, ""));
}

static void test_walls(void **state)
{
	walls_of(*state, root_open_below);
}

static void test_walls_without_openat2(void **state)
{
	struct tree *tree = *state;

	walls_of(tree, root_walk_below);
	refused(root_walk_below(tree->root, "in"));
}

static void test_no_descriptor_is_lost(void **state)
{
	struct tree *tree = *state;
	int before = dup(tree->root), after;

	close(before);
	for (int i = 0; i < 100; i++) {
		refused(root_walk_below(tree->root, "sub/nothing"));
		opened(root_walk_below(tree->root, "sub/file"));
	}
	after = dup(tree->root);
	close(after);
	assert_int_equal(before, after);
}

static void test_encodings_have_tags_of_their_own(void **state)
{
	const struct timespec modified = {.tv_sec = 784111777, .tv_nsec = 5};
	struct version version;

	(void)state;
	version_init(&version, 100, modified, "br");
	assert_string_equal(version.etag, "\"2ebc98a1-5-64-br\"");
}

static void test_accept_encoding(void **state)
{
	static const struct {
		const char *accept;
		const char *order; /* letters: b, g, i */
	} ROWS[] = {
		{NULL, "i"},
		{"", "i"},
		{"gzip, deflate, br", "bgi"},
		{"br;q=0.5, gzip", "gbi"},
		{"gzip;q=0.5,br;q=0.50", "bgi"},
		{"GZIP", "gi"},
		{"x-gzip", "gi"},
		{"*", "bgi"},
		{"*;q=0", "i"},
		{"br;q=0, *", "gi"},
		{"gzip;q=0", "i"},
		{"gzip;q=0.000", "i"},
		{"identity, gzip;q=0.5", "i"}, /* it likes the file itself better */
		{"identity;q=0, gzip;q=0.1", "gi"},
		{" gzip ; q=1.0 ,\tbr ; q=0.001 ", "gbi"},
		{"gzip;q=2", "i"},
		{"gzip;q=1.001", "i"},
		{"gzip;q=0.5x", "i"},
		{"gzip;level=9", "i"},
		{"gzipped, brotli", "i"},
		{",,, ,", "i"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		static const char letters[] = {'i', 'g', 'b'};
		enum encoding order[ENCODINGS];
		char text[ENCODINGS + 1] = "";
		size_t n = encoding_order(ROWS[i].accept, order);

		for (size_t j = 0; j < n; j++)
			text[j] = letters[order[j]];
		if (strcmp(text, ROWS[i].order))
			fail_msg("row %zu: %s", i, text);
	}
}

static void write_site(char path[64], const char *text)
{
	FILE *file;

	strcpy(path, "/tmp/h2sess-site-XXXXXX.ini");
	file = fdopen(mkstemps(path, 4), "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_site_file(void **state)
{
	struct site site;
	char path[64], error[256] = "";

	(void)state;
	write_site(path, "root = /tmp\nindex = a.html  b.html\nprecompressed = no\n"
			 "cache-control = max-age=60\n[types]\nHTML = text/x-test\n");
	assert_int_equal(site_init(&site, path, "/files", error, sizeof(error)), 0);
	assert_int_equal(site.n_indexes, 2);
	assert_string_equal(site.indexes[1], "b.html");
	assert_false(site.precompressed);
	assert_string_equal(site.cache_control, "max-age=60");
	assert_int_equal(site.prefix_len, 6);
	assert_string_equal(site_type_of(&site, "x/a.html"), "text/x-test");
	assert_string_equal(site_type_of(&site, "a.css"), "text/css; charset=utf-8");
	site_done(&site);
	unlink(path);
}

static void test_site_refusals(void **state)
{
	static const char *const ROWS[][2] = {
		{"index = a\n", ": needs root = DIR"},
		{"root = /tmp\nnope = 1\n",
		 ":2: nope: no such key (root, index, precompressed, cache-control)"},
		{"root = /tmp\nindex = a/b\n", ":2: index: at most 8 names without a slash"},
		{"precompressed = maybe\n", ":1: precompressed: yes or no"},
		{"[types]\nx = html\n", ":2: x: a media type (text/plain)"},
		{"[other]\nx = 1\n", ":2: x: no such section ([types])"},
		{"words\n", ":1: line: not a [section], a comment or KEY = VALUE"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		char path[64], error[256] = "", expected[256];
		struct site site;

		write_site(path, ROWS[i][0]);
		snprintf(expected, sizeof(expected), "%s%s", path, ROWS[i][1]);
		assert_true(site_init(&site, path, "", error, sizeof(error)) < 0);
		assert_string_equal(error, expected);
		site_done(&site);
		unlink(path);
	}
}

static void test_site_directory(void **state)
{
	struct site site;
	char error[256] = "";

	(void)state;
	assert_int_equal(site_init(&site, "/tmp", "", error, sizeof(error)), 0);
	assert_string_equal(site.indexes[0], "index.html");
	assert_true(site.precompressed);
	site_done(&site);
	assert_true(site_init(&site, "/nowhere/x", "", error, sizeof(error)) < 0);
	assert_string_equal(error, "No such file or directory");
	site_done(&site);
	assert_true(site_init(&site, "", "", error, sizeof(error)) < 0);
	assert_string_equal(error, "needs a directory (static:DIR)");
	site_done(&site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_target_that_does_not_fit),
		cmocka_unit_test(test_target_encode),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_if_range),
		cmocka_unit_test(test_encodings_have_tags_of_their_own),
		cmocka_unit_test(test_accept_encoding),
		cmocka_unit_test(test_site_file),
		cmocka_unit_test(test_site_refusals),
		cmocka_unit_test(test_site_directory),
		cmocka_unit_test_setup_teardown(test_walls, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(test_walls_without_openat2, make_tree, remove_tree),
		cmocka_unit_test_setup_teardown(test_no_descriptor_is_lost, make_tree, remove_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
