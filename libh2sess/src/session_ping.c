/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PING with a measured round trip (Node's session.ping()).
 *
 * Owns the PINGs without an answer, at most limits.max_outstanding_pings. The clock starts when
 * nghttp2 puts the frame into its output, since it may have waited behind a peer that does not
 * read. An answer that nobody asked for is ignored (RFC 9113 6.7 asks nothing else).
 */
#include "memory.h"
#include "server.h"
#include "session.h"

#include <string.h>

static struct session_ping *find(struct h2sess_session *s, const uint8_t *payload, bool sent)
{
	struct list *pos;

	list_for_each(pos, &s->pings) {
		struct session_ping *p = container_of(pos, struct session_ping, link);

		if (!!p->sent_ns == sent && memcmp(p->payload, payload, sizeof(p->payload)) == 0)
			return p;
	}
	return NULL;
}

static void end_ping(struct h2sess_session *s, struct session_ping *p, int error, uint64_t us)
{
	list_del(&p->link);
	s->n_pings--;
	p->fn(s, error, us, p->payload, p->user);
	mem_free(p);
}

void session_ping_sent(struct h2sess_session *s, const uint8_t *payload)
{
	struct session_ping *p = find(s, payload, false);

	if (p)
		p->sent_ns = uv_hrtime();
}

void session_ping_acked(struct h2sess_session *s, const uint8_t *payload)
{
	struct session_ping *p = find(s, payload, true);

	if (p)
		end_ping(s, p, 0, (uv_hrtime() - p->sent_ns) / 1000);
}

void session_pings_done(struct h2sess_session *s)
{
	struct list *link;

	while (!list_empty(&s->pings)) {
		link = s->pings.next;
		end_ping(s, container_of(link, struct session_ping, link), H2SESS_EPINGCANCEL, 0);
	}
}

int h2sess_session_ping(struct h2sess_session *s, const void *payload, size_t len,
			h2sess_ping_fn *fn, void *user)
{
	struct session_ping *p;
	uint64_t clock = uv_hrtime();

	if (s->destroyed)
		return H2SESS_EDESTROYED;
	if (payload && len != H2SESS_PING_LENGTH)
		return H2SESS_EPINGLENGTH;
	if (!fn)
		return H2SESS_EARGTYPE;
	if (!s->open || s->closed)
		return H2SESS_EPINGCANCEL;
	if (s->n_pings >= server_limits(s->loop->server)->max_outstanding_pings) {
		server_count_limit(s->loop->server, LIMIT_max_outstanding_pings);
		return H2SESS_EPINGCANCEL;
	}
	p = mem_calloc(1, sizeof(*p));
	if (!p)
		return H2SESS_ENOMEM;
	memcpy(p->payload, payload ? payload : &clock, sizeof(p->payload));
	if (nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, p->payload) != 0) {
		mem_free(p);
		return H2SESS_ENOMEM;
	}
	p->fn = fn;
	p->user = user;
	list_add_tail(&s->pings, &p->link);
	s->n_pings++;
	session_active(s);
	session_mark_dirty(s);
	return 0;
}
