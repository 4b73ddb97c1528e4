/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One push on one session: session_push.c makes it, session_receipts.c sees it through.
 */
#ifndef H2SESS_PUSH_H
#define H2SESS_PUSH_H

#include "session.h"

struct push {
	struct list link; /* h2sess_session.pushes or .receipts */
	uint64_t id;
	struct push_value *value;
	struct push_order order;

	uint64_t goaway;     /* of a GOAWAY: its number among ours, see h2sess_session.goaways */
	size_t frames;	     /* handed to nghttp2 */
	size_t frames_ended; /* sent or dropped */
	uint64_t end;	     /* conn.produced behind the last byte */
	uint64_t barrier;    /* number of the PING that covers it; 0: none yet */
	bool sent;	     /* all frames are in nghttp2's output */
	bool dropped;	     /* some were not sent: not_sent, with reason */
	int outcome;	     /* enum h2sess_outcome */
	int reason;
	int told; /* outcome as of the last call of fn */
};

void push_free(struct h2sess_session *s, struct push *p);
/*
 * True when nothing more can become of it that anybody asked for. A drain is followed until its
 * session has ended.
 */
bool push_is_final(const struct push *p);
/* Note an outcome; session_push_report() tells it. */
void push_settle(struct h2sess_session *s, struct push *p, int outcome, int reason);

#endif
