/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names outside of ASCII, and A-labels, as the URL standard has them (UTS 46, non-transitional).
 * url_host.c calls it; libidn2 does the work. Pure.
 *
 * Happy path: label by label; an ASCII one becomes lower case; any other is looked up, turned back
 * into Unicode and looked up again, and must come out the same: libidn2 lets A-labels pass that
 * hide a soft hyphen or another character that a name cannot have, and a browser would refuse them.
 *
 * libidn2's non-transitional lookup tests what IDNA 2008 allows, and that is no symbol, such as an
 * emoji. Its transitional one does not, and maps all but four characters alike. So what fails for a
 * symbol is looked up that way, unless it has one of the four, or anything from right to left: the
 * bidi rule is left out there, too.
 *
 * Refused here though Node takes it, each one by its rule:
 *   - length: an IDN of over 1024 bytes, over 254 octets as ASCII, or with a label over 63
 *   - hyphens: a label that is not ASCII begins or ends with one, or has two in third and fourth
 *     place
 *   - symbols in one label with sharp s, final sigma, a joiner or a right-to-left character
 *   - bidi: RFC 5893 2 in full (Node tests less of it); a label from right to left that ends in
 *     a hyphen and marks, or in a letter of a rare script behind a hyphen
 *   - an A-label that stands for nothing but ASCII (newer Nodes refuse it, too)
 *   - punctuation: a label that is not ASCII with other ASCII than letters, digits, hyphens
 *   - versions: characters that are younger than the Unicode tables of the libidn2 in use
 */
#include "url_idna.h"

#include "error_values.h"

#include <idn2.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* A name in the making. */
struct name {
	char text[URL_IDNA_ASCII_MAX + 1];
	size_t len;
};

static bool is_ascii(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((unsigned char)s[i] >= 0x80)
			return false;
	}
	return true;
}

static bool is_plain_label(const char *label, size_t len)
{
	return is_ascii(label, len) && (len < 4 || strncasecmp(label, "xn--", 4) != 0);
}

static size_t label_length(const char *name, size_t len)
{
	const char *dot = memchr(name, '.', len);

	return dot ? (size_t)(dot - name) : len;
}

/* ---- one label
 * ----------------------------------------------------------------------------------- */

/* The next code point of valid UTF-8; *p moves on. */
static uint32_t next_code_point(const unsigned char **p)
{
	const unsigned char *s = *p;
	size_t i, n = *s < 0x80 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? *s : *s & (0x7fu >> n);

	for (i = 1; i < n; i++)
		c = c << 6 | (s[i] & 0x3f);
	*p = s + n;
	return c;
}

/* The blocks that Unicode keeps for scripts written from right to left, and the marks for it. */
static bool is_right_to_left(uint32_t c)
{
	return (c >= 0x0590 && c <= 0x08ff) || (c >= 0x200e && c <= 0x202e) ||
	       (c >= 0xfb1d && c <= 0xfdff) || (c >= 0xfe70 && c <= 0xfefe) ||
	       (c >= 0x10800 && c <= 0x10fff) || (c >= 0x1e800 && c <= 0x1efff);
}

/* What the transitional mapping changes: sharp s, final sigma, the joiners. */
static bool is_deviation(uint32_t c)
{
	return c == 0xdf || c == 0x3c2 || c == 0x200c || c == 0x200d;
}

/* Letters and digits on which a label from right to left may end. */
static bool is_right_to_left_end(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 0x05d0 && c <= 0x05ea) ||
	       (c >= 0x0620 && c <= 0x064a) || (c >= 0x0660 && c <= 0x0669) ||
	       (c >= 0x0671 && c <= 0x06d3) || (c >= 0x06ee && c <= 0x06ff) ||
	       (c >= 0x0750 && c <= 0x077f);
}

static bool is_european_digit(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 0x06f0 && c <= 0x06f9);
}

static bool is_arabic_digit(uint32_t c)
{
	return (c >= 0x0660 && c <= 0x0669) || (c >= 0x10d30 && c <= 0x10d39);
}

/* A label as far as it was read. */
struct direction {
	bool right_to_left;
	bool european_digit;
	bool arabic_digit;
	bool ends_outside; /* in what is neither of those scripts nor a combining mark */
};

static void direction_add(struct direction *d, uint32_t c)
{
	d->right_to_left |= is_right_to_left(c);
	d->european_digit |= is_european_digit(c);
	d->arabic_digit |= is_arabic_digit(c);
	if (is_right_to_left_end(c))
		d->ends_outside = false;
	else if (!is_right_to_left(c) && !(c >= 0x0300 && c <= 0x036f))
		d->ends_outside = true;
}

