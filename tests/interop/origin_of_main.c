/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of hexadecimal on stdin, each a URL; on stdout the origin of each, or "!" and an error's
 * wire name. For origin_differential.mjs.
 */
#include <h2sess/h2sess.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 200000

static int hex_value(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void decode(const char *line, char *url)
{
	size_t i, n = strcspn(line, "\n") / 2;

	for (i = 0; i < n; i++)
		url[i] = (char)(hex_value(line[2 * i]) << 4 | hex_value(line[2 * i + 1]));
	url[n] = '\0';
}

int main(void)
{
	static char line[LINE_MAX_BYTES], url[LINE_MAX_BYTES], origin[LINE_MAX_BYTES];
	int r;

	while (fgets(line, sizeof(line), stdin)) {
		decode(line, url);
		r = h2sess_origin_of(url, origin, sizeof(origin));
		if (r < 0)
			printf("!%s\n", h2sess_errname(r));
		else
			printf("%s\n", origin);
	}
	return 0;
}
