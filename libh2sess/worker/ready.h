/* SPDX-License-Identifier: Apache-2.0 */
/* The ready file: how scripts and tests learn that a worker accepts, and where. */
#ifndef WORKER_READY_H
#define WORKER_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listening {
	const char *address; /* borrowed: ADDR:PORT as it was asked for */
	uint16_t port;	     /* the real one */
	bool tls;
};

/*
 * Write {"pid", "name", "listen": [{"address", "port", "tls"}]} and, where health is not NULL,
 * "health": {"address", "port"}. The file appears whole or not at all. Refusals are logged. Returns
 * 0, or -1.
 */
int ready_write(const char *path, const char *name, const struct listening *listen, size_t n,
		const struct listening *health);

/* An old file must not speak for a worker that does not accept yet. */
void ready_remove(const char *path);

#endif
