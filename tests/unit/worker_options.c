/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's command line and its configuration file: what is taken, and the one line when it is
 * not. */
#include "libh2sess/worker/options.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ARGUMENTS_MAX 32

/* What was written to stderr while it was ours. */
struct capture {
	int saved;
	FILE *file;
	char text[1024];
};

static void capture_begin(struct capture *c)
{
	c->file = tmpfile();
	assert_non_null(c->file);
	c->saved = dup(STDERR_FILENO);
	dup2(fileno(c->file), STDERR_FILENO);
}

static void capture_end(struct capture *c)
{
	ssize_t n;

	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	n = pread(fileno(c->file), c->text, sizeof(c->text) - 1, 0);
	c->text[n > 0 ? n : 0] = '\0';
	fclose(c->file);
}

/* Parse a command line, split at blanks. */
static int parse(struct options *o, const char *line)
{
	char *words = strdup(line);
	char *argv[ARGUMENTS_MAX] = {"h2sess-worker"};
	int argc = 1, r;

	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	options_init(o);
	r = options_parse(o, argc, argv);
	free(words);
	return r;
}

static void refuses(const char *line, const char *expected)
{
	struct capture c;
	struct options o;
	char whole[512];
	int r;

	capture_begin(&c);
	r = parse(&o, line);
	capture_end(&c);
	options_done(&o);
	snprintf(whole, sizeof(whole), "h2sess-worker: %s\n", expected);
	assert_string_equal(c.text, whole);
	assert_int_equal(r, -1);
}

static void test_everything(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(
		parse(&o, "--listen [::1]:443 --listen=0.0.0.0:0 --cert a --key b --cert c --key d "
			  "--app static:/srv --name edge-1 --label region=eu --label a=b=c "
			  "--threads 4 --drain-timeout 5 --limit idle_timeout_ms=off "
			  "--limit max_sessions=10 --tls-min-version 1.3 --health 127.0.0.1:0"),
		0);
	assert_int_equal(o.listen.n, 2);
	assert_string_equal(o.listen.items[1], "0.0.0.0:0");
	assert_string_equal(o.cert.items[1], "c");
	assert_string_equal(o.key.items[1], "d");
	assert_string_equal(o.app, "static:/srv");
	assert_string_equal(o.labels.items[1], "a=b=c");
	assert_int_equal(o.threads, 4);
	assert_int_equal(o.drain_ms, 5000);
	assert_int_equal(o.limits.idle_timeout_ms, UINT32_MAX);
	assert_int_equal(o.limits.max_sessions, 10);
	assert_int_equal(o.limits.max_header_pairs, 0);
	assert_int_equal(o.tls_min_version, 0x0304);
	options_done(&o);
}

