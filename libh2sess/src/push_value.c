/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is pushed, apart from whom to: checked in Node's order and serialised once, then shared by
 * every session that it goes to. Immutable but for its references, so any thread may read it.
 *
 * Failure modes: what may not be sent, in Node's order; no memory.
 */
#include "push_value.h"

#include "alt_value.h"
#include "memory.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

/* ---- life ------------------------------------------------------------------------------------ */

struct push_value *push_value_ref(struct push_value *v)
{
	atomic_fetch_add_explicit(&v->references, 1, memory_order_relaxed);
	return v;
}

void push_value_unref(struct push_value *v)
{
	size_t i;

	if (!v || atomic_fetch_sub(&v->references, 1) != 1)
		return;
	for (i = 0; i < v->n_origins; i++)
		mem_free(v->origins[i]);
	mem_free(v->origins);
	mem_free(v->origin);
	mem_free(v->alt);
	mem_free(v->frame);
	mem_free(v->data);
	mem_free(v->by);
	mem_free(v);
}

static int value_alloc(int kind, const char *by, struct push_value **ret)
{
	struct push_value *v = mem_calloc(1, sizeof(*v));

	if (!v)
		return H2SESS_ENOMEM;
	atomic_init(&v->references, 1);
	v->kind = kind;
	v->by = by ? mem_strdup(by) : NULL;
	if (by && !v->by) {
		mem_free(v);
		return H2SESS_ENOMEM;
	}
	*ret = v;
	return 0;
}

/* ---- what may be sent ------------------------------------------------------------------------ */

static int copy_origin(const char *url, int opaque_error, char **ret)
{
	char buf[H2SESS_PUSH_BYTES_MAX + 8];
	int len = h2sess_origin_of(url, buf, sizeof(buf));

	if (len == H2SESS_EORIGIN)
		return opaque_error;
	if (len < 0)
		return len;
	*ret = mem_strndup(buf, (size_t)len);
	return *ret ? 0 : H2SESS_ENOMEM;
}

static int copy_alt(struct push_value *v, const char *alt)
{
	int r;

	if (!alt)
		return H2SESS_EARGTYPE;
	r = alt_check_chars(alt, strlen(alt));
	if (r < 0)
		return r;
	if (strlen(alt) + (v->origin ? strlen(v->origin) : 0) > H2SESS_PUSH_BYTES_MAX)
		return H2SESS_EALTSVCLENGTH;
	v->alt = mem_strdup(alt);
	return v->alt ? 0 : H2SESS_ENOMEM;
}

/* RFC 7838 4: an ALTSVC frame of the connection. Not over the 16,384 octets that every peer takes. */
static int build_frame(struct push_value *v)
{
	size_t origin_len = strlen(v->origin), alt_len = strlen(v->alt);
	size_t payload = 2 + origin_len + alt_len;
	const uint8_t head[11] = {(uint8_t)(payload >> 16),
				  (uint8_t)(payload >> 8),
				  (uint8_t)payload,
				  NGHTTP2_ALTSVC,
				  [9] = (uint8_t)(origin_len >> 8),
				  [10] = (uint8_t)origin_len};

	v->frame_len = 9 + payload;
	v->frame = mem_alloc(v->frame_len);
	if (!v->frame)
		return H2SESS_ENOMEM;
	memcpy(v->frame, head, sizeof(head));
	memcpy(v->frame + sizeof(head), v->origin, origin_len);
	memcpy(v->frame + sizeof(head) + origin_len, v->alt, alt_len);
	return 0;
}

/* Node's order: the origin first, then alt's type, characters and length. */
static int fill_altsvc(struct push_value *v, const struct h2sess_push *push)
{
	int r;

	if (!push->origin)
		return H2SESS_EALTSVCORIGIN;
	r = copy_origin(push->origin, H2SESS_EALTSVCORIGIN, &v->origin);
	if (r == H2SESS_ERANGE)
		return H2SESS_EALTSVCLENGTH;
	if (r == 0)
		r = copy_alt(v, push->alt);
	return r < 0 ? r : build_frame(v);
}

