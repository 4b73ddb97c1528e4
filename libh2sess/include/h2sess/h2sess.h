/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libh2sess: live HTTP/2 server sessions, with the semantics of Node's ServerHttp2Session, in C.
 *
 * A server owns loop threads; each loop owns the sessions that it accepted; a session owns its
 * streams. Each of the three is an emitter. A program registers listeners on the server, listens
 * (or hands established connections over), and answers streams from its listeners.
 *
 *   - Threads: a session, its streams and their emitters belong to one loop thread. Every function
 *     that takes one of them must be called there, which is where their listeners run. From any
 *     other thread, h2sess_post() brings a function there. Functions that take a server say what
 *     they allow.
 *   - Listeners may call anything, on the object that calls them too: off, close, destroy, free.
 *     Verbs queue; bytes leave after the listener has returned. Objects outlive the listener that
 *     ends them.
 *   - Pointers that a listener gets are borrowed until it returns, unless said otherwise.
 *   - Errors are 0 or a negative H2SESS_E... (h2sess/errors.def is the table). The library does not
 *     log, does not exit, installs no signal handler; its threads block all signals.
 *   - Open structs begin with `size` (their _INIT macro sets it), grow at the end only, and zero
 *     means default. A smaller or larger one than the library's, of another version of this header,
 *     is taken. Structs that stand in arrays (h2sess_header, h2sess_certificate,
 *     h2sess_custom_setting, h2sess_control_label) are frozen.
 *
 * Left out of Node's surface on purpose: the events altsvc, origin and the class ClientHttp2Session
 * (they are a client's), push streams and priorities (clients dropped the one, RFC 9113 the other),
 * ref() and unref() (they speak of Node's event loop), HTTP/1 fallback (h2sess_server_adopt() is
 * for hosts that have their own).
 */
#ifndef H2SESS_H
#define H2SESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define H2SESS_API __attribute__((visibility("default")))

#define H2SESS_VERSION "0.1.0"
#define H2SESS_ABI 0

/* ---- tables ---------------------------------------------------------------------------------- */

enum h2sess_err {
	H2SESS_OK = 0,
#define X(name, value, wire, http, text) H2SESS_##name = (value),
#include <h2sess/errors.def>
#undef X
};

/* HTTP/2 error codes, RFC 9113 7. */
enum h2sess_code {
#define X(name, value) H2SESS_##name = (value),
#include <h2sess/codes.def>
#undef X
};

/* What became of a pushed frame; h2sess/outcomes.def says what each one means. */
enum h2sess_outcome {
#define X(name, value, wire, final, text) H2SESS_OUTCOME_##name = (value),
#include <h2sess/outcomes.def>
#undef X
};

enum h2sess_reason {
#define X(name, value, wire, text) H2SESS_REASON_##name = (value),
#include <h2sess/reasons.def>
#undef X
	H2SESS_REASON_LINT = 100, /* + the value of a row of h2sess/lint.def */
};

/* Bits of a lint result; h2sess/lint.def says what each rule is. */
enum h2sess_lint_rule {
#define X(name, value, wire, severity, error, text) H2SESS_LINT_##name = 1 << (value),
#include <h2sess/lint.def>
#undef X
};

/* Event names: Node's exact strings; h2sess/events.def says who emits each one and when. */
#define H2SESS_EVENT_SESSION "session"
#define H2SESS_EVENT_CONNECT "connect"
#define H2SESS_EVENT_STREAM "stream"
#define H2SESS_EVENT_SESSION_ERROR "sessionError"
#define H2SESS_EVENT_UNKNOWN_PROTOCOL "unknownProtocol"
#define H2SESS_EVENT_GOAWAY "goaway"
#define H2SESS_EVENT_PING "ping"
#define H2SESS_EVENT_LOCAL_SETTINGS "localSettings"
#define H2SESS_EVENT_REMOTE_SETTINGS "remoteSettings"
#define H2SESS_EVENT_FRAME_ERROR "frameError"
#define H2SESS_EVENT_TIMEOUT "timeout"
#define H2SESS_EVENT_ERROR "error"
#define H2SESS_EVENT_CLOSE "close"
#define H2SESS_EVENT_DATA "data"
#define H2SESS_EVENT_END "end"
#define H2SESS_EVENT_DRAIN "drain"
#define H2SESS_EVENT_WANT_TRAILERS "wantTrailers"
#define H2SESS_EVENT_TRAILERS "trailers"
#define H2SESS_EVENT_ABORTED "aborted"

#define H2SESS_STREAM_ID_MAX 0x7fffffff
#define H2SESS_PUSH_BYTES_MAX 16382 /* alt and origin together; one ORIGIN entry */
#define H2SESS_GOAWAY_DATA_MAX 16376
#define H2SESS_PING_LENGTH 8
#define H2SESS_SESSION_ID_MAX 48 /* with its NUL */
#define H2SESS_FIELD_MAX 64	 /* a member's name in an error, with its NUL */
#define H2SESS_THREADS_MAX 64
#define H2SESS_LISTENERS_MAX 1024 /* on one emitter */
#define H2SESS_ORIGINS_MAX 127	  /* of a session's set that clients accept: Node ends it at 128 */

/* ---- objects --------------------------------------------------------------------------------- */

struct h2sess_server;
struct h2sess_session;
struct h2sess_stream;
struct h2sess_emitter;
struct h2sess_control;
struct h2sess_selector;
struct h2sess_fanout;

/* One header field. Names are lower case. Frozen. */
struct h2sess_header {
	const char *name; /* NUL-terminated */
	const char *value;
	uint32_t name_len; /* bytes, without the NUL */
	uint32_t value_len;
	uint32_t flags; /* H2SESS_HEADER_SENSITIVE */
	uint32_t reserved;
};

#define H2SESS_HEADER_SENSITIVE 1u /* never indexed (RFC 7541 7.1.3); Node's sensitiveHeaders */

/* A header field from two string literals. */
#define H2SESS_HEADER(n, v)                                  \
	{                                                    \
		(n), (v), sizeof(n) - 1, sizeof(v) - 1, 0, 0 \
	}

/* One setting that has no name here (Node's customSettings). Frozen. */
struct h2sess_custom_setting {
	uint16_t id;
	uint16_t reserved;
	uint32_t value;
};

#define H2SESS_CUSTOM_SETTINGS_MAX 10

/* SETTINGS, RFC 9113 6.5.2. 0 is a value here, so `present` says which members count. */
struct h2sess_settings {
	size_t size;
	uint32_t present; /* H2SESS_SETTING_... bits */
	uint32_t header_table_size;
	uint32_t enable_push;
	uint32_t max_concurrent_streams;
	uint32_t initial_window_size; /* bytes, at most 2^31-1 */
	uint32_t max_frame_size;      /* bytes, 16384 to 2^24-1 */
	uint32_t max_header_list_size;
	uint32_t enable_connect_protocol; /* RFC 8441; once 1, never 0 again */
	uint32_t n_custom;
	struct h2sess_custom_setting custom[H2SESS_CUSTOM_SETTINGS_MAX];
};

#define H2SESS_SETTING_HEADER_TABLE_SIZE 0x01u
#define H2SESS_SETTING_ENABLE_PUSH 0x02u
#define H2SESS_SETTING_MAX_CONCURRENT_STREAMS 0x04u
#define H2SESS_SETTING_INITIAL_WINDOW_SIZE 0x08u
#define H2SESS_SETTING_MAX_FRAME_SIZE 0x10u
#define H2SESS_SETTING_MAX_HEADER_LIST_SIZE 0x20u
#define H2SESS_SETTING_ENABLE_CONNECT_PROTOCOL 0x40u

#define H2SESS_SETTINGS_INIT                           \
	{                                              \
		.size = sizeof(struct h2sess_settings) \
	}

/*
 * What a listener gets. Members that an event does not speak of are 0 or NULL.
 *
 *   stream          stream, headers, flags
 *   goaway          code, last_stream_id, data/len (the opaque bytes)
 *   ping            data/len (8 bytes)
 *   localSettings, remoteSettings     settings
 *   frameError      frame_type, stream_id, error, code; its stream, or the session where it has
 *                   none, closes then, as in Node
 *   error, sessionError               error, code
 *   close           code (session: the one it was destroyed with; stream: the reset code), error
 *   data            stream, data/len
 *   trailers        stream, headers
 *   aborted         stream, code
 *   unknownProtocol alpn in data/len; no session
 *   x-...           data/len, as given to h2sess_emit()
 */
struct h2sess_event {
	size_t size;
	const char *name;
	struct h2sess_server *server;
	struct h2sess_session *session;
	struct h2sess_stream *stream;
	int error;     /* H2SESS_E... */
	uint32_t code; /* HTTP/2 error code */
	int32_t stream_id;
	int32_t last_stream_id;
	uint8_t frame_type;
	uint8_t flags; /* of the HEADERS frame */
	const struct h2sess_header *headers;
	size_t n_headers;
	const void *data;
	size_t len;
	const struct h2sess_settings *settings;
};

typedef void h2sess_listener_fn(const struct h2sess_event *ev, void *user);

/* ---- emitters -------------------------------------------------------------------------------- */

/*
 * Register a listener. Node's EventEmitter, with these differences: off is by id; after
 * h2sess_off() has returned the listener is not called again, not even in the pass under way;
 * `error` without a listener destroys the object instead of throwing; an unknown name is
 * H2SESS_EEVENT.
 *
 *   name    an event of this emitter, or a name of the host's own: "x-" and more, at most 64
 *           octets of visible ASCII without commas
 *   ret_id  may be NULL; names the registration for h2sess_off(), never 0
 *
 * A listener added while its event is being emitted is called from the next emit on, as in Node.
 * The server's listeners run on any loop thread and freeze at the first listen or adopt
 * (H2SESS_ESTATE).
 *
 * Returns 0, H2SESS_EEVENT, H2SESS_ESTATE, H2SESS_ELIMIT (H2SESS_LISTENERS_MAX), H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_on(struct h2sess_emitter *e, const char *name, h2sess_listener_fn *fn,
			 void *user, uint64_t *ret_id);
H2SESS_API int h2sess_add_listener(struct h2sess_emitter *e, const char *name,
				   h2sess_listener_fn *fn, void *user, uint64_t *ret_id);
H2SESS_API int h2sess_once(struct h2sess_emitter *e, const char *name, h2sess_listener_fn *fn,
			   void *user, uint64_t *ret_id);
H2SESS_API int h2sess_prepend(struct h2sess_emitter *e, const char *name, h2sess_listener_fn *fn,
			      void *user, uint64_t *ret_id);
H2SESS_API int h2sess_prepend_once(struct h2sess_emitter *e, const char *name,
				   h2sess_listener_fn *fn, void *user, uint64_t *ret_id);

/* Take a listener away. Returns 0, H2SESS_ENOTFOUND, H2SESS_ESTATE. */
H2SESS_API int h2sess_off(struct h2sess_emitter *e, uint64_t id);

/* Take all listeners of `name` away, or all where name is NULL. Returns 0, H2SESS_ESTATE. */
H2SESS_API int h2sess_off_all(struct h2sess_emitter *e, const char *name);

/*
 * Call the listeners of `name` now, in order, with data/len (borrowed) as the event's data. Every
 * name that h2sess_on() takes may be emitted, as in Node.
 *
 * Returns 1 when anybody listened, 0 when nobody did, H2SESS_EEVENT.
 */
H2SESS_API int h2sess_emit(struct h2sess_emitter *e, const char *name, const void *data,
			   size_t len);

H2SESS_API size_t h2sess_listener_count(const struct h2sess_emitter *e, const char *name);

/*
 * The names that have listeners, in the order of their first registration. At most n are stored in
 * names (borrowed, valid until that name's last listener goes). Returns how many there are.
 */
H2SESS_API size_t h2sess_event_names(const struct h2sess_emitter *e, const char **names, size_t n);

/*
 * An emitter of the host's own, with the server's event names: for handing events on, as the worker
 * does to choose an app for a request. h2sess_emit_event() calls the listeners of ev->name with ev.
 */
H2SESS_API int h2sess_emitter_new(struct h2sess_emitter **ret);
H2SESS_API void h2sess_emitter_free(struct h2sess_emitter *e);
/* No change from here on, so that several threads may emit: as the server's own when it runs. */
H2SESS_API void h2sess_emitter_freeze(struct h2sess_emitter *e);
H2SESS_API int h2sess_emit_event(struct h2sess_emitter *e, const struct h2sess_event *ev);

H2SESS_API struct h2sess_emitter *h2sess_server_emitter(struct h2sess_server *srv);
H2SESS_API struct h2sess_emitter *h2sess_session_emitter(struct h2sess_session *s);
H2SESS_API struct h2sess_emitter *h2sess_stream_emitter(struct h2sess_stream *st);

/* ---- server ---------------------------------------------------------------------------------- */

/* Limits; h2sess/limits.def says what each one stops. 0 is the default, UINT32_MAX ms is off. */
struct h2sess_limits {
	size_t size;
#define X(field, value, unit, counter, text) uint32_t field;
#include <h2sess/limits.def>
#undef X
};

/* One certificate chain and its key, as PEM files. SNI picks by the names in the certificate. */
struct h2sess_certificate {
	const char *cert_file; /* leaf first */
	const char *key_file;
};

/* Log hook: the library itself never logs. `level` is a syslog severity. Any thread. */
typedef void h2sess_log_fn(int level, const char *message, void *user);

/*
 * Hooks of a host that lets apps have the listeners: called on the object's thread after the
 * `close` event of a stream whose `stream` event was emitted, or of a session whose `session` event
 * was; nobody can take them away. The object is borrowed: its getters work, its verbs do nothing.
 */
typedef void h2sess_stream_end_fn(struct h2sess_stream *st, void *user);
typedef void h2sess_session_end_fn(struct h2sess_session *s, void *user);

struct h2sess_options {
	size_t size;
	uint32_t threads; /* loop threads, 1 to H2SESS_THREADS_MAX; 0 = 1 */
	uint32_t n_certificates;
	const struct h2sess_certificate *certificates; /* none: cleartext only */
	const char *const *origins;		/* sent right after SETTINGS on every TLS session */
	size_t n_origins;			/* checked by h2sess_server_new() */
	const struct h2sess_settings *settings; /* what we announce; NULL = defaults */
	const struct h2sess_limits *limits;
	uint32_t session_timeout_ms; /* Node's server.setTimeout(); 0 = none */
	int tls_min_version;	     /* 0x0303 (default) or 0x0304 */
	const char *tls_ciphers;     /* OpenSSL's lists; NULL = a good default */
	const char *tls_ciphersuites;
	const char *tls_groups;
	const char *tls_client_ca_file;	  /* mTLS: verify clients against these */
	bool tls_client_required;	  /* refuse clients without a certificate */
	const char *tls_ticket_keys_file; /* 80 bytes a key, newest first; NULL = drawn anew */
	const char *tls_keylog_file;	  /* SSLKEYLOGFILE, for debugging */
	h2sess_log_fn *log;
	void *log_user;
	/*
	 * Peers ("192.0.2.0/24", "2001:db8::1") whose connections begin with a PROXY header, version 1
	 * or 2: balancers. The client that it names is the peer from there on. From these peers it is
	 * required, from others its bytes are as good as any.
	 */
	const char *const *proxy_peers;
	size_t n_proxy_peers;
	h2sess_stream_end_fn *stream_end;
	h2sess_session_end_fn *session_end;
	void *end_user;
};

#define H2SESS_OPTIONS_INIT                           \
	{                                             \
		.size = sizeof(struct h2sess_options) \
	}
#define H2SESS_LIMITS_INIT                           \
	{                                            \
		.size = sizeof(struct h2sess_limits) \
	}

/*
 * Make a server: options are copied and checked whole (certificates, keys, origins), so a bad one
 * is found here and not at the first connection. Nothing runs until the first listen or adopt.
 *
 *   ret_field  may be NULL; on an error the name of the option that is wrong, static
 *
 * Returns 0, H2SESS_EINVAL, H2SESS_ERANGE, H2SESS_EURL, H2SESS_EORIGIN, H2SESS_EORIGINLENGTH,
 * H2SESS_ECERTIFICATE, H2SESS_EKEY, H2SESS_ETLS, H2SESS_ESETTING, H2SESS_EACCES, H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_server_new(const struct h2sess_options *options, struct h2sess_server **ret,
				 const char **ret_field);

#define H2SESS_LISTEN_TLS 1u /* needs a certificate; without it: cleartext, prior knowledge */

/*
 * Listen on "ADDRESS:PORT" ("[::1]:443", "0.0.0.0:0"); port 0 picks a free one. Every loop thread
 * has its own listener (SO_REUSEPORT). The first call starts the threads and freezes the server's
 * listeners.
 *
 * Any thread but a loop's. Returns the port (over 0), H2SESS_EADDRESS, H2SESS_EADDRINUSE,
 * H2SESS_EACCES, H2SESS_ESTATE, H2SESS_ENOMEM, H2SESS_EIO.
 */
H2SESS_API int h2sess_server_listen(struct h2sess_server *srv, const char *address, uint32_t flags);

/* The same on a listening socket, which is taken on success. Returns 0 or as above. */
H2SESS_API int h2sess_server_listen_fd(struct h2sess_server *srv, int fd, uint32_t flags);

/*
 * Open n listening sockets (1 to H2SESS_THREADS_MAX) that share one address, for
 * h2sess_server_listen_fds(): by a host that gives up the right to bind before it serves, or hands
 * its sockets to a successor. Returns the port (over 0), H2SESS_EADDRESS, H2SESS_EADDRINUSE,
 * H2SESS_EACCES, H2SESS_ERANGE, H2SESS_ENOMEM, H2SESS_EIO.
 */
H2SESS_API int h2sess_listen_open(const char *address, int *ret_fds, size_t n);

/*
 * Listen on n sockets of one address, however many threads there are: every thread accepts from
 * one at least, and every socket is served. They are taken on success. Returns 0 or as
 * h2sess_server_listen().
 */
H2SESS_API int h2sess_server_listen_fds(struct h2sess_server *srv, const int *fds, size_t n,
					uint32_t flags);

/*
 * Accept no more, and leave what waits in the queues to whoever else has these sockets: a
 * successor. Sessions go on. When it returns no thread accepts any more. Any thread but a loop's.
 * Returns 0, H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_server_stop_listening(struct h2sess_server *srv);

/*
 * Drain the sessions that have opened no stream for quiet_ms; the others go on as they are. For a
 * host that goes and has time: who sends request after request is asked last. Any thread. Returns 0,
 * H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_server_drain_quiet(struct h2sess_server *srv, uint32_t quiet_ms,
					 uint32_t deadline_ms);

struct h2sess_adopt_options {
	size_t size;
	const void *data; /* bytes that were read from the peer already, copied */
	size_t len;
};

