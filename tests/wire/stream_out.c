/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream sends: headers, bodies from memory, from a source and from a file, trailers, and
 * how they stay within the peer's windows and the host's memory. What it receives is in
 * stream_in.c.
 */
#include "support/certificate.h"
#include "support/cmocka_all.h"
#include "support/routes.h"
#include "support/shared.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIG (5 * 1024 * 1024)
#define HEADERS(list) (list), sizeof(list) / sizeof((list)[0])

/* ---- routes: from memory --------------------------------------------------------------------- */

static void small(struct h2sess_stream *st)
{
	static const struct h2sess_header head[] = {
		H2SESS_HEADER(":status", "201"),
		H2SESS_HEADER("x-a", "1"),
		H2SESS_HEADER("set-cookie", "a=1"),
		H2SESS_HEADER("set-cookie", "b=2"),
	};

	number_set("before", h2sess_stream_headers_sent(st));
	number_set("respond", h2sess_stream_respond(st, HEADERS(head), 0));
	number_set("after", h2sess_stream_headers_sent(st));
	number_set("again", h2sess_stream_respond(st, HEADERS(head), 0));
	number_set("write", h2sess_stream_write(st, "a", 1));
	h2sess_stream_write(st, "", 0);
	h2sess_stream_write(st, "b", 1);
	number_set("end", h2sess_stream_end(st, "c", 1));
	number_set("write late", h2sess_stream_write(st, "d", 1));
	number_set("end late", h2sess_stream_end(st, NULL, 0));
}

static void write_alone(struct h2sess_stream *st)
{
	h2sess_stream_end(st, "hello", 5);
}

static void head_alone(struct h2sess_stream *st)
{
	static const struct h2sess_header head[] = {H2SESS_HEADER(":status", "404")};

	number_set("respond", h2sess_stream_respond(st, HEADERS(head), H2SESS_RESPOND_END_STREAM));
	number_set("write late", h2sess_stream_write(st, "d", 1));
}

static void no_status(struct h2sess_stream *st)
{
	static const struct h2sess_header head[] = {H2SESS_HEADER("x-a", "1")};

	h2sess_stream_respond(st, HEADERS(head), H2SESS_RESPOND_END_STREAM);
}

static void no_content(struct h2sess_stream *st)
{
	static const struct h2sess_header head[] = {H2SESS_HEADER(":status", "204")};

	h2sess_stream_respond(st, HEADERS(head), 0);
	h2sess_stream_end(st, "never", 5);
}

/* Writes until told to wait, goes on at each drain, until BIG bytes are written. */
static void fill(struct h2sess_stream *st)
{
	static const char piece[10000];
	size_t written = (size_t)(uintptr_t)h2sess_stream_user(st);
	int r = 1;

	while (r == 1 && written < BIG) {
		r = h2sess_stream_write(st, piece, sizeof(piece));
		if (r >= 0)
			written += sizeof(piece);
	}
	h2sess_stream_set_user(st, (void *)(uintptr_t)written);
	number_set("worst", (long)h2sess_stream_buffered(st) > number_get("worst")
				    ? (long)h2sess_stream_buffered(st)
				    : number_get("worst"));
	number_add("waits", r == 0);
	if (written >= BIG)
		h2sess_stream_end(st, NULL, 0);
}

static void on_drain(const struct h2sess_event *ev, void *user)
{
	(void)user;
	fill(ev->stream);
}

static void drain(struct h2sess_stream *st)
{
	h2sess_on(h2sess_stream_emitter(st), H2SESS_EVENT_DRAIN, on_drain, NULL, NULL);
	fill(st);
}

static void too_much(struct h2sess_stream *st)
{
	char *piece = calloc(1, 600000);

	number_set("first", h2sess_stream_write(st, piece, 600000));
	number_set("second", h2sess_stream_write(st, piece, 600000));
	number_set("buffered", (long)h2sess_stream_buffered(st));
	number_set("end", h2sess_stream_end(st, "x", 1));
	free(piece);
}

static void one_megabyte(struct h2sess_stream *st)
{
	char *piece = malloc(1000000);

	memset(piece, 'm', 1000000);
	h2sess_stream_end(st, piece, 1000000);
	free(piece);
}

