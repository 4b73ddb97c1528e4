/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's log: a line to stderr, written at once, so that lines of different threads do not
 * mix. As text, with the severity in front where stderr is the journal's (sd-daemon(3)), or as
 * JSON.
 *
 * A line that is too long is cut; a line that cannot be written is lost.
 */
#include "log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static atomic_bool as_json;
static _Thread_local char last_refusal[LOG_REFUSAL_MAX];

void log_set_json(bool json)
{
	atomic_store(&as_json, json);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

/* $JOURNAL_STREAM names the device and inode of the journal's end: is it our stderr? */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat status;
	char ours[64];

	if (!stream || fstat(STDERR_FILENO, &status) < 0)
		return false;
	snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	return strcmp(ours, stream) == 0;
}

static void write_text(int level, const char *text)
{
	char line[LINE_MAX_BYTES], severity[8] = "";
	int len;

	if (is_journal())
		snprintf(severity, sizeof(severity), "<%d>", level & 7);
	len = snprintf(line, sizeof(line) - 1, "%s%s: %s", severity, WORKER_NAME, text);
	if (len < 0)
		return;
	if ((size_t)len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	make_printable(line);
	line[len] = '\n';
	if (write(STDERR_FILENO, line, (size_t)len + 1) < 0)
		return; /* nowhere else to say it */
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static const char *level_name(int level)
{
	static const char *const names[] = {"emerg",   "alert",	 "crit", "err",
					    "warning", "notice", "info", "debug"};

	return names[level & 7];
}

static void format_now(char *ret, size_t size)
{
	struct timespec now;
	struct tm tm;
	char seconds[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

static void put_text(json_t *object, const char *key, const char *text)
{
	json_t *value = json_string(text);

	json_object_set_new(object, key, value ? value : json_string("(not UTF-8)"));
}

/* thing and rule: NULL but in refusals. */
static void write_json(int level, const char *message, const char *thing, const char *rule)
{
	json_t *object = json_object();
	char now[48];
	char *line;

	format_now(now, sizeof(now));
	put_text(object, "time", now);
	put_text(object, "level", level_name(level));
	put_text(object, "message", message);
	if (thing) {
		put_text(object, "thing", thing);
		put_text(object, "rule", rule);
	}
	line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (line)
		dprintf(STDERR_FILENO, "%s\n", line);
	free(line);
}

/* ---- public ---------------------------------------------------------------------------------- */

void log_line(int level, const char *format, ...)
{
	char text[LINE_MAX_BYTES - sizeof(WORKER_NAME) - 16];
	va_list arguments;

	if (level > LOG_INFO)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (atomic_load(&as_json))
		write_json(level, text, NULL, NULL);
	else
		write_text(level, text);
}

void log_hook(int level, const char *message, void *user)
{
	(void)user;
	log_line(level, "%s", message);
}

void log_refusal(const char *thing, const char *rule)
{
	char text[LINE_MAX_BYTES - sizeof(WORKER_NAME) - 16];

	snprintf(text, sizeof(text), "%s: %s", thing, rule);
	snprintf(last_refusal, sizeof(last_refusal), "%.*s", LOG_REFUSAL_MAX - 1, text);
	if (atomic_load(&as_json))
		write_json(LOG_ERR, text, thing, rule);
	else
		write_text(LOG_ERR, text);
}

int log_refuse(const char *flag, const char *value, const char *rule)
{
	char thing[512];

	snprintf(thing, sizeof(thing), "%s%s%s", flag, value ? " " : "", value ? value : "");
	log_refusal(thing, rule);
	return -1;
}

const char *log_last_refusal(void)
{
	return last_refusal;
}
