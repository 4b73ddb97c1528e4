/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RPC server: connections of workers, their lines, our calls and their deadlines.
 *
 * The socket is opened at start. Each connection: its user is checked (SO_PEERCRED); lines are read
 * and handed to worker.c; hello must come within PEER_HELLO_MS. Calls are written at once and found
 * again by their id. Neither side waits: what is not read piles up here to PEER_QUEUE_MAX, then the
 * peer is closed. While there are calls whose result is wanted as text, each line is first looked at
 * for being one; whatever it is else, and whatever is wrong with it, is found by reading it.
 *
 * Failure modes, each closes the connection and is one log line: a user that is not allowed, no
 * hello, a line over RPC_LINE_MAX, not JSON, not a message, a full queue. Then every call ends as
 * LOST and the worker is told. A call whose deadline passes ends as TIMEOUT; its late answer is
 * dropped.
 */
#include "peer.h"

#include "controld.h"
#include "log.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct call {
	struct list link;
	uint64_t id;
	uint64_t deadline; /* loop time, 0: none */
	bool for_text;
	peer_answer_fn *fn;
	void *user;
};

struct output {
	uv_write_t request;
	char *line;
};

/* ---- ending ---------------------------------------------------------------------------------- */

static void finish_call(struct peer *peer, struct call *call, const struct peer_answer *answer)
{
	list_remove(&call->link);
	peer->call_count--;
	peer->text_calls -= call->for_text;
	call->fn(answer, call->user);
	free(call);
}

static void on_closed(uv_handle_t *handle)
{
	struct peer *peer = container_of(handle, struct peer, pipe);

	peer->controld->peers.count--;
	rpc_reader_done(&peer->reader);
	free(peer);
}

static void lose_calls(struct peer *peer)
{
	const struct peer_answer lost = {.outcome = PEER_LOST};

	while (!list_empty(&peer->calls))
		finish_call(peer, container_of(peer->calls.next, struct call, link), &lost);
}

static void close_now(struct peer *peer)
{
	if (uv_is_closing((uv_handle_t *)&peer->pipe))
		return;
	list_remove(&peer->link);
	uv_close((uv_handle_t *)&peer->pipe, on_closed);
	lose_calls(peer);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
	struct peer *peer = container_of(request->handle, struct peer, pipe);

	(void)status;
	free(request);
	close_now(peer);
}

