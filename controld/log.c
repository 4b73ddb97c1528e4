/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's log: one line a decision, to stderr, where the service manager picks it up.
 *
 * Called by whoever decides. What others chose (names, paths, errors) is escaped: bytes under 0x20,
 * 0x7f and from 0x80 on become \xNN, and a line has at most LOG_LINE_MAX bytes. Tokens and bodies
 * are never passed in.
 *
 * Failure modes: stderr gone or full: the line is lost, nothing else happens. More than LOG_BURST
 * lines in a second that others can cause: the rest of that second is counted and said afterwards.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024
#define LOG_BURST 20 /* lines a second */

static time_t burst_second;
static unsigned burst_lines;
static unsigned suppressed;

static size_t escape(char *to, size_t room, const char *from)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (; *from && n + 4 < room; from++) {
		unsigned char c = (unsigned char)*from;

		if (c >= 0x20 && c < 0x7f) {
			to[n++] = (char)c;
			continue;
		}
		to[n++] = '\\';
		to[n++] = 'x';
		to[n++] = hex[c >> 4];
		to[n++] = hex[c & 15];
	}
	return n;
}

static void write_line(const char *format, va_list args)
{
	static const char prefix[] = "h2sess-controld: ";
	char raw[LOG_LINE_MAX], line[LOG_LINE_MAX + sizeof(prefix) + 8];
	size_t n = sizeof(prefix) - 1;
	ssize_t written;

	vsnprintf(raw, sizeof(raw), format, args);
	snprintf(line, sizeof(line), "%s", prefix);
	n += escape(line + n, sizeof(line) - n - 2, raw);
	line[n++] = '\n';
	written = write(STDERR_FILENO, line, n);
	(void)written; /* nobody is left to be told */
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(format, args);
	va_end(args);
}

void log_limited(const char *format, ...)
{
	time_t now = time(NULL);
	va_list args;

	if (now != burst_second) {
		if (suppressed)
			log_line("%u lines more in that second were not written", suppressed);
		burst_second = now;
		burst_lines = suppressed = 0;
	}
	if (burst_lines >= LOG_BURST) {
		suppressed++;
		return;
	}
	burst_lines++;
	va_start(args, format);
	write_line(format, args);
	va_end(args);
}
