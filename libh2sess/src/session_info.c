/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session can say of itself: Node's properties, and what selectors and operators look for.
 *
 * Owns the origin set, the labels and the values that were pushed. All lists are bounded: the
 * origin set by SESSION_ORIGIN_SET_MAX (more is sent, but not listed), pushed values by
 * SESSION_PUSHED_MAX (the oldest goes), labels by SESSION_LABELS_MAX (an error).
 */
#include "memory.h"
#include "open_struct.h"
#include "policy.h"
#include "server.h"
#include "session.h"
#include "stream.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LABEL_KEY_MAX 63
#define LABEL_VALUE_MAX 255

uint64_t wall_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- origin set ------------------------------------------------------------------------------ */

int session_origin_set_add(struct h2sess_session *s, const char *origin, size_t len)
{
	size_t i, n = s->n_origin_set;
	char **set;

	if (!s->encrypted || n >= SESSION_ORIGIN_SET_MAX)
		return 0;
	for (i = 0; i < n; i++) {
		if (strlen(s->origin_set[i]) == len && memcmp(s->origin_set[i], origin, len) == 0)
			return 0;
	}
	set = mem_realloc(s->origin_set, (n + 1) * sizeof(*set));
	if (!set)
		return H2SESS_ENOMEM;
	s->origin_set = set;
	set[n] = mem_strndup(origin, len);
	if (!set[n])
		return H2SESS_ENOMEM;
	s->n_origin_set++;
	return 0;
}

/* RFC 8336 2.3: the set begins as the name of SNI, or the server's address, and the server's port.
 */
