/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec of the control protocol: owns the bytes of a line that is not complete yet, nothing
 * else. The library's control link and the daemon call it, each from one thread.
 *
 * The happy path, reading:
 *   - rpc_reader_feed() cuts the bytes at newlines; a line that came in one piece is not copied,
 *     else its pieces are collected in reader->line;
 *   - each line is parsed, classified (request, notification, result, error) and handed to the
 *     callback;
 *   - who wants a result's text, and not its value, looks at the lines first.
 * Writing:
 *   - the envelope is built around the caller's values, dumped into one malloc()ed line.
 *
 * What can go wrong:
 *   - a line over RPC_LINE_MAX is refused before it is buffered whole, or before it is written;
 *   - not JSON, duplicate keys, a NUL: RPC_EPARSE; JSON that is no message: RPC_EINVALID;
 *   - no memory: RPC_ENOMEM, or NULL from the writers, which release what they were given.
 *
 * Lines are written into memory of malloc() (text.h), since json_dumps() would use whatever
 * allocator the host has given to jansson, and the caller could not free() it.
 */
#include "rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READER_CAP_KEEP (64u * 1024) /* a larger buffer is given back when its line is done */
#define ID_MAX ((1ULL << 53) - 1)    /* the integers that every JSON reader keeps exactly */

static const char *const method_names[RPC_METHODS] = {
#define X(name, wire, direction, kind, text) [RPC_##name] = (wire),
#include <h2sess/methods.def>
#undef X
};

const char *rpc_method_name(enum rpc_method method)
{
	return (unsigned int)method < RPC_METHODS ? method_names[method] : NULL;
}

enum rpc_method rpc_method_by_name(const char *name)
{
	int method = 0;

