/* SPDX-License-Identifier: Apache-2.0 */
/* A complete server, HTTP/2 over TLS: hello CERT KEY ADDRESS:PORT. h2sess(3) explains it. */
#include <h2sess/h2sess.h>
#include <signal.h>
#include <stdio.h>

static void on_stream(const struct h2sess_event *ev, void *user)
{
	static const struct h2sess_header head = H2SESS_HEADER("content-type", "text/plain");

	(void)user;
	h2sess_stream_respond(ev->stream, &head, 1, 0);
	h2sess_stream_end(ev->stream, "hello\n", 6);
}

int main(int argc, char **argv)
{
	struct h2sess_certificate certificate = {argv[1], argc == 4 ? argv[2] : NULL};
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_server *server = NULL;
	sigset_t signals;
	int r, received;

	options.certificates = &certificate;
	options.n_certificates = 1;
	r = h2sess_server_new(&options, &server, NULL);
	if (r == 0)
		r = h2sess_on(h2sess_server_emitter(server), "stream", on_stream, NULL, NULL);
	if (r == 0)
		r = h2sess_server_listen(server, argv[3], H2SESS_LISTEN_TLS);
	fprintf(stderr, "%s, port %d\n", h2sess_strerror(r < 0 ? r : 0), r);
	sigfillset(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (r > 0 && sigwait(&signals, &received) == 0 && h2sess_server_close(server, 5000) == 0)
		h2sess_server_wait(server, UINT32_MAX);
	h2sess_server_free(server);
	return r < 0;
}