/* ---- routes: from a source and a file -------------------------------------------------------- */

struct source {
	size_t left;
	bool wait;  /* give nothing at first */
	bool fails; /* at the end */
};

static ssize_t pull(void *buf, size_t len, bool *ret_eof, void *user)
{
	struct source *source = user;

	if (source->wait) {
		source->wait = false;
		number_set("waiting", 1);
		return 0;
	}
	if (source->left == 0) {
		*ret_eof = true;
		return source->fails ? H2SESS_EIO : 0;
	}
	if (len > source->left)
		len = source->left;
	memset(buf, 's', len);
	source->left -= len;
	return (ssize_t)len;
}

static void drop(void *user)
{
	number_add("freed", 1);
	free(user);
}

static void respond_from(struct h2sess_stream *st, struct source init)
{
	struct source *source = malloc(sizeof(*source));

	*source = init;
	number_set("respond",
		   h2sess_stream_respond_with_source(st, NULL, 0, 0, pull, drop, source));
}

static void from_source(struct h2sess_stream *st)
{
	respond_from(st, (struct source){.left = 300000});
}

static void from_failing_source(struct h2sess_stream *st)
{
	respond_from(st, (struct source){.left = 1000, .fails = true});
}

static void from_waiting_source(struct h2sess_stream *st)
{
	respond_from(st, (struct source){.left = 1000, .wait = true});
}

static void from_endless_source(struct h2sess_stream *st)
{
	respond_from(st, (struct source){.left = SIZE_MAX});
}

static void from_file(struct h2sess_stream *st)
{
	const char *path = h2sess_stream_header(st, ":path");
	long offset = 0, length = -1;
	char file[128];
	int fd;

	snprintf(file, sizeof(file), "%s/body", temporary_directory());
	sscanf(strchr(path, '?') ? strchr(path, '?') : "", "?%ld,%ld", &offset, &length);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	number_set("respond", h2sess_stream_respond_with_fd(st, NULL, 0, 0, fd, offset, length));
	if (number_get("respond") < 0) {
		close(fd);
		h2sess_stream_end(st, NULL, 0);
	}
}

/* ---- routes: trailers and informational responses
 * ------------------------------------------------ */

static void on_want_trailers(const struct h2sess_event *ev, void *user)
{
	static const struct h2sess_header trailers[] = {H2SESS_HEADER("x-sum", "42")};

	(void)user;
	number_set("send", h2sess_stream_send_trailers(ev->stream, HEADERS(trailers)));
	number_set("send twice", h2sess_stream_send_trailers(ev->stream, HEADERS(trailers)));
}

static void with_trailers(struct h2sess_stream *st)
{
	static const struct h2sess_header trailers[] = {H2SESS_HEADER("x-sum", "42")};

	h2sess_on(h2sess_stream_emitter(st), "wantTrailers", on_want_trailers, NULL, NULL);
	number_set("send early", h2sess_stream_send_trailers(st, HEADERS(trailers)));
	h2sess_stream_respond(st, NULL, 0, H2SESS_RESPOND_WAIT_FOR_TRAILERS);
	h2sess_stream_end(st, "body", 4);
}

static void informational(struct h2sess_stream *st)
{
	static const struct h2sess_header early[] = {H2SESS_HEADER(":status", "103"),
						     H2SESS_HEADER("link", "</a>; rel=preload")};
	static const struct h2sess_header wrong[][1] = {
		{H2SESS_HEADER(":status", "101")},
		{H2SESS_HEADER(":status", "200")},
		{H2SESS_HEADER(":status", "99")},
	};

	number_set("103", h2sess_stream_additional_headers(st, HEADERS(early)));
	number_set("101", h2sess_stream_additional_headers(st, wrong[0], 1));
	number_set("200", h2sess_stream_additional_headers(st, wrong[1], 1));
	number_set("99", h2sess_stream_additional_headers(st, wrong[2], 1));
	h2sess_stream_respond(st, NULL, 0, 0);
	number_set("late", h2sess_stream_additional_headers(st, HEADERS(early)));
	h2sess_stream_end(st, "x", 1);
}