/*
 * Take over an established connection: from a host with its own accept loop and its own TLS.
 *
 *   fd   a connected stream socket; taken on success only
 *   ssl  a `SSL *` whose handshake is finished and whose ALPN is "h2" (RFC 9113 3.2), on a socket
 *        BIO of that fd; taken on success only. NULL = cleartext with prior knowledge
 *
 * Any thread. Returns 0, H2SESS_EINVAL (no connected socket, no ALPN h2, another BIO),
 * H2SESS_ESTATE (closing, or the handshake is not finished), H2SESS_ELIMIT, H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_server_adopt(struct h2sess_server *srv, int fd, void *ssl,
				   const struct h2sess_adopt_options *options);

/*
 * Settings for sessions that begin from now on; what is not present stays as it was. Node's
 * updateSettings(). Any thread. Returns 0, H2SESS_ESETTING.
 */
H2SESS_API int h2sess_server_update_settings(struct h2sess_server *srv,
					     const struct h2sess_settings *settings);

/*
 * Refuse new connections, or take them again: listeners stay open, so that a successor can have
 * them, and what they accept is closed at once. Sessions go on; h2sess_server_adopt() is not
 * touched. Any thread.
 */
H2SESS_API void h2sess_server_set_accepting(struct h2sess_server *srv, bool accepting);
/* False while new connections are refused, and from h2sess_server_close() on: what a balancer wants
 * to know. Any thread. */
