/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An app plugin: answers every request with a greeting. See h2sess_app(3).
 *
 *   cc -shared -fPIC -o hello.so hello_app.c $(pkg-config --cflags --libs h2sess)
 *   h2sess-worker ... --app ./hello.so:world
 */
#include <h2sess/app.h>
#include <stdio.h>
#include <string.h>

static void on_stream(const struct h2sess_event *ev, void *name)
{
	if (h2sess_stream_write(ev->stream, "hello, ", 7) < 0 ||
	    h2sess_stream_write(ev->stream, name, strlen(name)) < 0 ||
	    h2sess_stream_end(ev->stream, "\n", 1) < 0)
		h2sess_stream_close(ev->stream, H2SESS_INTERNAL_ERROR);
}

static int init(const struct h2sess_app_context *context, void **ret_state, char *error,
		size_t error_len)
{
	if (!*context->config) {
		snprintf(error, error_len, "needs a name to greet");
		return H2SESS_EINVAL;
	}
	*ret_state = NULL;
	return h2sess_on(context->emitter, H2SESS_EVENT_STREAM, on_stream, (void *)context->config,
			 NULL);
}

H2SESS_API const struct h2sess_app h2sess_app;
const struct h2sess_app h2sess_app = {
	.size = sizeof(struct h2sess_app),
	.abi = H2SESS_APP_ABI,
	.name = "hello",
	.init = init,
};