/* ---- routes: wrong headers ------------------------------------------------------------------- */

struct wrong {
	const char *name;
	const char *value;
	int result;
};

static const struct wrong WRONG[] = {
	{":status", "99", H2SESS_ESTATUS},
	{":status", "600", H2SESS_ESTATUS},
	{":status", "100", H2SESS_ESTATUS},
	{":status", "2x0", H2SESS_ESTATUS},
	{":status", "", H2SESS_ESTATUS},
	{":path", "/", H2SESS_EHEADER},
	{"X-Upper", "1", H2SESS_EHEADER},
	{"x a", "1", H2SESS_EHEADER},
	{"", "1", H2SESS_EHEADER},
	{"x-a", "a\nb", H2SESS_EHEADER},
	{"x-a", "a\rb", H2SESS_EHEADER},
	{"connection", "close", H2SESS_EHEADER},
	{"transfer-encoding", "chunked", H2SESS_EHEADER},
	{"keep-alive", "1", H2SESS_EHEADER},
	{"upgrade", "h2c", H2SESS_EHEADER},
	{"proxy-connection", "close", H2SESS_EHEADER},
	{"http2-settings", "AAMAAABk", H2SESS_EHEADER},
	{"te", "gzip", H2SESS_EHEADER},
	{"content-type", "a\nb", H2SESS_EHEADER},
	{"Content-Type", "text/plain", H2SESS_EHEADER},
};

static void wrong_headers(struct h2sess_stream *st)
{
	struct h2sess_header header = {0};
	size_t i;
	int r;

	for (i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
		header.name = WRONG[i].name;
		header.value = WRONG[i].value;
		header.name_len = (uint32_t)strlen(header.name);
		header.value_len = (uint32_t)strlen(header.value);
		r = h2sess_stream_respond(st, &header, 1, 0);
		if (r != WRONG[i].result && number_get("wrong") == 0) {
			number_set("wrong", (long)i + 1);
			number_set("result", r);
		}
	}
	h2sess_stream_end(st, "fine", 4);
}

static void nul_in_value(struct h2sess_stream *st)
{
	static const struct h2sess_header head[] = {{"x-a", "a\0b", 3, 3, 0, 0}};

	number_set("respond", h2sess_stream_respond(st, HEADERS(head), 0));
	h2sess_stream_end(st, "fine", 4);
}

static const struct route ROUTES[] = {
	{"/small", small},
	{"/write-alone", write_alone},
	{"/head-alone", head_alone},
	{"/no-status", no_status},
	{"/no-content", no_content},
	{"/drain", drain},
	{"/too-much", too_much},
	{"/megabyte", one_megabyte},
	{"/source", from_source},
	{"/failing-source", from_failing_source},
	{"/waiting-source", from_waiting_source},
	{"/endless-source", from_endless_source},
	{"/file", from_file},
	{"/trailers", with_trailers},
	{"/informational", informational},
	{"/wrong", wrong_headers},
	{"/nul", nul_in_value},
	{NULL, NULL},
};

/* ---- tests: from memory ---------------------------------------------------------------------- */

static struct response get(struct client *c, const char *path)
{
	struct response r;

	client_await_response(c, client_get(c, path), &r);
	return r;
}

static void respond_write_end(void **state)
{
	struct client *c = *state;
	struct response r = get(c, "/small");

	assert_int_equal(r.status, 201);
	assert_int_equal(r.len, 3);
	assert_memory_equal(r.body, "abc", 3);
	assert_true(r.ended);
	assert_string_equal(frame_field(r.head, "x-a"), "1");
	assert_int_equal(r.head->n_fields, 4); /* duplicates are kept */
	assert_int_equal(number_get("before"), 0);
	assert_int_equal(number_get("respond"), 0);
	assert_int_equal(number_get("after"), 1);
	assert_int_equal(number_get("again"), H2SESS_EHEADERSSENT);
	assert_int_equal(number_get("write"), 1);
	assert_int_equal(number_get("write late"), H2SESS_EWRITEAFTEREND);
	assert_int_equal(number_get("end late"), H2SESS_EWRITEAFTEREND);
	response_done(&r);
}