H2SESS_API bool h2sess_server_accepting(const struct h2sess_server *srv);

/* Timeout for sessions from now on; 0 = none. Any thread. */
H2SESS_API int h2sess_server_set_timeout(struct h2sess_server *srv, uint32_t ms);

/*
 * Read the certificates again from the files that the options named. Sessions go on; ticket keys
 * stay. All or nothing: a bad file changes nothing. Any thread.
 */
H2SESS_API int h2sess_server_reload_tls(struct h2sess_server *srv, const char **ret_field);

/*
 * Replace the options of a running server: limits (for every session, at once), and, for
 * connections from now on, certificates, ticket keys, client CA, TLS versions and ciphers, settings,
 * origins, session timeout. Threads, hooks and the key log stay. Ticket keys are read from
 * their file again; without a file those that were drawn stay. All or nothing: after an error
 * everything is as it was. Any thread.
 *
 * Returns as h2sess_server_new(); H2SESS_ESTATE where certificates are given to a server that was
 * made without any.
 */
H2SESS_API int h2sess_server_reload(struct h2sess_server *srv, const struct h2sess_options *options,
				    const char **ret_field);

/*
 * Close gracefully: stop accepting, send the two-phase GOAWAY (RFC 9113 6.8) on every session, let
 * streams end, for at most deadline_ms (UINT32_MAX: without limit), then destroy what is left. The
 * server's `close` event says that the last session is gone. Any thread, listeners too.
 */
