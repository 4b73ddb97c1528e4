/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_REQUEST_H
#define CONTROLD_REQUEST_H

#include "body.h"
#include "http.h"
#include "query.h"
#include "text.h"
#include "tokens.h"

#include <jansson.h>

#define REQUEST_BODY_MAX (1u << 20)  /* octets of a body that is read; counter "body" */
#define REQUEST_DRAIN_MAX (8u << 20) /* octets of one that is refused, read and dropped */
#define REQUEST_SEGMENTS_MAX 8
#define REQUEST_PARAMETERS_MAX 2
#define REQUEST_HEADERS_MAX 4 /* that a handler adds to an answer */

struct route;

/* One HTTP request, from its request line to the end of the answer. */
struct request {
	struct http_server *server;
	struct controld *controld;
	struct MHD_Connection *connection;
	struct http_connection *from;
	char method[16];
	char *target;			      /* raw; cut into segments by the router */
	char *segments[REQUEST_SEGMENTS_MAX]; /* decoded */
	size_t segment_count;
	char *authority; /* of a target in absolute form, or NULL */
	char *raw_query; /* or NULL */
	const struct route *route;
	const char *parameters[REQUEST_PARAMETERS_MAX]; /* what stood for {} in the path */
	struct query query;
	struct body body;
	struct text input; /* the body's octets */
	uint64_t input_seen;
	bool has_body;
	enum role role;
	char by[TOKEN_NAME_MAX + 1]; /* who asks, for records */
	bool has_token;
	unsigned char token[TOKEN_HASH_SIZE];
	bool head;
	bool begun;
	bool handled;
	bool waiting;	/* the handler returned without an answer */
	bool suspended; /* libmicrohttpd leaves the connection alone until we resume it */
	bool closing;	/* the connection ends after the answer */
	unsigned status;
	struct MHD_Response *response; /* NULL until there is an answer */
	const char *header_names[REQUEST_HEADERS_MAX];
	char *header_values[REQUEST_HEADERS_MAX];
	size_t header_count;
	json_t *notes; /* for the audit, or NULL */
	bool audited;  /* it was written down, or is being */
};

/* A header of the request, or NULL. */
const char *request_header(const struct request *request, const char *name);

/* Add a header to the answer that comes. value is copied, name is not. */
void request_add_header(struct request *request, const char *name, const char *value);

/*
 * Answer, once. From a handler, or later when it called request_wait(). object and text are taken;
 * an object that is NULL (no memory to build it) becomes a 503.
 */
void request_reply_json(struct request *request, unsigned status, json_t *object);
void request_reply_text(struct request *request, unsigned status, const char *type,
			struct text *text);
void request_reply_static(struct request *request, unsigned status, const char *type,
			  const void *data, size_t len);
void request_reply_stream(struct request *request, const char *type, struct MHD_Response *stream);
void request_reply_problem(struct request *request, const struct problem *problem);
void request_reply_problem_json(struct request *request, unsigned status, json_t *object);
void request_refuse(struct request *request, enum problem_kind kind, const char *field,
		    const char *detail);

/* Write a value as answers have it; NULL (no memory to build it): the text has failed. */
void reply_add_json(struct text *text, const json_t *value);

/* Something that the audit is to say of this request; value NULL: nothing. */
void request_note(struct request *request, const char *name, const char *value);

/* The handler returns without an answer; somebody will make one. */
void request_wait(struct request *request);

/* There is an answer: must it wait until it is written down? Then it is sent later. */
bool request_audit(struct request *request);

/* Callbacks of libmicrohttpd. */
void *request_on_target(void *user, const char *target, struct MHD_Connection *connection);
enum MHD_Result request_on_call(void *user, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *data,
				size_t *data_len, void **context);
void request_on_completed(void *user, struct MHD_Connection *connection, void **context,
			  enum MHD_RequestTerminationCode code);

#endif
