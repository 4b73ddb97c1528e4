/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_SERVER_H
#define H2SESS_SERVER_H

#include "emitter.h"
#include "loop.h"
#include "tls.h"

#include <stdatomic.h>
#include <time.h>

/* The rows of limits.def. */
enum limit_id {
#define X(field, value, unit, counter, text) LIMIT_##field,
#include <h2sess/limits.def>
#undef X
	LIMITS,
};

/* What the control link asks for beyond what it always hears. */
#define SERVER_DEMAND_STREAM 1u
#define SERVER_DEMAND_PING 2u
#define SERVER_DEMAND_LOCAL_SETTINGS 4u
#define SERVER_DEMAND_REMOTE_SETTINGS 8u

struct server_hooks {
	/* A session's event; on its thread. */
	void (*event)(struct h2sess_server *srv, const struct h2sess_event *ev, void *user);
	/* Listeners, state or certificates changed; any thread. */
	void (*changed)(struct h2sess_server *srv, void *user);
	void *user;
};

struct server_listener {
	char address[64];
	uint16_t port;
	bool tls;
};

#define SERVER_LISTENERS_MAX 32

struct server_counters {
	atomic_uint_fast64_t connections; /* live, with those that are not sessions yet */
	atomic_uint_fast64_t sessions;	  /* live */
	atomic_uint_fast64_t sessions_total;
	atomic_uint_fast64_t streams_total;
	atomic_uint_fast64_t misdirected;
	atomic_uint_fast64_t alt_used;
	atomic_uint_fast64_t bytes_received;
	atomic_uint_fast64_t bytes_sent;
	atomic_uint_fast64_t limits[LIMITS];
};

struct peer_count;
struct limits_set;
struct origin_list;
struct proxy_peers;

struct h2sess_server {
	struct h2sess_emitter emitter;
	/* Effective (no zero left); a set never changes, and loops may still read an old one. */
	_Atomic(const struct h2sess_limits *) limits;
	struct limits_set *limits_sets;	 /* all that were in use */
	struct h2sess_settings settings; /* guarded by lock after the start */
	atomic_uint session_timeout_ms;
	struct origin_list *origins; /* guarded by lock after the start */
	struct proxy_peers *proxies; /* the same */
	atomic_bool has_proxies;
	struct tls *tls; /* NULL: cleartext only */
	h2sess_log_fn *log;
	void *log_user;
	h2sess_stream_end_fn *stream_end;
	h2sess_session_end_fn *session_end;
	void *end_user;

	uv_mutex_t lock; /* guards the rest */
	uv_cond_t changed;
	size_t n_loops;
	struct loop *loops;
	size_t loops_running;
	atomic_size_t next_loop;
	bool started;
	atomic_bool closing;  /* no new connections */
	atomic_bool refusing; /* connections are closed at accept: h2sess_server_set_accepting() */
	bool close_emitted;
	bool close_heard; /* its listeners have returned */
	bool free_deferred;
	struct server_listener listeners[SERVER_LISTENERS_MAX];
	size_t n_listeners;
	struct list peers[256];		  /* struct peer_count.link: sessions by address */
	const struct server_hooks *hooks; /* each loop has a copy of its own */
	atomic_uint demand;
	struct server_counters counters;
};

static inline const struct h2sess_limits *server_limits(const struct h2sess_server *srv)
{
	return atomic_load_explicit(&srv->limits, memory_order_acquire);
}

/* A limit was reached. Any thread. */
void server_count_limit(struct h2sess_server *srv, enum limit_id limit);
const char *server_limit_counter(enum limit_id limit); /* its name */
void server_log(struct h2sess_server *srv, int level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A connection begins: counted in all and for its address, or for no address yet where that is
 * NULL; server_peer_named() is for when it is known. Returns 0, H2SESS_ELIMIT, H2SESS_ENOMEM.
 */
int server_peer_opened(struct h2sess_server *srv, const char *address);
int server_peer_named(struct h2sess_server *srv, const char *address);
/* address: NULL where it was counted for none. */
void server_peer_closed(struct h2sess_server *srv, const char *address);

/* The settings to announce now. */
void server_settings(struct h2sess_server *srv, struct h2sess_settings *ret);
/* Does a PROXY header come first from this peer? */
bool server_expects_proxy(struct h2sess_server *srv, const char *address);
/* The origins to announce now, referenced; NULL: none. */
struct origin_list *server_origins(struct h2sess_server *srv);

/* Take the options, checked; on an error ret_field names the wrong one. */
int server_use_options(struct h2sess_server *srv, const struct h2sess_options *options,
		       const char **ret_field);
void server_options_done(struct h2sess_server *srv);

/* Tell the control link, if there is one. */
void server_hook_event(struct loop *loop, const struct h2sess_event *ev);
static inline bool server_demands(const struct h2sess_server *srv, uint32_t bit)
{
	return atomic_load_explicit(&srv->demand, memory_order_relaxed) & bit;
}

/* For the control link. */
size_t server_loops(struct h2sess_server *srv);
/* The same, 0 before the start. */
size_t server_running_loops(struct h2sess_server *srv);
int server_run_on_loop(struct h2sess_server *srv, size_t index, loop_fn *fn, void *arg);
/* Listeners, state or certificates have changed. Any thread. */
void server_tell_changed(struct h2sess_server *srv);
/* Returns when no loop is inside the old hooks any more. Any thread but a loop's. */
int server_set_hooks(struct h2sess_server *srv, const struct server_hooks *hooks);
void server_set_demand(struct h2sess_server *srv, uint32_t mask);
size_t server_listeners(struct h2sess_server *srv, struct server_listener *ret, size_t max);
/* names: of each certificate, n of them, borrowed. */
void server_certificates(struct h2sess_server *srv,
			 void (*fn)(const char *const *names, size_t n, time_t not_after,
				    void *user),
			 void *user);

/* A loop's thread has ended its work; called by the loop, last. */
void server_loop_ended(struct loop *loop);
/* A loop has no connection any more: the last one closes a closing server. */
void server_look_for_end(struct h2sess_server *srv);

/* Start the threads, once, and freeze the listeners. */
int server_start(struct h2sess_server *srv);

/* server_listen.c */
void listeners_close(struct loop *loop);
void listeners_pause(struct loop *loop);
void listeners_resume(struct loop *loop);

#endif
