/* SPDX-License-Identifier: Apache-2.0 */
/*
 * static:DIR, static:FILE.ini: the files below a directory, over HTTP/2.
 *
 *   1. GET or HEAD, or it is 405
 *   2. target.c makes a relative path of the :path, behind the place that the app is put at; a slash
 *      at its end means an index file
 *   3. root.c opens it, below DIR and nowhere else, and, if the client takes that, the compressed
 *      file beside it; file.c remembers it for the requests of the same turn
 *   4. select.c judges conditions and ranges
 *   5. answer.c: the header block, and the body, from memory or by its descriptor, which the library
 *      reads as the client takes it
 *
 * Failures: 400 for a target that is none, 404 for what is not there, not a file, not ours to read
 * or not below DIR, 405, 412, 416, 503 when descriptors have run out, 500 for other errors of the
 * file system.
 */
#include "answer.h"
#include "encoding.h"
#include "site.h"
#include "target.h"
#include "types.h"

#include <errno.h>
#include <h2sess/app.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX_MAX 4 /* ".br" with its NUL */

/* ---- files ----------------------------------------------------------------------------------- */

static int open_file(struct site *site, const struct h2sess_stream *st, const char *path,
		     enum encoding encoding, struct file *ret)
{
	uint32_t thread;
	uint64_t turn = h2sess_stream_turn(st, &thread);

	return file_open(site, &site->files[thread], turn, path, encoding, ret);
}

/* The file beside it, in the encoding that the client likes best of those that are there. */
static void use_compressed(struct site *site, const struct h2sess_stream *st, const char *path,
			   struct file *file)
{
	enum encoding order[ENCODINGS];
	size_t n = encoding_order(h2sess_stream_header(st, "accept-encoding"), order);
	char sibling[PATH_MAX + SUFFIX_MAX];
	struct file other;

	for (size_t i = 0; i < n && order[i] != ENCODING_IDENTITY; i++) {
		snprintf(sibling, sizeof(sibling), "%s%s", path, encoding_suffix(order[i]));
		if (open_file(site, st, sibling, order[i], &other) < 0)
			continue;
		other.type = file->type;
		file_close(file);
		*file = other;
		return;
	}
}

static void answer_opened(struct site *site, struct h2sess_stream *st, const char *path,
			  struct file *file)
{
	bool varies = site->precompressed && !type_is_compressed(file->type);

	if (varies)
		use_compressed(site, st, path, file);
	file->varies = varies;
	file->cache_control = site->cache_control;
	answer_file(st, file);
	file_close(file);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* target: the request's :path; path: what of it is a path below the root. */
static void answer_path(struct site *site, struct h2sess_stream *st, const char *target,
			const char *path)
{
	struct file file;
	int r = open_file(site, st, path, ENCODING_IDENTITY, &file);

	if (r == -EISDIR)
		answer_redirect(st, target, site->prefix_len, path);
	else if (r < 0)
		answer_errno(st, -r);
	else
		answer_opened(site, st, path, &file);
}

/* path ends with a slash, or is empty; there is room for a name behind it. */
static void answer_directory(struct site *site, struct h2sess_stream *st, char *path)
{
	struct file file;
	size_t len = strlen(path);
	int r = -ENOENT;

	for (size_t i = 0; i < site->n_indexes && r == -ENOENT; i++) {
		strcpy(path + len, site->indexes[i]);
		r = open_file(site, st, path, ENCODING_IDENTITY, &file);
	}
	if (r < 0)
		answer_errno(st, r == -EISDIR ? ENOENT : -r);
	else
		answer_opened(site, st, path, &file);
}

static void answer_target(struct site *site, struct h2sess_stream *st, const char *target)
{
	const char *rest = target + site->prefix_len;
	char path[PATH_MAX];

	if (site->prefix_len && *rest != '/') { /* the place itself, without its slash */
		answer_redirect(st, target, site->prefix_len, NULL);
		return;
	}
	switch (target_parse(rest, path, sizeof(path) - NAME_MAX - 1)) {
	case TARGET_DIRECTORY:
		answer_directory(site, st, path);
		return;
	case TARGET_FILE:
		answer_path(site, st, target, path);
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

static void fini(void *state)
{
	struct site *site = state;

	site_done(site);
	free(site);
}

static int init(const struct h2sess_app_context *context, void **ret_state, char *error,
		size_t error_len)
{
	struct site *site = malloc(sizeof(*site));
	int r;

	if (!site)
		return H2SESS_ENOMEM;
	r = site_init(site, context->config, context->path, error, error_len);
	if (r == 0)
		r = h2sess_on(context->emitter, H2SESS_EVENT_STREAM, on_stream, site, NULL);
	if (r < 0) {
		fini(site);
		return r;
	}
	*ret_state = site;
	return 0;
}

H2SESS_API const struct h2sess_app h2sess_app;
const struct h2sess_app h2sess_app = {
	.size = sizeof(struct h2sess_app),
	.abi = H2SESS_APP_ABI,
	.name = "static",
	.init = init,
	.fini = fini,
};
