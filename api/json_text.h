/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON object as text: is it one, and where in it are the members that are wanted? For what is
 * passed on as it came, without a value being built of it.
 *
 * No globals, no locks, no allocation.
 */
#ifndef H2SESS_API_JSON_TEXT_H
#define H2SESS_API_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_TEXT_DEPTH_MAX 32	/* objects and arrays inside one another */
#define JSON_TEXT_KEYS_MAX 128	/* of an object and those around it, so far */
#define JSON_TEXT_NUMBER_MAX 17 /* octets of a number: as an integer, it fits into 64 bits */

/* A value in a text, borrowed from it, without the space around it. */
struct json_span {
	const char *data; /* NULL: absent */
	size_t len;
	size_t count; /* of its elements or members; 0 for what has none */
};

struct json_member {
	const char *key; /* plain ASCII */
	struct json_span value;
};

/*
 * Check len octets of text, and say where the values of these members of the object are.
 *
 *   members  n of them, whose keys are set and whose values are empty; of no meaning after a false
 *
 * Returns true when the text is beyond doubt one object of RFC 8259, and one that jansson takes
 * with JSON_REJECT_DUPLICATES. False: it is not, or it is over a limit above, has a key with an
 * escape or an exponent of three digits; jansson knows.
 */
bool json_text_object(const char *data, size_t len, struct json_member *members, size_t n);

/* Is the value there, and written like this? */
bool json_span_is(const struct json_span *span, const char *text);

#endif
