/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the app: a line of text, a redirect, a file or a part of it.
 *
 * What cannot be sent (no memory, a client that is gone) resets the stream.
 */
#include "answer.h"

#include "select.h"
#include "target.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FIELDS_MAX 14

/* A header block in the making: fields point to literals, or to what lives until respond() returns.
 */
struct block {
	struct h2sess_header fields[FIELDS_MAX];
	size_t n;
	char length[24];
	char range[64];
};

static void add(struct block *block, const char *name, const char *value)
{
	block->fields[block->n++] = (struct h2sess_header){
		.name = name,
		.value = value,
		.name_len = (uint32_t)strlen(name),
		.value_len = (uint32_t)strlen(value),
	};
}

/* Borrowed until the next second of this thread. */
static const char *date_now(void)
{
	static _Thread_local char date[HTTP_DATE_SIZE];
	static _Thread_local time_t second;
	time_t now = time(NULL);

	if (now != second)
		http_date(now, date);
	second = now;
	return date;
}

static void begin(struct block *block, const char *status)
{
	block->n = 0;
	add(block, ":status", status);
	add(block, "date", date_now());
}

static void add_length(struct block *block, int64_t length)
{
	snprintf(block->length, sizeof(block->length), "%" PRId64, length);
	add(block, "content-length", block->length);
}

static bool is_head(const struct h2sess_stream *st)
{
	const char *method = h2sess_stream_header(st, ":method");

	return method && !strcmp(method, "HEAD");
}

static void check(struct h2sess_stream *st, int r)
{
	if (r < 0)
		h2sess_stream_close(st, H2SESS_INTERNAL_ERROR);
}

/* ---- answers without a file ------------------------------------------------------------------ */

/* "404 Not Found", with one more field where name is not NULL. */
void answer_line(struct h2sess_stream *st, const char *line, const char *name, const char *value)
{
	char status[4];
	char body[64];
	struct block block;
	int len = snprintf(body, sizeof(body), "%s\n", line);
	int r;

	memcpy(status, line, 3);
	status[3] = '\0';
	begin(&block, status);
	add(&block, "content-type", "text/plain; charset=utf-8");
	add_length(&block, len);
	if (name)
		add(&block, name, value);
	r = h2sess_stream_respond(st, block.fields, block.n,
				  is_head(st) ? H2SESS_RESPOND_END_STREAM : 0);
	if (r >= 0 && !is_head(st))
		r = h2sess_stream_end(st, body, (size_t)len);
	check(st, r);
}

void answer_errno(struct h2sess_stream *st, int error)
{
	switch (error) {
	case ENFILE:
	case EMFILE:
	case ENOMEM:
		answer_line(st, "503 Service Unavailable", "retry-after", "1");
		return;
	case EIO:
		answer_line(st, "500 Internal Server Error", NULL, NULL);
		return;
	default: /* not there, not readable, out of the root: nobody is told which */
		answer_line(st, "404 Not Found", NULL, NULL);
	}
}

/* A directory without a slash at its end: relative links in its index would be wrong. */
void answer_redirect(struct h2sess_stream *st, const char *prefix, size_t prefix_len,
		     const char *path)
{
	char location[4 * PATH_MAX + 2];
	size_t len;

	if (prefix_len >= PATH_MAX) {
		answer_errno(st, ENAMETOOLONG);
		return;
	}
	memcpy(location, prefix, prefix_len);
	len = path ? target_encode(path, location + prefix_len, sizeof(location) - 1 - prefix_len)
		   : 0;
	if (path && !len) {
		answer_errno(st, ENAMETOOLONG);
		return;
	}
	memcpy(location + prefix_len + len, "/", 2);
	answer_line(st, "301 Moved Permanently", "location", location);
}

/* ---- answers with a file --------------------------------------------------------------------- */

/* What every answer about a file says of it. */
static void add_validators(struct block *block, const struct file *file)
{
	add(block, "etag", file->version.etag);
	add(block, "last-modified", file->version.last_modified);
	if (file->varies)
		add(block, "vary", "accept-encoding");
	if (file->cache_control)
		add(block, "cache-control", file->cache_control);
}

static void answer_not_modified(struct h2sess_stream *st, const struct file *file)
{
	struct block block;

	begin(&block, "304");
	add_validators(&block, file);
	check(st, h2sess_stream_respond(st, block.fields, block.n, H2SESS_RESPOND_END_STREAM));
}

static void answer_not_satisfiable(struct h2sess_stream *st, const struct version *version)
{
	char range[64];

	snprintf(range, sizeof(range), "bytes */%" PRId64, version->size);
	answer_line(st, "416 Range Not Satisfiable", "content-range", range);
}

/* From memory, or from the descriptor, which the stream owns then. */
static int respond_with(struct h2sess_stream *st, const struct block *block, struct file *file,
			int64_t offset, int64_t length)
{
	struct reading_out *reading;
	int r;

	if (!file->content) {
		r = h2sess_stream_respond_with_fd(st, block->fields, block->n, 0, file->fd, offset,
						  length);
		if (r >= 0)
			file->fd = -1;
		return r;
	}
	reading = content_read(file->content, offset, length);
	if (!reading)
		return H2SESS_ENOMEM;
	r = h2sess_stream_respond_with_source(st, block->fields, block->n, 0, content_source,
					      content_source_free, reading);
	if (r < 0)
		content_source_free(reading);
	return r;
}

static void answer_content(struct h2sess_stream *st, struct file *file, bool part, int64_t offset,
			   int64_t length)
{
	struct block block;
	int r;

	begin(&block, part ? "206" : "200");
	add(&block, "content-type", file->type);
	if (encoding_name(file->encoding))
		add(&block, "content-encoding", encoding_name(file->encoding));
	add_validators(&block, file);
	add(&block, "accept-ranges", "bytes");
	add_length(&block, length);
	if (part) {
		snprintf(block.range, sizeof(block.range), "bytes %" PRId64 "-%" PRId64 "/%" PRId64,
			 offset, offset + length - 1, file->version.size);
		add(&block, "content-range", block.range);
	}
	if (is_head(st) || !length)
		r = h2sess_stream_respond(st, block.fields, block.n, H2SESS_RESPOND_END_STREAM);
	else
		r = respond_with(st, &block, file, offset, length);
	check(st, r);
}

void answer_file(struct h2sess_stream *st, struct file *file)
{
	const struct condition condition = {
		.if_match = h2sess_stream_header(st, "if-match"),
		.if_unmodified_since = h2sess_stream_header(st, "if-unmodified-since"),
		.if_none_match = h2sess_stream_header(st, "if-none-match"),
		.if_modified_since = h2sess_stream_header(st, "if-modified-since"),
		/* Range is defined for GET alone. */
		.range = is_head(st) ? NULL : h2sess_stream_header(st, "range"),
		.if_range = h2sess_stream_header(st, "if-range"),
	};
	int64_t offset, length;
	enum selection selection = select_part(&file->version, &condition, &offset, &length);

	if (selection == SELECT_FAILED)
		answer_line(st, "412 Precondition Failed", NULL, NULL);
	else if (selection == SELECT_NOT_MODIFIED)
		answer_not_modified(st, file);
	else if (selection == SELECT_NOT_SATISFIABLE)
		answer_not_satisfiable(st, &file->version);
	else
		answer_content(st, file, selection == SELECT_PART, offset, length);
}
