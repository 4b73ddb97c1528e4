/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lines of the control protocol, and the daemon's answers, are written into. It grows by
 * doubling.
 */
#include "text.h"

#include "json_write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(struct text *text, size_t more)
{
	size_t cap = text->cap ? text->cap : 256;
	char *data;

	if (text->failed)
		return false;
	if (text->max && more > text->max - text->len) {
		text->failed = true;
		return false;
	}
	while (cap < text->len + more + 1)
		cap *= 2;
	if (cap == text->cap)
		return true;
	data = realloc(text->data, cap);
	if (!data) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->cap = cap;
	return true;
}

void text_append(struct text *text, const void *data, size_t len)
{
	if (!text_reserve(text, len))
		return;
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = 0;
}

void text_add(struct text *text, const char *string)
{
	text_append(text, string, strlen(string));
}

void text_format(struct text *text, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !text_reserve(text, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
	va_end(args);
	text->len += (size_t)len;
}

static int add_written(const char *data, size_t len, void *user)
{
	struct text *text = user;

	text_append(text, data, len);
	return text->failed ? -1 : 0;
}

void text_add_json(struct text *text, const json_t *value)
{
	if (!value || json_write(value, add_written, text) < 0)
		text->failed = true;
}

void text_consume(struct text *text, size_t len)
{
	text->len -= len;
	if (text->len)
		memmove(text->data, text->data + len, text->len);
	if (text->data)
		text->data[text->len] = 0;
}

void text_done(struct text *text)
{
	free(text->data);
	*text = (struct text){0};
}
