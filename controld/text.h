/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_TEXT_H
#define CONTROLD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing string. After a failed allocation every further call does nothing and `failed` is set.
 */
struct text {
	char *data;
	size_t len;
	size_t cap;
	bool failed;
};

void text_append(struct text *text, const void *data, size_t len);
void text_add(struct text *text, const char *string);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_consume(struct text *text, size_t len); /* drop len bytes from the front */
void text_done(struct text *text);

#define TIME_TEXT 32 /* octets that hold an RFC 3339 time */

int64_t time_now_ms(void); /* since 1970 */
void time_text(int64_t ms, char ret[TIME_TEXT]);
int time_parse(const char *text, int64_t *ret_ms); /* RFC 3339; -1: it is not */

/* n random characters of a-z0-9 and a NUL into ret. */
void random_name(char *ret, size_t n);

/* base64url without padding. encode: ret has room for 4 * len / 3 + 4. decode: -1 on bad input. */
void base64url_encode(const void *data, size_t len, char *ret);
long base64url_decode(const char *string, size_t len, void *ret, size_t room);

#endif
