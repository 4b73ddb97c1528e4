/* SPDX-License-Identifier: Apache-2.0 */
/* answer:BYTES: every request gets the response that `bare BYTES` gives: 200, three fields. */
#include <h2sess/app.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 65536

static char body[BODY_MAX], length[24];
static size_t body_len;

static void on_stream(const struct h2sess_event *ev, void *user)
{
	struct h2sess_header fields[] = {
		{.name = ":status", .value = "200", .name_len = 7, .value_len = 3},
		{.name = "content-type", .value = "text/plain", .name_len = 12, .value_len = 10},
		{.name = "content-length",
		 .value = length,
		 .name_len = 14,
		 .value_len = (uint32_t)strlen(length)},
	};

	(void)user;
	if (h2sess_stream_respond(ev->stream, fields, 3, 0) == 0)
		h2sess_stream_end(ev->stream, body, body_len);
}

static int init(const struct h2sess_app_context *context, void **ret_state, char *error,
		size_t error_len)
{
	*ret_state = NULL;
	body_len = context->config ? strtoul(context->config, NULL, 10) : 0;
	if (body_len > BODY_MAX) {
		snprintf(error, error_len, "at most %d octets", BODY_MAX);
		return H2SESS_ERANGE;
	}
	memset(body, 'x', body_len);
	snprintf(length, sizeof(length), "%zu", body_len);
	return h2sess_on(context->emitter, H2SESS_EVENT_STREAM, on_stream, NULL, NULL);
}

H2SESS_API const struct h2sess_app h2sess_app;
const struct h2sess_app h2sess_app = {
	.size = sizeof(struct h2sess_app),
	.abi = H2SESS_APP_ABI,
	.name = "answer",
	.init = init,
};
