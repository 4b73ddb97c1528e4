/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RPC codec: messages out of bytes however they are cut, lines out of messages, and what is
 * refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rpc.h>
#include <stdlib.h>
#include <string.h>

#define TRANSCRIPT_MAX 4096

struct transcript {
	char text[TRANSCRIPT_MAX];
	size_t len;
	int messages;
	int answer; /* what the callback returns */
};

static void note(struct transcript *t, const char *word, size_t len)
{
	assert_true(t->len + len + 1 < sizeof(t->text));
	memcpy(t->text + t->len, word, len);
	t->len += len;
	t->text[t->len++] = '|';
	t->text[t->len] = '\0';
}

static void note_json(struct transcript *t, const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	note(t, text ? text : "-", text ? strlen(text) : 1);
	free(text);
}

static int record(const struct rpc_message *m, void *user)
{
	struct transcript *t = user;
	char head[64];
	int len;

	len = snprintf(head, sizeof(head), "%d %llu %d %d", m->kind, (unsigned long long)m->id,
		       m->method, m->error);
	note(t, head, (size_t)len);
	note_json(t, m->params);
	note_json(t, m->result);
	note_json(t, m->error_data);
	t->messages++;
	return t->answer;
}

static int feed(const char *bytes, size_t len, struct transcript *t)
{
	struct rpc_reader reader;
	int r;

	rpc_reader_init(&reader);
	r = rpc_reader_feed(&reader, bytes, len, record, t);
	rpc_reader_done(&reader);
	return r;
}

static int feed_text(const char *text)
{
	struct transcript t = {0};

	return feed(text, strlen(text), &t);
}

static const char stream[] =
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"name\":\"b\xc3\xbc\"}}\n"
	"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"seq\":1,\"data\":{\"a\":[1,2]}}}\n"
	"{\"jsonrpc\":\"2.0\",\"method\":\"no.such\"}\r\n"
	"{\"jsonrpc\":\"2.0\",\"id\":9007199254740991,\"result\":{\"ok\":true}}\n"
	"{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-30,\"message\":\"x\",\"data\":{"
	"\"code\":"
	"\"ERR_NOT_FOUND\"}}}\n"
	"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"x\"}}\n";

static void every_cut_gives_the_same_messages(void **state)
{
	const size_t len = sizeof(stream) - 1;
	struct transcript whole = {0};

	(void)state;
	assert_int_equal(feed(stream, len, &whole), 0);
	assert_int_equal(whole.messages, 6);
	for (size_t cut = 0; cut <= len; cut++) {
		struct transcript cut_up = {0};
		struct rpc_reader reader;

		rpc_reader_init(&reader);
		assert_int_equal(rpc_reader_feed(&reader, stream, cut, record, &cut_up), 0);
		assert_int_equal(rpc_reader_feed(&reader, stream + cut, len - cut, record, &cut_up),
				 0);
		rpc_reader_done(&reader);
		assert_string_equal(cut_up.text, whole.text);
	}
}

static void octet_by_octet_gives_the_same_messages(void **state)
{
	struct transcript whole = {0}, drip = {0};
	struct rpc_reader reader;

	(void)state;
	assert_int_equal(feed(stream, sizeof(stream) - 1, &whole), 0);
	rpc_reader_init(&reader);
	for (size_t i = 0; i < sizeof(stream) - 1; i++)
		assert_int_equal(rpc_reader_feed(&reader, stream + i, 1, record, &drip), 0);
	rpc_reader_done(&reader);
	assert_string_equal(drip.text, whole.text);
}

static int expect_hello(const struct rpc_message *m, void *user)
{
	(void)user;
	assert_int_equal(m->kind, RPC_REQUEST);
	assert_int_equal(m->id, 5);
	assert_int_equal(m->method, RPC_HELLO);
	assert_string_equal(m->method_name, "hello");
	assert_int_equal(json_object_size(m->params), 0);
	return -7;
}

static void the_callback_sees_the_message_and_can_stop(void **state)
{
	static const char two[] = "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"hello\"}\n"
				  "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"hello\"}\n";
	struct rpc_reader reader;

	(void)state;
	rpc_reader_init(&reader);
	assert_int_equal(rpc_reader_feed(&reader, two, sizeof(two) - 1, expect_hello, NULL), -7);
	rpc_reader_done(&reader);
}

