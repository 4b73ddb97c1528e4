/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_SESSION_H
#define H2SESS_SESSION_H

#include "connection.h"
#include "emitter.h"
#include "guard.h"
#include "list.h"
#include "loop.h"
#include "push_value.h"

#include <nghttp2/nghttp2.h>

/* Numbers of sessions carry their loop's index in the low bits, so an id finds its thread. */
#define SESSION_LOOP_BITS 6

#define SESSION_LABELS_MAX 32
#define SESSION_PUSHED_MAX 32	    /* values remembered for the properties */
#define SESSION_ORIGIN_SET_MAX 1024 /* entries remembered; more are sent but not listed */
#define SESSION_SKIPPED_MAX 8	    /* gaps in the peer's stream ids that are remembered */

struct session_label {
	struct list link; /* h2sess_session.labels */
	char *key;
	char *value;
};

/* The last value pushed for an origin or a stream. */
struct session_pushed {
	struct list link; /* h2sess_session.pushed, oldest first */
	struct push_value *value;
	uint64_t push_id; /* of h2sess_session_push() */
	int outcome;	  /* enum h2sess_outcome */
	int reason;
	uint64_t when_ms; /* Unix time */
};

struct session_ping {
	struct list link; /* h2sess_session.pings */
	h2sess_ping_fn *fn;
	void *user;
	uint8_t payload[H2SESS_PING_LENGTH];
	uint64_t sent_ns; /* 0 until it left */
};

struct session_settings {
	struct list
		link; /* h2sess_session.settings: those without an acknowledgement, oldest first */
	h2sess_settings_fn *fn;
	void *user;
	struct h2sess_settings values;
	uint64_t sent_ms; /* loop_now() */
	uint64_t sent_ns;
};

/* Facts that the control link shows and selectors choose by. */
struct session_facts {
	uint64_t created_ms; /* Unix time */
	uint64_t idle_ms;
	uint64_t streams_total;
	const char *user_agent; /* of the first request; NULL before, or without */
	uint64_t alt_used;
	uint64_t misdirected;
	int close_error;   /* H2SESS_E..., 0 */
	const char *limit; /* counter of the limit that ended it, or NULL */
	uint32_t close_code;
};

/* What the daemon was last told of by an event: see control_event_data.c. */
struct session_told {
	uint64_t generation; /* of the event queue; 0: nothing yet */
	size_t origins;
	uint64_t label_changes;
	bool user_agent;
};

struct h2sess_session {
	struct h2sess_emitter emitter;
	struct list link;	 /* loop.sessions */
	struct list dirty_link;	 /* loop.dirty */
	struct list policy_link; /* loop.policy_pending */
	struct list ended_link;	 /* loop.ended */
	struct loop *loop;
	struct conn *conn; /* NULL once released */
	nghttp2_session *ng;
	uint64_t number;
	char id[H2SESS_SESSION_ID_MAX];
	char peer_address[64];
	uint16_t peer_port;
	char local_address[64];
	uint16_t local_port;
	void *user;
	void *host;
	uv_timer_t timer; /* armed for the earliest deadline, or earlier: see session_timers.c */
	bool timer_open;
	bool peer_counted; /* for its address */

	bool encrypted;
	bool open;    /* TLS and ALPN are done: it is a session */
	bool preface; /* the peer's SETTINGS have come */
	bool closed;
	bool destroyed;
	bool finished; /* its last event has been emitted */
	bool draining;
	bool paused;	/* nghttp2 stopped behind a piece of a body, for `data` to be heard */
	bool announced; /* `connect` was emitted */
	bool unknown_protocol; /* no ALPN: it was never one of ours */
	bool quiet;	       /* destroyed without a GOAWAY: nghttp2 is not to be asked any more */
	bool ended_by_nghttp2; /* it sent a GOAWAY of its own: the peer broke a rule */
	bool drained; /* nghttp2 has said all, reads on, and was asked for nothing since: let it be */
	uint64_t goaways;     /* submitted by us */
	uint32_t own_goaways; /* of these, not sent yet */
	int error;	      /* H2SESS_E..., why it was destroyed */
	uint32_t code;
	uint32_t goaway_code;	       /* received */
	int32_t goaway_last_stream_id; /* received; -1: none */
	int32_t sent_last_stream_id;   /* of our last GOAWAY; INT32_MAX: none */
	uint32_t sent_goaway_code;

