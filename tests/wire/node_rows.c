/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance table: what Node's ServerHttp2Session does with an input, row by row, and what is
 * on the wire after it. Where Node aborts, truncates or drops in silence, the row says "ours".
 *
 * Rows of one call are lines of the table ROWS; those of more than one call are in node_scenes.c.
 * Values that C has no word for (objects, booleans, fractions, a NUL within a string: rows 14, 15,
 * 24, 40 and 43) are in tests/interop/push_node.mjs, and node_rows.mjs there counts them all.
 */
#include "support/cmocka_all.h"
#include "support/shared.h"

#include <stdio.h>
#include <string.h>

enum verb { ALTSVC, ALTSVC_STREAM, ORIGIN };

struct row {
	const char *name;
	enum verb verb;
	const char *alt;
	const char *input; /* the URL; ORIGIN: up to two, divided by a blank */
	uint32_t stream;
	int result;
	const char *wire; /* the origin (or origins) in the frame; NULL: nothing is sent */
};

#define ALT "h2=\":8000\""
#define ON_STREAM "" /* the origin of a frame on a stream */

static const struct row ROWS[] = {
	{"row 01: the path is no part of the origin", ALTSVC, ALT, "https://example.org:8111/this",
	 0, 0, "https://example.org:8111"},
	{"row 02: a foreign port stays", ALTSVC, ALT, "https://example.org:80", 0, 0,
	 "https://example.org:80"},
	{"row 03: the default port goes", ALTSVC, ALT, "https://example.org:443/foo", 0, 0,
	 "https://example.org"},
	{"row 03: the host is lower-cased", ALTSVC, ALT, "https://EXAMPLE.org:443/x", 0, 0,
	 "https://example.org"},
	{"row 04: a host that is not ASCII becomes A-labels", ALTSVC, ALT,
	 "https://b\xc3\xbc"
	 "cher.example",
	 0, 0, "https://xn--bcher-kva.example"},
	{"row 05: user, query and fragment go", ALTSVC, ALT, "https://user:pw@ex.org/?q#f", 0, 0,
	 "https://ex.org"},
	{"row 06: ftp has an origin", ALTSVC, ALT, "ftp://ex.org", 0, 0, "ftp://ex.org"},
	{"row 06: ws has an origin", ALTSVC, ALT, "ws://ex.org:81", 0, 0, "ws://ex.org:81"},
	{"row 07: a blob has its inner origin", ALTSVC, ALT, "blob:https://ex.org/uuid", 0, 0,
	 "https://ex.org"},
	{"row 08: file is opaque", ALTSVC, ALT, "file:///x", 0, H2SESS_EALTSVCORIGIN, NULL},
	{"row 08: an unknown scheme is opaque", ALTSVC, ALT, "abc:", 0, H2SESS_EALTSVCORIGIN, NULL},
	{"row 09: not a URL", ALTSVC, ALT, "nope", 0, H2SESS_EURL, NULL},
	{"row 09: nothing is not a URL", ALTSVC, ALT, "", 0, H2SESS_EURL, NULL},
	{"row 10 ours: nothing is sent verbatim", ALTSVC, ALT, "not-an-origin", 0, H2SESS_EURL,
	 NULL},
	{"row 11 ours: no Latin-1 on the wire", ALTSVC, ALT,
	 "https://b\xfc"
	 "cher.example",
	 0, H2SESS_EURL, NULL},
	{"row 12 ours: nothing is truncated", ALTSVC, ALT, "https://\xe4\xb8\xad.example", 0, 0,
	 "https://xn--fiq.example"},
	{"row 13: the word null is not a URL", ALTSVC, ALT, "null", 0, H2SESS_EURL, NULL},
	{"row 15: stream -1, as a uint32_t has it", ALTSVC_STREAM, ALT, NULL, (uint32_t)-1,
	 H2SESS_ERANGE, NULL},
	{"row 15: stream 0", ALTSVC_STREAM, ALT, NULL, 0, H2SESS_ERANGE, NULL},
	{"row 16: an unknown stream is no error and sends nothing", ALTSVC_STREAM, ALT, NULL, 3, 0,
	 NULL},
	{"row 16: the highest stream is no error and sends nothing", ALTSVC_STREAM, ALT, NULL,
	 2147483647, 0, NULL},
	{"row 16 ours: over 2^31-1 is out of range", ALTSVC_STREAM, ALT, NULL, 2147483648u,
	 H2SESS_ERANGE, NULL},
	{"row 16 ours: 2^32-1 is out of range", ALTSVC_STREAM, ALT, NULL, 4294967295u,
	 H2SESS_ERANGE, NULL},
	{"row 17: an open stream", ALTSVC_STREAM, ALT, NULL, 1, 0, ON_STREAM},
	{"row 19 ours: no origin", ALTSVC, ALT, NULL, 0, H2SESS_EALTSVCORIGIN, NULL},
	{"row 19 ours: clear without an origin", ALTSVC, "clear", NULL, 0, H2SESS_EALTSVCORIGIN,
	 NULL},
	{"row 20: clear", ALTSVC, "clear", "https://example.org", 0, 0, "https://example.org"},
	{"row 21: CLEAR is not looked at", ALTSVC, "CLEAR", "https://example.org", 0, 0,
	 "https://example.org"},
	{"row 21: garbage is not looked at", ALTSVC, "total garbage ,,,", "https://example.org", 0,
	 0, "https://example.org"},
	{"row 22 ours: an empty value is refused", ALTSVC, "", "https://example.org", 0,
	 H2SESS_EINVAL, NULL},
	{"row 22 ours: an empty value on a stream is refused", ALTSVC_STREAM, "", NULL, 1,
	 H2SESS_EINVAL, NULL},
	{"row 23: a tab", ALTSVC, "a\tb", "https://example.org", 0, 0, "https://example.org"},
	{"row 24: a backslash", ALTSVC, "a\\b", "https://example.org", 0, H2SESS_ECHAR, NULL},
	{"row 24: DEL", ALTSVC, "a\x7f", "https://example.org", 0, H2SESS_ECHAR, NULL},
	{"row 24: a newline", ALTSVC, "a\nb", "https://example.org", 0, H2SESS_ECHAR, NULL},
	{"row 24: U+0100", ALTSVC, "a\xc4\x80", "https://example.org", 0, H2SESS_ECHAR, NULL},
	{"row 25 ours: Latin-1 is refused", ALTSVC, "a\xe9z", "https://example.org", 0,
	 H2SESS_ECHAR, NULL},
	{"row 25 ours: UTF-8 is refused", ALTSVC, "a\xc3\xa9z", "https://example.org", 0,
	 H2SESS_ECHAR, NULL},
	{"row 26: no alt", ALTSVC, NULL, "https://example.org", 0, H2SESS_EARGTYPE, NULL},
	{"row 26: no alt on a stream", ALTSVC_STREAM, NULL, NULL, 1, H2SESS_EARGTYPE, NULL},
	{"row 26: the origin is looked at first", ALTSVC, NULL, "nope", 0, H2SESS_EURL, NULL},
	{"row 26: the stream is looked at first", ALTSVC_STREAM, NULL, NULL, 0, H2SESS_ERANGE,
	 NULL},
	{"row 26: the type is looked at before the characters", ALTSVC, "\\", "nope", 0,
	 H2SESS_EURL, NULL},
	{"row 35: two origins in one frame", ORIGIN, NULL, "https://foo.org/a/b/c https://bar.org",
	 0, 0, "https://foo.org https://bar.org"},
	{"row 36: duplicates are sent", ORIGIN, NULL, "https://foo.org https://foo.org", 0, 0,
	 "https://foo.org https://foo.org"},
	{"row 37 ours: no origins are the empty frame", ORIGIN, NULL, NULL, 0, 0, ""},
	{"row 38 ours: no empty entry", ORIGIN, NULL, " ", 0, H2SESS_EURL, NULL},
	{"row 39 ours: nothing is sent verbatim", ORIGIN, NULL, "xyz", 0, H2SESS_EURL, NULL},
	{"row 41: an opaque origin", ORIGIN, NULL, "foo://bar", 0, H2SESS_EORIGIN, NULL},
	{"row 41: the word null is not a URL", ORIGIN, NULL, "null", 0, H2SESS_EURL, NULL},
	{"row 42: not a URL", ORIGIN, NULL, "not-a-url", 0, H2SESS_EURL, NULL},
	{"row 44: all or nothing", ORIGIN, NULL, "https://ok.org bad", 0, H2SESS_EURL, NULL},
	{"row 44: all or nothing, the first one bad", ORIGIN, NULL, "bad https://ok.org", 0,
	 H2SESS_EURL, NULL},
	{"row 45: a wildcard is sent", ORIGIN, NULL, "https://*.example.org", 0, 0,
	 "https://*.example.org"},
	{"row 45: IPv6", ORIGIN, NULL, "https://[::1]:443", 0, 0, "https://[::1]"},
	{"row 45: IPv4 is normalised", ORIGIN, NULL, "https://192.168.1", 0, 0,
	 "https://192.168.0.1"},
};

