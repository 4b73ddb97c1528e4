/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See dispatch.h. Listeners run on the loop threads; generations come and go on the main thread.
 *
 *   1. a request comes: the current generation is acquired, its route found
 *   2. the app's emitter gets the event; no route: 421 where nothing is served for the host, else
 *      404
 *   3. the stream has ended: the line of the access log, and the generation is released
 *
 * A generation is acquired without a lock: count oneself, then look whether it is current still. It
 * is ended when it is retired and nobody is counted, and its memory stays until the end, so a
 * thread that counted itself too late finds a number there and nothing worse. A generation of no
 * use for a request that it lost is never touched.
 */
#include "dispatch.h"

#include "log.h"

#include <string.h>
#include <syslog.h>
#include <time.h>

/* ---- generations ----------------------------------------------------------------------------- */

static void release(struct dispatch *d, struct generation *g)
{
	if (atomic_fetch_sub(&g->users, 1) == 1 && atomic_load(&g->retired))
		uv_async_send(&d->over);
}

static struct generation *acquire(struct dispatch *d)
{
	for (;;) {
		struct generation *g = atomic_load(&d->current);

		atomic_fetch_add(&g->users, 1);
		if (g == atomic_load(&d->current))
			return g;
		release(d, g);
	}
}

/* The main thread. */
static void end_retired(struct dispatch *d)
{
	for (struct generation *g = d->newest; g; g = g->older) {
		if (!g->ended && atomic_load(&g->retired) && !atomic_load(&g->users))
			generation_end(g);
	}
}

static void on_over(uv_async_t *async)
{
	end_retired(async->data);
}

/* ---- requests: the loop threads -------------------------------------------------------------- */

static void answer(struct h2sess_stream *st, const char *status, const char *text)
{
	const struct h2sess_header fields[] = {
		{":status", status, 7, 3, 0, 0},
		H2SESS_HEADER("content-type", "text/plain; charset=utf-8"),
	};

	if (h2sess_stream_respond(st, fields, 2, 0) < 0 ||
	    h2sess_stream_end(st, text, strlen(text)) < 0)
		h2sess_stream_close(st, H2SESS_INTERNAL_ERROR);
}

static const char *authority_of(const struct h2sess_stream *st)
{
	const char *authority = h2sess_stream_header(st, ":authority");

	return authority ? authority : h2sess_stream_header(st, "host");
}

static const struct app_route *find_route(const struct app_routes *routes,
					  const struct h2sess_stream *st, bool *ret_misdirected)
{
	const char *path = h2sess_stream_header(st, ":path");

	return app_routes_find(routes, authority_of(st), path ? path : "", ret_misdirected);
}

static void on_stream(const struct h2sess_event *ev, void *user)
{
	struct generation *g = acquire(user);
	/* Measured: looking for host and path is a twentieth of a request, and mostly in vain. */
	const struct app_route *route = app_routes_only(&g->options.apps);
	bool misdirected = false;

	h2sess_stream_set_host(ev->stream, g); /* until dispatch_stream_end() */
	if (!route)
		route = find_route(&g->options.apps, ev->stream, &misdirected);
	if (!route && misdirected)
		answer(ev->stream, "421", "421 Misdirected Request\n");
	else if (!route || !h2sess_emit_event(g->apps[route - g->options.apps.items].emitter, ev))
		answer(ev->stream, "404", "404 Not Found\n");
}

/* ---- the access log -------------------------------------------------------------------------- */

static void fill_entry(struct h2sess_stream *st, const struct h2sess_peer *peer,
		       struct access_entry *e)
{
	uint64_t age_us = h2sess_stream_age_us(st);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*e = (struct access_entry){
		.when_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 -
			   age_us / 1000,
		.duration_us = age_us,
		.session = h2sess_session_id(h2sess_stream_session(st)),
		.peer = peer->address,
		.method = h2sess_stream_header(st, ":method"),
		.scheme = h2sess_stream_header(st, ":scheme"),
		.authority = authority_of(st),
		.path = h2sess_stream_header(st, ":path"),
		.referer = h2sess_stream_header(st, "referer"),
		.user_agent = h2sess_stream_header(st, "user-agent"),
		.bytes_sent = h2sess_stream_bytes_sent(st),
		.bytes_received = h2sess_stream_bytes_received(st),
		.stream = h2sess_stream_id(st),
		.status = h2sess_stream_status(st),
		.code = h2sess_stream_rst_code(st),
	};
}

static void log_request(const struct generation *g, struct h2sess_stream *st)
{
	struct h2sess_peer peer = {.size = sizeof(peer)};
	struct access_entry entry;
	char line[ACCESS_LINE_MAX];

	h2sess_session_peer(h2sess_stream_session(st), &peer);
	fill_entry(st, &peer, &entry);
	access_log_add(g->log, line, access_format_entry(g->options.access_format, &entry, line));
}

