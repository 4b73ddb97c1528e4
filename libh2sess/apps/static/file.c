/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files as they are opened for requests.
 *
 * Many clients ask for the same few files at once. What a thread has found it remembers until its
 * next turn: a request that was read in the same turn gets what it would have got a moment ago, and
 * costs no system call. Nothing is older than a turn, so nothing has to be checked, or dropped by a
 * rule that somebody must know of.
 *
 * Failure modes: no memory, too large, or too many: the file is opened for that request alone.
 */
#include "file.h"

#include "root.h"
#include "site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct found {
	char *path;
	uint32_t hash;
	enum encoding encoding;
	int error; /* 0 or a negative errno */
	const char *type;
	struct version version;
	struct content *content;
};

struct files {
	uint64_t turn;
	size_t n;
	size_t bytes; /* of the contents */
	struct found found[FILES_MAX];
};

/* ---- content --------------------------------------------------------------------------------- */

static void content_unref(struct content *content)
{
	if (content && --content->references == 0)
		free(content);
}

/* All of a file; NULL: no memory, or it is not as long as it was said to be. */
static struct content *content_load(int fd, int64_t size)
{
	struct content *content = malloc(sizeof(*content) + (size_t)size);

	if (!content)
		return NULL;
	if (pread(fd, content->bytes, (size_t)size, 0) != size) {
		free(content);
		return NULL;
	}
	content->references = 1;
	content->len = (size_t)size;
	return content;
}

/* What a stream reads. */
struct reading_out {
	struct content *content;
	size_t offset;
	size_t left;
};

struct reading_out *content_read(struct content *content, int64_t offset, int64_t length)
{
	struct reading_out *reading = malloc(sizeof(*reading));

	if (!reading)
		return NULL;
	content->references++;
	*reading = (struct reading_out){content, (size_t)offset, (size_t)length};
	return reading;
}

ssize_t content_source(void *buf, size_t len, bool *ret_eof, void *user)
{
	struct reading_out *reading = user;

	if (len > reading->left)
		len = reading->left;
	memcpy(buf, reading->content->bytes + reading->offset, len);
	reading->offset += len;
	reading->left -= len;
	*ret_eof = reading->left == 0;
	return (ssize_t)len;
}

void content_source_free(void *user)
{
	struct reading_out *reading = user;

	content_unref(reading->content);
	free(reading);
}

/* ---- what a turn has found ------------------------------------------------------------------- */

static void forget(struct files *files)
{
	while (files->n) {
		struct found *found = &files->found[--files->n];

		free(found->path);
		content_unref(found->content);
	}
	files->bytes = 0;
}

void files_free(struct files *files)
{
	if (files)
		forget(files);
	free(files);
}

/* Those of this turn; NULL: no memory. */
static struct files *files_now(struct files **home, uint64_t turn)
{
	struct files *files = *home;

	if (!files)
		files = *home = calloc(1, sizeof(*files));
	if (files && files->turn != turn) {
		forget(files);
		files->turn = turn;
	}
	return files;
}

/* FNV-1a: it saves comparing, and nothing is lost when two are the same. */
static uint32_t hash_of(const char *path)
{
	uint32_t hash = 2166136261u;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 16777619u;
	return hash;
}

static const struct found *find(const struct files *files, const char *path, uint32_t hash,
				enum encoding encoding)
{
	for (size_t i = 0; i < files->n; i++) {
		const struct found *found = &files->found[i];

		if (found->hash == hash && found->encoding == encoding &&
		    !strcmp(found->path, path))
			return found;
	}
	return NULL;
}

/* file NULL: there is none. */
static void remember(struct files *files, const char *path, uint32_t hash, enum encoding encoding,
		     int error, const struct file *file)
{
	struct found *found = &files->found[files->n];

	if (files->n == FILES_MAX)
		return;
	*found = (struct found){
		.path = strdup(path), .hash = hash, .encoding = encoding, .error = error};
	if (!found->path)
		return;
	files->n++;
	if (!file)
		return;
	found->type = file->type;
	found->version = file->version;
	found->content = file->content;
	found->content->references++;
	files->bytes += file->content->len;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_new(const struct site *site, const char *path, enum encoding encoding,
		    struct file *ret)
{
	struct stat status;
	int r = 0;

	ret->fd = root_open_below(site->root, path);
	if (ret->fd < 0)
		return ret->fd;
	if (fstat(ret->fd, &status) < 0)
		r = -errno;
	else if (S_ISDIR(status.st_mode))
		r = -EISDIR;
	else if (!S_ISREG(status.st_mode))
		r = -ENOENT;
	if (r < 0) {
		file_close(ret);
		return r;
	}
	version_init(&ret->version, status.st_size, status.st_mtim, encoding_name(encoding));
	ret->encoding = encoding;
	ret->type = site_type_of(site, path);
	return 0;
}

/* Into memory, where that serves others, too. */
static void load(const struct files *files, struct file *file)
{
	int64_t size = file->version.size;

	if (size > FILE_CONTENT_MAX || files->n == FILES_MAX ||
	    files->bytes + (size_t)size > FILES_CONTENT_MAX)
		return;
	file->content = content_load(file->fd, size);
	if (!file->content)
		return;
	close(file->fd);
	file->fd = -1;
}

int file_open(const struct site *site, struct files **home, uint64_t turn, const char *path,
	      enum encoding encoding, struct file *ret)
{
	struct files *files = files_now(home, turn);
	uint32_t hash = hash_of(path);
	const struct found *found = files ? find(files, path, hash, encoding) : NULL;
	int r;

	*ret = (struct file){.fd = -1};
	if (found && found->error)
		return found->error;
	if (found) {
		ret->content = found->content;
		ret->content->references++;
		ret->version = found->version;
		ret->type = found->type;
		ret->encoding = encoding;
		return 0;
	}
	r = open_new(site, path, encoding, ret);
	if (!files)
		return r;
	if (r == 0)
		load(files, ret);
	if (r == -ENOENT)
		remember(files, path, hash, encoding, r, NULL);
	else if (ret->content)
		remember(files, path, hash, encoding, 0, ret);
	return r;
}

void file_close(struct file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	content_unref(file->content);
	file->content = NULL;
}
