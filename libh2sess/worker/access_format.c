/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See access_format.h. JSON by hand, since a line is made for each request: keys are constant, and
 * text is cut at ACCESS_FIELD_MAX and escaped. Bytes over 0x7f are taken as Latin-1 in JSON
 * (\u00xx), as \xhh in the Common Log Format, which is how Apache escapes them.
 *
 * A line cannot outgrow its buffer: six fields of at most 6 x ACCESS_FIELD_MAX would, so what does
 * not fit any more is left out, and quotes and braces have their room kept.
 */
#include "access_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TAIL 64 /* bytes that are kept for what closes a line */

struct line {
	char *bytes;
	size_t len;
};

static void put(struct line *line, const char *text)
{
	size_t len = strlen(text);

	if (line->len + len > ACCESS_LINE_MAX - 1)
		len = ACCESS_LINE_MAX - 1 - line->len;
	memcpy(line->bytes + line->len, text, len);
	line->len += len;
}

static void put_number(struct line *line, const char *before, uint64_t number)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%" PRIu64, before, number);
	put(line, text);
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The bytes of text, those that are not plain as by escape; cut when it is long. */
static void put_escaped(struct line *line, const char *text, const char *escape)
{
	for (size_t i = 0; i < ACCESS_FIELD_MAX && text[i]; i++) {
		char one[8] = {text[i]};

		if (!is_plain((unsigned char)text[i]))
			snprintf(one, sizeof(one), escape, (unsigned int)(unsigned char)text[i]);
		if (line->len + strlen(one) > ACCESS_LINE_MAX - TAIL * 4)
			return;
		put(line, one);
	}
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_member(struct line *line, const char *key, const char *text)
{
	put(line, key);
	if (!text) {
		put(line, "null");
		return;
	}
	put(line, "\"");
	put_escaped(line, text, "\\u%04x");
	put(line, "\"");
}

static void put_time(struct line *line, uint64_t when_ms)
{
	time_t seconds = (time_t)(when_ms / 1000);
	char text[48], whole[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(whole, sizeof(whole), "{\"time\":\"%s.%03uZ\"", text, (unsigned)(when_ms % 1000));
	put(line, whole);
}

/* Numbers before text: what is cut, when it comes to that, is a client's long path. */
static void format_json(struct line *line, const struct access_entry *e)
{
	put_time(line, e->when_ms);
	put_member(line, ",\"session\":", e->session);
	put_number(line, ",\"stream\":", (uint64_t)e->stream);
	put_member(line, ",\"peer\":", e->peer);
	put_number(line, ",\"status\":", (uint64_t)e->status);
	put_number(line, ",\"code\":", e->code);
	put_number(line, ",\"bytesSent\":", e->bytes_sent);
	put_number(line, ",\"bytesReceived\":", e->bytes_received);
	put_number(line, ",\"durationUs\":", e->duration_us);
	put_member(line, ",\"method\":", e->method);
	put_member(line, ",\"scheme\":", e->scheme);
	put_member(line, ",\"authority\":", e->authority);
	put_member(line, ",\"path\":", e->path);
	put_member(line, ",\"referer\":", e->referer);
	put_member(line, ",\"userAgent\":", e->user_agent);
	put(line, "}");
}

/* ---- Common Log Format ----------------------------------------------------------------------- */

static void put_clf_time(struct line *line, uint64_t when_ms)
{
	time_t seconds = (time_t)(when_ms / 1000);
	char text[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), " - - [%d/%b/%Y:%H:%M:%S +0000] \"", &tm);
	put(line, text);
}

static void put_clf(struct line *line, const char *text)
{
	put_escaped(line, text ? text : "-", "\\x%02x");
}

static void format_clf(struct line *line, const struct access_entry *e, bool combined)
{
	put_clf(line, e->peer);
	put_clf_time(line, e->when_ms);
	put_clf(line, e->method);
	put(line, " ");
	put_clf(line, e->path);
	put(line, " HTTP/2.0\" ");
	if (e->status)
		put_number(line, "", (uint64_t)e->status);
	else
		put(line, "-");
	put_number(line, " ", e->bytes_sent);
	if (!combined)
		return;
	put(line, " \"");
	put_clf(line, e->referer);
	put(line, "\" \"");
	put_clf(line, e->user_agent);
	put(line, "\"");
}

/* ---- public ---------------------------------------------------------------------------------- */

bool access_format_by_name(const char *name, enum access_format *ret)
{
	static const char *const names[] = {
		[ACCESS_JSON] = "json", [ACCESS_COMMON] = "common", [ACCESS_COMBINED] = "combined"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(names[i], name))
			continue;
		*ret = (enum access_format)i;
		return true;
	}
	return false;
}

size_t access_format_entry(enum access_format format, const struct access_entry *entry,
			   char ret[ACCESS_LINE_MAX])
{
	struct line line = {.bytes = ret};

	if (format == ACCESS_JSON)
		format_json(&line, entry);
	else
		format_clf(&line, entry, format == ACCESS_COMBINED);
	ret[line.len++] = '\n';
	return line.len;
}