static void test_refusals(void **state)
{
	static const char *const ROWS[][2] = {
		{"", "--listen: at least one --listen or --listen-h2c is needed"},
		{"--nope", "--nope: no such flag (h2sess-worker --help lists them)"},
		{"nope", "nope: not a flag (h2sess-worker --help lists them)"},
		{"--name", "--name: needs a value"},
		{"--check=yes", "--check=yes: has no value"},
		{"--name a/b", "--name a/b: 1 to 63 of A-Z a-z 0-9 . _ -"},
		{"--name a --name b", "--name: given more than once"},
		{"--threads 0", "--threads 0: a number from 1 to 64"},
		{"--threads 65", "--threads 65: a number from 1 to 64"},
		{"--threads 1x", "--threads 1x: a number from 1 to 64"},
		{"--listen localhost:1", "--listen localhost:1: ADDRESS:PORT with a numeric "
					 "address ([::1]:443, 0.0.0.0:0), port 0 to "
					 "65535"},
		{"--limit x=1", "--limit x=1: no such limit (h2sess-worker --help lists them)"},
		{"--limit max_sessions=off", "--limit max_sessions=off: a number over 0"},
		{"--limit idle_timeout_ms=0",
		 "--limit idle_timeout_ms=0: milliseconds over 0, or off"},
		{"--label =x", "--label =x: KEY=VALUE with a key of 1 to 63 bytes"},
		{"--tls-min-version 1.1", "--tls-min-version 1.1: 1.2 or 1.3"},
		{"--proxy-protocol 10.0.0.0/8",
		 "--proxy-protocol: no such flag (h2sess-worker --help lists them)"},
		{"--listen 127.0.0.1:1 --app echo", "--listen 127.0.0.1:1: TLS needs a --cert and "
						    "its --key (cleartext is --listen-h2c)"},
		{"--listen 127.0.0.1:1 --cert a --app echo",
		 "--cert and --key: as many of the one as of the other"},
		{"--listen-h2c 127.0.0.1:1", "--app: an app is needed (static:DIR, echo)"},
		{"--config /nowhere/x", "/nowhere/x: No such file or directory"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++)
		refuses(ROWS[i][0], ROWS[i][1]);
}

static void test_addresses(void **state)
{
	static const char *const BAD[] = {"",
					  ":1",
					  "1",
					  "127.0.0.1",
					  "127.0.0.1:",
					  "::1:1",
					  "[::1]",
					  "[]:1",
					  "127.0.0.1:-1",
					  "*:1",
					  "1.2.3:1",
					  "[127.0.0.1]:1",
					  "127.0.0.1:65536",
					  "127.0.0.1:1 "};

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++) {
		char *argv[] = {"h2sess-worker", "--listen-h2c", (char *)BAD[i], "--app", "echo"};
		struct capture c;
		struct options o;

		options_init(&o);
		capture_begin(&c);
		if (!options_parse(&o, 5, argv)) {
			capture_end(&c);
			fail_msg("taken: '%s'", BAD[i]);
		}
		capture_end(&c);
		options_done(&o);
	}
}

/* ---- the file -------------------------------------------------------------------------------- */

static void write_config(char path[64], const char *text)
{
	int fd;

	strcpy(path, "/tmp/h2sess-conf-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_file(void **state)
{
	struct options o;
	char path[64], line[128];

	(void)state;
	write_config(path, "# a comment\n"
			   "listen-h2c = 127.0.0.1:0\n"
			   "[worker]\n"
			   "listen-h2c = [::1]:0 ; another\n"
			   "app = echo\n"
			   "name = from-file\n"
			   "label = region=eu\n"
			   "threads = 2\n");
	snprintf(line, sizeof(line), "--config %s --name from-line", path);
	assert_int_equal(parse(&o, line), 0);
	assert_int_equal(o.listen_h2c.n, 2);
	assert_string_equal(o.listen_h2c.items[1], "[::1]:0");
	assert_string_equal(o.app, "echo");
	assert_string_equal(o.name, "from-line");
	assert_string_equal(o.labels.items[0], "region=eu");
	assert_int_equal(o.threads, 2);
	options_done(&o);
	unlink(path);
}

static void test_file_refusals(void **state)
{
	static const char *const ROWS[][2] = {
		{"app = echo\nnope = 1\n", "2: nope: no such key"},
		{"\n\nthreads = 99\n", "3: threads: a number from 1 to 64"},
		{"[limits]\nx = 1\n", "2: limits: no such section ([worker], or none)"},
		{"app = echo\njust words\n", "2: line: not a [section], a comment or KEY = VALUE"},
		{"name = a\nname = b\n", "2: name: given more than once"},
		{"help = yes\n", "1: help: no such key"},
		{"config = /x\n", "1: config: no such key"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		char path[64], line[128], expected[256];

		write_config(path, ROWS[i][0]);
		snprintf(line, sizeof(line), "--config %s", path);
		snprintf(expected, sizeof(expected), "%s:%s", path, ROWS[i][1]);
		refuses(line, expected);
		unlink(path);
	}
}

static void test_file_with_a_long_line(void **state)
{
	char path[64], line[128], expected[256], text[600];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "\nname = ", 8);
	memcpy(text + sizeof(text) - 2, "\n", 2);
	write_config(path, text);
	snprintf(line, sizeof(line), "--config %s", path);
	snprintf(expected, sizeof(expected), "%s:2: line: too long", path);
	refuses(line, expected);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),    cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_addresses),     cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_refusals), cmocka_unit_test(test_file_with_a_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
