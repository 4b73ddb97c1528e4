/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the app static, as a thread remembers them for one turn: what is small is read once,
 * what is not there is looked for once, and the next turn sees what is there then.
 */
#include "libh2sess/apps/static/file.h"
#include "libh2sess/apps/static/site.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct house {
	char dir[32];
	struct site site;
	struct files *files;
	uint64_t turn;
};

static void put(const struct house *house, const char *name, const char *text, size_t len)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", house->dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
}

static int set_up(void **state)
{
	struct house *house = calloc(1, sizeof(*house));
	char error[128] = "";

	assert_non_null(house);
	strcpy(house->dir, "/tmp/h2sess-files-XXXXXX");
	assert_non_null(mkdtemp(house->dir));
	assert_int_equal(site_init(&house->site, house->dir, "", error, sizeof(error)), 0);
	house->turn = 1;
	put(house, "a.txt", "first", 5);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;
	char command[64];

	files_free(house->files);
	site_done(&house->site);
	snprintf(command, sizeof(command), "rm -rf '%s'", house->dir);
	assert_int_equal(system(command), 0);
	free(house);
	return 0;
}

static int open_path(struct house *house, const char *path, enum encoding encoding,
		     struct file *ret)
{
	return file_open(&house->site, &house->files, house->turn, path, encoding, ret);
}

/* The file's octets, as a stream would read them, a few at a time. */
static void assert_reads(struct content *content, int64_t offset, int64_t length,
			 const char *expected)
{
	struct reading_out *reading = content_read(content, offset, length);
	char text[64] = "";
	bool eof = false;
	size_t n = 0;

	assert_non_null(reading);
	while (!eof)
		n += (size_t)content_source(text + n, 2, &eof, reading);
	assert_int_equal(n, length);
	assert_string_equal(text, expected);
	content_source_free(reading);
}

static void test_a_turn_sees_one_content(void **state)
{
	struct house *house = *state;
	struct file one, two, later;

	assert_int_equal(open_path(house, "a.txt", ENCODING_IDENTITY, &one), 0);
	assert_int_equal(one.fd, -1);
	assert_string_equal(one.type, "text/plain; charset=utf-8");
	put(house, "a.txt", "second", 6);
	assert_int_equal(open_path(house, "a.txt", ENCODING_IDENTITY, &two), 0);
	assert_ptr_equal(two.content, one.content);
	assert_string_equal(two.version.etag, one.version.etag);
	assert_string_equal(two.type, one.type);

	house->turn++;
	assert_int_equal(open_path(house, "a.txt", ENCODING_IDENTITY, &later), 0);
	assert_string_not_equal(later.version.etag, one.version.etag);
	assert_reads(later.content, 0, 6, "second");
	assert_reads(one.content, 0, 5, "first"); /* a stream that is still at it */
	assert_reads(one.content, 1, 3, "irs");
	file_close(&one);
	file_close(&two);
	file_close(&later);
}

static void test_what_is_not_there(void **state)
{
	struct house *house = *state;
	struct file file;

	assert_int_equal(open_path(house, "new", ENCODING_IDENTITY, &file), -ENOENT);
	put(house, "new", "x", 1);
	assert_int_equal(open_path(house, "new", ENCODING_IDENTITY, &file), -ENOENT);
	assert_int_equal(file.fd, -1);
	assert_null(file.content);
	house->turn++;
	assert_int_equal(open_path(house, "new", ENCODING_IDENTITY, &file), 0);
	file_close(&file);
	assert_int_equal(open_path(house, "../new", ENCODING_IDENTITY, &file), -EXDEV);
	assert_int_equal(open_path(house, ".", ENCODING_IDENTITY, &file), -EISDIR);
}

/* As itself, and in the place of another one. */
static void test_an_encoding_is_another_file(void **state)
{
	struct house *house = *state;
	struct file plain, gzip, again;

	put(house, "a.gz", "zzz", 3);
	assert_int_equal(open_path(house, "a.gz", ENCODING_IDENTITY, &plain), 0);
	assert_int_equal(open_path(house, "a.gz", ENCODING_GZIP, &gzip), 0);
	assert_string_not_equal(plain.version.etag, gzip.version.etag);
	assert_int_equal(open_path(house, "a.gz", ENCODING_GZIP, &again), 0);
	assert_int_equal(again.encoding, ENCODING_GZIP);
	assert_string_equal(again.version.etag, gzip.version.etag);
	file_close(&plain);
	file_close(&gzip);
	file_close(&again);
}

static void test_what_is_large(void **state)
{
	struct house *house = *state;
	char *text = calloc(1, FILE_CONTENT_MAX + 1);
	struct file one, two;

	put(house, "large", text, FILE_CONTENT_MAX + 1);
	put(house, "small", text, FILE_CONTENT_MAX);
	free(text);
	assert_int_equal(open_path(house, "large", ENCODING_IDENTITY, &one), 0);
	assert_int_equal(open_path(house, "large", ENCODING_IDENTITY, &two), 0);
	assert_true(one.fd >= 0 && two.fd >= 0 && one.fd != two.fd);
	assert_null(one.content);
	file_close(&one);
	file_close(&two);
	assert_int_equal(open_path(house, "small", ENCODING_IDENTITY, &one), 0);
	assert_int_equal(one.content->len, FILE_CONTENT_MAX);
	file_close(&one);
	put(house, "empty", "", 0);
	assert_int_equal(open_path(house, "empty", ENCODING_IDENTITY, &one), 0);
	assert_int_equal(one.version.size, 0);
	file_close(&one);
}

/* The bounds: what comes after is opened for itself. */
static void test_too_many(void **state)
{
	struct house *house = *state;
	char *text = calloc(1, FILE_CONTENT_MAX), name[16];
	size_t in_memory = 0;
	struct file file;

	for (int i = 0; i < FILES_MAX + 4; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put(house, name, text, 1);
		assert_int_equal(open_path(house, name, ENCODING_IDENTITY, &file), 0);
		in_memory += file.content != NULL;
		file_close(&file);
	}
	assert_int_equal(in_memory, FILES_MAX);
	house->turn++;
	in_memory = 0;
	for (int i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put(house, name, text, FILE_CONTENT_MAX);
		assert_int_equal(open_path(house, name, ENCODING_IDENTITY, &file), 0);
		in_memory += file.content ? file.content->len : 0;
		file_close(&file);
	}
	assert_int_equal(in_memory, FILES_CONTENT_MAX);
	free(text);
}

int main(void)
{
#define WITH_HOUSE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_HOUSE(test_a_turn_sees_one_content),
		WITH_HOUSE(test_what_is_not_there),
		WITH_HOUSE(test_an_encoding_is_another_file),
		WITH_HOUSE(test_what_is_large),
		WITH_HOUSE(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