H2SESS_API int h2sess_server_close(struct h2sess_server *srv, uint32_t deadline_ms);

/* Wait until the server has closed. Any thread but a loop's. Returns 0, H2SESS_ETIMEOUT. */
H2SESS_API int h2sess_server_wait(struct h2sess_server *srv, uint32_t timeout_ms);

/*
 * Destroy every session, stop the threads, free everything. From a listener it is deferred to the
 * end of the last thread. NULL is allowed.
 */
H2SESS_API void h2sess_server_free(struct h2sess_server *srv);

struct h2sess_server_stats {
	size_t size;
	uint64_t sessions; /* live */
	uint64_t sessions_total;
	uint64_t streams_total; /* requests */
	uint64_t misdirected;	/* 421 answered */
	uint64_t alt_used;	/* requests with an alt-used field */
	uint64_t bytes_received;
	uint64_t bytes_sent;
	uint64_t connections; /* live, with those that are not sessions yet */
};

/* Any thread. */
H2SESS_API int h2sess_server_stats(struct h2sess_server *srv, struct h2sess_server_stats *ret);

/* How often a limit was reached, by its counter in h2sess/limits.def; UINT64_MAX: no such one. */
H2SESS_API uint64_t h2sess_server_limit_count(struct h2sess_server *srv, const char *counter);

typedef void h2sess_post_fn(struct h2sess_session *s, void *user);

/*
 * Run fn on the session's thread, exactly once; with NULL if the session is gone, then on any
 * thread of the server's (or the caller's, before the call returns, if the server has stopped).
 *
 * Any thread. Returns 0, H2SESS_ENOMEM (fn will not run).
 */
H2SESS_API int h2sess_post(struct h2sess_server *srv, const char *session_id, h2sess_post_fn *fn,
			   void *user);

/* ---- session --------------------------------------------------------------------------------- */

struct h2sess_peer {
	size_t size;
	char address[64]; /* "192.0.2.1", "2001:db8::1", "unix" */
	uint16_t port;
	const char
		*servername; /* SNI, NULL without; the texts are borrowed until the session ends */
	const char *tls_version; /* "TLSv1.3", NULL on cleartext */
	const char *cipher;
	const char *subject;	/* of the client's certificate, RFC 2253, NULL without */
	char local_address[64]; /* which of ours it reached */
	uint16_t local_port;
};

/* Node's session.state, RFC 9113 terms; bytes but for the ids and the queue (frames). */
struct h2sess_session_state {
	size_t size;
	int32_t effective_local_window_size;
	int32_t effective_recv_data_length;
	uint32_t next_stream_id;
	int32_t local_window_size;
	int32_t last_proc_stream_id;
	int32_t remote_window_size;
	size_t outbound_queue_size;
	size_t deflate_dynamic_table_size;
	size_t inflate_dynamic_table_size;
};

/* "BOOTID-N", borrowed: opaque, safe in a URL path, never used again. */
H2SESS_API const char *h2sess_session_id(const struct h2sess_session *s);
H2SESS_API struct h2sess_server *h2sess_session_server(const struct h2sess_session *s);
H2SESS_API bool h2sess_session_encrypted(const struct h2sess_session *s);
/* "h2" or "h2c". */
H2SESS_API const char *h2sess_session_alpn_protocol(const struct h2sess_session *s);
/* False from `session` on, as in Node; the peer's preface may not have come yet. */
H2SESS_API bool h2sess_session_connecting(const struct h2sess_session *s);
/* close() was called, by us or because of the peer's GOAWAY. */
H2SESS_API bool h2sess_session_closed(const struct h2sess_session *s);
H2SESS_API bool h2sess_session_destroyed(const struct h2sess_session *s);
/* Always 0, NGHTTP2_SESSION_SERVER, as in Node. */
H2SESS_API int h2sess_session_type(const struct h2sess_session *s);
H2SESS_API int h2sess_session_peer(struct h2sess_session *s, struct h2sess_peer *ret);
/*
 * The connection's `SSL *`, for questions (certificates, groups, exporters): borrowed until the
 * session ends, neither read from nor written to. NULL on cleartext.
 */
H2SESS_API void *h2sess_session_ssl(const struct h2sess_session *s);
/* H2SESS_EDESTROYED once destroyed (Node: {}). */
H2SESS_API int h2sess_session_state(const struct h2sess_session *s,
				    struct h2sess_session_state *ret);
H2SESS_API int h2sess_session_local_settings(const struct h2sess_session *s,
					     struct h2sess_settings *ret);
H2SESS_API int h2sess_session_remote_settings(const struct h2sess_session *s,
					      struct h2sess_settings *ret);
H2SESS_API bool h2sess_session_pending_settings_ack(const struct h2sess_session *s);
/* Of the GOAWAY received: its code, or 0; its last stream id, or -1 when none came. */
H2SESS_API uint32_t h2sess_session_goaway_code(const struct h2sess_session *s);
H2SESS_API int32_t h2sess_session_goaway_last_stream_id(const struct h2sess_session *s);
H2SESS_API size_t h2sess_session_open_streams(const struct h2sess_session *s);
/* An open stream by id, or NULL. Borrowed until its close event. */
H2SESS_API struct h2sess_stream *h2sess_session_stream(struct h2sess_session *s, int32_t id);

/*
 * The origins that this connection speaks for, RFC 8336 2.3: https://SNI:PORT first, then what was
 * sent. At most n are stored in origins (borrowed until the next call on this session). Returns how
 * many there are; 0 on cleartext and after destroy, as Node's undefined.
 */
