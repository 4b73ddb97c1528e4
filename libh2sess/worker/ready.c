/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the ready file: beside its place first, then renamed, so that a reader never sees half of
 * it.
 *
 * Failures, one line: the directory cannot be written, the disk is full.
 */
#include "ready.h"

#include "address.h"
#include "log.h"
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static json_t *place(const struct socket_set *set)
{
	char host[INET6_ADDRSTRLEN];

	if (!address_host(set->address, host, sizeof(host)))
		return NULL;
	return json_pack("{s:s, s:i}", "address", host, "port", (int)set->port);
}

static json_t *listen_array(const struct sockets *sockets)
{
	json_t *array = json_array();

	for (size_t i = 0; i < sockets->n; i++) {
		const struct socket_set *set = &sockets->items[i];
		json_t *item;

		if (set->kind == SOCKET_HEALTH)
			continue;
		item = place(set);
		if (json_object_set_new(item, "tls", json_boolean(set->kind == SOCKET_TLS)) < 0 ||
		    json_array_append_new(array, json_incref(item)) < 0) {
			json_decref(item);
			json_decref(array);
			return NULL;
		}
		json_decref(item);
	}
	return array;
}

static json_t *make_object(const char *name, const struct sockets *sockets)
{
	const struct socket_set *health = sockets_health(sockets);
	json_t *object = json_pack("{s:i, s:s, s:o}", "pid", (int)getpid(), "name", name, "listen",
				   listen_array(sockets));

	if (object && health && json_object_set_new(object, "health", place(health)) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* Returns 0 or an errno. */
static int write_object(const char *path, const json_t *object)
{
	FILE *file = fopen(path, "we");
	int r = 0;

	if (!file)
		return errno;
	if (json_dumpf(object, file, JSON_COMPACT) < 0 || fputc('\n', file) == EOF)
		r = EIO;
	if (fclose(file) && !r)
		r = errno;
	return r;
}

/* The name that it has until it is whole and true. Returns 0 or an errno. */
static int part_of(const char *path, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s.part", path) < PATH_MAX ? 0 : ENAMETOOLONG;
}

static int refuse(const char *path, int error)
{
	log_refusal(path, strerror(error));
	return -1;
}

int ready_prepare(const char *path, const char *name, const struct sockets *sockets)
{
	json_t *object = make_object(name, sockets);
	char part[PATH_MAX];
	int r = object ? part_of(path, part) : ENOMEM;

	if (!r)
		r = write_object(part, object);
	json_decref(object);
	return r ? refuse(path, r) : 0;
}

int ready_publish(const char *path)
{
	char part[PATH_MAX];
	int r = part_of(path, part);

	if (!r && rename(part, path) < 0)
		r = errno;
	return r ? refuse(path, r) : 0;
}

void ready_remove(const char *path)
{
	unlink(path);
}
