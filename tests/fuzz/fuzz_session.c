/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a client of a cleartext session sends: through adopt, a loop, nghttp2 and
 * listeners that answer, pause, reset and push. The first byte says whether a good preface goes
 * before them; its other bits choose what the listeners do.
 *
 * Every session must end when the client does.
 */
#include <errno.h>
#include <h2sess/h2sess.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENDING_MS 20000

enum { PREFACE = 1, RESET = 2, PUSH = 4, PAUSE = 8, TRAILERS = 16 };

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
static _Atomic uint8_t behaviour;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_data(const struct h2sess_event *ev, void *user)
{
	(void)user;
	if (behaviour & PAUSE)
		h2sess_stream_pause(ev->stream);
	h2sess_stream_write(ev->stream, ev->data, ev->len);
	if (behaviour & PAUSE)
		h2sess_stream_resume(ev->stream);
}

static void on_end(const struct h2sess_event *ev, void *user)
{
	(void)user;
	h2sess_stream_end(ev->stream, "done", 4);
}

static void on_want_trailers(const struct h2sess_event *ev, void *user)
{
	static const struct h2sess_header trailer = H2SESS_HEADER("x-trailer", "1");

	(void)user;
	h2sess_stream_send_trailers(ev->stream, &trailer, 1);
}

static void on_stream(const struct h2sess_event *ev, void *user)
{
	static const struct h2sess_header ok = H2SESS_HEADER(":status", "200");
	struct h2sess_emitter *emitter = h2sess_stream_emitter(ev->stream);

	(void)user;
	if (behaviour & PUSH)
		h2sess_session_altsvc(ev->session, "h2=\":1\"", "https://example.org");
	if (behaviour & RESET && ev->stream_id % 4 == 1) {
		h2sess_stream_close(ev->stream, H2SESS_CANCEL);
		return;
	}
	h2sess_on(emitter, H2SESS_EVENT_DATA, on_data, NULL, NULL);
	h2sess_on(emitter, H2SESS_EVENT_END, on_end, NULL, NULL);
	h2sess_on(emitter, H2SESS_EVENT_WANT_TRAILERS, on_want_trailers, NULL, NULL);
	h2sess_stream_respond(ev->stream, &ok, 1,
			      behaviour & TRAILERS ? H2SESS_RESPOND_WAIT_FOR_TRAILERS : 0);
}

/* One for all inputs: it ends with the process. */
static struct h2sess_server *the_server(void)
{
	static struct h2sess_server *server;
	struct h2sess_options options = H2SESS_OPTIONS_INIT;

	if (server)
		return server;
	if (h2sess_server_new(&options, &server, NULL) < 0 ||
	    h2sess_on(h2sess_server_emitter(server), H2SESS_EVENT_STREAM, on_stream, NULL, NULL) <
		    0)
		abort();
	return server;
}

/* libFuzzer's alarm interrupts. */
static void wait_for(int fd)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN};
	int r;

	do {
		r = poll(&waiting, 1, ENDING_MS);
	} while (r < 0 && errno == EINTR);
	if (r <= 0)
		abort();
}

/* Read what the session says until it closes. */
static void read_to_end(int fd)
{
	char buf[4096];
	ssize_t n;

	do {
		wait_for(fd);
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n > 0 || (n < 0 && errno == EINTR));
}

static void send_all(int fd, const uint8_t *data, size_t size)
{
	/* The peer may have ended by now; the buffer of the socket holds any input. */
	send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h2sess_server *server = the_server();
	int pair[2];

	if (!size)
		return 0;
	behaviour = data[0];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	if (h2sess_server_adopt(server, pair[1], NULL, NULL) < 0)
		abort();
	if (data[0] & PREFACE)
		send_all(pair[0], preface, sizeof(preface) - 1);
	send_all(pair[0], data + 1, size - 1);
	shutdown(pair[0], SHUT_WR);
	read_to_end(pair[0]);
	close(pair[0]);
	return 0;
}