H2SESS_API size_t h2sess_session_origin_set(const struct h2sess_session *s, const char **origins,
					    size_t n);

/* A pointer of the host's own; NULL until set. */
H2SESS_API void h2sess_session_set_user(struct h2sess_session *s, void *user);
H2SESS_API void *h2sess_session_user(const struct h2sess_session *s);
/* A second pointer, for a host whose apps have the first. */
H2SESS_API void h2sess_session_set_host(struct h2sess_session *s, void *host);
H2SESS_API void *h2sess_session_host(const struct h2sess_session *s);

/*
 * Labels: what selectors choose by. A NULL value takes the label away. Copied.
 * Returns 0, H2SESS_EINVAL (key over 63 bytes or empty, value over 255), H2SESS_ELIMIT (32 labels),
 * H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_session_set_label(struct h2sess_session *s, const char *key,
					const char *value);
/* NULL without. Borrowed until it is set again. */
H2SESS_API const char *h2sess_session_label(const struct h2sess_session *s, const char *key);

/*
 * Tell the peer that `origin` is also served as `alt` says (ALTSVC on stream 0, RFC 7838 4).
 *
 *   alt     an Alt-Svc field value, strict ASCII, not empty; not parsed here (Node), unlike by lint
 *   origin  a URL; its origin is what is sent (RFC 6454, A-labels)
 *
 * Checks, in Node's order: destroyed, origin, alt's type, alt's characters, the length of both. The
 * frame is queued; h2sess_session_push() is the same with a receipt.
 *
 * Returns 0, H2SESS_EDESTROYED, H2SESS_EURL, H2SESS_EALTSVCORIGIN (NULL, or an opaque origin),
 * H2SESS_EARGTYPE (alt is NULL), H2SESS_ECHAR, H2SESS_EINVAL (empty), H2SESS_EALTSVCLENGTH,
 * H2SESS_EBACKLOGGED, H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_session_altsvc(struct h2sess_session *s, const char *alt, const char *origin);

/*
 * The same for the origin of an open stream (ALTSVC on that stream). A closed, idle or unknown
 * stream is not an error here, as in Node: the frame is not sent, which a receipt would say.
 *
 * Returns as h2sess_session_altsvc(), H2SESS_ERANGE (stream_id 0 or over 2^31-1).
 */
H2SESS_API int h2sess_session_altsvc_stream(struct h2sess_session *s, const char *alt,
					    uint32_t stream_id);

/*
 * Tell the peer for which origins this connection speaks (ORIGIN, RFC 8336). All or nothing; sent
 * as given, not deduplicated; over 16 KiB it is split over frames in order. n == 0 sends the empty
 * frame, which means "the SNI origin only".
 *
 * Returns 0, H2SESS_EDESTROYED, H2SESS_EARGTYPE (a NULL entry), H2SESS_EURL, H2SESS_EORIGIN,
 * H2SESS_EORIGINLENGTH, H2SESS_EBACKLOGGED, H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_session_origin(struct h2sess_session *s, const char *const *origins,
				     size_t n);

enum h2sess_push_kind { H2SESS_PUSH_ALTSVC, H2SESS_PUSH_ALTSVC_STREAM, H2SESS_PUSH_ORIGIN };
enum h2sess_receipt { H2SESS_RECEIPT_RECEIVED, H2SESS_RECEIPT_WRITTEN };

/*
 * Called at each change of a push's outcome, `queued` excepted, on the session's thread; the last
 * call has a final outcome (or WRITTEN where that was asked for). s is NULL when the session is
 * being freed.
 */
typedef void h2sess_outcome_fn(struct h2sess_session *s, enum h2sess_outcome outcome, int reason,
			       void *user);

/* A frame to push. Pointers are borrowed. */
struct h2sess_push {
	size_t size;
	enum h2sess_push_kind kind;
	const char *alt;	    /* ALTSVC, ALTSVC_STREAM */
	const char *origin;	    /* ALTSVC */
	uint32_t stream_id;	    /* ALTSVC_STREAM */
	const char *const *origins; /* ORIGIN */
	size_t n_origins;
	enum h2sess_receipt receipt; /* WRITTEN sends no barrier */
	uint32_t deadline_ms;	     /* not sent after this; 0 = none */
	bool lint;		     /* refuse what h2sess_lint() calls an error */
	h2sess_outcome_fn *fn;	     /* may be NULL */
	void *user;
	const char *by; /* who asked, for h2sess_session_pushed(); copied, may be NULL */
};

#define H2SESS_PUSH_INIT                           \
	{                                          \
		.size = sizeof(struct h2sess_push) \
	}

/*
 * Push with a receipt. `received` means that the peer's HTTP/2 layer read the frame (a PING sent
 * after it came back), never that it acted on it. On an error fn is not called.
 *
 *   ret_push_id  may be NULL; for h2sess_session_cancel_push()
 *
 * Returns as the call for its kind does, and with lint the error of a rule (h2sess/lint.def).
 */
H2SESS_API int h2sess_session_push(struct h2sess_session *s, const struct h2sess_push *push,
				   uint64_t *ret_push_id);

/*
 * Take a push back that has not left: its outcome is not_sent, CANCELLED.
 * Returns 0, H2SESS_ENOTFOUND.
 */
H2SESS_API int h2sess_session_cancel_push(struct h2sess_session *s, uint64_t push_id);

/* The last value that was pushed for an origin, or for a stream. */
struct h2sess_pushed {
	size_t size;
	const char
		*origin; /* NULL: for a stream; this and the texts borrowed until the next push */
	int32_t stream_id;
	const char *alt;
	const char *by; /* struct h2sess_push.by, or NULL */
	enum h2sess_outcome outcome;
	int reason;
	uint64_t when_ms; /* Unix time of the call */
};

/*
 * The index-th of the ALTSVC values that were pushed, oldest first; 32 are remembered.
 * Returns 0, H2SESS_ENOTFOUND (no more), H2SESS_EINVAL.
 */
H2SESS_API int h2sess_session_pushed(const struct h2sess_session *s, size_t index,
				     struct h2sess_pushed *ret);

/*
 * What a client would ignore or choke on in this push, on this session (NULL: on any). A bit mask
 * of h2sess_lint_rule in ret_rules. Returns 0, or the error of the first ERROR rule.
 */
H2SESS_API int h2sess_lint(struct h2sess_session *s, const struct h2sess_push *push,
			   uint32_t *ret_rules);

/*
 * Tell the peer which streams will still be processed, without closing anything.
 *
 *   code            HTTP/2 error code, H2SESS_NO_ERROR for a friendly stop
 *   last_stream_id  highest peer stream we will finish; 0 or less = the last one processed
 *   data, len       opaque debug bytes, copied; at most H2SESS_GOAWAY_DATA_MAX
 *
 * Streams up to last_stream_id keep running. Repeating the call may lower last_stream_id, never
 * raise it (RFC 9113 6.8).
 *
 * Returns 0, H2SESS_EDESTROYED, H2SESS_ERANGE (even, raised), H2SESS_EINVAL (len), H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_session_goaway(struct h2sess_session *s, uint32_t code,
				     int32_t last_stream_id, const void *data, size_t len);

/* error is 0 or H2SESS_EPINGCANCEL; round_trip_us is measured from the write to the answer. */
typedef void h2sess_ping_fn(struct h2sess_session *s, int error, uint64_t round_trip_us,
			    const uint8_t payload[H2SESS_PING_LENGTH], void *user);

