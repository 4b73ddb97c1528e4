/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's log: a line to stderr, written at once, so that lines of different threads do not
 * mix.
 *
 * A line that is too long is cut; a line that cannot be written is lost.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

static void write_line(const char *text)
{
	char line[LINE_MAX_BYTES];
	int len = snprintf(line, sizeof(line) - 1, "%s: %s", WORKER_NAME, text);

	if (len < 0)
		return;
	if ((size_t)len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	make_printable(line);
	line[len] = '\n';
	if (write(STDERR_FILENO, line, (size_t)len + 1) < 0)
		return; /* nowhere else to say it */
}

void log_line(int level, const char *format, ...)
{
	char text[LINE_MAX_BYTES - sizeof(WORKER_NAME) - 2];
	va_list arguments;

	if (level > LOG_INFO)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	write_line(text);
}

void log_hook(int level, const char *message, void *user)
{
	(void)user;
	log_line(level, "%s", message);
}

void log_refusal(const char *thing, const char *rule)
{
	log_line(LOG_ERR, "%s: %s", thing, rule);
}