	struct list streams; /* struct h2sess_stream.link: until their close event */
	size_t n_streams;    /* those that nghttp2 has open */
	size_t n_sources;    /* those with a response under way */
	uint64_t streams_total;
	int32_t last_stream_id; /* highest that the peer opened */
	struct {
		int32_t low, high; /* ids that the peer passed over, both included */
	} skipped[SESSION_SKIPPED_MAX];
	size_t n_skipped;

	struct list settings; /* struct session_settings.link */
	size_t n_settings;
	struct h2sess_settings local_settings; /* acknowledged */
	struct h2sess_settings *remote_custom; /* NULL: the peer sent none */
	bool connect_protocol; /* ENABLE_CONNECT_PROTOCOL was announced: never 0 again */
	struct list pings;     /* struct session_ping.link */
	size_t n_pings;

	struct list pushes;   /* struct push.link: to be handed to nghttp2 */
	struct list receipts; /* struct push.link: handed over */
	size_t n_pushes;      /* in both lists */
	bool push_changed;    /* an outcome is to be told */
	uint64_t last_push_id;
	uint64_t gathered; /* bytes in the loop's write_buf, which conn_write() has not seen yet */
	uint64_t barrier;  /* number of the last barrier PING */
	X509 *certificate; /* ours, that its TLS holds; NULL: cleartext, or no session yet, or any more */
	bool barrier_flying;
	bool close_at_barrier; /* of a drain: its second phase begins with the barrier's answer */
	uint8_t ended_by;      /* 1 + enum limit_id of the limit that ended it; 0: none did */

	struct list pushed; /* struct session_pushed.link */
	size_t n_pushed;
	struct session_policies *policies; /* see session_policy.c; NULL: it has met none */
	struct list labels;		   /* struct session_label.link */
	size_t n_labels;
	uint64_t label_changes; /* 0: it never had one */
	char **origin_set;
	size_t n_origin_set;
	char *user_agent;
	bool user_agent_known;
	struct session_told told;
	uint64_t alt_used;
	uint64_t misdirected;
	char *subject; /* of the peer's certificate, once asked for */

	struct guard guard;
	uint32_t awaited_acks;		     /* PING and SETTINGS of ours that have left */
	struct h2sess_stream *header_stream; /* whose header block is coming; may be NULL */
	struct h2sess_stream *recent; /* that nghttp2 spoke of last, and has open; may be NULL */
	void *table;		      /* of session_memory.h; may be NULL */
	bool table_used;	      /* since its page was last given back */
	uint64_t memory; /* bytes that the peer makes us hold: headers and write buffers */

	uint64_t created_ms;	    /* Unix time */
	uint64_t opened_ns;	    /* uv_hrtime(), of the same moment */
	uint64_t started_at;	    /* loop_now(): handshake and preface */
	uint64_t header_since;	    /* a header block began; 0: none under way */
	uint64_t active_at;	    /* last activity */
	uint64_t stream_at;	    /* the last request began; started_at before the first */
	uint64_t heard_at;	    /* bytes came */
	uint64_t keepalive_sent_at; /* a PING of the keep-alive; 0: none since bytes came */
	uint64_t progress_at;	    /* bytes of a response left */
	uint64_t progress_bytes;    /* since then */
	uint64_t stalled_since;	    /* there is data that the peer does not take; 0: no */
	uint64_t drain_close_at;    /* when the second GOAWAY of a drain goes out at the latest; 0:
				      none */
	uint64_t drain_at;	    /* when what is left of a drain is destroyed; 0: never */
	uint32_t timeout_ms;	    /* 0: off */
	bool stream_timeouts;	    /* a stream has had one set */
	uint64_t timer_due;	    /* for when it is armed; UINT64_MAX: it is not */
	uint64_t bytes_counted_in;  /* of conn.bytes_in, already in the server's counters */
	uint64_t bytes_counted_out;
};

/* ---- session.c: life ------------------------------------------------------------------------- */

/*
 * Make a session of a connection that was accepted (handshake to come) or adopted. fd and ssl are
 * taken on success only. peer: address text and port.
 */
int session_new(struct loop *loop, int fd, SSL *ssl, const void *data, size_t len);
/* The same for a connection that was just accepted, and may begin with a PROXY header. */
int session_accept(struct loop *loop, int fd, SSL *ssl);
/*
 * nghttp2 was asked for something, or the end is to be looked at: the session is flushed before the
 * loop waits again. Whoever asks nghttp2 for what is to be sent calls it.
 */
