/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker that goes, on its main thread.
 *
 *   1. takeover_start(): the program on disk is run with the same arguments; it inherits the
 *      listening sockets and one end of a channel
 *   2. it reads its configuration, loads its apps, accepts, and writes a line into the channel
 *   3. on_ready(): the owner lets its own copies go, then takeover_confirm() closes the channel,
 *      by which the successor knows that it is the only one
 *
 * Failures, each one line, and this worker serves on: no process can be made; the successor ends,
 * or closes the channel, before it is ready; it takes longer than TAKEOVER_TIMEOUT_MS (it is
 * killed).
 */
#include "takeover.h"

#include "inheritance.h"
#include "log.h"

#include <errno.h>
#include <h2sess/h2sess.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

struct takeover {
	uv_loop_t *loop;
	struct takeover_callbacks callbacks;
	char **argv;
	char program[PATH_MAX];
	uv_process_t process;
	uv_pipe_t channel;
	uv_timer_t timer;
	char word[16]; /* what came through the channel */
	bool running;  /* process: until it was waited for */
	bool open;     /* channel */
	bool ready;
	bool stopped;
	unsigned handles; /* of the three that are not closed yet */
};

/* ---- the end of one attempt ------------------------------------------------------------------ */

static void on_closed(uv_handle_t *handle)
{
	struct takeover *t = handle->data;

	if (--t->handles == 0 && t->stopped)
		free(t);
}

static void close_channel(struct takeover *t)
{
	if (!t->open)
		return;
	t->open = false;
	uv_close((uv_handle_t *)&t->channel, on_closed);
	uv_close((uv_handle_t *)&t->timer, on_closed);
}

static void give_up(struct takeover *t, const char *why)
{
	log_line(LOG_ERR, "take-over: the successor %s; this worker (pid %d) serves on", why,
		 (int)getpid());
	close_channel(t);
	if (t->running)
		uv_process_kill(&t->process, SIGTERM);
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal_number)
{
	struct takeover *t = process->data;
	char why[80];

	t->running = false;
	snprintf(why, sizeof(why),
		 signal_number ? "was ended by signal %d" : "ended with status %d",
		 signal_number ? signal_number : (int)status);
	if (t->open && !t->ready)
		give_up(t, why);
	uv_close((uv_handle_t *)process, on_closed);
}

static void on_timeout(uv_timer_t *timer)
{
	struct takeover *t = timer->data;

	if (!t->ready)
		give_up(t, "was not ready in time");
}

/* ---- the channel ----------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct takeover *t = handle->data;

	(void)suggested;
	*ret = uv_buf_init(t->word, sizeof(t->word));
}

static void on_word(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct takeover *t = stream->data;

	(void)buf;
	if (n <= 0 || t->ready) {
		/* When it ends, its exit says more: that is awaited. */
		if (n < 0)
			uv_read_stop(stream);
		return;
	}
	t->ready = true;
	uv_timer_stop(&t->timer);
	t->callbacks.on_ready(t->process.pid, t->callbacks.user);
}

void takeover_confirm(struct takeover *t)
{
	close_channel(t);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* Does a successor have no use for this variable? */
static bool is_of_this_process(const char *variable)
{
	static const char *const names[] = {"WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS",
					    "LISTEN_FDNAMES", INHERITANCE_VARIABLE};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t len = strlen(names[i]);

		if (!strncmp(variable, names[i], len) && variable[len] == '=')
			return true;
	}
	return false;
}

/* Our environment and one variable more. The array is to be freed, its strings are borrowed. */
static char **make_environment(char *variable)
{
	char **all;
	size_t n = 0, used = 0;

	while (environ[n])
		n++;
	all = calloc(n + 2, sizeof(*all));
	for (size_t i = 0; all && i < n; i++) {
		if (!is_of_this_process(environ[i]))
			all[used++] = environ[i];
	}
	if (all)
		all[used] = variable;
	return all;
}