/*
 *   payload  len bytes, which must be 8 (H2SESS_EPINGLENGTH), or NULL for one of ours
 *   fn       called exactly once unless an error is returned
 *
 * Returns 0, H2SESS_EDESTROYED, H2SESS_EPINGLENGTH, H2SESS_EARGTYPE (fn is NULL),
 * H2SESS_EPINGCANCEL (closed, or limits.max_outstanding_pings), H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_session_ping(struct h2sess_session *s, const void *payload, size_t len,
				   h2sess_ping_fn *fn, void *user);

/* error is 0, or H2SESS_EDESTROYED when the session ended before the acknowledgement came. */
typedef void h2sess_settings_fn(struct h2sess_session *s, int error, uint64_t round_trip_us,
				void *user);

/*
 * Announce settings. fn may be NULL. Past limits.max_outstanding_settings the session is destroyed,
 * as in Node. Returns 0, H2SESS_EDESTROYED, H2SESS_ESETTING, H2SESS_EMAXSETTINGS, H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_session_settings(struct h2sess_session *s,
				       const struct h2sess_settings *settings,
				       h2sess_settings_fn *fn, void *user);

/* GOAWAY, then destroy when no stream is open any more. A second call does nothing. Returns 0. */
H2SESS_API int h2sess_session_close(struct h2sess_session *s);

/*
 * Drain: the two-phase GOAWAY, then as close; what is left after deadline_ms is destroyed with
 * NO_ERROR. UINT32_MAX: without limit. Returns 0, H2SESS_EDESTROYED, H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_session_drain(struct h2sess_session *s, uint32_t deadline_ms);

/*
 * End the session now: streams are destroyed, GOAWAY(code) is sent, `error` is emitted unless code
 * is H2SESS_NO_ERROR, then `close`. Idempotent. Returns 0.
 */
H2SESS_API int h2sess_session_destroy(struct h2sess_session *s, uint32_t code);

/* `timeout` after ms without activity; no listener: it is destroyed. 0 or UINT32_MAX: off. */
H2SESS_API int h2sess_session_set_timeout(struct h2sess_session *s, uint32_t ms);

/* The connection's receive window. Returns 0, H2SESS_EDESTROYED, H2SESS_ERANGE (negative). */
H2SESS_API int h2sess_session_set_local_window_size(struct h2sess_session *s, int32_t bytes);

/* Returns 0, H2SESS_EDESTROYED, H2SESS_ERANGE (odd, 0, not rising, over 2^31-1). */
H2SESS_API int h2sess_session_set_next_stream_id(struct h2sess_session *s, uint32_t id);

/* Count an answer 421 or a request with alt-used: what the properties and the metrics show. */
H2SESS_API void h2sess_session_count_misdirected(struct h2sess_session *s);

/* ---- selectors and fan-outs ------------------------------------------------------------------ */

/*
 * Which sessions, as JSON text: an object whose members must all match, as api/rpc.md says (ids,
 * worker, label, sni, peer, encrypted, alpn, origin, minAge, idleFor, openStreams, userAgent,
 * sample, sampleBy, all).
 *
 *   ret_field  may be NULL; on an error the member that is wrong, cut to fit; "select" is the whole
 *
 * Any thread. Returns 0, H2SESS_EINVAL (no JSON, an unknown member, a value that is not allowed),
 * H2SESS_EARGTYPE, H2SESS_ERANGE, H2SESS_EURL (origin), H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_selector_new(const char *json, size_t len, struct h2sess_selector **ret,
				   char ret_field[H2SESS_FIELD_MAX]);
/* Who was given it (a fan-out) goes on with it. Any thread. NULL is allowed. */
H2SESS_API void h2sess_selector_free(struct h2sess_selector *selector);
/* Whether the session is meant. worker: what the member `worker` is compared with; NULL: no name. */
H2SESS_API bool h2sess_session_matches(const struct h2sess_session *s,
				       const struct h2sess_selector *selector, const char *worker);

enum h2sess_fanout_kind {
	H2SESS_FANOUT_PUSH,   /* ALTSVC or ORIGIN */
	H2SESS_FANOUT_GOAWAY, /* without closing anything */
	H2SESS_FANOUT_DRAIN,  /* ALTSVC where given, then the two-phase GOAWAY, then the end */
};

enum h2sess_fanout_state {
	H2SESS_FANOUT_RUNNING,
	H2SESS_FANOUT_DONE,	 /* everything is settled */
	H2SESS_FANOUT_CANCELLED, /* the same, after h2sess_fanout_cancel() */
};

#define H2SESS_FANOUT_RULES 32

/* Disjoint, and together `matched`: queued, written, received, not_sent. */
struct h2sess_fanout_counts {
	size_t size;
	uint64_t matched;
	uint64_t queued;
	uint64_t written;
	uint64_t received;
	uint64_t not_sent;
	uint64_t cancelled; /* of not_sent: because of h2sess_fanout_cancel() */
	uint64_t ended;	    /* of a drain: sessions that are gone */
	/* Sessions on which a rule of h2sess/lint.def was found, by its value: warnings, and the
	 * errors that kept a session from it (the first one of each). */
	uint64_t lint[H2SESS_FANOUT_RULES];
};

/* What became of one session, for h2sess_session_id_of(). Frozen. */
struct h2sess_fanout_session {
	uint64_t number;
	int32_t outcome; /* enum h2sess_outcome */
	int32_t reason;	 /* enum h2sess_reason, or H2SESS_REASON_LINT + a rule's value */
};

/* On a thread of the server's, or the caller's of h2sess_fanout_start(). May call
 * h2sess_fanout_free(), counts, state, take_changes, cancel; must not wait for anything. */
typedef void h2sess_fanout_fn(struct h2sess_fanout *f, void *user);
/* On the session's thread. */
typedef void h2sess_fanout_session_fn(struct h2sess_fanout *f,
				      const struct h2sess_fanout_session *session, void *user);