void peer_close(struct peer *peer, const char *why)
{
	uv_shutdown_t *request;

	if (peer->closing)
		return;
	peer->closing = true;
	peer->opened = uv_now(peer->pipe.loop);
	uv_read_stop((uv_stream_t *)&peer->pipe);
	if (peer->worker)
		worker_lost(peer->worker, why);
	else
		log_limited("rpc: uid %u: %s", peer->uid, why);
	peer->worker = NULL;
	lose_calls(peer);
	request = malloc(sizeof(*request));
	if (request && uv_shutdown(request, (uv_stream_t *)&peer->pipe, on_shutdown) == 0)
		return;
	free(request);
	close_now(peer);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void on_written(uv_write_t *request, int status)
{
	struct output *output = container_of(request, struct output, request);
	struct peer *peer = container_of(request->handle, struct peer, pipe);

	free(output->line);
	free(output);
	if (status < 0 && status != UV_ECANCELED)
		peer_close(peer, uv_strerror(status));
}

/* Takes the line. */
static int write_line(struct peer *peer, char *line, size_t len)
{
	struct output *output = NULL;
	uv_buf_t buf = uv_buf_init(line, (unsigned)len);

	if (!line || peer->closing)
		goto fail;
	if (peer->pipe.write_queue_size + len > PEER_QUEUE_MAX) {
		peer->controld->metrics.limits[LIMIT_RPC_QUEUE]++;
		goto fail;
	}
	output = malloc(sizeof(*output));
	if (!output)
		goto fail;
	output->line = line;
	if (uv_write(&output->request, (uv_stream_t *)&peer->pipe, &buf, 1, on_written) == 0)
		return 0;
fail:
	free(output);
	free(line);
	return -1;
}

static void write_or_close(struct peer *peer, char *line, size_t len)
{
	const char *why = line ? "it does not read: the queue is full" : "out of memory";

	if (write_line(peer, line, len) < 0 && !peer->closing)
		peer_close(peer, why);
}

void peer_notify(struct peer *peer, enum rpc_method method, json_t *params)
{
	size_t len = 0;
	char *line = rpc_notification(method, params, &len);

	write_or_close(peer, line, len);
}

void peer_result(struct peer *peer, uint64_t id, json_t *result)
{
	size_t len = 0;
	char *line = rpc_result(id, result, &len);

	write_or_close(peer, line, len);
}

void peer_error(struct peer *peer, uint64_t id, int error, const char *field, const char *detail)
{
	size_t len = 0;
	char *line = rpc_error(id, error, field, NULL, detail, &len);

	write_or_close(peer, line, len);
}

/* `wanted` says who is told, and of what form. */
static int make_call(struct peer *peer, enum rpc_method method, json_t *params, uint64_t timeout_ms,
		     const struct call *wanted)
{
	struct call *call;
	size_t len = 0;
	char *line;

	if (peer->call_count >= PEER_CALLS_MAX)
		peer->controld->metrics.limits[LIMIT_RPC_CALLS]++;
	call = peer->closing || peer->call_count >= PEER_CALLS_MAX ? NULL : malloc(sizeof(*call));
	if (!call) {
		json_decref(params);
		return -1;
	}
	*call = *wanted;
	call->id = ++peer->next_id;
	call->deadline = timeout_ms ? uv_now(peer->pipe.loop) + timeout_ms : 0;
	line = rpc_request(call->id, method, params, &len);
	if (write_line(peer, line, len) < 0) {
		free(call);
		return -1;
	}
	list_append(&peer->calls, &call->link);
	peer->call_count++;
	peer->text_calls += call->for_text;
	return 0;
}

int peer_call(struct peer *peer, enum rpc_method method, json_t *params, uint64_t timeout_ms,
	      peer_answer_fn *fn, void *user)
{
	const struct call wanted = {.fn = fn, .user = user};

	return make_call(peer, method, params, timeout_ms, &wanted);
}

int peer_call_text(struct peer *peer, enum rpc_method method, json_t *params, uint64_t timeout_ms,
		   peer_answer_fn *fn, void *user)
{
	const struct call wanted = {.fn = fn, .user = user, .for_text = true};

	return make_call(peer, method, params, timeout_ms, &wanted);
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct call *find_call(const struct peer *peer, uint64_t id)
{
	list_for_each(at, &peer->calls) {
		struct call *call = container_of(at, struct call, link);

		if (call->id == id)
			return call;
	}
	return NULL;
}

static void take_answer(struct peer *peer, const struct rpc_message *message)
{
	struct call *call = find_call(peer, message->id);
	struct peer_answer answer = {
		.outcome = message->kind == RPC_RESULT ? PEER_RESULT : PEER_ERROR,
		.result = message->result,
		.error = message->kind == RPC_RESULT ? NULL : message,
	};

	if (call)
		finish_call(peer, call, &answer);
}

static int on_message(const struct rpc_message *message, void *user)
{
	struct peer *peer = user;

	if (message->kind == RPC_RESULT || message->kind == RPC_ERROR)
		take_answer(peer, message);
	else
		worker_take_message(peer, message);
	return peer->closing ? -1 : 0;
}

/* Returns whether the line was the result of a call that wants text. */
static bool take_text(struct peer *peer, const char *line, size_t len)
{
	struct json_span result;
	struct peer_answer answer = {.outcome = PEER_RESULT, .text = &result};
	struct call *call;
	uint64_t id;

	if (!peer->text_calls || !rpc_line_result(line, len, &id, &result))
		return false;
	call = find_call(peer, id);
	if (!call || !call->for_text)
		return false;
	finish_call(peer, call, &answer);
	return true;
}

static int on_line(const char *line, size_t len, void *user)
{
	struct peer *peer = user;

	if (!take_text(peer, line, len))
		return rpc_line_read(line, len, on_message, peer);
	return peer->closing ? -1 : 0;
}

static void refuse_line(struct peer *peer, int error)
{
	if (error == RPC_ETOOLONG)
		peer_close(peer, "a line is too long");
	else if (error == RPC_ENOMEM)
		peer_close(peer, "out of memory");
	else if (error == RPC_EPARSE || error == RPC_EINVALID) {
		peer_error(peer, 0, error == RPC_EPARSE ? RPC_PARSE_ERROR : RPC_INVALID_REQUEST,
			   NULL, NULL);
		peer_close(peer, "a line is not a message");
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	static char buf[65536]; /* one loop, and rpc_reader copies what it keeps */

	(void)handle;
	(void)suggested;
	*ret = uv_buf_init(buf, sizeof(buf));
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct peer *peer = container_of(stream, struct peer, pipe);
	int r;

	if (len == 0 || peer->closing)
		return;
	if (len < 0) {
		peer_close(peer,
			   len == UV_EOF ? "it closed the connection" : uv_strerror((int)len));
		return;
	}
	r = rpc_reader_feed_lines(&peer->reader, buf->base, (size_t)len, on_line, peer);
	if (r < 0 && !peer->closing)
		refuse_line(peer, r);
}

/* ---- accepting ------------------------------------------------------------------------------- */

static bool is_allowed(const struct controld *controld, uid_t uid)
{
	for (size_t i = 0; i < controld->options.rpc_user_count; i++)
		if (controld->options.rpc_users[i] == uid)
			return true;
	return false;
}

static uid_t read_uid(struct peer *peer)
{
	struct ucred credentials = {.uid = (uid_t)-1};
	socklen_t len = sizeof(credentials);
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&peer->pipe, &fd) == 0)
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len);
	return credentials.uid;
}