#define N_ROWS (sizeof(ROWS) / sizeof(ROWS[0]))

/* ---- the table's runner ---------------------------------------------------------------------- */

/* Divide "a b" into its parts, in place. Returns how many there are. */
static size_t divide(char *text, const char *parts[2])
{
	char *blank = strchr(text, ' ');

	parts[0] = text;
	if (!blank)
		return 1;
	*blank = '\0';
	parts[1] = blank + 1;
	return 2;
}

static int push_origins(struct h2sess_session *s, const char *input)
{
	char text[128];
	const char *parts[2];

	if (!input)
		return h2sess_session_origin(s, NULL, 0);
	snprintf(text, sizeof(text), "%s", input);
	return h2sess_session_origin(s, parts, divide(text, parts));
}

struct row_call {
	const struct row *row;
	int result;
};

static void call_row(struct h2sess_session *s, void *user)
{
	struct row_call *call = user;
	const struct row *row = call->row;

	if (row->verb == ALTSVC)
		call->result = h2sess_session_altsvc(s, row->alt, row->input);
	else if (row->verb == ALTSVC_STREAM)
		call->result = h2sess_session_altsvc_stream(s, row->alt, row->stream);
	else
		call->result = push_origins(s, row->input);
}

static size_t put_entry(uint8_t *p, const char *text)
{
	size_t len = strlen(text);

	p[0] = (uint8_t)(len >> 8);
	p[1] = (uint8_t)len;
	memcpy(p + 2, text, len);
	return len + 2;
}

