/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening below a root.
 *
 *   - openat2() with RESOLVE_BENEATH: the kernel refuses whatever leaves the root, absolute links
 *     and races with rename included
 *   - where there is no openat2(), or a sandbox forbids it: one component after the other, links
 *     refused
 *
 * O_NONBLOCK: opening a FIFO must not stop a loop thread.
 */
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
#define RACE_RETRIES 8 /* openat2() says EAGAIN when a rename is under way */

int root_open(const char *dir)
{
	/* Readable, not O_PATH: a root that may not be read is refused at start. */
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd;
}

static int open_beneath(int root, const char *path)
{
	const struct open_how how = {
		.flags = READ_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < RACE_RETRIES; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* The next component of *path into name, *path moved behind it and its slashes. */
static int next_component(const char **path, char name[NAME_MAX + 1])
{
	size_t len = strcspn(*path, "/");

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, *path, len);
	name[len] = '\0';
	if (!strcmp(name, "..") || !len)
		return -ENOENT;
	*path += len;
	*path += strspn(*path, "/");
	return 0;
}

/* Open the next component in `at`; what has more behind it must be a directory. */
static int open_component(int at, const char **path)
{
	char name[NAME_MAX + 1];
	int fd, r;

	r = next_component(path, name);
	if (r < 0)
		return r;
	fd = openat(at, name,
		    (**path ? O_PATH | O_DIRECTORY | O_CLOEXEC : READ_FLAGS) | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	return fd;
}

int root_walk_below(int root, const char *path)
{
	int at = root;

	do {
		int fd = open_component(at, &path);

		if (at != root)
			close(at);
		if (fd < 0)
			return fd;
		at = fd;
	} while (*path);
	return at;
}

int root_open_below(int root, const char *path)
{
	int fd = open_beneath(root, path);

	if (fd == -ENOSYS || fd == -EPERM)
		return root_walk_below(root, path);
	return fd;
}
