/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of events between the loop threads and the control thread. It owns the events in it.
 * Loop threads add, the control thread takes; the lock is held for the links alone, so neither
 * waits.
 *
 * The happy path:
 *   - a loop thread makes an event and adds it: it gets the next number;
 *   - the control thread takes it, as soon as the connection has room for it.
 * What can go wrong:
 *   - the daemon is away or slow and the queue is full: the oldest events are dropped;
 *   - an event cannot be made for want of memory: it is numbered all the same.
 * Either way its number is missing, and take() tells of it as a gap, in its place, exactly; and a
 * new generation begins, since the event may have told what sessions do not tell twice.
 */
#include "control_events.h"

#include "memory.h"

int event_queue_init(struct event_queue *q, size_t max_n, size_t max_bytes)
{
	*q = (struct event_queue){.max_n = max_n, .max_bytes = max_bytes};
	list_init(&q->events);
	atomic_init(&q->generation, 1);
	return uv_mutex_init(&q->lock) < 0 ? H2SESS_ENOMEM : 0;
}

static void free_events(struct list *events)
{
	struct list *link;

	while ((link = list_pop(events)))
		control_event_free(container_of(link, struct control_event, link));
}

void event_queue_done(struct event_queue *q)
{
	free_events(&q->events);
	uv_mutex_destroy(&q->lock);
}

void control_event_free(struct control_event *ev)
{
	if (!ev)
		return;
	json_decref(ev->news);
	json_decref(ev->data);
	mem_free(ev->custom_type);
	mem_free(ev);
}

static struct control_event *pop(struct event_queue *q)
{
	struct control_event *ev = container_of(list_pop(&q->events), struct control_event, link);

	q->n--;
	q->bytes -= ev->weight;
	return ev;
}

uint64_t event_queue_generation(const struct event_queue *q)
{
	return atomic_load(&q->generation);
}

void event_queue_begin_generation(struct event_queue *q)
{
	atomic_fetch_add(&q->generation, 1);
}

static void drop(struct event_queue *q)
{
	q->dropped++;
	event_queue_begin_generation(q);
}

/* Move what does not fit any more to `out`, for its end to be outside of the lock. */
static void make_room(struct event_queue *q, struct list *out)
{
	while (q->n > q->max_n || q->bytes > q->max_bytes) {
		list_add_tail(out, &pop(q)->link);
		drop(q);
	}
}

static void push(struct event_queue *q, struct control_event *ev)
{
	q->last_seq++;
	if (!ev) {
		drop(q);
		return;
	}
	ev->seq = q->last_seq;
	list_add_tail(&q->events, &ev->link);
	q->n++;
	q->bytes += ev->weight;
}

void event_queue_add(struct event_queue *q, struct control_event *ev)
{
	struct list dropped;

	list_init(&dropped);
	uv_mutex_lock(&q->lock);
	push(q, ev);
	make_room(q, &dropped);
	uv_mutex_unlock(&q->lock);
	free_events(&dropped);
}

/* The number before the next event that is kept: where a gap would end. */
static uint64_t gap_end(const struct event_queue *q)
{
	if (list_empty(&q->events))
		return q->last_seq;
	return container_of(q->events.next, struct control_event, link)->seq - 1;
}

static bool take(struct event_queue *q, struct event_item *ret)
{
	uint64_t end = gap_end(q);

	*ret = (struct event_item){.from = q->taken_seq + 1, .to = end};
	if (end > q->taken_seq) {
		q->taken_seq = end;
		return true;
	}
	if (q->n == 0)
		return false;
	ret->event = pop(q);
	q->taken_seq = ret->event->seq;
	return true;
}

bool event_queue_take(struct event_queue *q, struct event_item *ret)
{
	bool found;

	uv_mutex_lock(&q->lock);
	found = take(q, ret);
	uv_mutex_unlock(&q->lock);
	return found;
}

uint64_t event_queue_taken(struct event_queue *q)
{
	uint64_t seq;

	uv_mutex_lock(&q->lock);
	seq = q->taken_seq;
	uv_mutex_unlock(&q->lock);
	return seq;
}

uint64_t event_queue_dropped(struct event_queue *q)
{
	uint64_t n;

	uv_mutex_lock(&q->lock);
	n = q->dropped;
	uv_mutex_unlock(&q->lock);
	return n;
}
