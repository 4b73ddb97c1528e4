/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATIC_FILE_H
#define STATIC_FILE_H

#include "encoding.h"
#include "select.h"

#include <h2sess/h2sess.h>
#include <stdbool.h>

struct site;

#define FILES_MAX 64		       /* paths that a thread remembers for the rest of its turn */
#define FILE_CONTENT_MAX 16384	       /* octets of a file that is kept in memory for that long */
#define FILES_CONTENT_MAX (256u << 10) /* octets of all of them; they go with the next request */

/* Octets of a file, shared by the streams of one thread that send them. */
struct content {
	unsigned references;
	size_t len;
	unsigned char bytes[];
};

/* A file that was found for a request. */
struct file {
	int fd;			 /* -1: its content is in memory, or somebody has taken it */
	struct content *content; /* a reference, or NULL */
	struct version version;
	const char *type;
	const char *cache_control; /* NULL: no such field */
	enum encoding encoding;
	bool varies; /* another client may get another encoding */
};

/* What one thread has found in its turn. */
struct files;

/*
 * Open what path names below the site's root, in an encoding that its name says. Small files, and
 * that there is none, are remembered until the thread's next turn.
 *
 *   home  where the thread keeps it; NULL there before the first time
 *   turn  of h2sess_stream_turn()
 *
 * Returns 0, or a negative errno: EISDIR for a directory, ENOENT for what is no file either.
 */
int file_open(const struct site *site, struct files **home, uint64_t turn, const char *path,
	      enum encoding encoding, struct file *ret);
void file_close(struct file *file);

/* A source of h2sess.h: length octets of the content from offset on. NULL: no memory. */
struct reading_out;
struct reading_out *content_read(struct content *content, int64_t offset, int64_t length);
h2sess_source_fn content_source;
h2sess_source_free_fn content_source_free;

void files_free(struct files *files); /* NULL is allowed */

#endif