static void what_is_not_json_is_refused(void **state)
{
	static const char *const lines[] = {
		"\n",
		"x\n",
		"{\n",
		"{}{}\n",
		"1\n",
		"null\n",
		"\"text\"\n",
		"{\"a\":1,\"a\":2}\n",
		"{\"a\":\"\\u0000\"}\n",
		"{\"a\":\"\xff\"}\n",
		"{\"a\":99999999999999999999}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(feed_text(lines[i]), RPC_EPARSE);
}

#define V "\"jsonrpc\":\"2.0\""

static void what_is_no_message_is_refused(void **state)
{
	static const char *const lines[] = {
		"{}\n",
		"[]\n",
		"[{" V ",\"method\":\"event\"}]\n",
		"{\"jsonrpc\":\"1.0\",\"method\":\"event\"}\n",
		"{\"method\":\"event\"}\n",
		"{" V "}\n",
		"{" V ",\"id\":1}\n",
		"{" V ",\"method\":1}\n",
		"{" V ",\"method\":\"event\",\"params\":[]}\n",
		"{" V ",\"method\":\"event\",\"params\":null}\n",
		"{" V ",\"method\":\"hello\",\"id\":null}\n",
		"{" V ",\"method\":\"hello\",\"id\":\"1\"}\n",
		"{" V ",\"method\":\"hello\",\"id\":1.0}\n",
		"{" V ",\"method\":\"hello\",\"id\":0}\n",
		"{" V ",\"method\":\"hello\",\"id\":-1}\n",
		"{" V ",\"method\":\"hello\",\"id\":9007199254740992}\n",
		"{" V ",\"method\":\"hello\",\"id\":1,\"result\":{}}\n",
		"{" V ",\"result\":{}}\n",
		"{" V ",\"id\":null,\"result\":{}}\n",
		"{" V ",\"id\":1,\"result\":{},\"error\":{\"code\":1,\"message\":\"x\"}}\n",
		"{" V ",\"id\":1,\"error\":1}\n",
		"{" V ",\"id\":1,\"error\":{\"code\":1}}\n",
		"{" V ",\"id\":1,\"error\":{\"code\":\"1\",\"message\":\"x\"}}\n",
		"{" V ",\"id\":1,\"error\":{\"code\":99999999999,\"message\":\"x\"}}\n",
		"{" V ",\"error\":{\"code\":1,\"message\":\"x\"}}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(feed_text(lines[i]), RPC_EINVALID);
}

static void a_result_is_seen_without_reading_it(void **state)
{
	static const struct {
		const char *line;
		uint64_t id; /* 0: it is in doubt, or no result */
		const char *result;
	} cases[] = {
		{"{" V ",\"id\":1,\"result\":{\"a\":[1,2]}}", 1, "{\"a\":[1,2]}"},
		{" {\"x\":0,\"result\" : [] ,\"id\" : 9007199254740991 ," V " }", 9007199254740991,
		 "[]"},
		{"{" V ",\"id\":2,\"result\":null}", 2, "null"},
		{"{" V ",\"id\":1,\"result\":{\"a\":1,\"a\":1}}", 0, ""},
		{"{" V ",\"id\":1,\"id\":2,\"result\":{}}", 0, ""},
		{"{" V ",\"id\":1,\"res\\u0075lt\":{}}", 0, ""},
		{"{" V ",\"id\":1,\"result\":{}", 0, ""},
		{"{" V ",\"result\":{}}", 0, ""},
		{"{" V ",\"id\":0,\"result\":{}}", 0, ""},
		{"{" V ",\"id\":-1,\"result\":{}}", 0, ""},
		{"{" V ",\"id\":1.0,\"result\":{}}", 0, ""},
		{"{" V ",\"id\":\"1\",\"result\":{}}", 0, ""},
		{"{" V ",\"id\":null,\"result\":{}}", 0, ""},
		{"{" V ",\"id\":9007199254740992,\"result\":{}}", 0, ""},
		{"{\"jsonrpc\":\"2.1\",\"id\":1,\"result\":{}}", 0, ""},
		{"{\"jsonrpc\":2.0,\"id\":1,\"result\":{}}", 0, ""},
		{"{\"id\":1,\"result\":{}}", 0, ""},
		{"{" V ",\"id\":1,\"result\":{},\"error\":null}", 0, ""},
		{"{" V ",\"id\":1,\"method\":\"event\",\"result\":{}}", 0, ""},
		{"{" V ",\"id\":1,\"error\":{\"code\":1,\"message\":\"x\"}}", 0, ""},
		{"{" V ",\"id\":1,\"method\":\"event\"}", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json_span result = {0};
		uint64_t id = 0;
		bool seen = rpc_line_result(cases[i].line, strlen(cases[i].line), &id, &result);

		if (seen != (cases[i].id > 0))
			fail_msg("%s", cases[i].line);
		if (!seen)
			continue;
		assert_int_equal(id, cases[i].id);
		assert_true(json_span_is(&result, cases[i].result));
	}
}

static int stop_at_second(const char *line, size_t len, void *user)
{
	if (++*(int *)user == 2)
		return -9;
	assert_int_equal(len, 5);
	assert_memory_equal(line, "first", 5);
	return 0;
}

static void lines_are_given_unread(void **state)
{
	struct rpc_reader reader;
	int lines = 0;

	(void)state;
	rpc_reader_init(&reader);
	assert_int_equal(rpc_reader_feed_lines(&reader, "fir", 3, stop_at_second, &lines), 0);
	assert_int_equal(lines, 0);
	assert_int_equal(rpc_reader_feed_lines(&reader, "st\n\nx\n", 6, stop_at_second, &lines),
			 -9);
	assert_int_equal(lines, 2);
	rpc_reader_done(&reader);
}

static void deep_nesting_is_refused_not_run_into(void **state)
{
	char *deep = malloc(200001);
	struct transcript t = {0};

	(void)state;
	assert_non_null(deep);
	memset(deep, '[', 200000);
	deep[200000] = '\n';
	assert_int_equal(feed(deep, 200001, &t), RPC_EPARSE);
	free(deep);
}

/* A notification whose line is len bytes with its newline. */
static char *padded_line(size_t len)
{
	static const char head[] = "{" V ",\"method\":\"x\",\"params\":{\"p\":\"";
	static const char tail[] = "\"}}\n";
	char *line = malloc(len);

	assert_non_null(line);
	memset(line, 'a', len);
	memcpy(line, head, sizeof(head) - 1);
	memcpy(line + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	return line;
}

static int count(const struct rpc_message *m, void *user)
{
	(void)m;
	++*(int *)user;
	return 0;
}

/* Feed a line of len bytes in pieces; returns what the reader says, the messages in *ret_messages.
 */
static int feed_padded(size_t len, size_t piece, int *ret_messages)
{
	char *line = padded_line(len);
	struct rpc_reader reader;
	int r = 0;

	*ret_messages = 0;
	rpc_reader_init(&reader);
	for (size_t at = 0; at < len && r == 0; at += piece) {
		size_t n = len - at < piece ? len - at : piece;

		r = rpc_reader_feed(&reader, line + at, n, count, ret_messages);
		assert_true(reader.line.cap <= RPC_LINE_MAX);
	}
	if (r == 0)
		assert_int_equal(reader.line.len, 0);
	rpc_reader_done(&reader);
	free(line);
	return r;
}

static void the_longest_line_passes_and_one_more_does_not(void **state)
{
	static const size_t pieces[] = {RPC_LINE_MAX + 1, 65536, 1000003, RPC_LINE_MAX - 1};
	int messages;

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		assert_int_equal(feed_padded(RPC_LINE_MAX, pieces[i], &messages), 0);
		assert_int_equal(messages, 1);
		assert_int_equal(feed_padded(RPC_LINE_MAX + 1, pieces[i], &messages), RPC_ETOOLONG);
		assert_int_equal(messages, 0);
	}
}

static void an_endless_line_is_not_buffered(void **state)
{
	static const char piece[65536] = {[0 ... 65535] = ' '};
	struct rpc_reader reader;
	size_t fed = 0;
	int r = 0;

	(void)state;
	rpc_reader_init(&reader);
	while (r == 0 && fed < 2 * RPC_LINE_MAX) {
		r = rpc_reader_feed(&reader, piece, sizeof(piece), record, NULL);
		fed += sizeof(piece);
	}
	assert_int_equal(r, RPC_ETOOLONG);
	assert_true(fed <= RPC_LINE_MAX);
	rpc_reader_done(&reader);
}

static void a_long_line_does_not_keep_its_memory(void **state)
{
	size_t len = 1000000;
	char *line = padded_line(len);
	struct rpc_reader reader;
	int messages = 0;

	(void)state;
	rpc_reader_init(&reader);
	assert_int_equal(rpc_reader_feed(&reader, line, 10, count, &messages), 0);
	assert_int_equal(rpc_reader_feed(&reader, line + 10, len - 10, count, &messages), 0);
	assert_int_equal(messages, 1);
	assert_int_equal(reader.line.cap, 0);
	rpc_reader_done(&reader);
	free(line);
}

static void assert_line(char *line, size_t len, const char *expected)
{
	assert_non_null(line);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(line, expected, len);
	free(line);
}

static void lines_are_written(void **state)
{
	size_t len;
	char *line;

	(void)state;
	line = rpc_request(3, RPC_SESSION_GET, json_pack("{s:s}", "session", "a-1\n"), &len);
	assert_line(line, len,
		    "{" V
		    ",\"id\":3,\"method\":\"session.get\",\"params\":{\"session\":\"a-1\\n\"}}\n");
	line = rpc_notification(RPC_EVENTS_GAP, NULL, &len);
	assert_line(line, len, "{" V ",\"method\":\"events.gap\",\"params\":{}}\n");
	line = rpc_result(4, json_pack("[i]", 1), &len);
	assert_line(line, len, "{" V ",\"id\":4,\"result\":[1]}\n");
	line = rpc_error(4, -3, "origin", NULL, NULL, &len);
	assert_line(line, len,
		    "{" V
		    ",\"id\":4,\"error\":{\"code\":-3,\"message\":\"The value has the wrong type\","
		    "\"data\":{\"code\":\"ERR_INVALID_ARG_TYPE\",\"field\":\"origin\"}}}\n");
	line = rpc_error(0, RPC_PARSE_ERROR, NULL, NULL, NULL, &len);
	assert_line(line, len,
		    "{" V
		    ",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"Parse error\"}}\n");
	line = rpc_error(1, -41234, "f", "r", "d", &len);
	assert_line(line, len,
		    "{" V
		    ",\"id\":1,\"error\":{\"code\":-41234,\"message\":\"d\",\"data\":{\"field\":"
		    "\"f\",\"rule\":\"r\"}}}\n");
}

static void a_result_is_written_piece_by_piece(void **state)
{
	static const char *const texts[] = {"{}", "[1,\"\xc3\xa9\"]", "null", "\"a\\u0001\\n\""};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *value = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		struct text pieces = {0}, whole = {0};
		size_t len;
		char *line = rpc_result((1ULL << 53) - 1, json_incref(value), &len);

		rpc_result_begin(&pieces, (1ULL << 53) - 1);
		text_append(&pieces, texts[i], 1);
		text_append(&pieces, texts[i] + 1, strlen(texts[i]) - 1);
		rpc_result_end(&pieces);
		rpc_result_begin(&whole, (1ULL << 53) - 1);
		text_add_json(&whole, value);
		rpc_result_end(&whole);
		assert_false(pieces.failed || whole.failed);
		assert_int_equal(pieces.len, len);
		assert_memory_equal(pieces.data, line, len);
		assert_int_equal(whole.len, len);
		assert_memory_equal(whole.data, line, len);
		free(pieces.data);
		free(whole.data);
		free(line);
		json_decref(value);
	}
}

static void a_text_does_not_grow_over_a_line(void **state)
{
	static const char piece[65536] = {[0 ... 65535] = 'a'};
	struct text text = {.max = RPC_LINE_MAX};

	(void)state;
	for (size_t i = 0; i < RPC_LINE_MAX / sizeof(piece); i++)
		text_append(&text, piece, sizeof(piece));
	assert_false(text.failed);
	assert_int_equal(text.len, RPC_LINE_MAX);
	text_append(&text, "a", 1);
	assert_true(text.failed);
	free(text.data);
	text = (struct text){0};
	text_add_json(&text, NULL);
	assert_true(text.failed);
	text_append(&text, "a", 1);
	assert_int_equal(text.len, 0);
	free(text.data);
}

static json_t *text_of(size_t len)
{
	char *text = malloc(len + 1);
	json_t *value;

	assert_non_null(text);
	memset(text, 'a', len);
	text[len] = '\0';
	value = json_string(text);
	free(text);
	assert_non_null(value);
	return value;
}

static void a_line_that_is_too_long_is_not_written(void **state)
{
	static const char envelope[] = "{" V ",\"id\":1,\"result\":\"\"}\n";
	size_t fits = RPC_LINE_MAX - (sizeof(envelope) - 1);
	size_t len;
	char *line;

	(void)state;
	line = rpc_result(1, text_of(fits), &len);
	assert_non_null(line);
	assert_int_equal(len, RPC_LINE_MAX);
	free(line);
	assert_null(rpc_result(1, text_of(fits + 1), &len));
	assert_null(rpc_notification(RPC_EVENT, text_of(RPC_LINE_MAX), &len));
}

static void every_row_of_the_tables_is_found(void **state)
{
	int rows = 0;

	(void)state;
#define X(name, value, wire, http, text)                  \
	assert_string_equal(api_error_name(value), wire); \
	assert_int_equal(api_error_http(value), http);    \
	assert_string_equal(api_error_text(value), text); \
	assert_int_equal(api_error_by_name(wire), value); \
	rows++;
#include <h2sess/errors.def>
#undef X
	assert_true(rows >= 49);
#define X(name, wire, direction, kind, text)                    \
	assert_int_equal(rpc_method_by_name(wire), RPC_##name); \
	assert_string_equal(rpc_method_name(RPC_##name), wire);
#include <h2sess/methods.def>
#undef X
}

static void what_has_no_row_is_said_to_have_none(void **state)
{
	(void)state;
	assert_null(api_error_name(0));
	assert_null(api_error_text(-32700));
	assert_int_equal(api_error_http(12), 500);
	assert_int_equal(api_error_by_name("ERR_NOT_FOUN"), 0);
	assert_int_equal(rpc_method_by_name("hell"), RPC_METHODS);
	assert_null(rpc_method_name(RPC_METHODS));
}

/* ---- memory runs out ------------------------------------------------------------------------- */

static long allocations_left;

static void *scarce_malloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

static int use_scarce_memory(void **state)
{
	(void)state;
	json_set_alloc_funcs(scarce_malloc, free);
	return 0;
}

static int use_plenty_of_memory(void **state)
{
	(void)state;
	json_set_alloc_funcs(malloc, free);
	return 0;
}

static void reading_survives_each_failed_allocation(void **state)
{
	static const char line[] = "{" V ",\"id\":1,\"method\":\"hello\"}\n";
	int r, messages = 0;
	long n = 0;

	(void)state;
	do {
		struct rpc_reader reader;

		allocations_left = n++;
		rpc_reader_init(&reader);
		r = rpc_reader_feed(&reader, line, sizeof(line) - 1, count, &messages);
		rpc_reader_done(&reader);
		assert_true(r == 0 || r == RPC_ENOMEM || r == RPC_EPARSE || r == RPC_EINVALID);
	} while (r < 0 && n < 1000);
	assert_int_equal(r, 0);
	assert_int_equal(messages, 1);
}

static void writing_survives_each_failed_allocation(void **state)
{
	char *line = NULL;
	size_t len;
	long n;

	(void)state;
	for (n = 0; !line && n < 1000; n++) {
		allocations_left = n;
		line = rpc_error(1, -3, "field", "rule", NULL, &len);
	}
	assert_non_null(line);
	free(line);
	line = NULL;
	for (n = 0; !line && n < 1000; n++) {
		json_t *params;

		allocations_left = 100;
		params = json_pack("{s:[i,i]}", "a", 1, 2);
		allocations_left = n;
		line = rpc_request(1, RPC_HELLO, params, &len);
	}
	assert_non_null(line);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_gives_the_same_messages),
		cmocka_unit_test(octet_by_octet_gives_the_same_messages),
		cmocka_unit_test(the_callback_sees_the_message_and_can_stop),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(a_result_is_seen_without_reading_it),
		cmocka_unit_test(lines_are_given_unread),
		cmocka_unit_test(deep_nesting_is_refused_not_run_into),
		cmocka_unit_test(the_longest_line_passes_and_one_more_does_not),
		cmocka_unit_test(an_endless_line_is_not_buffered),
		cmocka_unit_test(a_long_line_does_not_keep_its_memory),
		cmocka_unit_test(lines_are_written),
		cmocka_unit_test(a_result_is_written_piece_by_piece),
		cmocka_unit_test(a_text_does_not_grow_over_a_line),
		cmocka_unit_test(a_line_that_is_too_long_is_not_written),
		cmocka_unit_test(every_row_of_the_tables_is_found),
		cmocka_unit_test(what_has_no_row_is_said_to_have_none),
		cmocka_unit_test_setup_teardown(reading_survives_each_failed_allocation,
						use_scarce_memory, use_plenty_of_memory),
		cmocka_unit_test_setup_teardown(writing_survives_each_failed_allocation,
						use_scarce_memory, use_plenty_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
