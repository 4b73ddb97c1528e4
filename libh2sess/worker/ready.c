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

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static json_t *place(const struct listening *l)
{
	char host[INET6_ADDRSTRLEN];

	if (!address_host(l->address, host, sizeof(host)))
		return NULL;
	return json_pack("{s:s, s:i}", "address", host, "port", (int)l->port);
}

static json_t *listening_array(const struct listening *listen, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *item = place(&listen[i]);

		if (!item || json_object_set_new(item, "tls", json_boolean(listen[i].tls)) < 0 ||
		    json_array_append_new(array, json_incref(item)) < 0) {
			json_decref(item);
			json_decref(array);
			return NULL;
		}
		json_decref(item);
	}
	return array;
}

static json_t *make_object(const char *name, const struct listening *listen, size_t n,
			   const struct listening *health)
{
	json_t *object = json_pack("{s:i, s:s, s:o}", "pid", (int)getpid(), "name", name, "listen",
				   listening_array(listen, n));

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

int ready_write(const char *path, const char *name, const struct listening *listen, size_t n,
		const struct listening *health)
{
	char part[PATH_MAX];
	json_t *object;
	int r = ENAMETOOLONG;

	object = make_object(name, listen, n, health);
	if (!object)
		r = ENOMEM;
	else if (snprintf(part, sizeof(part), "%s.part", path) < (int)sizeof(part))
		r = write_object(part, object);
	if (!r && rename(part, path) < 0)
		r = errno;
	json_decref(object);
	if (r)
		log_refusal(path, strerror(r));
	return r ? -1 : 0;
}

void ready_remove(const char *path)
{
	unlink(path);
}