static int begin_origin_set(struct h2sess_session *s)
{
	const char *sni =
		s->conn->ssl ? SSL_get_servername(s->conn->ssl, TLSEXT_NAMETYPE_host_name) : NULL;
	char text[320];
	size_t i;
	int len;

	if (!s->encrypted)
		return 0;
	if (sni && strlen(sni) <= 255)
		len = snprintf(text, sizeof(text), "https://%s", sni);
	else
		len = snprintf(text, sizeof(text),
			       strchr(s->local_address, ':') ? "https://[%s]" : "https://%s",
			       s->local_address);
	for (i = 0; i < (size_t)len; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	if (s->local_port != 443)
		len += snprintf(text + len, sizeof(text) - (size_t)len, ":%u", s->local_port);
	return session_origin_set_add(s, text, (size_t)len);
}

size_t h2sess_session_origin_set(const struct h2sess_session *s, const char **origins, size_t n)
{
	size_t i;

	if (s->destroyed)
		return 0;
	for (i = 0; i < s->n_origin_set && i < n; i++)
		origins[i] = s->origin_set[i];
	return s->n_origin_set;
}

/* ---- pushed values --------------------------------------------------------------------------- */

static void pushed_free(struct h2sess_session *s, struct session_pushed *p)
{
	list_del(&p->link);
	s->n_pushed--;
	push_value_unref(p->value);
	block_free(&s->loop->memory.blocks, p);
}

/* Forget the value that a new one replaces, or the oldest where there is no room. */
static void make_room(struct h2sess_session *s, const struct push_value *value)
{
	struct list *pos, *following;

	list_for_each_safe(pos, following, &s->pushed) {
		struct session_pushed *p = container_of(pos, struct session_pushed, link);

		if (push_value_same_subject(p->value, value))
			pushed_free(s, p);
	}
	if (s->n_pushed >= SESSION_PUSHED_MAX)
		pushed_free(s, container_of(s->pushed.next, struct session_pushed, link));
}

void session_pushed_add(struct h2sess_session *s, struct push_value *value, uint64_t push_id)
{
	struct session_pushed *p;

	make_room(s, value);
	p = block_calloc(&s->loop->memory.blocks, 1, sizeof(*p));
	if (!p)
		return; /* a property is poorer; the push itself is not touched */
	list_add_tail(&s->pushed, &p->link);
	s->n_pushed++;
	p->value = push_value_ref(value);
	p->push_id = push_id;
	p->when_ms = wall_clock_ms();
}

void session_pushed_outcome(struct h2sess_session *s, uint64_t push_id, int outcome, int reason)
{
	struct list *pos;

	list_for_each(pos, &s->pushed) {
		struct session_pushed *p = container_of(pos, struct session_pushed, link);

		if (p->push_id != push_id)
			continue;
		p->outcome = outcome;
		p->reason = reason;
	}
}

int h2sess_session_pushed(const struct h2sess_session *s, size_t index, struct h2sess_pushed *ret)
{
	struct h2sess_pushed pushed = {.size = sizeof(pushed)};
	const struct session_pushed *p;
	struct list *pos = s->pushed.next;

	if (index >= s->n_pushed)
		return H2SESS_ENOTFOUND;
	while (index--)
		pos = pos->next;
	p = container_of(pos, struct session_pushed, link);
	pushed.origin = p->value->origin;
	pushed.stream_id = p->value->stream_id;
	pushed.alt = p->value->alt;
	pushed.by = p->value->by;
	pushed.outcome = (enum h2sess_outcome)p->outcome;
	pushed.reason = p->reason;
	pushed.when_ms = p->when_ms;
	return open_struct_write(ret, &pushed, sizeof(pushed));
}

void session_each_pushed(const struct h2sess_session *s,
			 void (*fn)(const struct session_pushed *pushed, void *user), void *user)
{
	struct list *pos;

	list_for_each(pos, &s->pushed)
		fn(container_of(pos, struct session_pushed, link), user);
}

/* ---- labels ---------------------------------------------------------------------------------- */

static struct session_label *find_label(const struct h2sess_session *s, const char *key)
{
	struct list *pos;

	list_for_each(pos, &s->labels) {
		struct session_label *l = container_of(pos, struct session_label, link);

		if (strcmp(l->key, key) == 0)
			return l;
	}
	return NULL;
}

static void label_free(struct h2sess_session *s, struct session_label *l)
{
	list_del(&l->link);
	s->n_labels--;
	mem_free(l->key);
	mem_free(l->value);
	mem_free(l);
}

/* Events say it with what they are told next; policies that ask for labels are looked at again. */
static void labels_changed(struct h2sess_session *s)
{
	s->label_changes++;
	policy_revisit(s);
}

static int add_label(struct h2sess_session *s, const char *key, const char *value)
{
	struct session_label *l;

	if (s->n_labels >= SESSION_LABELS_MAX)
		return H2SESS_ELIMIT;
	labels_changed(s);
	l = mem_calloc(1, sizeof(*l));
	if (!l)
		return H2SESS_ENOMEM;
	list_add_tail(&s->labels, &l->link);
	s->n_labels++;
	l->key = mem_strdup(key);
	l->value = mem_strdup(value);
	if (l->key && l->value)
		return 0;
	label_free(s, l);
	return H2SESS_ENOMEM;
}

bool session_label_ok(const char *key, const char *value)
{
	return key && *key && strlen(key) <= LABEL_KEY_MAX &&
	       (!value || strlen(value) <= LABEL_VALUE_MAX);
}

int h2sess_session_set_label(struct h2sess_session *s, const char *key, const char *value)
{
	struct session_label *l;
	char *copy;

	if (!session_label_ok(key, value))
		return H2SESS_EINVAL;
	l = find_label(s, key);
	if (!value) {
		if (l) {
			labels_changed(s);
			label_free(s, l);
		}
		return 0;
	}
	if (!l)
		return add_label(s, key, value);
	copy = mem_strdup(value);
	if (!copy)
		return H2SESS_ENOMEM;
	mem_free(l->value);
	l->value = copy;
	labels_changed(s);
	return 0;
}

const char *h2sess_session_label(const struct h2sess_session *s, const char *key)
{
	struct session_label *l = key ? find_label(s, key) : NULL;

	return l ? l->value : NULL;
}

void session_each_label(const struct h2sess_session *s,
			void (*fn)(const char *key, const char *value, void *user), void *user)
{
	struct list *pos;

	list_for_each(pos, &s->labels) {
		struct session_label *l = container_of(pos, struct session_label, link);

		fn(l->key, l->value, user);
	}
}

/* ---- facts ----------------------------------------------------------------------------------- */

X509 *session_certificate(const struct h2sess_session *s)
{
	return s->certificate;
}

void session_facts(const struct h2sess_session *s, struct session_facts *ret)
{
	ret->created_ms = s->created_ms;
	ret->idle_ms = session_idle_ms(s);
	ret->streams_total = s->streams_total;
	ret->user_agent = s->user_agent;
	ret->alt_used = s->alt_used;
	ret->misdirected = s->misdirected;
	ret->close_error = s->error;
	ret->limit = s->ended_by ? server_limit_counter((enum limit_id)(s->ended_by - 1)) : NULL;
	ret->close_code = s->code;
}

void session_each_stream(const struct h2sess_session *s,
			 void (*fn)(struct h2sess_stream *st, void *user), void *user)
{
	struct list *pos;

	list_for_each(pos, &s->streams) {
		struct h2sess_stream *st = container_of(pos, struct h2sess_stream, link);

		if (!st->closed && st->announced)
			fn(st, user);
	}
}

void h2sess_session_count_misdirected(struct h2sess_session *s)
{
	s->misdirected++;
	atomic_fetch_add(&s->loop->server->counters.misdirected, 1);
}

const char *h2sess_session_id(const struct h2sess_session *s)
{
	return s->id;
}

struct h2sess_server *h2sess_session_server(const struct h2sess_session *s)
{
	return s->loop->server;
}

bool h2sess_session_encrypted(const struct h2sess_session *s)
{
	return s->encrypted;
}

const char *h2sess_session_alpn_protocol(const struct h2sess_session *s)
{
	return s->encrypted ? "h2" : "h2c";
}

bool h2sess_session_connecting(const struct h2sess_session *s)
{
	return !s->open;
}

bool h2sess_session_closed(const struct h2sess_session *s)
{
	return s->closed;
}

bool h2sess_session_destroyed(const struct h2sess_session *s)
{
	return s->destroyed;
}

int h2sess_session_type(const struct h2sess_session *s)
{
	(void)s;
	return 0;
}

uint32_t h2sess_session_goaway_code(const struct h2sess_session *s)
{
	return s->goaway_code;
}

int32_t h2sess_session_goaway_last_stream_id(const struct h2sess_session *s)
{
	return s->goaway_last_stream_id;
}

size_t h2sess_session_open_streams(const struct h2sess_session *s)
{
	return s->n_streams;
}

struct h2sess_stream *h2sess_session_stream(struct h2sess_session *s, int32_t id)
{
	return s->ng && !s->destroyed && id > 0 ? nghttp2_session_get_stream_user_data(s->ng, id)
						: NULL;
}

void h2sess_session_set_host(struct h2sess_session *s, void *host)
{
	s->host = host;
}

void *h2sess_session_host(const struct h2sess_session *s)
{
	return s->host;
}

void h2sess_session_set_user(struct h2sess_session *s, void *user)
{
	s->user = user;
}

void *h2sess_session_user(const struct h2sess_session *s)
{
	return s->user;
}

void *h2sess_session_ssl(const struct h2sess_session *s)
{
	return s->conn ? s->conn->ssl : NULL;
}

static const char *subject_of(struct h2sess_session *s, SSL *ssl)
{
	X509 *cert;
	BIO *bio;
	char *text;
	long len;

	if (s->subject)
		return s->subject;
	cert = SSL_get1_peer_certificate(ssl);
	bio = cert ? BIO_new(BIO_s_mem()) : NULL;
	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
		len = BIO_get_mem_data(bio, &text);
		s->subject = mem_strndup(text, (size_t)len);
	}
	BIO_free(bio);
	X509_free(cert);
	return s->subject;
}