struct h2sess_fanout_options {
	size_t size;
	enum h2sess_fanout_kind kind;
	const struct h2sess_selector *select; /* NULL: every session; kept */
	const char *worker;		      /* of this program, for the selector; copied */
	/*
	 * PUSH: kind ALTSVC or ORIGIN, its strings and `by`; DRAIN: an ALTSVC, or NULL. The rest of
	 * it does not count here. Copied.
	 */
	const struct h2sess_push *push;
	uint32_t code;		/* GOAWAY */
	int32_t last_stream_id; /* GOAWAY; 0 = the last one processed. A session that was told a
				   lower one keeps it */
	const void *data;	/* GOAWAY, opaque, copied */
	size_t len;
	enum h2sess_receipt receipt; /* WRITTEN sends no barrier */
	bool lint;		     /* keep a session from what h2sess_lint() calls an error */
	bool dry_run;		     /* match and lint, send nothing */
	double per_second; /* sessions a second over all threads; 0 = as fast as it goes */
	uint32_t
		deadline_ms; /* nothing more is sent after this; a drain: what is open ends; 0 = none */
	h2sess_fanout_fn *matched;	   /* once: every session has been looked at */
	h2sess_fanout_session_fn *session; /* at each change of a session's outcome but `queued` */
	h2sess_fanout_fn *changed;	   /* something can be taken; not again until it was */
	h2sess_fanout_fn *done;		   /* once, last: everything is settled */
	void *user;
};

#define H2SESS_FANOUT_OPTIONS_INIT                           \
	{                                                    \
		.size = sizeof(struct h2sess_fanout_options) \
	}

/*
 * Push to every session that a selector means, and is open now. The sessions are walked in slices,
 * so that no session's traffic waits for more than a millisecond or so; the loops work in parallel
 * and keep one pace. What may not be sent to any session is an error here, in the order of the
 * checks of h2sess_session_push(), with `lint` also the rules that need no session.
 *
 *   ret  may be NULL; the handle, to be freed; it may be used until the server is freed
 *
 * Each session ends up as `received`, `written` (where that was asked for; where the PING behind it
 * had no answer by the deadline, or within a minute; where the session ended before), or `not_sent`
 * with the reason: SESSION_GONE, BACKLOGGED, SESSION_CLOSING, DEADLINE, CANCELLED, NO_MEMORY, a lint
 * rule.
 *
 * Any thread, listeners too. Returns 0, H2SESS_EINVAL, H2SESS_ERANGE (per_second, last_stream_id),
 * H2SESS_ENOMEM, the errors of the push's kind and of lint.
 */
H2SESS_API int h2sess_fanout_start(struct h2sess_server *srv,
				   const struct h2sess_fanout_options *options,
				   struct h2sess_fanout **ret);
/* What has not left is not sent. Counts follow: `done` says when. Any thread. */
H2SESS_API void h2sess_fanout_cancel(struct h2sess_fanout *f);
H2SESS_API enum h2sess_fanout_state h2sess_fanout_state(const struct h2sess_fanout *f);
/* Returns 0, H2SESS_EINVAL (size). Any thread. */
H2SESS_API int h2sess_fanout_counts(struct h2sess_fanout *f, struct h2sess_fanout_counts *ret);
/*
 * Take at most max sessions whose outcome has changed since they were taken, each as it is now; all
 * that matched are new at first. Returns how many. Any thread.
 */
H2SESS_API size_t h2sess_fanout_take_changes(struct h2sess_fanout *f,
					     struct h2sess_fanout_session *ret, size_t max);
/* Everything counts as changed. */
H2SESS_API void h2sess_fanout_rewind(struct h2sess_fanout *f);
/* The fan-out goes on without its handle; its callbacks too. Any thread. NULL is allowed. */
H2SESS_API void h2sess_fanout_free(struct h2sess_fanout *f);

/* The id of a session of this process, by its number. */
H2SESS_API void h2sess_session_id_of(uint64_t number, char buf[H2SESS_SESSION_ID_MAX]);

/* ---- stream ---------------------------------------------------------------------------------- */

H2SESS_API int32_t h2sess_stream_id(const struct h2sess_stream *st);
/* NULL once the session is gone. */
H2SESS_API struct h2sess_session *h2sess_stream_session(const struct h2sess_stream *st);
/*
 * The turn that the stream's thread is in: it counts up each time the thread waits for its sockets.
 * What a listener has looked up may serve the other requests of the same turn, without a lock.
 *
 *   ret_thread  which of the server's threads, from 0; may be NULL
 *
 * The session's thread. 0 once the session is gone.
 */
H2SESS_API uint64_t h2sess_stream_turn(const struct h2sess_stream *st, uint32_t *ret_thread);
/* The request's header block as sent: order and duplicates kept. Borrowed until close. */
H2SESS_API const struct h2sess_header *h2sess_stream_headers(const struct h2sess_stream *st,
							     size_t *ret_n);
/* The first value of a field, or NULL. */
H2SESS_API const char *h2sess_stream_header(const struct h2sess_stream *st, const char *name);
H2SESS_API uint32_t h2sess_stream_rst_code(const struct h2sess_stream *st);
H2SESS_API bool h2sess_stream_headers_sent(const struct h2sess_stream *st);
H2SESS_API bool h2sess_stream_aborted(const struct h2sess_stream *st);
H2SESS_API bool h2sess_stream_closed(const struct h2sess_stream *st);
H2SESS_API bool h2sess_stream_destroyed(const struct h2sess_stream *st);
/* The request ended with its header block. */
H2SESS_API bool h2sess_stream_end_after_headers(const struct h2sess_stream *st);
/* Bytes that were written and have not left. */
H2SESS_API size_t h2sess_stream_buffered(const struct h2sess_stream *st);
/* Of the response; 0 before there is one. */
H2SESS_API int h2sess_stream_status(const struct h2sess_stream *st);
/* Bytes of the bodies so far: of the response, as DATA frames were made, and of the request. */
H2SESS_API uint64_t h2sess_stream_bytes_sent(const struct h2sess_stream *st);
H2SESS_API uint64_t h2sess_stream_bytes_received(const struct h2sess_stream *st);

struct h2sess_stream_state {
	size_t size;
	int state; /* NGHTTP2_STREAM_STATE_...: 1 idle to 7 closed */
	int32_t local_window_size;
	int32_t remote_window_size;
	bool local_close;
	bool remote_close;
};

H2SESS_API int h2sess_stream_state(const struct h2sess_stream *st, struct h2sess_stream_state *ret);
H2SESS_API void h2sess_stream_set_user(struct h2sess_stream *st, void *user);
H2SESS_API void *h2sess_stream_user(const struct h2sess_stream *st);
/* A second pointer, for a host whose apps have the first. */
H2SESS_API void h2sess_stream_set_host(struct h2sess_stream *st, void *host);
H2SESS_API void *h2sess_stream_host(const struct h2sess_stream *st);
/* Microseconds since its `stream` event; 0 without options.stream_end. */
H2SESS_API uint64_t h2sess_stream_age_us(const struct h2sess_stream *st);

#define H2SESS_RESPOND_END_STREAM 1u	    /* no body */
#define H2SESS_RESPOND_WAIT_FOR_TRAILERS 2u /* emit wantTrailers when the body is sent */

