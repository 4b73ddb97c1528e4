/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_TIMES_H
#define CONTROLD_TIMES_H

#include <stdint.h>

#define TIME_TEXT 32 /* octets that hold an RFC 3339 time */

int64_t time_now_ms(void); /* since 1970 */
void time_text(int64_t ms, char ret[TIME_TEXT]);
int time_parse(const char *text, int64_t *ret_ms); /* RFC 3339; -1: it is not */

#endif