static void refuse_crowd(struct peer *peer)
{
	peer->controld->metrics.limits[LIMIT_RPC_CONNECTIONS]++;
	peer_close(peer, "too many connections");
}

static void on_connection(uv_stream_t *server, int status)
{
	struct peers *peers = container_of(server, struct peers, pipe);
	struct peer *peer = status < 0 ? NULL : calloc(1, sizeof(*peer));

	if (!peer)
		return;
	peer->controld = peers->controld;
	peer->opened = uv_now(server->loop);
	list_init(&peer->calls);
	rpc_reader_init(&peer->reader);
	uv_pipe_init(server->loop, &peer->pipe,
		     0); /* read(), so descriptors sent to us are dropped */
	list_append(&peers->list, &peer->link);
	peers->count++;
	if (uv_accept(server, (uv_stream_t *)&peer->pipe) < 0) {
		close_now(peer);
		return;
	}
	peer->uid = read_uid(peer);
	if (!is_allowed(peers->controld, peer->uid))
		peer_close(peer, "this user may not connect (--rpc-user)");
	else if (peers->count > PEERS_MAX)
		refuse_crowd(peer);
	else
		uv_read_start((uv_stream_t *)&peer->pipe, on_alloc, on_read);
}

static void expire_calls(struct peer *peer, uint64_t now)
{
	const struct peer_answer timeout = {.outcome = PEER_TIMEOUT};

	struct list *at = peer->calls.next;

	while (at != &peer->calls) {
		struct call *call = container_of(at, struct call, link);

		at = at->next;
		if (!call->deadline || now < call->deadline)
			continue;
		finish_call(peer, call, &timeout);
		at = peer->calls.next; /* fn may have done anything */
	}
}

static void on_tick(uv_timer_t *tick)
{
	struct peers *peers = container_of(tick, struct peers, tick);
	uint64_t now = uv_now(tick->loop);

	list_for_each_safe(at, next, &peers->list) {
		struct peer *peer = container_of(at, struct peer, link);

		if (peer->closing && now - peer->opened >= PEER_LINGER_MS)
			close_now(peer);
		else if (!peer->closing && !peer->worker && now - peer->opened >= PEER_HELLO_MS)
			peer_close(peer, "it did not say hello in time");
		else
			expire_calls(peer, now);
	}
}

int peers_start(struct peers *peers, struct controld *controld, char *why)
{
	int r;

	peers->controld = controld;
	list_init(&peers->list);
	if (listener_open(&controld->options.rpc, "rpc", &peers->listener, why) < 0)
		return -1;
	uv_pipe_init(controld->loop, &peers->pipe, 0);
	uv_timer_init(controld->loop, &peers->tick);
	peers->started = true;
	r = uv_pipe_open(&peers->pipe, dup(peers->listener.fd)); /* libuv closes its own */
	if (r == 0)
		r = uv_listen((uv_stream_t *)&peers->pipe, 128, on_connection);
	if (r == 0)
		r = uv_timer_start(&peers->tick, on_tick, PEER_TICK_MS, PEER_TICK_MS);
	if (r < 0)
		snprintf(why, OPTIONS_WHY_MAX, "%s", uv_strerror(r));
	return r < 0 ? -1 : 0;
}

void peers_lose_calls(struct peers *peers)
{
	if (!peers->started)
		return;
	list_for_each(at, &peers->list)
		lose_calls(container_of(at, struct peer, link));
}

void peers_stop(struct peers *peers)
{
	if (!peers->started)
		return;
	list_for_each_safe(at, next, &peers->list) {
		struct peer *peer = container_of(at, struct peer, link);

		peer->closing = true;
		close_now(peer);
	}
	uv_close((uv_handle_t *)&peers->pipe, NULL);
	uv_close((uv_handle_t *)&peers->tick, NULL);
	listener_close(&peers->listener);
	peers->started = false;
}