void dispatch_stream_end(struct h2sess_stream *st, void *user)
{
	struct generation *g = h2sess_stream_host(st);

	if (!g)
		return; /* no app has heard of it */
	if (g->log)
		log_request(g, st);
	release(user, g);
}

/* ---- the other events ------------------------------------------------------------------------ */

static void emit_on_all(const struct generation *g, const struct h2sess_event *ev)
{
	for (size_t i = 0; i < g->n_apps; i++)
		h2sess_emit_event(g->apps[i].emitter, ev);
}

/* The worker's labels are its sessions', until somebody sets others. */
static void set_labels(const struct strings *labels, struct h2sess_session *s)
{
	for (size_t i = 0; i < labels->n; i++) {
		const char *value = strchr(labels->items[i], '=') + 1;
		char key[OPTIONS_NAME_MAX + 1] = "";

		memcpy(key, labels->items[i], (size_t)(value - labels->items[i] - 1));
		if (h2sess_session_set_label(s, key, value) < 0)
			log_line(LOG_WARNING, "session %s: no memory for its label %s",
				 h2sess_session_id(s), key);
	}
}

/* An app that hears of a session may put listeners on it: its generation lasts as long. */
static void on_session(const struct h2sess_event *ev, void *user)
{
	struct generation *g = acquire(user);
	bool hears = false;

	set_labels(&g->options.labels, ev->session);
	for (size_t i = 0; i < g->n_apps; i++)
		hears |= g->apps[i].hears_sessions;
	if (!hears) {
		release(user, g);
		return;
	}
	h2sess_session_set_host(ev->session, g);
	emit_on_all(g, ev);
}

void dispatch_session_end(struct h2sess_session *s, void *user)
{
	struct generation *g = h2sess_session_host(s);

	if (g)
		release(user, g);
}

static void on_other(const struct h2sess_event *ev, void *user)
{
	struct generation *g = acquire(user);

	emit_on_all(g, ev);
	release(user, g);
}

/* ---- life ------------------------------------------------------------------------------------ */

void dispatch_init(struct dispatch *d, uv_loop_t *loop)
{
	memset(d, 0, sizeof(*d));
	uv_async_init(loop, &d->over, on_over);
	d->over.data = d;
}

static void link_generation(struct dispatch *d, struct generation *g)
{
	g->older = d->newest;
	d->newest = g;
	atomic_store(&d->current, g);
}

int dispatch_start(struct dispatch *d, struct h2sess_server *server, struct generation *first)
{
	static const struct {
		const char *event;
		h2sess_listener_fn *fn;
	} LISTENERS[] = {
		{H2SESS_EVENT_STREAM, on_stream},	{H2SESS_EVENT_SESSION, on_session},
		{H2SESS_EVENT_SESSION_ERROR, on_other}, {H2SESS_EVENT_UNKNOWN_PROTOCOL, on_other},
		{H2SESS_EVENT_CLOSE, on_other},
	};
	struct h2sess_emitter *emitter = h2sess_server_emitter(server);
	int r = 0;

	link_generation(d, first);
	for (size_t i = 0; i < sizeof(LISTENERS) / sizeof(*LISTENERS) && r == 0; i++)
		r = h2sess_on(emitter, LISTENERS[i].event, LISTENERS[i].fn, d, NULL);
	d->hears_timeout = generation_hears(first, H2SESS_EVENT_TIMEOUT);
	if (r == 0 && d->hears_timeout)
		r = h2sess_on(emitter, H2SESS_EVENT_TIMEOUT, on_other, d, NULL);
	return r;
}

bool dispatch_suits(const struct dispatch *d, const struct generation *g)
{
	return d->hears_timeout || !generation_hears(g, H2SESS_EVENT_TIMEOUT);
}

void dispatch_use(struct dispatch *d, struct generation *g)
{
	struct generation *before = d->newest;

	link_generation(d, g);
	atomic_store(&before->retired, true);
	end_retired(d);
}

void dispatch_reopen_logs(struct dispatch *d)
{
	for (struct generation *g = d->newest; g; g = g->older) {
		if (g->log)
			access_log_reopen(g->log);
	}
}

void dispatch_end(struct dispatch *d)
{
	for (struct generation *g = d->newest; g; g = g->older)
		generation_end(g);
}

void dispatch_done(struct dispatch *d)
{
	while (d->newest) {
		struct generation *older = d->newest->older;

		generation_free(d->newest);
		d->newest = older;
	}
	uv_close((uv_handle_t *)&d->over, NULL);
}
