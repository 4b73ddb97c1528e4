/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands before every handler: framing, Host, Origin, token, media type; in this order.
 *
 * request.c calls these once the head is complete. libmicrohttpd is lax: it takes two
 * Content-Lengths, Transfer-Encoding beside Content-Length and HTTP/1.1 without Host, each of which
 * lets two readers of one connection disagree about where a request ends. Those are refused, and
 * the connection is closed.
 *
 * Over TCP, Host comes first, for reads too: a page that rebinds its name to 127.0.0.1 sends no
 * Origin with a GET. Then an Origin that is not ours. Then the token. A Unix socket is reached by
 * who may open it.
 */
#include "guard.h"

#include "controld.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct head {
	unsigned count;
	unsigned hosts, lengths, encodings, tokens, origins, types, keys, last_ids;
	bool bad_name;
	bool bad_value;
	const char *length;
	const char *encoding;
};

static bool is_token(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("!#$%&'*+-.^_`|~", name[i]))
			return false;
	return len > 0;
}

static bool has_control(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
			return true;
	return false;
}

static enum MHD_Result on_header(void *user, enum MHD_ValueKind kind, const char *name,
				 size_t name_len, const char *value, size_t value_len)
{
	struct head *head = user;

	(void)kind;
	head->count++;
	head->bad_name |= !is_token(name, name_len);
	head->bad_value |= value && has_control(value, value_len);
	head->hosts += strcasecmp(name, "Host") == 0;
	head->tokens += strcasecmp(name, "Authorization") == 0;
	head->origins += strcasecmp(name, "Origin") == 0;
	head->types += strcasecmp(name, "Content-Type") == 0;
	head->keys += strcasecmp(name, "Idempotency-Key") == 0;
	head->last_ids += strcasecmp(name, "Last-Event-ID") == 0;
	if (strcasecmp(name, "Content-Length") == 0) {
		head->lengths++;
		head->length = value;
	}
	if (strcasecmp(name, "Transfer-Encoding") == 0) {
		head->encodings++;
		head->encoding = value;
	}
	return MHD_YES;
}

static const char *framing_error(const struct head *head, bool http11)
{
	if (head->bad_name || head->bad_value)
		return "a header field is malformed";
	if (head->hosts > 1 || (http11 && head->hosts == 0))
		return "exactly one Host is needed";
	if (head->lengths > 1 || head->encodings > 1)
		return "Content-Length and Transfer-Encoding may stand once";
	if (head->lengths && head->encodings)
		return "Content-Length and Transfer-Encoding exclude each other";
	if (head->encodings && (!http11 || strcasecmp(head->encoding, "chunked") != 0))
		return "the only transfer coding is chunked, in HTTP/1.1";
	if (head->tokens > 1 || head->origins > 1 || head->types > 1)
		return "Authorization, Origin and Content-Type may stand once";
	if (head->keys > 1 || head->last_ids > 1)
		return "Idempotency-Key and Last-Event-ID may stand once";
	return NULL;
}

static int parse_length(const char *text, uint64_t *ret)
{
	size_t len = strlen(text);
	uint64_t value = 0;

	if (len == 0 || len > 18 || strspn(text, "0123456789") != len)
		return -1;
	for (; *text; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	*ret = value;
	return 0;
}

int guard_framing(struct request *request, const char *version, uint64_t *ret_length,
		  struct problem *ret_problem)
{
	bool http11 = strcmp(version, "HTTP/1.1") == 0;
	struct head head = {0};
	const char *wrong;

	MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, on_header, &head);
	if (head.count > GUARD_HEADERS_MAX) {
		*ret_problem = problem_of(PROBLEM_TOO_MANY_HEADERS, NULL, NULL);
		return -1;
	}
	wrong = framing_error(&head, http11);
	if (!http11 && strcmp(version, "HTTP/1.0") != 0)
		wrong = "the version must be HTTP/1.1 or HTTP/1.0";
	if (!wrong && head.length && parse_length(head.length, ret_length) < 0)
		wrong = "Content-Length is not a number";
	if (wrong) {
		*ret_problem = problem_of(PROBLEM_FRAMING, NULL, wrong);
		return -1;
	}
	request->has_body = head.encodings || *ret_length > 0;
	return 0;
}