	while (method < RPC_METHODS && strcmp(method_names[method], name) != 0)
		method++;
	return (enum rpc_method)method;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_id(const json_t *id, uint64_t *ret)
{
	json_int_t value = json_integer_value(id);

	if (!json_is_integer(id) || value < 1 || value > (json_int_t)ID_MAX)
		return RPC_EINVALID;
	*ret = (uint64_t)value;
	return 0;
}

/* A message with a method: a notification when it has no id. params may be absent: {} then. */
static int read_call(const json_t *root, const json_t *method, struct rpc_message *m)
{
	const json_t *id = json_object_get(root, "id");

	if (!json_is_string(method) || json_object_get(root, "result") ||
	    json_object_get(root, "error"))
		return RPC_EINVALID;
	m->kind = id ? RPC_REQUEST : RPC_NOTIFICATION;
	m->method_name = json_string_value(method);
	m->method = rpc_method_by_name(m->method_name);
	m->params = json_object_get(root, "params");
	if (m->params && !json_is_object(m->params))
		return RPC_EINVALID;
	return id ? read_id(id, &m->id) : 0;
}

/* An error object. Its id is null, 0 here, when the other side could not read ours. */
static int read_error(const json_t *id, const json_t *error, struct rpc_message *m)
{
	const json_t *code = json_object_get(error, "code");
	const json_t *text = json_object_get(error, "message");
	json_int_t value = json_integer_value(code);

	if (!json_is_integer(code) || !json_is_string(text) || value < INT32_MIN ||
	    value > INT32_MAX)
		return RPC_EINVALID;
	m->kind = RPC_ERROR;
	m->error = (int)value;
	m->error_message = json_string_value(text);
	m->error_data = json_object_get(error, "data");
	return json_is_null(id) ? 0 : read_id(id, &m->id);
}

static int read_message(const json_t *root, struct rpc_message *m)
{
	const char *version = json_string_value(json_object_get(root, "jsonrpc"));
	const json_t *method = json_object_get(root, "method");
	const json_t *error = json_object_get(root, "error");

	*m = (struct rpc_message){.method = RPC_METHODS};
	if (!version || strcmp(version, "2.0") != 0)
		return RPC_EINVALID;
	if (method)
		return read_call(root, method, m);
	m->result = json_object_get(root, "result");
	if (!m->result == !error)
		return RPC_EINVALID;
	if (error)
		return read_error(json_object_get(root, "id"), error, m);
	m->kind = RPC_RESULT;
	return read_id(json_object_get(root, "id"), &m->id);
}

static int deliver_message(json_t *root, rpc_message_fn *fn, void *user)
{
	struct rpc_message message;
	json_t *empty = NULL;
	int r;

	r = read_message(root, &message);
	if (r < 0)
		return r;
	if (message.method_name && !message.params) {
		empty = json_object();
		if (!empty)
			return RPC_ENOMEM;
		message.params = empty;
	}
	r = fn(&message, user);
	json_decref(empty);
	return r;
}

int rpc_line_read(const char *line, size_t len, rpc_message_fn *fn, void *user)
{
	json_error_t error;
	json_t *root;
	int r;

	root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return json_error_code(&error) == json_error_out_of_memory ? RPC_ENOMEM
									   : RPC_EPARSE;
	r = deliver_message(root, fn, user);
	json_decref(root);
	return r;
}

static bool read_id_text(const struct json_span *text, uint64_t *ret)
{
	uint64_t id = 0;

	if (!text->data || text->len > JSON_TEXT_NUMBER_MAX)
		return false;
	for (size_t i = 0; i < text->len; i++) {
		if (text->data[i] < '0' || text->data[i] > '9')
			return false;
		id = id * 10 + (uint64_t)(text->data[i] - '0');
	}
	*ret = id;
	return id >= 1 && id <= ID_MAX;
}

bool rpc_line_result(const char *line, size_t len, uint64_t *ret_id, struct json_span *ret_result)
{
	enum { VERSION, ID, RESULT, METHOD, ERROR, MEMBERS };
	struct json_member members[MEMBERS] = {[VERSION] = {.key = "jsonrpc"},
					       [ID] = {.key = "id"},
					       [RESULT] = {.key = "result"},
					       [METHOD] = {.key = "method"},
					       [ERROR] = {.key = "error"}};

	if (!json_text_object(line, len, members, MEMBERS))
		return false;
	if (members[METHOD].value.data || members[ERROR].value.data || !members[RESULT].value.data)
		return false;
	*ret_result = members[RESULT].value;
	return json_span_is(&members[VERSION].value, "\"2.0\"") &&
	       read_id_text(&members[ID].value, ret_id);
}

/* Add a piece of a line. The newline, which is not stored, must fit too. */
static int collect(struct rpc_reader *reader, const char *data, size_t len)
{
	if (len >= RPC_LINE_MAX - reader->line.len)
		return RPC_ETOOLONG;
	text_append(&reader->line, data, len);
	return reader->line.failed ? RPC_ENOMEM : 0;
}

static void forget_line(struct rpc_reader *reader)
{
	reader->line.len = 0;
	if (reader->line.cap > READER_CAP_KEEP)
		text_done(&reader->line);
}

/* The rest of a line has come: len bytes before its newline. */
static int finish_line(struct rpc_reader *reader, const char *data, size_t len, rpc_line_fn *fn,
		       void *user)
{
	int r;

	if (len >= RPC_LINE_MAX - reader->line.len)
		return RPC_ETOOLONG;
	if (reader->line.len == 0)
		return fn(data, len, user);
	r = collect(reader, data, len);
	if (r < 0)
		return r;
	r = fn(reader->line.data, reader->line.len, user);
	forget_line(reader);
	return r;
}

void rpc_reader_init(struct rpc_reader *reader)
{
	*reader = (struct rpc_reader){0};
}

void rpc_reader_done(struct rpc_reader *reader)
{
	text_done(&reader->line);
}

int rpc_reader_feed_lines(struct rpc_reader *reader, const void *data, size_t len, rpc_line_fn *fn,
			  void *user)
{
	const char *at = data;
	const char *end = at + len;
	int r;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		if (!newline)
			return collect(reader, at, (size_t)(end - at));
		r = finish_line(reader, at, (size_t)(newline - at), fn, user);
		if (r < 0)
			return r;
		at = newline + 1;
	}
	return 0;
}

/* Who wants messages. */
struct taker {
	rpc_message_fn *fn;
	void *user;
};