/* 0, 1 and 2 are ours; then the channel; then the sockets. */
static uv_stdio_container_t *make_descriptors(int channel, const struct sockets *sockets,
					      int *ret_n)
{
	uv_stdio_container_t *all;
	size_t n = INHERITANCE_FIRST_FD + 1;

	for (size_t i = 0; i < sockets->n; i++)
		n += sockets->items[i].n;
	all = calloc(n, sizeof(*all));
	if (!all)
		return NULL;
	*ret_n = (int)n;
	for (n = 0; n < INHERITANCE_FIRST_FD; n++)
		all[n].data.fd = (int)n;
	all[n++].data.fd = channel;
	for (size_t i = 0; i < sockets->n; i++) {
		for (size_t j = 0; j < sockets->items[i].n; j++)
			all[n++].data.fd = sockets->items[i].fds[j];
	}
	while (n)
		all[--n].flags = UV_INHERIT_FD;
	return all;
}

static int spawn(struct takeover *t, int channel, const char *name, const struct sockets *sockets)
{
	char *variable = inheritance_write(h2sess_boot_id(), name, sockets);
	int n_descriptors = 0;
	uv_process_options_t options = {
		.exit_cb = on_process_exit,
		.file = t->program,
		.args = t->argv,
		.env = make_environment(variable),
		.stdio = make_descriptors(channel, sockets, &n_descriptors),
	};
	int r = UV_ENOMEM;

	options.stdio_count = n_descriptors;
	if (variable && options.env && options.stdio) {
		r = uv_spawn(t->loop, &t->process, &options);
		t->handles++; /* libuv wants it closed after a failure, too */
		t->running = r == 0;
		if (r < 0)
			uv_close((uv_handle_t *)&t->process, on_closed);
	}
	free(options.stdio);
	free(options.env);
	free(variable);
	return r;
}

static int open_channel(struct takeover *t, int *ret_other_end)
{
	int ends[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	uv_pipe_init(t->loop, &t->channel, 0);
	uv_timer_init(t->loop, &t->timer);
	t->handles += 2;
	t->open = true;
	r = uv_pipe_open(&t->channel, ends[0]);
	if (r == 0)
		r = uv_read_start((uv_stream_t *)&t->channel, on_alloc, on_word);
	if (r == 0)
		r = uv_timer_start(&t->timer, on_timeout, TAKEOVER_TIMEOUT_MS, 0);
	*ret_other_end = ends[1];
	return r;
}

bool takeover_start(struct takeover *t, const char *name, const struct sockets *sockets)
{
	int other_end = -1, r;

	if (t->handles) {
		log_line(LOG_WARNING, "take-over: a successor is on its way already");
		return false;
	}
	t->ready = false;
	r = open_channel(t, &other_end);
	if (r == 0)
		r = spawn(t, other_end, name, sockets);
	if (other_end >= 0)
		close(other_end);
	if (r == 0) {
		log_line(LOG_NOTICE, "take-over: %s is started as pid %d", t->program,
			 t->process.pid);
		return true;
	}
	log_line(LOG_ERR, "take-over: %s: %s; this worker serves on", t->program, uv_strerror(r));
	close_channel(t);
	return false;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct takeover *takeover_new(uv_loop_t *loop, char **argv,
			      const struct takeover_callbacks *callbacks)
{
	struct takeover *t = calloc(1, sizeof(*t));
	ssize_t len;

	if (!t)
		return NULL;
	t->loop = loop;
	t->argv = argv;
	t->callbacks = *callbacks;
	t->process.data = t;
	t->channel.data = t;
	t->timer.data = t;
	len = readlink("/proc/self/exe", t->program, sizeof(t->program) - 1);
	if (len < 0)
		snprintf(t->program, sizeof(t->program), "%s", argv[0]);
	return t;
}

void takeover_stop(struct takeover *t)
{
	if (!t)
		return;
	t->stopped = true;
	if (t->running && !t->ready)
		uv_process_kill(&t->process, SIGTERM);
	if (t->running) {
		t->running = false; /* nobody waits for it here any more */
		uv_close((uv_handle_t *)&t->process, on_closed);
	}
	close_channel(t);
	if (!t->handles)
		free(t);
}
