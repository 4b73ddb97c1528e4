/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_API_JSON_WRITE_H
#define H2SESS_API_JSON_WRITE_H

#include <jansson.h>

/*
 * The text of any value, octet by octet what json_dump_callback() makes of it with JSON_COMPACT and
 * JSON_ENCODE_ANY, at a fraction of the price.
 *
 *   value  not NULL, and nothing in it contains itself
 *   fn     gets the text in pieces; -1 ends the writing
 *
 * Returns 0, or -1 when fn did.
 */
int json_write(const json_t *value, json_dump_callback_t fn, void *user);

#endif