static void end_responds_with_200(void **state)
{
	struct response r = get(*state, "/write-alone");

	assert_int_equal(r.status, 200);
	assert_memory_equal(r.body, "hello", 5);
	response_done(&r);
}

static void a_head_alone_ends_the_stream(void **state)
{
	struct response r = get(*state, "/head-alone");

	assert_int_equal(r.status, 404);
	assert_true(r.head->flags & FLAG_END_STREAM);
	assert_int_equal(number_get("write late"), H2SESS_EWRITEAFTEREND);
	response_done(&r);
}

static void no_status_is_200(void **state)
{
	struct response r = get(*state, "/no-status");

	assert_int_equal(r.status, 200);
	assert_string_equal(frame_field(r.head, "x-a"), "1");
	response_done(&r);
}

static void head_has_no_body(void **state)
{
	struct client *c = *state;
	struct response r;

	client_await_response(c, client_request(c, "HEAD", "/small", FLAG_END_STREAM), &r);
	assert_int_equal(r.status, 201);
	assert_true(r.ended);
	assert_int_equal(r.len, 0);
	response_done(&r);
}

static void no_content_has_no_body(void **state)
{
	struct response r = get(*state, "/no-content");

	assert_int_equal(r.status, 204);
	assert_true(r.ended);
	assert_int_equal(r.len, 0);
	response_done(&r);
}

static void writing_waits_for_drain(void **state)
{
	struct response r = get(*state, "/drain");

	assert_true(r.ended);
	assert_true(r.len >= BIG);
	assert_true(number_get("waits") > 10);
	assert_true(number_get("worst") <= 65536 + 10000);
	response_done(&r);
}

static void the_write_buffer_is_bounded(void **state)
{
	struct response r = get(*state, "/too-much");

	assert_int_equal(number_get("first"), 0);
	assert_int_equal(number_get("second"), H2SESS_ELIMIT);
	assert_true(number_get("buffered") <= 600000);
	assert_int_equal(r.len, 600001); /* what was refused is not there, what follows is */
	response_done(&r);
}

static void no_byte_over_the_streams_window(void **state)
{
	static const struct client_setting tiny = {SETTING_INITIAL_WINDOW_SIZE, 10};
	struct client_options options = {.settings = &tiny, .n_settings = 1, .hold_window = true};
	struct client *c = client_open(server->port, &options);
	uint32_t id = client_get(c, "/megabyte");
	size_t i, len;

	(void)state;
	for (i = 0; i < 20; i++) {
		assert_true(client_fence(c));
		for (len = 0; c->next_frame < c->n_frames; c->next_frame++)
			if (c->frames[c->next_frame]->type == FRAME_DATA)
				len += c->frames[c->next_frame]->length;
		assert_int_equal(len, i == 0 ? 10 : 7 + i);
		client_send_window_update(c, id, (uint32_t)(8 + i));
	}
	client_free(c);
}

static void no_byte_over_the_connections_window(void **state)
{
	static const struct client_setting wide = {SETTING_INITIAL_WINDOW_SIZE, 0x7fffffff};
	struct client_options options = {.settings = &wide, .n_settings = 1, .hold_window = true};
	struct client *c = client_open(server->port, &options);
	uint32_t id = client_get(c, "/megabyte");
	size_t i, n = 0;
	struct response r;

	(void)state;
	assert_true(client_fence(c));
	for (i = 0; i < c->n_frames; i++)
		n += c->frames[i]->type == FRAME_DATA ? c->frames[i]->length : 0;
	assert_int_equal(n, 65535);
	client_send_window_update(c, 0, 2000000);
	client_await_response(c, id, &r);
	assert_int_equal(r.len, 1000000);
	response_done(&r);
	client_free(c);
}

static void small_windows_carry_a_big_body(void **state)
{
	static const struct client_setting small_window = {SETTING_INITIAL_WINDOW_SIZE, 1000};
	struct client_options options = {
		.settings = &small_window, .n_settings = 1, .tls = true, .receive_buffer = 8192};
	struct client *c = client_open(server->tls_port, &options);
	struct response r = get(c, "/megabyte");

	(void)state;
	assert_int_equal(r.len, 1000000);
	assert_true(r.ended);
	response_done(&r);
	client_free(c);
}