static int read_line(const char *line, size_t len, void *user)
{
	const struct taker *taker = user;

	return rpc_line_read(line, len, taker->fn, taker->user);
}

int rpc_reader_feed(struct rpc_reader *reader, const void *data, size_t len, rpc_message_fn *fn,
		    void *user)
{
	struct taker taker = {.fn = fn, .user = user};

	return rpc_reader_feed_lines(reader, data, len, read_line, &taker);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* root is taken. */
static char *line_of(json_t *root, size_t *ret_len)
{
	struct text line = {.max = RPC_LINE_MAX};

	text_add_json(&line, root);
	text_append(&line, "\n", 1);
	json_decref(root);
	if (line.failed) {
		text_done(&line);
		return NULL;
	}
	*ret_len = line.len;
	return line.data;
}

/* Both are taken; value NULL means that it could not be made. Returns whether it went well. */
static bool put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0;
}

/* The envelope and its payload under `key`, which is taken. id: NULL for none, taken. */
static char *message_line(json_t *id, bool has_id, enum rpc_method method, const char *key,
			  json_t *payload, size_t *ret_len)
{
	json_t *root = json_object();
	bool ok;

	ok = put(root, "jsonrpc", json_string("2.0"));
	if (has_id)
		ok &= put(root, "id", id);
	if (method < RPC_METHODS)
		ok &= put(root, "method", json_string(method_names[method]));
	ok &= put(root, key, payload);
	if (!ok) {
		json_decref(root);
		return NULL;
	}
	return line_of(root, ret_len);
}

char *rpc_request(uint64_t id, enum rpc_method method, json_t *params, size_t *ret_len)
{
	return message_line(json_integer((json_int_t)id), true, method, "params",
			    params ? params : json_object(), ret_len);
}

char *rpc_notification(enum rpc_method method, json_t *params, size_t *ret_len)
{
	return message_line(NULL, false, method, "params", params ? params : json_object(),
			    ret_len);
}

char *rpc_result(uint64_t id, json_t *result, size_t *ret_len)
{
	return message_line(json_integer((json_int_t)id), true, RPC_METHODS, "result",
			    result ? result : json_object(), ret_len);
}

void rpc_result_begin(struct text *line, uint64_t id)
{
	line->max = RPC_LINE_MAX;
	text_format(line, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":", (unsigned long long)id);
}

void rpc_result_end(struct text *line)
{
	text_add(line, "}\n");
}

static const char *error_text(int error)
{
	switch (error) {
	case RPC_PARSE_ERROR:
		return "Parse error";
	case RPC_INVALID_REQUEST:
		return "Invalid request";
	case RPC_METHOD_NOT_FOUND:
		return "Method not found";
	case RPC_INVALID_PARAMS:
		return "Invalid params";
	default:
		return api_error_text(error) ? api_error_text(error) : "Internal error";
	}
}

/* `data` of an error; NULL in *ret when there is nothing to say. */
static bool error_data(int error, const char *field, const char *rule, json_t **ret)
{
	const char *name = api_error_name(error);
	json_t *data = NULL;
	bool ok = true;

	if (name || field || rule) {
		data = json_object();
		ok = data != NULL;
	}
	if (name)
		ok &= put(data, "code", json_string(name));
	if (field)
		ok &= put(data, "field", json_string(field));
	if (rule)
		ok &= put(data, "rule", json_string(rule));
	*ret = data;
	return ok;
}

char *rpc_error(uint64_t id, int error, const char *field, const char *rule, const char *detail,
		size_t *ret_len)
{
	json_t *object = json_object();
	json_t *data;
	bool ok;

	ok = put(object, "code", json_integer(error));
	ok &= put(object, "message", json_string(detail ? detail : error_text(error)));
	ok &= error_data(error, field, rule, &data);
	if (data)
		ok &= put(object, "data", data);
	if (!ok) {
		json_decref(object);
		return NULL;
	}
	return message_line(id ? json_integer((json_int_t)id) : json_null(), true, RPC_METHODS,
			    "error", object, ret_len);
}