void session_mark_dirty(struct h2sess_session *s);
/* The same for what nghttp2 has not been asked for yet: a push. */
void session_mark_pushing(struct h2sess_session *s);
/* Emit the last events of a destroyed session and free it; the loop calls it. */
void session_finish(struct h2sess_session *s);
/* Destroy with a reason. error 0 and code NO_ERROR: without an `error` event. */
void session_fail(struct h2sess_session *s, int error, uint32_t code);
/* A limit was reached by this session's peer: count it, and end the session. */
void session_limit(struct h2sess_session *s, int limit, uint32_t code);
/* The same with an error of its own, 0: none. */
void session_end_by(struct h2sess_session *s, int limit, int error, uint32_t code);
uint64_t session_number(const struct h2sess_session *s);
/* No session that has begun by now has a higher one. Any thread. */
uint64_t session_last_number(void);
/* Returns 0 and the number, or -1: not an id of this process. */
int session_id_parse(const char *id, uint64_t *ret_number);
/* Emit on the session, then to the control link. */
bool session_emit(struct h2sess_session *s, enum event_id id, struct h2sess_event *ev);
/* The same for an event of the operator's, whose name begins with x-. Returns whether anybody
 * listened on the session. */
bool session_emit_custom(struct h2sess_session *s, const char *name, const void *data, size_t len);

/* ---- session_io.c: bytes out and in ---------------------------------------------------------- */
/* Feed nghttp2's output to the connection; the loop calls it for what is dirty. */
void session_flush(struct h2sess_session *s);
/* Feed bytes of the peer's to nghttp2. */
void session_receive(struct h2sess_session *s, const uint8_t *data, size_t len);
/* The last GOAWAY, sent at once; a peer that was never a session gets none. */
void session_send_goaway(struct h2sess_session *s);

/* ---- session_verbs.c ------------------------------------------------------------------------- */
/* Hand a GOAWAY to nghttp2. Returns 0, H2SESS_ENOMEM, H2SESS_EINVAL. */
int session_goaway_submit(struct h2sess_session *s, uint32_t code, int32_t last_stream_id,
			  const void *data, size_t len);
/* Begin a drain on a session that is open, not closed and not draining. */
int session_drain_begin(struct h2sess_session *s);
/* End every session of a loop: gently within deadline_ms, or now. */
void session_drain_all(struct loop *loop, uint32_t deadline_ms);
/* The same for those that have opened no stream for quiet_ms. */
void session_drain_quiet(struct loop *loop, uint32_t quiet_ms, uint32_t deadline_ms);
void session_destroy_all(struct loop *loop);

/* ---- session_frames.c: nghttp2's callbacks --------------------------------------------------- */
int session_frames_init(struct h2sess_session *s);
/* ---- session_events.c: what the callbacks recorded, to the listeners ------------------------- */
void session_dispatch(struct h2sess_session *s);
/* Let go of what was recorded; its session has ended. */
void session_forget(struct loop *loop);

/* ---- session_settings.c ---------------------------------------------------------------------- */
/* Read a host's settings and check them. Returns 0, H2SESS_ESETTING. */
int session_settings_read(struct h2sess_settings *into, const struct h2sess_settings *from);
/* Remember what a SETTINGS frame of the peer's said that nghttp2 does not. */
int session_settings_received(struct h2sess_session *s, const struct h2sess_settings *settings);
/* What is present in `from` replaces what `into` had. */
void session_settings_merge(struct h2sess_settings *into, const struct h2sess_settings *from);
int session_settings_submit(struct h2sess_session *s, const struct h2sess_settings *settings,
			    h2sess_settings_fn *fn, void *user);
void session_settings_acked(struct h2sess_session *s);
void session_settings_done(struct h2sess_session *s);
void session_settings_from_nghttp2(const nghttp2_settings_entry *entries, size_t n,
				   struct h2sess_settings *ret);

/* ---- session_ping.c -------------------------------------------------------------------------- */
void session_ping_sent(struct h2sess_session *s, const uint8_t *payload);
/* True when the payload was of a ping or barrier of ours. */
void session_ping_acked(struct h2sess_session *s, const uint8_t *payload);
void session_pings_done(struct h2sess_session *s);

/* ---- session_push.c, session_receipts.c ------------------------------------------------------ */
/* Told of each outcome; last: nothing follows. s is NULL when the session is being freed. */
typedef void push_sink_fn(struct h2sess_session *s, int outcome, int reason, void *user,
			  uint32_t index, bool last);