static bool direction_is_right(const struct direction *d)
{
	return !d->right_to_left || (!d->ends_outside && !(d->european_digit && d->arabic_digit));
}

/* The two parts of the bidi rule that libidn2 leaves out (RFC 5893 2, 3 and 4), on the safe side.
 */
static bool labels_have_directions(const char *utf8)
{
	const unsigned char *p = (const unsigned char *)utf8;
	struct direction d = {.right_to_left = false};

	while (*p) {
		uint32_t c = next_code_point(&p);

		if (c != '.') {
			direction_add(&d, c);
			continue;
		}
		if (!direction_is_right(&d))
			return false;
		d = (struct direction){.right_to_left = false};
	}
	return direction_is_right(&d);
}

static bool both_mappings_agree(const char *utf8)
{
	const unsigned char *p = (const unsigned char *)utf8;

	while (*p) {
		uint32_t c = next_code_point(&p);

		if (is_right_to_left(c) || is_deviation(c))
			return false;
	}
	return true;
}

static int error_of(int r)
{
	return r == IDN2_OK ? 0 : r == IDN2_MALLOC ? H2SESS_ENOMEM : H2SESS_EURL;
}

/* label is NUL-terminated; what is not UTF-8 fails. Free *ret with idn2_free(). */
static int lookup(const char *label, char **ret)
{
	int r;

	r = idn2_lookup_u8((const uint8_t *)label, (uint8_t **)ret,
			   IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (r == IDN2_DISALLOWED && both_mappings_agree(label))
		r = idn2_lookup_u8((const uint8_t *)label, (uint8_t **)ret,
				   IDN2_TRANSITIONAL | IDN2_NFC_INPUT);
	return error_of(r);
}

/* Whether what was looked up stays what it is on the way to Unicode and back. */
static int check_stable(const char *ascii)
{
	char *unicode = NULL, *again = NULL;
	int r;

	r = error_of(idn2_to_unicode_8z8z(ascii, &unicode, 0));
	if (r == 0)
		r = labels_have_directions(unicode) ? lookup(unicode, &again) : H2SESS_EURL;
	if (r == 0 && strcmp(ascii, again) != 0)
		r = H2SESS_EURL;
	idn2_free(unicode);
	idn2_free(again);
	return r;
}

/* ---- all of them
 * --------------------------------------------------------------------------------- */

static int append(struct name *name, const char *text, size_t len)
{
	if (len > URL_IDNA_ASCII_MAX - name->len)
		return H2SESS_EURL;
	memcpy(name->text + name->len, text, len);
	name->len += len;
	return 0;
}

/* label is NUL-terminated. */
static int append_idn(struct name *name, const char *label)
{
	char *ascii = NULL;
	int r;

	r = lookup(label, &ascii);
	if (r == 0)
		r = check_stable(ascii);
	if (r == 0)
		r = append(name, ascii, strlen(ascii));
	idn2_free(ascii);
	return r;
}

static int append_label(struct name *name, const char *label, size_t len)
{
	char copy[URL_IDNA_INPUT_MAX + 1];

	if (is_plain_label(label, len))
		return append(name, label, len);
	if (memchr(label, '\0', len))
		return H2SESS_EURL;
	memcpy(copy, label, len);
	copy[len] = '\0';
	return append_idn(name, copy);
}

static void lower_ascii(struct name *name)
{
	size_t i;

	for (i = 0; i < name->len; i++) {
		if (name->text[i] >= 'A' && name->text[i] <= 'Z')
			name->text[i] |= 0x20;
	}
}

/* ---- public
 * -------------------------------------------------------------------------------------- */

bool url_idna_is_needed(const char *name, size_t len)
{
	size_t n = label_length(name, len);

	while (n < len && is_plain_label(name, n)) {
		name += n + 1;
		len -= n + 1;
		n = label_length(name, len);
	}
	return !is_plain_label(name, n);
}

int url_idna_to_ascii(char *name, size_t len)
{
	struct name out = {.len = 0};
	const char *label = name;
	size_t n;
	int r;

	if (len > URL_IDNA_INPUT_MAX)
		return H2SESS_EURL;
	for (;;) {
		n = label_length(label, len);
		r = append_label(&out, label, n);
		if (r < 0 || n == len)
			break;
		r = append(&out, ".", 1);
		if (r < 0)
			break;
		label += n + 1;
		len -= n + 1;
	}
	if (r < 0)
		return r;
	lower_ascii(&out);
	memcpy(name, out.text, out.len);
	name[out.len] = '\0';
	return (int)out.len;
}