static void no_frame_over_the_peers_maximum(void **state)
{
	struct client *c = *state;
	struct response r = get(c, "/megabyte");
	size_t i;

	assert_int_equal(r.len, 1000000);
	for (i = 0; i < c->n_frames; i++)
		assert_true(c->frames[i]->length <= 16384);
	response_done(&r);
}

/* ---- tests: from a source and a file --------------------------------------------------------- */

static void a_source_is_pulled_and_freed_once(void **state)
{
	struct response r = get(*state, "/source");

	assert_int_equal(r.status, 200);
	assert_int_equal(r.len, 300000);
	assert_true(r.ended);
	number_await("freed", 1);
	assert_int_equal(number_get("freed"), 1);
	response_done(&r);
}

static void a_failing_source_resets(void **state)
{
	struct response r = get(*state, "/failing-source");

	assert_true(r.reset);
	assert_int_equal(r.code, H2SESS_INTERNAL_ERROR);
	number_await("freed", 1);
	response_done(&r);
}

static void resume_all(struct h2sess_session *s, void *user)
{
	*(int *)user = h2sess_stream_resume_source(h2sess_session_stream(s, 1));
}

static void a_source_may_wait(void **state)
{
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	int result = -1;
	struct response r;

	(void)state;
	client_get(c, "/waiting-source");
	number_await("waiting", 1);
	assert_true(test_server_run(server, id, resume_all, &result));
	assert_int_equal(result, 0);
	client_await_response(c, 1, &r);
	assert_int_equal(r.len, 1000);
	response_done(&r);
	client_free(c);
}

static void a_source_is_freed_when_the_peer_goes(void **state)
{
	struct client *c = client_open(server->port, NULL);

	(void)state;
	client_get(c, "/endless-source");
	client_await(c, FRAME_DATA);
	client_free(c);
	number_await("freed", 1);
}

static void a_source_is_freed_when_the_stream_is_reset(void **state)
{
	struct client *c = *state;
	uint32_t id = client_get(c, "/endless-source");

	client_await_on(c, FRAME_DATA, id);
	client_send_reset(c, id, H2SESS_CANCEL);
	number_await("freed", 1);
	assert_true(client_fence(c));
	assert_int_equal(number_get("freed"), 1);
}

struct range {
	long offset, length;
	size_t from, want;
};

static void write_body_file(void)
{
	char path[128];
	FILE *file;
	int i;

	snprintf(path, sizeof(path), "%s/body", temporary_directory());
	file = fopen(path, "w");
	assert_non_null(file);
	for (i = 0; i < 20000; i++)
		fprintf(file, "%04d\n", i % 10000);
	fclose(file);
}

static void check_range(struct client *c, const struct range *range)
{
	char path[64], want[8];
	struct response r;
	size_t i;

	snprintf(path, sizeof(path), "/file?%ld,%ld", range->offset, range->length);
	r = get(c, path);
	assert_int_equal(number_get("respond"), 0);
	assert_int_equal(r.len, range->want);
	assert_true(r.ended);
	for (i = 0; i + 5 <= r.len && range->from % 5 == 0; i += 5) {
		snprintf(want, sizeof(want), "%04zu\n", (range->from + i) / 5 % 10000);
		assert_memory_equal(r.body + i, want, 5);
	}
	response_done(&r);
}

static void a_file_with_offset_and_length(void **state)
{
	static const struct range ranges[] = {
		{0, -1, 0, 100000},   {50, 10, 50, 10},	       {99995, -1, 99995, 5},
		{99995, 5, 99995, 5}, {100000, -1, 100000, 0}, {0, 0, 0, 0},
		{5, 99995, 5, 99995},
	};
	size_t i;

	write_body_file();
	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		check_range(*state, &ranges[i]);
}

