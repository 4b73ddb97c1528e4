/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_API_UTF8_H
#define H2SESS_API_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* How many octets the character at data has, of len that are there; 0: there is none. */
size_t utf8_character(const char *data, size_t len);

bool utf8_valid(const char *data, size_t len);

#endif