static size_t put_origins(uint8_t *p, const char *wire)
{
	char text[128];
	const char *parts[2];
	size_t i, n, at = 0;

	if (*wire == '\0')
		return 0;
	snprintf(text, sizeof(text), "%s", wire);
	n = divide(text, parts);
	for (i = 0; i < n; i++)
		at += put_entry(p + at, parts[i]);
	return at;
}

/* The payload that the row's frame must have, byte for byte. */
static size_t put_payload(uint8_t *p, const struct row *row)
{
	size_t at;

	if (row->verb == ORIGIN)
		return put_origins(p, row->wire);
	at = put_entry(p, row->wire);
	memcpy(p + at, row->alt, strlen(row->alt));
	return at + strlen(row->alt);
}

static void check_wire(const struct client *c, const struct row *row)
{
	uint8_t type = row->verb == ORIGIN ? FRAME_ORIGIN : FRAME_ALTSVC;
	const struct frame *frame = client_find(c, type, 0);
	uint8_t payload[256];
	size_t len;

	assert_int_equal(client_count(c, FRAME_ALTSVC) + client_count(c, FRAME_ORIGIN),
			 row->wire ? 1 : 0);
	if (!row->wire)
		return;
	assert_non_null(frame);
	len = put_payload(payload, row);
	assert_int_equal(frame->stream_id, row->stream);
	assert_int_equal(frame->flags, 0);
	assert_int_equal(frame->length, len);
	assert_memory_equal(frame->payload, payload, len);
}

static void test_row(void **state)
{
	struct row_call call = {.row = *state};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c;

	c = test_server_ready(server, NULL, id);
	client_get(c, "/hold"); /* stream 1 stays open */
	test_server_await(server, "stream", 's', id, 1);
	assert_true(test_server_run(server, id, call_row, &call));
	assert_string_equal(h2sess_errname(call.result), h2sess_errname(call.row->result));
	assert_true(client_fence(c));
	check_wire(c, call.row);
	assert_int_equal(client_count(c, FRAME_GOAWAY), 0);
	client_free(c);
}

/* ---- main ------------------------------------------------------------------------------------ */

int main(void)
{
	static struct CMUnitTest tests[N_ROWS];
	size_t i;

	for (i = 0; i < N_ROWS; i++)
		tests[i] =
			(struct CMUnitTest){ROWS[i].name, test_row, NULL, NULL, (void *)&ROWS[i]};
	return cmocka_run_group_tests_name("node_rows", tests, shared_start, shared_stop);
}
