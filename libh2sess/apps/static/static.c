/* SPDX-License-Identifier: Apache-2.0 */
/*
 * static:DIR: the files below DIR, over HTTP/2.
 *
 *   1. GET or HEAD, or it is 405
 *   2. target.c makes a relative path of the :path; a slash at its end means index.html
 *   3. root.c opens it, below DIR and nowhere else
 *   4. select.c judges conditions and ranges
 *   5. the header block, and the descriptor for the body: the library reads it as the client takes
 *      it
 *
 * Failures: 400 for a target that is none, 404 for what is not there, not a file, not ours to read
 * or not below DIR, 405, 416, 503 when descriptors have run out, 500 for other errors of the file
 * system.
 */
#include "root.h"
#include "select.h"
#include "target.h"
#include "types.h"

#include <errno.h>
#include <h2sess/app.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX "index.html"
#define FIELDS_MAX 12

/* The app's state. */
struct site {
	int root;
};

/* A header block in the making: fields point to literals, or to what lives until respond() returns.
 */
struct block {
	struct h2sess_header fields[FIELDS_MAX];
	size_t n;
	char date[HTTP_DATE_SIZE];
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

static void begin(struct block *block, const char *status)
{
	block->n = 0;
	add(block, ":status", status);
	http_date(time(NULL), block->date);
	add(block, "date", block->date);
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
static void answer_line(struct h2sess_stream *st, const char *line, const char *name,
			const char *value)
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

static void answer_errno(struct h2sess_stream *st, int error)
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
static void answer_redirect(struct h2sess_stream *st, const char *path)
{
	char location[3 * PATH_MAX + 2];
	size_t len = target_encode(path, location, sizeof(location) - 1);

	if (!len) {
		answer_errno(st, ENAMETOOLONG);
		return;
	}
	memcpy(location + len, "/", 2);
	answer_line(st, "301 Moved Permanently", "location", location);
}

/* ---- answers with a file --------------------------------------------------------------------- */

static void answer_not_modified(struct h2sess_stream *st, const struct version *version)
{
	struct block block;

	begin(&block, "304");
	add(&block, "etag", version->etag);
	add(&block, "last-modified", version->last_modified);
	check(st, h2sess_stream_respond(st, block.fields, block.n, H2SESS_RESPOND_END_STREAM));
}

static void answer_not_satisfiable(struct h2sess_stream *st, const struct version *version)
{
	char range[64];

	snprintf(range, sizeof(range), "bytes */%" PRId64, version->size);
	answer_line(st, "416 Range Not Satisfiable", "content-range", range);
}

/* *fd is -1 when the library has taken it. */
static void answer_content(struct h2sess_stream *st, int *fd, const char *path,
			   const struct version *version, bool part, int64_t offset, int64_t length)
{
	struct block block;
	int r;

	begin(&block, part ? "206" : "200");
	add(&block, "content-type", type_of(path));
	add(&block, "etag", version->etag);
	add(&block, "last-modified", version->last_modified);
	add(&block, "accept-ranges", "bytes");
	add_length(&block, length);
	if (part) {
		snprintf(block.range, sizeof(block.range), "bytes %" PRId64 "-%" PRId64 "/%" PRId64,
			 offset, offset + length - 1, version->size);
		add(&block, "content-range", block.range);
	}
	if (is_head(st) || !length) {
		r = h2sess_stream_respond(st, block.fields, block.n, H2SESS_RESPOND_END_STREAM);
	} else {
		r = h2sess_stream_respond_with_fd(st, block.fields, block.n, 0, *fd, offset,
						  length);
		if (r >= 0)
			*fd = -1; /* the stream owns it now */
	}
	check(st, r);
}

static void answer_file(struct h2sess_stream *st, int *fd, const char *path,
			const struct stat *status)
{
	const struct condition condition = {
		.if_none_match = h2sess_stream_header(st, "if-none-match"),
		.if_modified_since = h2sess_stream_header(st, "if-modified-since"),
		/* Range is defined for GET alone. */
		.range = is_head(st) ? NULL : h2sess_stream_header(st, "range"),
		.if_range = h2sess_stream_header(st, "if-range"),
	};
	struct version version;
	enum selection selection;
	int64_t offset, length;

	version_init(&version, status->st_size, status->st_mtim);
	selection = select_part(&version, &condition, &offset, &length);
	if (selection == SELECT_NOT_MODIFIED)
		answer_not_modified(st, &version);
	else if (selection == SELECT_NOT_SATISFIABLE)
		answer_not_satisfiable(st, &version);
	else
		answer_content(st, fd, path, &version, selection == SELECT_PART, offset, length);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void answer_path(const struct site *site, struct h2sess_stream *st, const char *path)
{
	struct stat status;
	int fd = root_open_below(site->root, path);

	if (fd < 0) {
		answer_errno(st, -fd);
		return;
	}
	if (fstat(fd, &status) < 0)
		answer_errno(st, errno);
	else if (S_ISDIR(status.st_mode))
		answer_redirect(st, path);
	else if (!S_ISREG(status.st_mode))
		answer_errno(st, ENOENT);
	else
		answer_file(st, &fd, path, &status);
	if (fd >= 0)
		close(fd);
}

static void answer_target(const struct site *site, struct h2sess_stream *st, const char *target)
{
	char path[PATH_MAX];

	switch (target_parse(target, path, sizeof(path) - sizeof(INDEX))) {
	case TARGET_DIRECTORY:
		strcat(path, INDEX);
		answer_path(site, st, path);
		return;
	case TARGET_FILE:
		answer_path(site, st, path);
		return;
	case TARGET_MALFORMED:
		answer_line(st, "400 Bad Request", NULL, NULL);
		return;
	case TARGET_FORBIDDEN:
		answer_line(st, "404 Not Found", NULL, NULL);
	}
}

static void on_stream(const struct h2sess_event *ev, void *user)
{
	const char *method = h2sess_stream_header(ev->stream, ":method");
	const char *target = h2sess_stream_header(ev->stream, ":path");

	if (!method || (strcmp(method, "GET") && strcmp(method, "HEAD")))
		answer_line(ev->stream, "405 Method Not Allowed", "allow", "GET, HEAD");
	else
		answer_target(user, ev->stream, target ? target : "");
}

/* ---- the app --------------------------------------------------------------------------------- */

static int init(const struct h2sess_app_context *context, void **ret_state, char *error,
		size_t error_len)
{
	struct site *site;
	int r;

	if (!*context->config) {
		snprintf(error, error_len, "needs a directory (static:DIR)");
		return H2SESS_EINVAL;
	}
	site = malloc(sizeof(*site));
	if (!site)
		return H2SESS_ENOMEM;
	site->root = root_open(context->config);
	if (site->root < 0) {
		snprintf(error, error_len, "%s", strerror(-site->root));
		free(site);
		return H2SESS_EACCES;
	}
	r = h2sess_on(context->emitter, H2SESS_EVENT_STREAM, on_stream, site, NULL);
	if (r < 0) {
		close(site->root);
		free(site);
		return r;
	}
	*ret_state = site;
	return 0;
}

static void fini(void *state)
{
	struct site *site = state;

	close(site->root);
	free(site);
}

H2SESS_API const struct h2sess_app h2sess_app;
const struct h2sess_app h2sess_app = {
	.size = sizeof(struct h2sess_app),
	.abi = H2SESS_APP_ABI,
	.name = "static",
	.init = init,
	.fini = fini,
};