static bool has_name(const char *authority, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(authority, name, len) != 0)
		return false;
	if (!authority[len])
		return true; /* behind a proxy: its port, or the scheme's */
	authority += len + 1;
	return authority[-1] == ':' && !strchr(name, ':') && *authority &&
	       strspn(authority, "0123456789") == strlen(authority);
}

bool guard_is_our_host(const char *authority, const char *address, unsigned port,
		       char *const *names, size_t count)
{
	static const char *const formats[] = {"127.0.0.1:%u", "[::1]:%u", "localhost:%u"};
	char ours[96];

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(ours, sizeof(ours), formats[i], port);
#pragma GCC diagnostic pop
		if (strcasecmp(authority, ours) == 0)
			return true;
	}
	snprintf(ours, sizeof(ours), strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
	if (strcasecmp(authority, ours) == 0)
		return true;
	for (size_t i = 0; i < count; i++)
		if (has_name(authority, names[i]))
			return true;
	return false;
}

static bool is_ours(const struct request *request, const char *authority)
{
	const struct options *options = &request->controld->options;

	return guard_is_our_host(authority, request->server->address, request->server->port,
				 options->api_hosts, options->api_host_count);
}

static bool is_our_origin(const struct request *request, const char *origin)
{
	if (strncasecmp(origin, "http://", 7) == 0)
		return is_ours(request, origin + 7);
	return strncasecmp(origin, "https://", 8) == 0 && is_ours(request, origin + 8);
}

/* It is counted, but not in the audit. value NULL: nothing that may be said. */
static int refuse(struct request *request, enum strangers_reason reason, const char *value,
		  enum problem_kind kind, struct problem *ret_problem)
{
	strangers_refuse(&request->controld->strangers, reason, value,
			 uv_now(request->controld->loop));
	*ret_problem = problem_of(kind, NULL, NULL);
	return -1;
}

static int check_token(struct request *request, struct problem *ret_problem)
{
	const char *value = request_header(request, "Authorization");
	const struct token *token = NULL;

	if (value && strncasecmp(value, "Bearer ", 7) == 0) {
		value += 7 + strspn(value + 7, " ");
		token = tokens_find(&request->controld->tokens, value, strlen(value));
	}
	if (!token)
		return refuse(request, STRANGERS_TOKEN, NULL, PROBLEM_TOKEN, ret_problem);
	request->role = token->role;
	snprintf(request->by, sizeof(request->by), "%s", token->name);
	request->has_token = true;
	memcpy(request->token, token->hash, sizeof(request->token));
	return 0;
}

int guard_access(struct request *request, struct problem *ret_problem)
{
	const char *host = request->authority, *origin;

	if (!request->server->tcp) {
		request->role = request->server->role;
		snprintf(request->by, sizeof(request->by), "uid:%u", request->from->uid);
		return 0;
	}
	if (!host)
		host = request_header(request, "Host");
	if (!host || !is_ours(request, host))
		return refuse(request, STRANGERS_HOST, host, PROBLEM_WRONG_HOST, ret_problem);
	origin = request_header(request, "Origin");
	if (origin && !is_our_origin(request, origin))
		return refuse(request, STRANGERS_ORIGIN, origin, PROBLEM_FOREIGN_ORIGIN,
			      ret_problem);
	if (!request->server->metrics_only)
		return check_token(request, ret_problem);
	request->role = ROLE_READ;
	return 0;
}

static bool is_media_type(const char *value, const char *type)
{
	size_t len = value ? strcspn(value, "; \t") : 0;

	return len == strlen(type) && strncasecmp(value, type, len) == 0;
}

int guard_media_type(const struct request *request, struct problem *ret_problem)
{
	const char *value = request_header(request, "Content-Type");

	if (is_media_type(value, "application/json"))
		return 0;
	if (strcmp(request->method, "PATCH") == 0 &&
	    is_media_type(value, "application/merge-patch+json"))
		return 0;
	*ret_problem = problem_of(PROBLEM_MEDIA_TYPE, NULL, NULL);
	return -1;
}
