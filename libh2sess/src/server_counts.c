/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server counts: sessions, streams and bytes; how often a limit was reached; connections in
 * all and by address.
 *
 * Called by loops at each connection's beginning and end, and by hosts for the figures. Counters are
 * atomic; the table of addresses is guarded by the server's lock.
 *
 * Failure modes: too many connections, in all or from one address (H2SESS_ELIMIT, counted), no memory
 * for an address.
 */
#include "memory.h"
#include "open_struct.h"
#include "server.h"

#include <string.h>

struct peer_count {
	struct list link; /* h2sess_server.peers */
	uint32_t n;
	char address[];
};

/* ---- figures --------------------------------------------------------------------------------- */

void server_count_limit(struct h2sess_server *srv, enum limit_id limit)
{
	atomic_fetch_add_explicit(&srv->counters.limits[limit], 1, memory_order_relaxed);
}

const char *server_limit_counter(enum limit_id limit)
{
	static const char *const names[] = {
#define X(field, value, unit, counter, text) counter,
#include <h2sess/limits.def>
#undef X
	};

	return names[limit];
}

uint64_t h2sess_server_limit_count(struct h2sess_server *srv, const char *counter)
{
	for (int i = 0; i < LIMITS && counter; i++) {
		if (strcmp(server_limit_counter((enum limit_id)i), counter) == 0)
			return atomic_load(&srv->counters.limits[i]);
	}
	return UINT64_MAX;
}

int h2sess_server_stats(struct h2sess_server *srv, struct h2sess_server_stats *ret)
{
	struct h2sess_server_stats stats = {.size = sizeof(stats)};
	const struct server_counters *c = &srv->counters;

	stats.sessions = atomic_load(&c->sessions);
	stats.sessions_total = atomic_load(&c->sessions_total);
	stats.streams_total = atomic_load(&c->streams_total);
	stats.misdirected = atomic_load(&c->misdirected);
	stats.alt_used = atomic_load(&c->alt_used);
	stats.bytes_received = atomic_load(&c->bytes_received);
	stats.bytes_sent = atomic_load(&c->bytes_sent);
	stats.connections = atomic_load(&c->connections);
	return open_struct_write(ret, &stats, sizeof(stats));
}

/* ---- connections ----------------------------------------------------------------------------- */

static struct list *bucket_of(struct h2sess_server *srv, const char *address)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *address; address++)
		hash = (hash ^ (unsigned char)*address) * 16777619u;
	return &srv->peers[(hash ^ hash >> 16) % 256];
}

static struct peer_count *find_peer(struct list *bucket, const char *address)
{
	struct list *pos;

	list_for_each(pos, bucket) {
		struct peer_count *p = container_of(pos, struct peer_count, link);

		if (strcmp(p->address, address) == 0)
			return p;
	}
	return NULL;
}

static struct peer_count *add_peer(struct list *bucket, const char *address)
{
	size_t len = strlen(address) + 1;
	struct peer_count *p = mem_alloc(sizeof(*p) + len);

	if (!p)
		return NULL;
	p->n = 0;
	memcpy(p->address, address, len);
	list_add_tail(bucket, &p->link);
	return p;
}

static int count_peer(struct h2sess_server *srv, const char *address)
{
	struct list *bucket = bucket_of(srv, address);
	struct peer_count *p = find_peer(bucket, address);

	if (!p)
		p = add_peer(bucket, address);
	if (!p)
		return H2SESS_ENOMEM;
	if (p->n >= server_limits(srv)->max_sessions_per_peer) {
		server_count_limit(srv, LIMIT_max_sessions_per_peer);
		return H2SESS_ELIMIT;
	}
	p->n++;
	return 0;
}

int server_peer_named(struct h2sess_server *srv, const char *address)
{
	int r;

	uv_mutex_lock(&srv->lock);
	r = count_peer(srv, address);
	uv_mutex_unlock(&srv->lock);
	return r;
}

int server_peer_opened(struct h2sess_server *srv, const char *address)
{
	int r;

	if (atomic_load(&srv->counters.connections) >= server_limits(srv)->max_sessions) {
		server_count_limit(srv, LIMIT_max_sessions);
		return H2SESS_ELIMIT;
	}
	r = address ? server_peer_named(srv, address) : 0;
	if (r == 0)
		atomic_fetch_add(&srv->counters.connections, 1);
	return r;
}

void server_peer_closed(struct h2sess_server *srv, const char *address)
{
	struct peer_count *p;

	uv_mutex_lock(&srv->lock);
	p = address ? find_peer(bucket_of(srv, address), address) : NULL;
	if (p && --p->n == 0) {
		list_del(&p->link);
		mem_free(p);
	}
	uv_mutex_unlock(&srv->lock);
	atomic_fetch_sub(&srv->counters.connections, 1);
}
