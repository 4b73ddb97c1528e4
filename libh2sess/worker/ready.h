/* SPDX-License-Identifier: Apache-2.0 */
/* The ready file: how scripts and tests learn that a worker accepts, and where. */
#ifndef WORKER_READY_H
#define WORKER_READY_H

struct sockets;

/*
 * Write {"pid", "name", "listen": [{"address", "port", "tls"}]} and, where there is a health port,
 * "health": {"address", "port"}, beside path: ready_publish() puts it there. Refusals are logged.
 * Returns 0, or -1.
 */
int ready_prepare(const char *path, const char *name, const struct sockets *sockets);
int ready_publish(const char *path);

/* An old file must not speak for a worker that does not accept yet. */
void ready_remove(const char *path);

#endif