static int open_descriptors(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void the_descriptor_is_closed_at_the_end(void **state)
{
	int before, i;
	struct response r;

	write_body_file();
	client_check_get(*state, "/file", 200);
	before = open_descriptors();
	for (i = 0; i < 20; i++) {
		r = get(*state, "/file");
		response_done(&r);
	}
	assert_true(client_fence(*state));
	assert_int_equal(open_descriptors(), before);
}

/* ---- tests: trailers, 1xx, wrong headers ----------------------------------------------------- */

static void trailers_follow_the_body(void **state)
{
	struct response r = get(*state, "/trailers");

	assert_int_equal(r.status, 200);
	assert_memory_equal(r.body, "body", 4);
	assert_non_null(r.trailer);
	assert_string_equal(frame_field(r.trailer, "x-sum"), "42");
	assert_true(r.trailer->flags & FLAG_END_STREAM);
	assert_int_equal(number_get("send early"), H2SESS_ETRAILERSNOTREADY);
	assert_int_equal(number_get("send"), 0);
	assert_int_equal(number_get("send twice"), H2SESS_ETRAILERSSENT);
	response_done(&r);
}

static void informational_responses_come_first(void **state)
{
	struct client *c = *state;
	struct response r = get(c, "/informational");

	assert_string_equal(frame_field(client_find(c, FRAME_HEADERS, 0), ":status"), "103");
	assert_string_equal(frame_field(client_find(c, FRAME_HEADERS, 0), "link"),
			    "</a>; rel=preload");
	assert_int_equal(r.status, 200);
	assert_int_equal(number_get("103"), 0);
	assert_int_equal(number_get("101"), H2SESS_EINFOSTATUS);
	assert_int_equal(number_get("200"), H2SESS_EINFOSTATUS);
	assert_int_equal(number_get("99"), H2SESS_EINFOSTATUS);
	assert_int_equal(number_get("late"), H2SESS_EHEADERSSENT);
	assert_int_equal(client_count(c, FRAME_HEADERS), 2);
	response_done(&r);
}

static void wrong_headers_are_refused(void **state)
{
	struct response r = get(*state, "/wrong");
	long wrong = number_get("wrong");

	if (wrong > 0)
		fail_msg("%s: \"%s\" gave %ld", WRONG[wrong - 1].name, WRONG[wrong - 1].value,
			 number_get("result"));
	assert_int_equal(r.status, 200); /* the stream is as if nothing had been tried */
	assert_memory_equal(r.body, "fine", 4);
	response_done(&r);
}

static void a_nul_in_a_value_is_refused(void **state)
{
	struct response r = get(*state, "/nul");

	assert_int_equal(number_get("respond"), H2SESS_EHEADER);
	assert_int_equal(r.status, 200);
	response_done(&r);
}

/* ---- main ------------------------------------------------------------------------------------ */

static int start(void **state)
{
	(void)state;
	server = routes_start(NULL, ROUTES);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_CLIENT(respond_write_end),
		WITH_CLIENT(end_responds_with_200),
		WITH_CLIENT(a_head_alone_ends_the_stream),
		WITH_CLIENT(no_status_is_200),
		WITH_CLIENT(head_has_no_body),
		WITH_CLIENT(no_content_has_no_body),
		WITH_CLIENT(writing_waits_for_drain),
		WITH_CLIENT(the_write_buffer_is_bounded),
		WITH_CLIENT(no_byte_over_the_streams_window),
		WITH_CLIENT(no_byte_over_the_connections_window),
		WITH_CLIENT(small_windows_carry_a_big_body),
		WITH_CLIENT(no_frame_over_the_peers_maximum),
		WITH_CLIENT(a_source_is_pulled_and_freed_once),
		WITH_CLIENT(a_failing_source_resets),
		WITH_CLIENT(a_source_may_wait),
		WITH_CLIENT(a_source_is_freed_when_the_peer_goes),
		WITH_CLIENT(a_source_is_freed_when_the_stream_is_reset),
		WITH_CLIENT(a_file_with_offset_and_length),
		WITH_CLIENT(the_descriptor_is_closed_at_the_end),
		WITH_CLIENT(trailers_follow_the_body),
		WITH_CLIENT(informational_responses_come_first),
		WITH_CLIENT(wrong_headers_are_refused),
		WITH_CLIENT(a_nul_in_a_value_is_refused),
	};

	return cmocka_run_group_tests_name("stream_out", tests, start, shared_stop);
}
