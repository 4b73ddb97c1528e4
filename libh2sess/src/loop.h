/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_LOOP_H
#define H2SESS_LOOP_H

#include "list.h"
#include "session_memory.h"
#include "session_table.h"

#include <h2sess/h2sess.h>
#include <stdatomic.h>
#include <uv.h>

struct listener_fd;

/* Size of the buffers that the sessions of a loop share; they are empty between turns. */
#define LOOP_READ_MAX 65536
#define LOOP_PLAIN_MAX 16384
#define LOOP_WRITE_MAX 65536

/* An event that an nghttp2 callback recorded, for the listeners to hear once nghttp2 has returned.
 */
struct pending_event {
	uint8_t kind; /* enum pending_kind in session_events.h */
	uint8_t flags;
	uint8_t frame_type;
	int32_t stream_id;
	uint32_t code;
	struct h2sess_stream *stream;
	const void *data; /* borrowed from the read buffer, or owned where the kind says so */
	size_t len;
};

struct loop;
typedef void loop_fn(struct loop *loop, void *arg);

/* What is to run on a loop's thread. */
struct loop_post {
	struct list link; /* loop.posts */
	loop_fn *fn;
	void *arg;
	bool owned; /* allocated by loop_post() */
};

struct loop {
	struct h2sess_server *server;
	size_t index;
	uv_loop_t uv;
	uv_thread_t thread;
	bool started;
	bool stopping;

	uint64_t turn; /* counts up before each poll */
	uv_async_t wakeup;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t busy; /* runs while there is work left over: poll must not wait then */
	uv_timer_t linger_timer;

	uv_mutex_t lock;		  /* guards posts and closed */
	struct list posts;		  /* struct loop_post.link */
	atomic_bool posted;		  /* there are some: read without the lock */
	const struct server_hooks *hooks; /* the control link's; changed on this thread alone */
	bool closed;			  /* no post is taken any more */

	struct list listeners; /* struct listener_fd.link */
	struct list sessions;  /* struct h2sess_session.link, for walking in no order */
	struct session_table table;
	struct session_memory memory;
	struct list conns;     /* struct conn.link: every descriptor, lingering ones too */
	struct list dirty;     /* struct h2sess_session.dirty_link: to flush before poll */
	struct list ended;     /* struct h2sess_session.ended_link: to finish before poll */
	struct list lingering; /* struct conn.linger_link, the one to end first in front */

	struct list fanouts; /* struct fanout_part.link */
	uv_timer_t fanout_timer;
	bool walks_busy; /* fan-outs or policies want the next turn at once */

	struct policy_set *policies; /* a reference; NULL: none ever came */
	struct list
		policy_pending; /* struct h2sess_session.policy_link: those that wait for a pace */
	uv_timer_t policy_timer;
	uint64_t policy_due_ns; /* uv_hrtime(): when the first of these has its turn, UINT64_MAX */
	size_t policy_expired;	/* policies that were when the loop last looked */
	uint64_t policy_cursor; /* number of the last session that the walk has seen */
	bool policy_walking;

	struct pending_event *pending; /* of the session being fed or flushed */
	size_t n_pending;
	size_t cap_pending;

	uint64_t
		read_ns; /* uv_hrtime() of the bytes that are being read; 0: nobody has asked yet */
	uint8_t *read_buf;  /* LOOP_READ_MAX: bytes of the socket */
	uint8_t *plain_buf; /* LOOP_PLAIN_MAX: bytes that TLS has opened */
	uint8_t *write_buf; /* LOOP_WRITE_MAX: frames of one flush */
	uint8_t *out_buf;   /* what TLS has sealed of them */
	size_t out_len;
	size_t out_cap;
	bool accept_paused; /* no descriptor was left: until a connection closes */

	bool quiet_wanted; /* who is quiet drains after this turn's reads */
	uint32_t quiet_ms;
	uint32_t quiet_deadline_ms;
};

/* Milliseconds of a clock that never steps; the same during one turn. */
static inline uint64_t loop_now(const struct loop *loop)
{
	return uv_now(&loop->uv);
}

int loop_init(struct loop *loop, struct h2sess_server *server, size_t index);
/* Start the thread. Returns 0, H2SESS_ENOMEM. */
int loop_start(struct loop *loop);
/* Ask the loop to end its sessions and itself; the thread can be joined then. Any thread. */
void loop_stop(struct loop *loop);
/* After the thread has ended, or when it never ran. */
void loop_done(struct loop *loop);

/*
 * Run fn on the loop's thread, exactly once: with NULL when the loop has ended (then on this
 * thread, before the call returns, or on the thread that ends it). Any thread. Returns 0,
 * H2SESS_ENOMEM.
 */
int loop_post(struct loop *loop, loop_fn *fn, void *arg);
/* The same with memory of the caller's, so that it cannot fail; fn and arg are set. */
void loop_post_own(struct loop *loop, struct loop_post *post);
/*
 * Run what was posted, now: between two connections of a turn, so that no post waits for all that
 * are readable. The loop's thread, with no session on the stack; sessions and connections may end
 * by it.
 */
void loop_run_posts(struct loop *loop);
/* Have the loop take a turn. Any thread. */
void loop_wake(struct loop *loop);

/*
 * Sessions in the order of their numbers, those over after_n: at most max, borrowed until the turn
 * ends. Returns how many were stored. The loop's thread.
 */
size_t loop_sessions_after(struct loop *loop, uint64_t after_n, struct h2sess_session **ret,
			   size_t max);

/* Returns 0, H2SESS_ELIMIT, H2SESS_ENOMEM. */
int loop_pending_grow(struct loop *loop);
/* One more event of the stream, which may be NULL, or NULL: no memory. kind: enum pending_kind */
static inline struct pending_event *loop_pending_add(struct loop *loop, int kind,
						     struct h2sess_stream *st)
{
	struct pending_event *p;

	if (loop->n_pending == loop->cap_pending && loop_pending_grow(loop) < 0)
		return NULL;
	p = &loop->pending[loop->n_pending++];
	*p = (struct pending_event){.kind = (uint8_t)kind, .stream = st};
	return p;
}

/* There is work for the end of the turn: the loop must not wait for its descriptors. */
void loop_go_again(struct loop *loop);

#endif