int h2sess_session_peer(struct h2sess_session *s, struct h2sess_peer *ret)
{
	struct h2sess_peer peer = {.size = sizeof(peer), .port = s->peer_port};
	SSL *ssl = s->conn ? s->conn->ssl : NULL;

	memcpy(peer.address, s->peer_address, sizeof(peer.address));
	memcpy(peer.local_address, s->local_address, sizeof(peer.local_address));
	peer.local_port = s->local_port;
	if (ssl) {
		peer.servername = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
		peer.tls_version = SSL_get_version(ssl);
		peer.cipher = SSL_get_cipher_name(ssl);
		peer.subject = subject_of(s, ssl);
	}
	return open_struct_write(ret, &peer, sizeof(peer));
}

int h2sess_session_state(const struct h2sess_session *s, struct h2sess_session_state *ret)
{
	struct h2sess_session_state state = {.size = sizeof(state)};

	if (s->destroyed || !s->ng)
		return H2SESS_EDESTROYED;
	state.effective_local_window_size = nghttp2_session_get_effective_local_window_size(s->ng);
	state.effective_recv_data_length = nghttp2_session_get_effective_recv_data_length(s->ng);
	state.next_stream_id = nghttp2_session_get_next_stream_id(s->ng);
	state.local_window_size = nghttp2_session_get_local_window_size(s->ng);
	state.last_proc_stream_id = nghttp2_session_get_last_proc_stream_id(s->ng);
	state.remote_window_size = nghttp2_session_get_remote_window_size(s->ng);
	state.outbound_queue_size = nghttp2_session_get_outbound_queue_size(s->ng);
	state.deflate_dynamic_table_size = nghttp2_session_get_hd_deflate_dynamic_table_size(s->ng);
	state.inflate_dynamic_table_size = nghttp2_session_get_hd_inflate_dynamic_table_size(s->ng);
	return open_struct_write(ret, &state, sizeof(state));
}

int session_reason_of(int lib_error)
{
	switch (lib_error) {
	case NGHTTP2_ERR_SESSION_CLOSING:
		return H2SESS_REASON_SESSION_CLOSING;
	case NGHTTP2_ERR_STREAM_CLOSED:
	case NGHTTP2_ERR_STREAM_CLOSING:
		return H2SESS_REASON_STREAM_CLOSED;
	default:
		return H2SESS_REASON_NO_MEMORY;
	}
}

/* ---- life ------------------------------------------------------------------------------------ */

void session_info_init(struct h2sess_session *s)
{
	list_init(&s->labels);
	list_init(&s->pushed);
	s->created_ms = wall_clock_ms();
	s->goaway_last_stream_id = -1;
	s->sent_last_stream_id = INT32_MAX;
}

int session_info_opened(struct h2sess_session *s)
{
	s->created_ms = wall_clock_ms();
	s->opened_ns = uv_hrtime();
	return begin_origin_set(s);
}

void session_info_done(struct h2sess_session *s)
{
	struct list *link;
	size_t i;

	while (!list_empty(&s->labels))
		label_free(s, container_of(s->labels.next, struct session_label, link));
	while (!list_empty(&s->pushed)) {
		link = s->pushed.next;
		pushed_free(s, container_of(link, struct session_pushed, link));
	}
	for (i = 0; i < s->n_origin_set; i++)
		mem_free(s->origin_set[i]);
	mem_free(s->origin_set);
	mem_free(s->user_agent);
	mem_free(s->subject);
}
