/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All memory of the library and of its nghttp2 sessions comes through here, so that a host can
 * bring its own allocator and a test can make the n-th allocation fail. Any thread.
 */
#ifndef H2SESS_MEMORY_H
#define H2SESS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_calloc(size_t n, size_t size);
void *mem_realloc(void *p, size_t size);
void mem_free(void *p);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len);

/* True when the host has brought its own allocator. */
bool mem_is_hosted(void);

/* Freeze the hook: it cannot change once something was allocated through it. */
void mem_freeze(void);

#endif
