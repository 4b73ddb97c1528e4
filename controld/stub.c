/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are not there yet: the next commits replace each. */
#include "controld.h"
#include "handlers.h"
#include "request.h"
#include "store.h"
#pragma GCC diagnostic ignored "-Wunused-parameter"
static void not_yet(struct request *r)
{
	request_refuse(r, PROBLEM_NOT_FOUND, NULL, "no such path");
}
void handle_sessions(struct request *r)
{
	not_yet(r);
}
void handle_session(struct request *r)
{
	not_yet(r);
}
void handle_session_streams(struct request *r)
{
	not_yet(r);
}
void handle_push_altsvc(struct request *r)
{
	not_yet(r);
}
void handle_push_origin(struct request *r)
{
	not_yet(r);
}
void handle_pushes(struct request *r)
{
	not_yet(r);
}
void handle_push(struct request *r)
{
	not_yet(r);
}
void handle_push_cancel(struct request *r)
{
	not_yet(r);
}
void handle_push_sessions(struct request *r)
{
	not_yet(r);
}
void handle_events(struct request *r)
{
	not_yet(r);
}
void handle_metrics(struct request *r)
{
	not_yet(r);
}
int store_open(struct store **ret, const char *path, struct events *events, void *loop, char *why)
{
	return 0;
}
void store_close(struct store *s)
{
}
void store_reserve(struct store *s, uint64_t q)
{
}
void store_append_event(struct store *store, uint64_t seq, const char *type, const char *json,
			size_t len)
{
}
void streams_start(struct streams *streams, struct controld *controld)
{
}
void streams_stop(struct streams *s)
{
}
void streams_wake(struct events *e)
{
}
void stream_client_gone(struct stream *s)
{
}
void stream_heartbeat(struct stream *s)
{
}
void pushes_init(struct pushes *p, struct controld *c)
{
}
void pushes_stop(struct pushes *p)
{
}
void pushes_done(struct pushes *p)
{
}
void pushes_take_update(struct pushes *pushes, struct worker *worker, json_t *params)
{
}
void pushes_adopt(struct pushes *pushes, struct worker *worker, json_t *list)
{
}
void pushes_worker_lost(struct pushes *pushes, const struct boot *boot)
{
}
