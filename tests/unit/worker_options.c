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
	assert_string_equal(o.apps.items[0].spec, "static:/srv");
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
		{"--proxy-protocol 10.0.0.0/33",
		 "--proxy-protocol 10.0.0.0/33: an address or a block of them (192.0.2.0/24, "
		 "2001:db8::/32)"},
		{"--access-log-format xml", "--access-log-format xml: json, common or combined"},
		{"--log-format xml", "--log-format xml: text or json"},
		{"--app a/b?c=echo", "--app a/b?c=echo: a path is / and segments, without ? # % "
				     "and //"},
		{"--app a_b/=echo --app exa*mple=echo",
		 "--app exa*mple=echo: a host is a name, *.NAME, an address, or *"},
		{"--app example.org=", "--app example.org=: NAME[:CONFIG] is needed"},
		{"--listen-h2c 127.0.0.1:1 --app echo --app *=static:/",
		 "--app every host/: two apps for the same host and path"},
		{"--listen-h2c 127.0.0.1:1 --app A.example/x/=echo --app a.example/x=echo",
		 "--app a.example/x: two apps for the same host and path"},
		{"--listen-h2c 127.0.0.1:1 --app echo --group g", "--group g: needs a --user"},
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
	assert_string_equal(o.apps.items[0].spec, "echo");
	assert_string_equal(o.name, "from-line");
	assert_string_equal(o.labels.items[0], "region=eu");
	assert_int_equal(o.threads, 2);
	options_done(&o);
	unlink(path);
}

static void test_sections(void **state)
{
	struct options o;
	char path[64], line[128];

	(void)state;
	write_config(path, "listen-h2c = 127.0.0.1:0\n"
			   "[limits]\n"
			   "max_sessions = 11\n"
			   "max_requests = off\n"
			   "idle_timeout_ms = off\n"
			   "[app files]\n"
			   "app = static:/srv\n"
			   "host = A.example\n"
			   "host = *.b.example\n"
			   "[app echo]\n"
			   "path = /echo/\n"
			   "app = echo\n"
			   "[worker]\n"
			   "threads = 3\n");
	snprintf(line, sizeof(line), "--config %s", path);
	assert_int_equal(parse(&o, line), 0);
	assert_int_equal(o.apps.n, 2);
	assert_string_equal(o.apps.items[0].hosts.items[0], "a.example");
	assert_string_equal(o.apps.items[0].hosts.items[1], "*.b.example");
	assert_string_equal(o.apps.items[0].path, "");
	assert_string_equal(o.apps.items[1].path, "/echo");
	assert_string_equal(o.apps.items[1].spec, "echo");
	assert_int_equal(o.limits.max_sessions, 11);
	assert_int_equal(o.limits.max_requests, UINT32_MAX);
	assert_int_equal(o.limits.idle_timeout_ms, UINT32_MAX);
	assert_int_equal(o.threads, 3);
	options_done(&o);
	snprintf(line, sizeof(line), "--config %s --app static:/x", path);
	assert_int_equal(parse(&o, line), 0);
	assert_int_equal(o.apps.n, 1); /* the command line's alone */
	options_done(&o);
	unlink(path);
}

static void test_what_a_reload_cannot_change(void **state)
{
	struct options a, b;

	(void)state;
	assert_int_equal(parse(&a, "--listen-h2c 127.0.0.1:1 --app echo --limit max_sessions=1"),
			 0);
	assert_int_equal(parse(&b, "--listen-h2c 127.0.0.1:1 --app static:/"), 0);
	assert_null(options_fixed_difference(&a, &b));
	options_done(&b);
	assert_int_equal(parse(&b, "--listen-h2c 127.0.0.1:2 --app echo"), 0);
	assert_string_equal(options_fixed_difference(&a, &b), "listen-h2c");
	options_done(&b);
	assert_int_equal(parse(&b, "--listen-h2c 127.0.0.1:1 --app echo --threads 2"), 0);
	assert_string_equal(options_fixed_difference(&a, &b), "threads");
	options_done(&b);
	assert_int_equal(parse(&b, "--listen-h2c 127.0.0.1:1 --app echo --name x"), 0);
	assert_string_equal(options_fixed_difference(&a, &b), "name");
	options_done(&b);
	options_done(&a);
}

/* ---- routes ---------------------------------------------------------------------------------- */

