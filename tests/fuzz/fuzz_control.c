/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon may ask of a worker: the first byte chooses a method, the rest is its params (JSON;
 * "@" in it is the id of a session that is alive). The input is the daemon at the other end of a
 * real control link. Every request must be answered, whatever it says.
 */
#include <errno.h>
#include <h2sess/h2sess.h>
#include <poll.h>
#include <pthread.h>
#include <rpc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 20000
#define TIMEOUT_MAX 0.05 /* seconds: an answer that waits for a peer must not take longer here */

static const char *const methods[] = {
#define TO_WORKER(wire) wire,
#define TO_DAEMON(wire)
#define X(name, wire, direction, kind, text) direction(wire)
#include <h2sess/methods.def>
#undef X
#undef TO_WORKER
#undef TO_DAEMON
};

#define METHODS (sizeof(methods) / sizeof(*methods))

static struct h2sess_server *server;
static int link_fd = -1, client_fd = -1, listen_fd;
static uint64_t last_id;
static bool answered;
static struct rpc_reader reader;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char session_id[H2SESS_SESSION_ID_MAX]; /* guarded by lock */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_session(const struct h2sess_event *ev, void *user)
{
	(void)user;
	pthread_mutex_lock(&lock);
	snprintf(session_id, sizeof(session_id), "%s", h2sess_session_id(ev->session));
	pthread_mutex_unlock(&lock);
}

/* ---- a session to talk about ----------------------------------------------------------------- */

static bool is_alive(void)
{
	char buf[4096];
	ssize_t n;

	do {
		n = client_fd < 0 ? 0 : recv(client_fd, buf, sizeof(buf), MSG_DONTWAIT);
	} while (n > 0);
	return n < 0;
}

static void open_session(void)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	char buf[4096];
	int pair[2];

	if (client_fd >= 0)
		close(client_fd);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    send(pair[0], preface, sizeof(preface) - 1, 0) < 0 ||
	    h2sess_server_adopt(server, pair[1], NULL, NULL) < 0)
		abort();
	client_fd = pair[0];
	if (recv(client_fd, buf, sizeof(buf), 0) <= 0) /* SETTINGS: its event has been heard */
		abort();
}

/* ---- the daemon's end of the link ------------------------------------------------------------ */

static void send_line(char *line, size_t len)
{
	if (!line || send(link_fd, line, len, MSG_NOSIGNAL) != (ssize_t)len)
		abort();
	free(line);
}

static int on_message(const struct rpc_message *message, void *user)
{
	size_t len;
	char *line;

	(void)user;
	if (message->kind == RPC_REQUEST && message->method == RPC_HELLO) {
		line = rpc_result(message->id,
				  json_pack("{s:i, s:{s:[]}, s:[], s:b}", "protocol",
					    RPC_PROTOCOL_MAX, "filter", "types", "policies",
					    "accepting", 1),
				  &len);
		send_line(line, len);
		answered = true;
	}
	if ((message->kind == RPC_RESULT || message->kind == RPC_ERROR) && message->id == last_id)
		answered = true;
	return 0;
}

/* libFuzzer's alarm interrupts. */
static ssize_t read_some(char *buf, size_t len)
{
	struct pollfd waiting = {.fd = link_fd, .events = POLLIN};
	ssize_t r;

	do {
		r = poll(&waiting, 1, ANSWER_MS);
		if (r > 0)
			r = recv(link_fd, buf, len, 0);
	} while (r < 0 && errno == EINTR);
	return r;
}

static void read_until_answered(void)
{
	char buf[65536];
	ssize_t n;

	for (answered = false; !answered;) {
		n = read_some(buf, sizeof(buf));
		if (n <= 0 || rpc_reader_feed(&reader, buf, (size_t)n, on_message, NULL) < 0)
			abort();
	}
}

static void listen_for_worker(struct sockaddr_un *address)
{
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "/tmp/h2sess-fuzz-%d.sock",
		 (int)getpid());
	unlink(address->sun_path);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listen_fd < 0 || bind(listen_fd, (struct sockaddr *)address, sizeof(*address)) < 0 ||
	    listen(listen_fd, 1) < 0)
		abort();
}

/* One server and one link for all inputs: they end with the process. */
static void set_up(void)
{
	struct h2sess_options options = H2SESS_OPTIONS_INIT;
	struct h2sess_control_options link = {.size = sizeof(link), .name = "fuzz"};
	struct sockaddr_un address = {0};
	static struct h2sess_control *control;

	listen_for_worker(&address);
	link.path = address.sun_path;
	if (h2sess_server_new(&options, &server, NULL) < 0 ||
	    h2sess_on(h2sess_server_emitter(server), H2SESS_EVENT_SESSION, on_session, NULL, NULL) <
		    0 ||
	    h2sess_control_start(server, &link, &control) < 0)
		abort();
	link_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	unlink(address.sun_path);
	rpc_reader_init(&reader);
	read_until_answered();
}

/* ---- an input -------------------------------------------------------------------------------- */

/* Put the live session's id where the input says "@", and bound what it may wait for. */
static void complete(json_t *params)
{
	json_t *value;
	const char *key;
	void *next;

	json_object_foreach_safe(params, next, key, value)
	{
		if (json_is_string(value) && strcmp(json_string_value(value), "@") == 0)
			json_object_set_new(params, key, json_string(session_id));
		if (strcmp(key, "timeout") == 0 && json_number_value(value) > TIMEOUT_MAX)
			json_object_set_new(params, key, json_real(TIMEOUT_MAX));
	}
}

static bool is_notification(const char *method)
{
	return strcmp(method, "events.filter") == 0;
}

/* The answer comes when the client has acknowledged, and ours does not. */
static bool waits_for_client(const char *method)
{
	return strcmp(method, "session.ping") == 0 || strcmp(method, "session.settings") == 0;
}

static void ask(const char *method, json_t *params)
{
	json_t *message =
		json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", params);
	char *line;

	if (!message)
		return;
	if (!is_notification(method))
		json_object_set_new(message, "id", json_integer((json_int_t)++last_id));
	line = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	if (!line)
		return;
	send(link_fd, line, strlen(line), MSG_NOSIGNAL);
	send(link_fd, "\n", 1, MSG_NOSIGNAL);
	free(line);
	if (!is_notification(method) && !waits_for_client(method))
		read_until_answered();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *params;

	if (!size)
		return 0;
	params = json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(params)) {
		json_decref(params);
		return 0;
	}
	if (link_fd < 0)
		set_up();
	if (!is_alive())
		open_session();
	complete(params);
	ask(methods[data[0] % METHODS], params);
	return 0;
}
