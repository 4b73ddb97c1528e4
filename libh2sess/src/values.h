/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_VALUES_H
#define H2SESS_VALUES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUES_TIME_MAX 32 /* "2026-01-31T12:00:00.000Z" and its NUL */

/* value is taken; NULL means that it could not be made. Returns whether it is in the object now. */
bool value_put(json_t *object, const char *key, json_t *value);
/* Returns object, or NULL after releasing it when ok is false. */
json_t *value_if(bool ok, json_t *object);

/*
 * A string of at most max bytes of text, cut between characters. What is not UTF-8 is taken for
 * Latin-1, so that a peer's octets always make a value. NULL when out of memory.
 */
json_t *value_text(const char *text, size_t max);
/* The same, and null for a NULL text. */
json_t *value_text_or_null(const char *text, size_t max);
json_t *value_base64(const void *data, size_t len);
json_t *value_hex(const void *data, size_t len);
/*
 * The octets of base64 (with its padding), at most max; none where json is NULL. Returns 0,
 * H2SESS_EARGTYPE (not a string), H2SESS_EINVAL, H2SESS_ERANGE.
 */
int value_read_base64(const json_t *json, void *data, size_t max, size_t *ret_len);
/* Exactly len octets of hexadecimal digits. Returns 0, H2SESS_EARGTYPE, H2SESS_EINVAL. */
int value_read_hex(const json_t *json, void *data, size_t len);

/* Milliseconds of Unix time as RFC 3339 in UTC. */
json_t *value_time(uint64_t unix_ms);

/* The reverse, to the millisecond; Z alone. Returns 0, H2SESS_EARGTYPE, H2SESS_EINVAL. */
int value_read_time(const json_t *json, uint64_t *ret_unix_ms);

/* About how many bytes of memory a value holds. */
size_t value_weight(const json_t *value);

#endif