static void test_routes(void **state)
{
	static const struct {
		const char *authority;
		const char *path;
		const char *spec; /* NULL: none */
		bool misdirected;
	} ROWS[] = {
		{"a.example", "/", "one", false},
		{"A.Example.:8443", "/x?y", "one", false},
		{"a.example", "/api", "two", false},
		{"a.example", "/api?x", "two", false},
		{"a.example", "/api/x", "two", false},
		{"a.example", "/apix", "one", false},
		{"a.example", "/api/v2/x", "three", false},
		{"x.b.example", "/", "four", false},
		{"y.x.b.example", "/", "four", false},
		{"b.example", "/", NULL, true},
		{"xb.example", "/", NULL, true},
		{"c.example", "/other", NULL, false},
		{"[::1]:443", "/", "six", false},
		{"", "/", NULL, true},
		{NULL, "/", NULL, true},
	};
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "--listen-h2c 127.0.0.1:1 --app a.example=one "
				   "--app a.example/api=two --app a.example/api/v2=three "
				   "--app *.b.example=four --app c.example/only=five"),
			 0);
	assert_null(app_routes_add_empty(&o.apps));
	assert_null(app_route_add_host(&o.apps.items[5], "[::1]"));
	assert_null(app_route_set_spec(&o.apps.items[5], "six"));
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		bool misdirected;
		const struct app_route *route =
			app_routes_find(&o.apps, ROWS[i].authority, ROWS[i].path, &misdirected);

		if (!route != !ROWS[i].spec || misdirected != ROWS[i].misdirected ||
		    (route && strcmp(route->spec, ROWS[i].spec)))
			fail_msg("row %zu: %s", i, route ? route->spec : "none");
	}
	options_done(&o);
}

static void test_a_route_for_every_host(void **state)
{
	bool misdirected;
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "--listen-h2c 127.0.0.1:1 --app static:/a=b "
				   "--app a.example/api=echo"),
			 0);
	assert_string_equal(o.apps.items[0].spec, "static:/a=b");
	assert_string_equal(app_routes_find(&o.apps, "a.example", "/x", &misdirected)->spec,
			    "static:/a=b");
	assert_string_equal(app_routes_find(&o.apps, NULL, "/", &misdirected)->spec, "static:/a=b");
	assert_string_equal(app_routes_find(&o.apps, "a.example", "/api", &misdirected)->spec,
			    "echo");
	options_done(&o);
}

/* Requests are not looked at where one app has them all, and only there. */
static void test_the_only_route(void **state)
{
	static const struct {
		const char *apps;
		bool only;
	} ROWS[] = {
		{"--app echo", true},
		{"--app a.example=echo", false},
		{"--app /api=echo", false},
		{"--app echo --app /api=echo", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		char line[128];
		struct options o;

		snprintf(line, sizeof(line), "--listen-h2c 127.0.0.1:1 %s", ROWS[i].apps);
		assert_int_equal(parse(&o, line), 0);
		if (!app_routes_only(&o.apps) != !ROWS[i].only)
			fail_msg("row %zu", i);
		options_done(&o);
	}
}

static void test_file_refusals(void **state)
{
	static const char *const ROWS[][2] = {
		{"app = echo\nnope = 1\n", "2: nope: no such key"},
		{"\n\nthreads = 99\n", "3: threads: a number from 1 to 64"},
		{"[limits]\nx = 1\n", "2: x: no such limit (h2sess-worker --help lists them)"},
		{"[limits]\nmax_sessions = none\n", "2: max_sessions: a number over 0"},
		{"[limits]\nmax_sessions = off\n", "2: max_sessions: a number over 0"},
		{"[limits]\nmax_requests = 0\n", "2: max_requests: a number over 0, or off"},
		{"[other]\nx = 1\n",
		 "2: other: no such section ([worker] or none, [limits], [app NAME])"},
		{"[app a]\napp = echo\nhosts = x\n",
		 "3: hosts: no such key of an app (app, host, path)"},
		{"[app a]\napp = echo\npath = x\n",
		 "3: path: a path is / and segments, without ? # % and //"},
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
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_refusals),
		cmocka_unit_test(test_file_with_a_long_line),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_what_a_reload_cannot_change),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_a_route_for_every_host),
		cmocka_unit_test(test_the_only_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
