/* SPDX-License-Identifier: Apache-2.0 */
/* Files below a directory, and never outside it. */
#ifndef STATIC_ROOT_H
#define STATIC_ROOT_H

#include <stdbool.h>

/* Returns a descriptor of the directory, or a negative errno. */
int root_open(const char *dir);

/*
 * Open what path names below root, for reading. Symbolic links are followed as long as they stay
 * below root; without openat2() (Linux 5.6) none is followed. Returns a descriptor, or a negative
 * errno.
 *
 *   path  relative, no slash at its end
 */
int root_open_below(int root, const char *path);

/* The same without openat2(), for the test of that way. */
int root_walk_below(int root, const char *path);

#endif
