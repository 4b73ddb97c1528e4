/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of h2sess/errors.def, looked up by value and by wire name. Pure functions, any thread.
 */
#include "rpc.h"

#include <string.h>

#define HTTP_INTERNAL_ERROR 500

const char *api_error_name(int error)
{
	switch (error) {
#define X(name, value, wire, http, text) \
	case (value):                    \
		return (wire);
#include <h2sess/errors.def>
#undef X
	default:
		return NULL;
	}
}

int api_error_http(int error)
{
	switch (error) {
#define X(name, value, wire, http, text) \
	case (value):                    \
		return (http);
#include <h2sess/errors.def>
#undef X
	default:
		return HTTP_INTERNAL_ERROR;
	}
}

const char *api_error_text(int error)
{
	switch (error) {
#define X(name, value, wire, http, text) \
	case (value):                    \
		return (text);
#include <h2sess/errors.def>
#undef X
	default:
		return NULL;
	}
}

int api_error_by_name(const char *name)
{
	static const struct {
		const char *name;
		int value;
	} rows[] = {
#define X(row, number, wire, http, text) {(wire), (number)},
#include <h2sess/errors.def>
#undef X
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].value;
	return 0;
}
