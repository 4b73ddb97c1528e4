/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_PUSH_VALUE_H
#define H2SESS_PUSH_VALUE_H

#include <h2sess/h2sess.h>
#include <stdatomic.h>

/* Kinds beyond enum h2sess_push_kind: GOAWAY as it is, and the first one of a drain. */
#define PUSH_GOAWAY 16
#define PUSH_DRAIN 17

/* Owns its strings; shared. */
struct push_value {
	atomic_uint references;
	int kind; /* enum h2sess_push_kind, PUSH_GOAWAY, PUSH_DRAIN */
	char *alt;
	char *origin; /* serialised */
	int32_t stream_id;
	uint8_t *frame; /* of H2SESS_PUSH_ALTSVC: the frame as it goes out, the same to everybody */
	size_t frame_len;
	char **origins; /* serialised */
	size_t n_origins;
	uint32_t code;		/* GOAWAY */
	int32_t last_stream_id; /* 0: the last one processed */
	void *data;
	size_t len;
	char *by; /* who asked; may be NULL */
};

/* Returns 0 or the error of the first check that fails, in Node's order. Any thread. */
int push_value_new(const struct h2sess_push *push, struct push_value **ret);
/* kind: PUSH_GOAWAY or PUSH_DRAIN. Returns 0, H2SESS_EINVAL, H2SESS_ERANGE, H2SESS_ENOMEM. */
int push_value_new_goaway(int kind, uint32_t code, int32_t last_stream_id, const void *data,
			  size_t len, struct push_value **ret);
struct push_value *push_value_ref(struct push_value *v);
/* NULL is allowed. */
void push_value_unref(struct push_value *v);
/* Whether one takes the other's place: of the same origin or stream, or the same list of origins. */
bool push_value_same_subject(const struct push_value *a, const struct push_value *b);
/* Its frame as a host would describe it, borrowed: for the lint. Not of a GOAWAY. */
struct h2sess_push push_value_view(const struct push_value *v);

#endif
