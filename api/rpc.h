/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec of the control protocol (rpc.md): lines to messages and back. Used by both sides; it
 * knows framing and JSON-RPC 2.0, nothing of what the methods mean.
 *
 * No globals, no locks: a reader belongs to one thread.
 */
#ifndef H2SESS_API_RPC_H
#define H2SESS_API_RPC_H

#include "json_text.h"
#include "text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_PROTOCOL_MIN 1
#define RPC_PROTOCOL_MAX 1
#define RPC_LINE_MAX (4u * 1024 * 1024) /* bytes, newline included */

/* JSON-RPC 2.0's own errors. */
enum {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
};

enum rpc_method {
#define X(name, wire, direction, kind, text) RPC_##name,
#include <h2sess/methods.def>
#undef X
	RPC_METHODS, /* how many; also: no such method */
};

enum rpc_kind { RPC_REQUEST, RPC_NOTIFICATION, RPC_RESULT, RPC_ERROR };

/* One message, borrowed from the reader until its callback returns (json_incref() to keep a part).
 */
struct rpc_message {
	enum rpc_kind kind;
	uint64_t id;		/* REQUEST, RESULT, ERROR */
	enum rpc_method method; /* REQUEST, NOTIFICATION; RPC_METHODS when unknown */
	const char *method_name;
	json_t *params; /* an object, never NULL, for REQUEST and NOTIFICATION */
	json_t *result; /* RESULT */
	int error;	/* ERROR: the code */
	const char *error_message;
	json_t *error_data; /* may be NULL */
};

/* Returns 0 to go on, or a negative value that rpc_reader_feed() returns at once. */
typedef int rpc_message_fn(const struct rpc_message *message, void *user);

/* The same for a line, borrowed too, without its newline. */
typedef int rpc_line_fn(const char *line, size_t len, void *user);

struct rpc_reader {
	struct text line; /* that is not complete yet */
};

/* Errors of rpc_reader_feed(), beside what the callback returns. */
enum {
	RPC_ETOOLONG = -1001, /* a line over RPC_LINE_MAX */
	RPC_EPARSE = -1002,   /* not JSON: answer RPC_PARSE_ERROR, close */
	RPC_EINVALID = -1003, /* JSON, but not a message: answer RPC_INVALID_REQUEST, close */
	RPC_ENOMEM = -1004,
};

void rpc_reader_init(struct rpc_reader *reader);
void rpc_reader_done(struct rpc_reader *reader);

/*
 * Take len bytes and call fn for each message that is complete. fn may not feed or finish the
 * reader. After an error the reader must not be fed again.
 */
int rpc_reader_feed(struct rpc_reader *reader, const void *data, size_t len, rpc_message_fn *fn,
		    void *user);

/* The same for one who looks at a line before it is read: fn gets each that is complete. */
int rpc_reader_feed_lines(struct rpc_reader *reader, const void *data, size_t len, rpc_line_fn *fn,
			  void *user);
/* Read such a line. Returns what rpc_reader_feed() does. */
int rpc_line_read(const char *line, size_t len, rpc_message_fn *fn, void *user);
/*
 * Is such a line a RESULT beyond doubt? Then it is checked as a whole, and *ret_result is where in
 * it the value is. False: it is something else, or json_text_object() is in doubt; read it.
 */
bool rpc_line_result(const char *line, size_t len, uint64_t *ret_id, struct json_span *ret_result);

/*
 * Make a line, newline included, to be freed with free(). params, result and data are taken, on
 * failure too (params NULL: {}). Returns NULL when out of memory or over RPC_LINE_MAX.
 */
char *rpc_request(uint64_t id, enum rpc_method method, json_t *params, size_t *ret_len);
char *rpc_notification(enum rpc_method method, json_t *params, size_t *ret_len);
char *rpc_result(uint64_t id, json_t *result, size_t *ret_len);
/* id 0: null. error is of h2sess/errors.def or JSON-RPC's own; field and rule may be NULL. */
char *rpc_error(uint64_t id, int error, const char *field, const char *rule, const char *detail,
		size_t *ret_len);

/*
 * The same line as rpc_result()'s, for a value that is added as text between begin and end. line is
 * empty; its max becomes RPC_LINE_MAX.
 */
void rpc_result_begin(struct text *line, uint64_t id);
void rpc_result_end(struct text *line);

enum rpc_method rpc_method_by_name(const char *name);
const char *rpc_method_name(enum rpc_method method);

/* Rows of h2sess/errors.def, by value: wire name, HTTP status, text. NULL / 500 for no such row. */
const char *api_error_name(int error);
int api_error_http(int error);
const char *api_error_text(int error);
int api_error_by_name(const char *name); /* 0: no such row */

#endif
