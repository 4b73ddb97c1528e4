/* SPDX-License-Identifier: Apache-2.0 */
/* Media types by extension: what web sites are made of, in one table. Text is UTF-8. */
#include "types.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *extension;
	const char *type;
} TYPES[] = {
	{"avif", "image/avif"},
	{"bin", "application/octet-stream"},
	{"bmp", "image/bmp"},
	{"css", "text/css; charset=utf-8"},
	{"csv", "text/csv; charset=utf-8"},
	{"gif", "image/gif"},
	{"gz", "application/gzip"},
	{"htm", "text/html; charset=utf-8"},
	{"html", "text/html; charset=utf-8"},
	{"ico", "image/vnd.microsoft.icon"},
	{"jpeg", "image/jpeg"},
	{"jpg", "image/jpeg"},
	{"js", "text/javascript; charset=utf-8"},
	{"json", "application/json"},
	{"map", "application/json"},
	{"md", "text/markdown; charset=utf-8"},
	{"mjs", "text/javascript; charset=utf-8"},
	{"mp3", "audio/mpeg"},
	{"mp4", "video/mp4"},
	{"ogg", "audio/ogg"},
	{"otf", "font/otf"},
	{"pdf", "application/pdf"},
	{"png", "image/png"},
	{"svg", "image/svg+xml"},
	{"tar", "application/x-tar"},
	{"ttf", "font/ttf"},
	{"txt", "text/plain; charset=utf-8"},
	{"wasm", "application/wasm"},
	{"webm", "video/webm"},
	{"webmanifest", "application/manifest+json"},
	{"webp", "image/webp"},
	{"woff", "font/woff"},
	{"woff2", "font/woff2"},
	{"xml", "application/xml"},
	{"zip", "application/zip"},
};

const char *type_extension(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *dot = strrchr(slash ? slash + 1 : path, '.');

	return dot ? dot + 1 : NULL;
}

const char *type_of(const char *path)
{
	const char *extension = type_extension(path);

	for (size_t i = 0; extension && i < sizeof(TYPES) / sizeof(*TYPES); i++) {
		if (!strcasecmp(extension, TYPES[i].extension))
			return TYPES[i].type;
	}
	return "application/octet-stream";
}

bool type_is_compressed(const char *type)
{
	static const char *const beginnings[] = {
		"image/avif", "image/gif", "image/jpeg", "image/png",	     "image/webp",
		"video/",     "audio/",	   "font/woff",	 "application/gzip", "application/zip",
	};

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++) {
		if (!strncmp(type, beginnings[i], strlen(beginnings[i])))
			return true;
	}
	return false;
}