/*
 * Send the response's header block. headers are copied; the first must be ":status" (default 200
 * when none is given). Returns 0, H2SESS_ESTREAM, H2SESS_EHEADERSSENT, H2SESS_ESTATUS,
 * H2SESS_EHEADER, H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_stream_respond(struct h2sess_stream *st, const struct h2sess_header *headers,
				     size_t n, uint32_t flags);

/* An informational response, 100 to 199 but 101. Returns as respond, H2SESS_EINFOSTATUS. */
H2SESS_API int h2sess_stream_additional_headers(struct h2sess_stream *st,
						const struct h2sess_header *headers, size_t n);

/*
 * Queue body bytes, copied. Returns 1 while the buffer is under its high-water mark (64 KiB), 0
 * when it is not: wait for `drain`; H2SESS_ESTREAM, H2SESS_EWRITEAFTEREND, H2SESS_ELIMIT
 * (limits.max_write_buffer: nothing was taken), H2SESS_ENOMEM. Responds with :status 200 if need
 * be.
 */
H2SESS_API int h2sess_stream_write(struct h2sess_stream *st, const void *data, size_t len);

/* End the body; data may be NULL. Returns as write. */
H2SESS_API int h2sess_stream_end(struct h2sess_stream *st, const void *data, size_t len);

/* After wantTrailers. Returns 0, H2SESS_ESTREAM, H2SESS_ETRAILERSNOTREADY, H2SESS_ETRAILERSSENT. */
H2SESS_API int h2sess_stream_send_trailers(struct h2sess_stream *st,
					   const struct h2sess_header *headers, size_t n);

/*
 * A pull source: fill buf with up to len bytes. Returns the number, 0 with *ret_eof at the end, 0
 * without it: nothing now (call h2sess_stream_resume_source() later), or a negative error: the
 * stream is reset with INTERNAL_ERROR. Runs on the session's thread, must not call into the
 * library.
 */
typedef ssize_t h2sess_source_fn(void *buf, size_t len, bool *ret_eof, void *user);
/* Called once when the source is not needed any more; may be NULL, and not call the library. */
typedef void h2sess_source_free_fn(void *user);

H2SESS_API int h2sess_stream_respond_with_source(struct h2sess_stream *st,
						 const struct h2sess_header *headers, size_t n,
						 uint32_t flags, h2sess_source_fn *fn,
						 h2sess_source_free_fn *free_fn, void *user);
H2SESS_API int h2sess_stream_resume_source(struct h2sess_stream *st);

/*
 * Respond with length bytes of a file from offset on; length -1 = to its end. The descriptor is
 * read with pread(), taken on success, closed at the end.
 */
H2SESS_API int h2sess_stream_respond_with_fd(struct h2sess_stream *st,
					     const struct h2sess_header *headers, size_t n,
					     uint32_t flags, int fd, int64_t offset,
					     int64_t length);

/* Reset the stream (RST_STREAM) unless it has ended. Idempotent. Returns 0. */
H2SESS_API int h2sess_stream_close(struct h2sess_stream *st, uint32_t code);
/* As close; `error` is emitted before `close` unless code is NO_ERROR or CANCEL. Idempotent. */
H2SESS_API int h2sess_stream_destroy(struct h2sess_stream *st, uint32_t code);
/* Body bytes are not consumed while paused: the peer's window shuts. resume opens it again. */
H2SESS_API int h2sess_stream_pause(struct h2sess_stream *st);
H2SESS_API int h2sess_stream_resume(struct h2sess_stream *st);
/* `timeout` after ms without activity on the stream. 0 or UINT32_MAX: off. */
H2SESS_API int h2sess_stream_set_timeout(struct h2sess_stream *st, uint32_t ms);

/* ---- origins and values: pure functions, any thread ------------------------------------------ */

/*
 * The origin of a URL: WHATWG URL parsing, RFC 6454 serialisation, A-labels. At most cap bytes with
 * the NUL are stored in buf. Returns its length, H2SESS_EURL, H2SESS_EORIGIN (opaque: "null"),
 * H2SESS_ERANGE (cap), H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_origin_of(const char *url, char *buf, size_t cap);

/* ---- control link ---------------------------------------------------------------------------- */

struct h2sess_control_label {
	const char *key;
	const char *value;
};

struct h2sess_control_options {
	size_t size;
	const char *path; /* the daemon's RPC socket */
	const char *name; /* of this worker, unique among the live ones; NULL = host name and pid */
	const char *succeeds; /* boot id of the worker that this one takes over from, or NULL */
	const struct h2sess_control_label *labels;
	size_t n_labels;
};

/*
 * Connect a server to h2sess-controld, and again whenever the link breaks, with a jittered backoff
 * of at most a second. It has a thread of its own and never delays a session. Options are copied.
 * Returns 0, H2SESS_EINVAL, H2SESS_ENOMEM.
 */
H2SESS_API int h2sess_control_start(struct h2sess_server *srv,
				    const struct h2sess_control_options *options,
				    struct h2sess_control **ret);

/* Tell the daemon that this worker drains. Any thread. */
H2SESS_API void h2sess_control_set_draining(struct h2sess_control *control);

/*
 * Tell the daemon what became of a reload, now: `lastReload` of the worker. error is NULL when all
 * went well, else one line, copied, cut at 512 bytes. Any thread.
 */
H2SESS_API void h2sess_control_set_reload(struct h2sess_control *control, const char *error);

/* Stop and free; before h2sess_server_free(). NULL is allowed. */
H2SESS_API void h2sess_control_stop(struct h2sess_control *control);

/* ---- misc ------------------------------------------------------------------------------------ */

H2SESS_API const char *h2sess_strerror(int err);
/* The wire name: ERR_HTTP2_INVALID_SESSION, ... */
H2SESS_API const char *h2sess_errname(int err);
/* "PROTOCOL_ERROR", or NULL. */
H2SESS_API const char *h2sess_codename(uint32_t code);
H2SESS_API const char *h2sess_outcome_name(int outcome);
/* Of enum h2sess_reason, or of a lint rule: H2SESS_REASON_LINT + its value in h2sess/lint.def. */
H2SESS_API const char *h2sess_reason_name(int reason);
H2SESS_API const char *h2sess_version(void);
H2SESS_API int h2sess_abi(void);
/* This process's boot id: the first part of every session id. */
H2SESS_API const char *h2sess_boot_id(void);

/*
 * Memory for the library and nghttp2, process-wide, before the first server. NULL: malloc and
 * friends. What libuv, OpenSSL and jansson allocate is theirs. Returns 0, H2SESS_ESTATE.
 */
struct h2sess_allocator {
	size_t size;
	void *(*malloc_fn)(size_t n, void *user);
	void *(*realloc_fn)(void *p, size_t n, void *user);
	void (*free_fn)(void *p, void *user);
	void *user;
};

H2SESS_API int h2sess_set_allocator(const struct h2sess_allocator *allocator);

#ifdef __cplusplus
}
#endif

#endif
