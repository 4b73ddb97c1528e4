/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See inheritance.h. Both ends of the format are here; what is read was written by another version
 * of this program, perhaps, so it is checked member by member.
 *
 *   {"boot": "k3v9x2m1qp7a", "name": "edge1", "sockets": [{"kind": "tls", "address":
 *    "0.0.0.0:443", "n": 2}, ...]}
 *
 * Failures: not such an object, a descriptor that is not open (one line each).
 */
#include "inheritance.h"

#include "log.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- reading --------------------------------------------------------------------------------- */

/* A descriptor of ours is not for the children that we may have. */
static bool is_open(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0;
}

static const char *read_set(const json_t *object, struct sockets *sockets, int *next_fd)
{
	const char *kind_name = json_string_value(json_object_get(object, "kind"));
	const char *address = json_string_value(json_object_get(object, "address"));
	json_int_t n = json_integer_value(json_object_get(object, "n"));
	struct socket_set *set;
	enum socket_kind kind;

	if (!kind_name || !address || n < 1 || n > H2SESS_THREADS_MAX ||
	    !socket_kind_by_name(kind_name, &kind))
		return "a member of sockets is not as this version has it";
	set = sockets_add(sockets, kind, address);
	if (!set)
		return "out of memory";
	for (; set->n < (size_t)n; set->n++) {
		if (!is_open(*next_fd))
			return "a descriptor that it names is not open";
		set->fds[set->n] = (*next_fd)++;
	}
	return NULL;
}

static const char *read_object(const json_t *object, struct inheritance *ret)
{
	const char *boot = json_string_value(json_object_get(object, "boot"));
	const char *name = json_string_value(json_object_get(object, "name"));
	const json_t *sockets = json_object_get(object, "sockets");
	int next_fd = INHERITANCE_FIRST_FD + 1;
	const char *rule = NULL;

	if (!boot || !name || !json_is_array(sockets))
		return "not as this version has it";
	if (!is_open(INHERITANCE_FIRST_FD))
		return "the descriptor of its channel is not open";
	ret->channel = INHERITANCE_FIRST_FD;
	ret->boot = strdup(boot);
	ret->name = strdup(name);
	if (!ret->boot || !ret->name)
		return "out of memory";
	for (size_t i = 0; i < json_array_size(sockets) && !rule; i++)
		rule = read_set(json_array_get(sockets, i), &ret->sockets, &next_fd);
	return rule;
}

int inheritance_take(struct inheritance *ret)
{
	const char *text = getenv(INHERITANCE_VARIABLE);
	const char *rule = "not JSON";
	json_t *object;

	memset(ret, 0, sizeof(*ret));
	ret->channel = -1;
	if (!text)
		return 0;
	object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	unsetenv(INHERITANCE_VARIABLE);
	if (object)
		rule = read_object(object, ret);
	json_decref(object);
	return rule ? log_refuse("$" INHERITANCE_VARIABLE, NULL, rule) : 0;
}

void inheritance_done(struct inheritance *inheritance)
{
	sockets_close(&inheritance->sockets);
	if (inheritance->channel >= 0)
		close(inheritance->channel);
	free(inheritance->boot);
	free(inheritance->name);
	memset(inheritance, 0, sizeof(*inheritance));
	inheritance->channel = -1;
}

/* ---- writing --------------------------------------------------------------------------------- */

static json_t *sets_array(const struct sockets *sockets)
{
	json_t *array = json_array();

	for (size_t i = 0; i < sockets->n; i++) {
		const struct socket_set *set = &sockets->items[i];

		if (json_array_append_new(array, json_pack("{s:s,s:s,s:i}", "kind",
							   socket_kind_name(set->kind), "address",
							   set->address, "n", (int)set->n)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

char *inheritance_write(const char *boot, const char *name, const struct sockets *sockets)
{
	json_t *object = json_pack("{s:s,s:s,s:o}", "boot", boot, "name", name, "sockets",
				   sets_array(sockets));
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	char *variable = NULL;

	json_decref(object);
	if (text && asprintf(&variable, "%s=%s", INHERITANCE_VARIABLE, text) < 0)
		variable = NULL;
	free(text);
	return variable;
}
