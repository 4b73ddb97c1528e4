/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a value of Alt-Svc. What is taken may be sent, and each alternative lies in it. */
#include <alt_value.h>
#include <stdlib.h>
#include <string.h>

struct value {
	const char *text;
	size_t len;
	unsigned alternatives;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(const struct alt_alternative *alternative, void *user)
{
	struct value *value = user;

	value->alternatives++;
	if (alternative->protocol_len == 0 || alternative->protocol_len > ALT_PROTOCOL_MAX ||
	    alternative->protocol[alternative->protocol_len] != '\0' || alternative->port == 0)
		abort();
	if (alternative->host_len &&
	    (alternative->host < value->text ||
	     alternative->host + alternative->host_len > value->text + value->len))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct value value = {(const char *)data, size, 0};
	int r = alt_value_parse(value.text, size, visit, &value);

	if (r >= 0 && (size == 0 || alt_check_chars(value.text, size) != 0))
		abort();
	if ((r == 0) != (value.alternatives > 0) && r >= 0)
		abort();
	if (alt_value_parse(value.text, size, NULL, NULL) != r)
		abort();
	return 0;
}