/* How a value is to be pushed, and whom to tell: fn, or a sink where there are many. */
struct push_order {
	uint64_t deadline; /* loop_now(); 0: none */
	uint64_t drain_at; /* of a drain: when what is left of it is destroyed; 0: never */
	h2sess_outcome_fn *fn;
	push_sink_fn *sink;
	void *user;	/* of either */
	uint32_t index; /* of the sink's */
	enum h2sess_receipt receipt;
};

void session_push_init(struct h2sess_session *s);
/*
 * Push a value that was checked, on an open session; a reference is kept. Returns 0,
 * H2SESS_EBACKLOGGED, H2SESS_ENOMEM.
 */
int session_push_value(struct h2sess_session *s, struct push_value *value,
		       const struct push_order *order, uint64_t *ret_id);
/* h2sess_session_cancel_push() for what a sink waits for. */
int session_push_cancel(struct h2sess_session *s, push_sink_fn *sink, const void *user,
			uint32_t index);
/* Hand queued pushes to nghttp2; before anything whose order on the wire matters. */
void session_push_submit(struct h2sess_session *s);
/* The same at the beginning of a flush: frames may go into the loop's write_buf at once. */
void session_push_flush(struct h2sess_session *s);
/* nghttp2 put an ALTSVC or ORIGIN frame into its output, or dropped it. */
void session_push_sent(struct h2sess_session *s);
/* ... or the GOAWAY of this number. */
void session_push_goaway_sent(struct h2sess_session *s, uint64_t goaway);
void session_push_not_sent(struct h2sess_session *s, int reason);
/*
 * The place for a barrier: one PING for all frames that have left nghttp2, unless some are still
 * to leave it, which the PING would overtake. A body without end must not put it off.
 * Returns true when one was submitted.
 */
bool session_push_barrier(struct h2sess_session *s);
/* The connection has written: frames that left are `written`. */
void session_push_written(struct h2sess_session *s);
bool session_push_acked(struct h2sess_session *s, const uint8_t *payload);
/* Milliseconds until the next deadline of a queued push, or UINT64_MAX; expires those that are due.
 */
uint64_t session_push_expire(struct h2sess_session *s);
/* Tell those who wait what has changed; never from within nghttp2. */
void session_push_report(struct h2sess_session *s);
/* Settle what is left; s is about to end. */
void session_push_done(struct h2sess_session *s);

/* ---- session_info.c: properties -------------------------------------------------------------- */
void session_info_init(struct h2sess_session *s);
/* TLS is done: the origin set can begin. */
int session_info_opened(struct h2sess_session *s);
void session_info_done(struct h2sess_session *s);
int session_origin_set_add(struct h2sess_session *s, const char *origin, size_t len);
/* Remember a value; push_id finds it again. */
void session_pushed_add(struct h2sess_session *s, struct push_value *value, uint64_t push_id);
void session_pushed_outcome(struct h2sess_session *s, uint64_t push_id, int outcome, int reason);
void session_facts(const struct h2sess_session *s, struct session_facts *ret);
/* Whether a label may be so; value NULL: it is to go. */
bool session_label_ok(const char *key, const char *value);
void session_each_label(const struct h2sess_session *s,
			void (*fn)(const char *key, const char *value, void *user), void *user);
void session_each_pushed(const struct h2sess_session *s,
			 void (*fn)(const struct session_pushed *pushed, void *user), void *user);
void session_each_stream(const struct h2sess_session *s,
			 void (*fn)(struct h2sess_stream *st, void *user), void *user);
X509 *session_certificate(const struct h2sess_session *s);
uint64_t wall_clock_ms(void);
/* An id as nghttp2 library error code to a reason of reasons.def. */
int session_reason_of(int lib_error);

/* Since its connection began, and since its last activity, on a clock that never steps. */
static inline uint64_t session_age_ms(const struct h2sess_session *s)
{
	return loop_now(s->loop) - s->started_at;
}

static inline uint64_t session_idle_ms(const struct h2sess_session *s)
{
	return loop_now(s->loop) - s->active_at;
}

/* ---- session_timers.c ------------------------------------------------------------------------ */
void session_timers_init(struct h2sess_session *s);
/* A deadline may have come nearer. */
void session_timers_update(struct h2sess_session *s);
static inline void session_active(struct h2sess_session *s)
{
	s->active_at = loop_now(s->loop);
}

#endif
