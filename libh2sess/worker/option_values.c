/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See option_values.h. What only the library or the kernel can judge (a certificate, a busy port)
 * is taken as it is: those who use it refuse it.
 */
#include "option_values.h"

#include "address.h"
#include "options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define OUT_OF_MEMORY "out of memory"

/* ---- text ------------------------------------------------------------------------------------ */

const char *value_string(void *field, const char *value)
{
	char **text = field;
	char *copy;

	if (!*value)
		return "must not be empty";
	copy = strdup(value);
	if (!copy)
		return OUT_OF_MEMORY;
	free(*text);
	*text = copy;
	return NULL;
}

const char *value_strings(void *field, const char *value)
{
	struct strings *list = field;

	if (!*value)
		return "must not be empty";
	if (list->n == OPTIONS_REPEATS_MAX)
		return "given too often";
	return strings_add(list, value, strlen(value)) ? NULL : OUT_OF_MEMORY;
}

static bool is_name(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > OPTIONS_NAME_MAX)
		return false;
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && !strchr("._-", *text))
			return false;
	}
	return true;
}

const char *value_name(void *field, const char *value)
{
	return is_name(value) ? value_string(field, value) : "1 to 63 of A-Z a-z 0-9 . _ -";
}

const char *value_labels(void *field, const char *value)
{
	const struct strings *labels = field;
	const char *equals = strchr(value, '=');

	if (!equals || equals == value || equals - value > OPTIONS_NAME_MAX)
		return "KEY=VALUE with a key of 1 to 63 bytes";
	if (strlen(equals + 1) > OPTIONS_LABEL_VALUE_MAX)
		return "a label's value has at most 255 bytes";
	if (labels->n == OPTIONS_LABELS_MAX)
		return "at most 32 labels";
	return value_strings(field, value);
}

const char *value_app(void *field, const char *value)
{
	return app_routes_add(field, value);
}

const char *value_true(void *field, const char *value)
{
	bool *flag = field;

	(void)value;
	*flag = true;
	return NULL;
}

/* ---- places ---------------------------------------------------------------------------------- */

const char *value_address(void *field, const char *value)
{
	struct sockaddr_storage address;

	return address_parse(value, &address) ? value_string(field, value) : ADDRESS_RULE;
}

const char *value_addresses(void *field, const char *value)
{
	struct sockaddr_storage address;

	return address_parse(value, &address) ? value_strings(field, value) : ADDRESS_RULE;
}

const char *value_socket_path(void *field, const char *value)
{
	if (strlen(value) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "the path of a Unix socket has at most 107 bytes";
	return value_string(field, value);
}

static bool parse_number(const char *text, uint32_t max, uint32_t *ret)
{
	unsigned long long number;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
		return false;
	number = strtoull(text, NULL, 10);
	if (number > max)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool is_block(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	size_t len = strcspn(text, "/");
	uint32_t bits = 0;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, bytes) == 1)
		return !text[len] || parse_number(text + len + 1, 32, &bits);
	if (inet_pton(AF_INET6, address, bytes) == 1)
		return !text[len] || parse_number(text + len + 1, 128, &bits);
	return false;
}

const char *value_blocks(void *field, const char *value)
{
	return is_block(value) ? value_strings(field, value)
			       : "an address or a block of them (192.0.2.0/24, 2001:db8::/32)";
}

/* ---- numbers --------------------------------------------------------------------------------- */

const char *value_threads(void *field, const char *value)
{
	uint32_t *threads = field;

	if (!parse_number(value, H2SESS_THREADS_MAX, threads) || !*threads)
		return "a number from 1 to 64";
	return NULL;
}

const char *value_seconds(void *field, const char *value)
{
	uint32_t *ms = field;
	uint32_t seconds;

	if (!parse_number(value, OPTIONS_SECONDS_MAX, &seconds))
		return "seconds, at most a week (604800)";
	*ms = seconds * 1000;
	return NULL;
}

const char *value_tls_version(void *field, const char *value)
{
	int *version = field;

	if (!strcmp(value, "1.2"))
		*version = 0x0303;
	else if (!strcmp(value, "1.3"))
		*version = 0x0304;
	else
		return "1.2 or 1.3";
	return NULL;
}

const char *value_access_format(void *field, const char *value)
{
	return access_format_by_name(value, field) ? NULL : "json, common or combined";
}

const char *value_log_format(void *field, const char *value)
{
	enum log_format *format = field;

	if (!strcmp(value, "text"))
		*format = LOG_FORMAT_TEXT;
	else if (!strcmp(value, "json"))
		*format = LOG_FORMAT_JSON;
	else
		return "text or json";
	return NULL;
}

/* ---- limits ---------------------------------------------------------------------------------- */

enum limit_unit { MS, COUNT, BYTES, PER_SECOND };

struct limit_row {
	const char *name;
	size_t offset; /* of a uint32_t in struct h2sess_limits */
	bool optional; /* may be off: every time, and what is off by default */
	enum limit_unit unit;
};

static const struct limit_row LIMITS[] = {
#define X(field, value, unit, counter, text)                                                   \
	{#field, offsetof(struct h2sess_limits, field), (unit) == MS || (value) == UINT32_MAX, \
	 unit},
#include <h2sess/limits.def>
#undef X
};

static const struct limit_row *limit_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(LIMITS) / sizeof(*LIMITS); i++) {
		if (strlen(LIMITS[i].name) == len && !memcmp(LIMITS[i].name, name, len))
			return &LIMITS[i];
	}
	return NULL;
}

const char *value_limit(void *field, const char *value)
{
	const char *equals = strchr(value, '=');
	const struct limit_row *row;
	uint32_t number;

	if (!equals)
		return "NAME=VALUE";
	row = limit_by_name(value, (size_t)(equals - value));
	if (!row)
		return "no such limit (h2sess-worker --help lists them)";
	if (row->optional && !strcmp(equals + 1, "off"))
		number = UINT32_MAX;
	else if (!parse_number(equals + 1, UINT32_MAX - 1, &number) || !number)
		return row->unit == MS ? "milliseconds over 0, or off"
		       : row->optional ? "a number over 0, or off"
				       : "a number over 0";
	memcpy((char *)field + row->offset, &number, sizeof(number));
	return NULL;
}

void value_print_limits(void)
{
#define X(field, value, unit, counter, text)                       \
	if ((value) == UINT32_MAX)                                 \
		printf("  %-28s %10s  %s\n", #field, "off", text); \
	else                                                       \
		printf("  %-28s %10" PRIu32 "  %s\n", #field, (uint32_t)(value), text);
#include <h2sess/limits.def>
#undef X
}