static int fill_altsvc_stream(struct push_value *v, const struct h2sess_push *push)
{
	if (push->stream_id == 0 || push->stream_id > H2SESS_STREAM_ID_MAX)
		return H2SESS_ERANGE;
	v->stream_id = (int32_t)push->stream_id;
	return copy_alt(v, push->alt);
}

static int fill_origin(struct push_value *v, const struct h2sess_push *push)
{
	size_t i;
	int r;

	if (push->n_origins && !push->origins)
		return H2SESS_EARGTYPE;
	v->origins = mem_calloc(push->n_origins + 1, sizeof(*v->origins));
	if (!v->origins)
		return H2SESS_ENOMEM;
	for (i = 0; i < push->n_origins; i++) {
		if (!push->origins[i])
			return H2SESS_EARGTYPE;
		r = copy_origin(push->origins[i], H2SESS_EORIGIN, &v->origins[i]);
		if (r == H2SESS_ERANGE)
			return H2SESS_EORIGINLENGTH;
		if (r < 0)
			return r;
		v->n_origins = i + 1;
		if (strlen(v->origins[i]) > H2SESS_PUSH_BYTES_MAX)
			return H2SESS_EORIGINLENGTH;
	}
	return 0;
}

int push_value_new(const struct h2sess_push *push, struct push_value **ret)
{
	static int (*const fill[])(struct push_value *, const struct h2sess_push *) = {
		[H2SESS_PUSH_ALTSVC] = fill_altsvc,
		[H2SESS_PUSH_ALTSVC_STREAM] = fill_altsvc_stream,
		[H2SESS_PUSH_ORIGIN] = fill_origin,
	};
	struct push_value *v;
	int r;

	if (push->kind > H2SESS_PUSH_ORIGIN)
		return H2SESS_EINVAL;
	r = value_alloc((int)push->kind, push->by, &v);
	if (r < 0)
		return r;
	r = fill[push->kind](v, push);
	if (r < 0)
		push_value_unref(v);
	else
		*ret = v;
	return r;
}

int push_value_new_goaway(int kind, uint32_t code, int32_t last_stream_id, const void *data,
			  size_t len, struct push_value **ret)
{
	struct push_value *v;
	int r;

	if (len > H2SESS_GOAWAY_DATA_MAX || (len && !data))
		return H2SESS_EINVAL;
	if (last_stream_id < 0 || (last_stream_id && last_stream_id % 2 == 0))
		return H2SESS_ERANGE;
	r = value_alloc(kind, NULL, &v);
	if (r < 0)
		return r;
	v->code = code;
	v->last_stream_id = last_stream_id;
	v->len = len;
	v->data = mem_alloc(len + 1);
	if (!v->data) {
		push_value_unref(v);
		return H2SESS_ENOMEM;
	}
	if (len)
		memcpy(v->data, data, len);
	*ret = v;
	return 0;
}

struct h2sess_push push_value_view(const struct push_value *v)
{
	return (struct h2sess_push){
		.size = sizeof(struct h2sess_push),
		.kind = (enum h2sess_push_kind)v->kind,
		.alt = v->alt,
		.origin = v->origin,
		.stream_id = (uint32_t)v->stream_id,
		.origins = (const char *const *)v->origins,
		.n_origins = v->n_origins,
	};
}

static bool is_same_list(const struct push_value *a, const struct push_value *b)
{
	size_t i;

	if (a->n_origins != b->n_origins)
		return false;
	for (i = 0; i < a->n_origins; i++) {
		if (strcmp(a->origins[i], b->origins[i]) != 0)
			return false;
	}
	return true;
}

bool push_value_same_subject(const struct push_value *a, const struct push_value *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == H2SESS_PUSH_ORIGIN)
		return is_same_list(a, b);
	return a->origin ? strcmp(a->origin, b->origin) == 0 : a->stream_id == b->stream_id;
}
