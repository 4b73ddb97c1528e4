/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATIC_ANSWER_H
#define STATIC_ANSWER_H

#include "file.h"

#include <h2sess/h2sess.h>

/* "404 Not Found", with one more field where name is not NULL. */
void answer_line(struct h2sess_stream *st, const char *line, const char *name, const char *value);

/* What an errno of opening a file means to a client. */
void answer_errno(struct h2sess_stream *st, int error);

/*
 * A directory without a slash at its end: relative links in its index would be wrong.
 *
 *   prefix  of the request's :path: where the app is put
 *   path    below it, not encoded; NULL: the place itself
 */
void answer_redirect(struct h2sess_stream *st, const char *prefix, size_t prefix_len,
		     const char *path);

/* The file, as far as the request's conditions and range go. Its fd is -1 afterwards when taken. */
void answer_file(struct h2sess_stream *st, struct file *file);

#endif
