/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer:BYTES[,ALT]: every request gets the response that `bare BYTES` gives: 200, three fields; with
 * ALT a fourth one, an Alt-Svc of the application's own.
 *
 * A request for /push/written or /push/received also sends one ALTSVC to every session, with that
 * receipt, as SIGUSR1 makes the others do.
 */
#include <h2sess/app.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 65536

static char body[BODY_MAX], length[24], alt[64];
static size_t body_len;

static void push(struct h2sess_server *server, enum h2sess_receipt receipt)
{
	struct h2sess_push altsvc = H2SESS_PUSH_INIT;
	struct h2sess_fanout_options options = H2SESS_FANOUT_OPTIONS_INIT;

	altsvc.kind = H2SESS_PUSH_ALTSVC;
	altsvc.alt = "h2=\":8000\"";
	altsvc.origin = "https://example.org";
	options.kind = H2SESS_FANOUT_PUSH;
	options.push = &altsvc;
	options.receipt = receipt;
	if (h2sess_fanout_start(server, &options, NULL) < 0)
		abort();
}

static void obey(const struct h2sess_event *ev)
{
	const char *path = h2sess_stream_header(ev->stream, ":path");

	if (!path || strncmp(path, "/push/", 6) != 0)
		return;
	push(ev->server,
	     strcmp(path, "/push/written") == 0 ? H2SESS_RECEIPT_WRITTEN : H2SESS_RECEIPT_RECEIVED);
}

static void on_stream(const struct h2sess_event *ev, void *user)
{
	struct h2sess_header fields[] = {
		{.name = ":status", .value = "200", .name_len = 7, .value_len = 3},
		{.name = "content-type", .value = "text/plain", .name_len = 12, .value_len = 10},
		{.name = "content-length",
		 .value = length,
		 .name_len = 14,
		 .value_len = (uint32_t)strlen(length)},
		{.name = "alt-svc",
		 .value = alt,
		 .name_len = 7,
		 .value_len = (uint32_t)strlen(alt)},
	};

	(void)user;
	obey(ev);
	if (h2sess_stream_respond(ev->stream, fields, *alt ? 4 : 3, 0) == 0)
		h2sess_stream_end(ev->stream, body, body_len);
}

static int init(const struct h2sess_app_context *context, void **ret_state, char *error,
		size_t error_len)
{
	const char *comma = context->config ? strchr(context->config, ',') : NULL;

	*ret_state = NULL;
	body_len = context->config ? strtoul(context->config, NULL, 10) : 0;
	snprintf(alt, sizeof(alt), "%s", comma ? comma + 1 : "");
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
