/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Globs as automata, for the selectors of the library and of the daemon. Pure.
 *
 * State i, a bit, is: i octets of the glob that are no star have been matched. `star` has the
 * states that stay where they are whatever comes; steps[c] those that go on to the next one with
 * octet c. So the time is linear in the text, and no pair of glob and text makes it slow.
 */
#include "glob.h"

#include <string.h>

static unsigned char fold(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

static void set_bit(uint64_t *words, size_t i)
{
	words[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool has_bit(const uint64_t *words, size_t i)
{
	return words[i / 64] >> (i % 64) & 1;
}

static void glob_add_octet(struct glob *glob, unsigned char octet)
{
	unsigned int c;

	for (c = 0; c < 256; c++) {
		if (octet == '?' || fold((unsigned char)c) == fold(octet))
			set_bit(glob->steps[c], glob->n);
	}
	glob->n++;
}

void glob_read(const char *text, struct glob *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (; *text; text++) {
		if (*text == '*')
			set_bit(ret->star, ret->n);
		else
			glob_add_octet(ret, (unsigned char)*text);
	}
}

/* Returns whether any state is left. words: as many as the glob has states in. */
static bool glob_step(const struct glob *glob, size_t words, uint64_t *states, unsigned char c)
{
	uint64_t carry = 0, any = 0;
	size_t i;

	for (i = 0; i < words; i++) {
		uint64_t stepping = states[i] & glob->steps[c][i];

		states[i] = stepping << 1 | carry | (states[i] & glob->star[i]);
		carry = stepping >> 63;
		any |= states[i];
	}
	return any;
}

bool glob_matches(const struct glob *glob, const char *text)
{
	uint64_t states[GLOB_WORDS] = {1};
	size_t words = glob->n / 64 + 1;
	bool open = has_bit(glob->star, glob->n); /* it ends with a star */

	if (!text)
		return false;
	for (; *text && !(open && has_bit(states, glob->n)); text++) {
		if (!glob_step(glob, words, states, (unsigned char)*text))
			return false;
	}
	return has_bit(states, glob->n);
}
