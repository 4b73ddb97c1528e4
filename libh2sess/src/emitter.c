/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Node's EventEmitter for servers, sessions and streams.
 *
 * Owns the listeners. Called by hosts (h2sess_on() and friends) and by the objects that emit.
 *
 * Happy path: on -> the listener is appended (or prepended) -> emit walks the list, skips what was
 * registered after it began, calls the rest.
 *
 * What can go wrong: a listener takes itself or others away (they are marked, and unlinked when the
 * last emit under way has ended), registers more (heard from the next emit on), emits again
 * (bounded by EMITTER_DEPTH_MAX), or frees the object (objects outlive their listeners;
 * h2sess_emitter_free() waits for the emit). A server's listeners are called by several threads at
 * once: they cannot change by then, and `once` is an atomic claim.
 */
#include "emitter.h"

#include "event_name.h"
#include "memory.h"
#include "open_struct.h"

#include <stdatomic.h>
#include <string.h>

struct listener {
	struct list link; /* h2sess_emitter.listeners */
	uint64_t id;	  /* ascending: tells who came after an emit began */
	h2sess_listener_fn *fn;
	void *user;
	const char *name; /* of events.def, or custom_name */
	char *custom_name;
	enum event_id event;
	bool once;
	bool prepended;
	atomic_bool gone; /* taken away, or a `once` that was called */
};

/* Registration order over all emitters: ids never recur. */
static atomic_uint_fast64_t last_id;

static const struct {
	const char *name;
	uint8_t scopes;
} events[] = {
#define SERVER EMITTER_SERVER
#define SESSION EMITTER_SESSION
#define STREAM EMITTER_STREAM
#define X(name, wire, emitters, control, text) {wire, emitters},
#include <h2sess/events.def>
#undef X
#undef SERVER
#undef SESSION
#undef STREAM
};

enum event_id event_by_name(const char *name)
{
	size_t i;

	if (!name)
		return EVENT_NONE;
	for (i = 0; i < EVENT_CUSTOM; i++) {
		if (events[i].name == name) /* of an event that is handed on */
			return (enum event_id)i;
	}
	if (event_name_is_own(name))
		return EVENT_CUSTOM;
	for (i = 0; i < EVENT_CUSTOM; i++) {
		if (strcmp(events[i].name, name) == 0)
			return (enum event_id)i;
	}
	return EVENT_NONE;
}

const char *event_name(enum event_id id)
{
	return id < EVENT_CUSTOM ? events[id].name : NULL;
}

/* The id of a name that this emitter knows, or EVENT_NONE. */
static enum event_id known_event(const struct h2sess_emitter *e, const char *name)
{
	enum event_id id = event_by_name(name);

	if (id < EVENT_CUSTOM && !(events[id].scopes & e->scope))
		return EVENT_NONE;
	return id;
}

void emitter_init(struct h2sess_emitter *e, enum emitter_scope scope)
{
	memset(e, 0, sizeof(*e));
	list_init(&e->listeners);
	e->scope = (uint8_t)scope;
}

static void listener_free(struct h2sess_emitter *e, struct listener *l)
{
	list_del(&l->link);
	e->count--;
	mem_free(l->custom_name);
	mem_free(l);
}

void emitter_done(struct h2sess_emitter *e)
{
	struct list *pos, *following;

	list_for_each_safe(pos, following, &e->listeners)
		listener_free(e, container_of(pos, struct listener, link));
	e->wanted = 0;
	e->in_front = 0;
}

void emitter_freeze(struct h2sess_emitter *e)
{
	e->frozen = true;
}

/* Unlink what was taken away while an emit was under way. */
static void sweep(struct h2sess_emitter *e)
{
	struct list *pos, *following;
	uint32_t wanted = 0, in_front = 0;

	list_for_each_safe(pos, following, &e->listeners) {
		struct listener *l = container_of(pos, struct listener, link);

		if (atomic_load_explicit(&l->gone, memory_order_relaxed)) {
			listener_free(e, l);
			continue;
		}
		wanted |= 1u << l->event;
		in_front |= (uint32_t)l->prepended << l->event;
	}
	e->wanted = wanted;
	e->in_front = in_front;
	e->swept = false;
}

static void take_away(struct h2sess_emitter *e, struct listener *l)
{
	atomic_store_explicit(&l->gone, true, memory_order_relaxed);
	e->swept = true;
}

static void leave(struct h2sess_emitter *e)
{
	if (e->frozen)
		return;
	if (--e->depth > 0)
		return;
	if (e->swept)
		sweep(e);
	if (e->dead) {
		emitter_done(e);
		mem_free(e);
	}
}

static bool listens(const struct listener *l, enum event_id id, const char *name, uint64_t newest)
{
	if (l->id > newest)
		return false;
	if (id == EVENT_CUSTOM && strcmp(l->name, name) != 0)
		return false;
	return !atomic_load_explicit(&l->gone, memory_order_relaxed);
}

/* Call the prepended listeners, or the others. */
static bool call(struct h2sess_emitter *e, enum event_id id, const struct h2sess_event *ev,
		 uint64_t newest, bool prepended)
{
	bool heard = false;
	struct list *pos;

	list_for_each(pos, &e->listeners) {
		struct listener *l = container_of(pos, struct listener, link);

		if (l->event != id || l->prepended != prepended ||
		    !listens(l, id, ev->name, newest))
			continue;
		if (e->dead)
			break; /* the host has freed it: nobody is called any more */
		if (l->once) {
			if (atomic_exchange(&l->gone, true))
				continue;
			e->swept = e->swept || !e->frozen;
		}
		heard = true;
		l->fn(ev, l->user);
	}
	return heard;
}

bool emitter_emit(struct h2sess_emitter *e, enum event_id id, const struct h2sess_event *ev)
{
	uint64_t newest;
	bool heard = false;

	if (emitter_deaf(e, id) || e->depth >= EMITTER_DEPTH_MAX)
		return false;
	newest = atomic_load(&last_id);
	if (!e->frozen)
		e->depth++;
	if (e->in_front & (1u << id))
		heard = call(e, id, ev, newest, true);
	if (e->forwarded & (1u << id))
		heard = emitter_emit(e->forward, id, ev) || heard;
	if (e->wanted & (1u << id))
		heard = call(e, id, ev, newest, false) || heard;
	leave(e);
	return heard;
}

static int listener_new(struct h2sess_emitter *e, const char *name, enum event_id event,
			struct listener **ret)
{
	struct listener *l;

	if (e->count >= H2SESS_LISTENERS_MAX)
		return H2SESS_ELIMIT;
	l = mem_calloc(1, sizeof(*l));
	if (!l)
		return H2SESS_ENOMEM;
	l->event = event;
	l->name = event_name(event);
	if (event == EVENT_CUSTOM) {
		l->custom_name = mem_strdup(name);
		if (!l->custom_name) {
			mem_free(l);
			return H2SESS_ENOMEM;
		}
		l->name = l->custom_name;
	}
	*ret = l;
	return 0;
}

static int add(struct h2sess_emitter *e, const char *name, h2sess_listener_fn *fn, void *user,
	       bool once, bool prepended, uint64_t *ret_id)
{
	struct listener *l;
	enum event_id event;
	int r;

	if (!e || !name || !fn)
		return H2SESS_EARGTYPE;
	event = known_event(e, name);
	if (event == EVENT_NONE)
		return H2SESS_EEVENT;
	if (e->frozen)
		return H2SESS_ESTATE;
	r = listener_new(e, name, event, &l);
	if (r < 0)
		return r;
	l->id = atomic_fetch_add(&last_id, 1) + 1;
	l->fn = fn;
	l->user = user;
	l->once = once;
	l->prepended = prepended;
	if (prepended)
		list_add_head(&e->listeners, &l->link);
	else
		list_add_tail(&e->listeners, &l->link);
	e->count++;
	e->wanted |= 1u << event;
	e->in_front |= (uint32_t)prepended << event;
	if (ret_id)
		*ret_id = l->id;
	return 0;
}

int h2sess_on(struct h2sess_emitter *e, const char *name, h2sess_listener_fn *fn, void *user,
	      uint64_t *ret_id)
{
	return add(e, name, fn, user, false, false, ret_id);
}

int h2sess_add_listener(struct h2sess_emitter *e, const char *name, h2sess_listener_fn *fn,
			void *user, uint64_t *ret_id)
{
	return add(e, name, fn, user, false, false, ret_id);
}

int h2sess_once(struct h2sess_emitter *e, const char *name, h2sess_listener_fn *fn, void *user,
		uint64_t *ret_id)
{
	return add(e, name, fn, user, true, false, ret_id);
}

int h2sess_prepend(struct h2sess_emitter *e, const char *name, h2sess_listener_fn *fn, void *user,
		   uint64_t *ret_id)
{
	return add(e, name, fn, user, false, true, ret_id);
}

int h2sess_prepend_once(struct h2sess_emitter *e, const char *name, h2sess_listener_fn *fn,
			void *user, uint64_t *ret_id)
{
	return add(e, name, fn, user, true, true, ret_id);
}

int h2sess_off(struct h2sess_emitter *e, uint64_t id)
{
	struct list *pos;

	if (!e)
		return H2SESS_EARGTYPE;
	if (e->frozen)
		return H2SESS_ESTATE;
	list_for_each(pos, &e->listeners) {
		struct listener *l = container_of(pos, struct listener, link);

		if (l->id != id || atomic_load(&l->gone))
			continue;
		take_away(e, l);
		if (!e->depth)
			sweep(e);
		return 0;
	}
	return H2SESS_ENOTFOUND;
}

int h2sess_off_all(struct h2sess_emitter *e, const char *name)
{
	struct list *pos;

	if (!e)
		return H2SESS_EARGTYPE;
	if (e->frozen)
		return H2SESS_ESTATE;
	list_for_each(pos, &e->listeners) {
		struct listener *l = container_of(pos, struct listener, link);

		if (!name || strcmp(l->name, name) == 0)
			take_away(e, l);
	}
	if (!e->depth)
		sweep(e);
	return 0;
}

int h2sess_emit(struct h2sess_emitter *e, const char *name, const void *data, size_t len)
{
	struct h2sess_event ev = {.size = sizeof(ev), .name = name, .data = data, .len = len};
	enum event_id id;
	bool heard;

	if (!e)
		return H2SESS_EARGTYPE;
	id = known_event(e, name);
	if (id == EVENT_NONE)
		return H2SESS_EEVENT;
	heard = emitter_emit(e, id, &ev);
	if (!heard && id == EVENT_ERROR && e->unheard_error)
		e->unheard_error(e);
	return heard;
}

int h2sess_emit_event(struct h2sess_emitter *e, const struct h2sess_event *ev)
{
	struct h2sess_event own;
	enum event_id id;

	if (!e || !ev)
		return H2SESS_EARGTYPE;
	if (ev->size != sizeof(own)) {
		if (open_struct_read(&own, sizeof(own), ev) < 0)
			return H2SESS_EARGTYPE;
		ev = &own;
	}
	id = event_by_name(ev->name);
	if (id == EVENT_NONE)
		return H2SESS_EEVENT;
	return emitter_emit(e, id, ev);
}

size_t h2sess_listener_count(const struct h2sess_emitter *e, const char *name)
{
	size_t n = 0;
	struct list *pos;

	list_for_each(pos, &e->listeners) {
		struct listener *l = container_of(pos, struct listener, link);

		n += !atomic_load(&l->gone) && name && strcmp(l->name, name) == 0;
	}
	return n;
}

/* True when no earlier-registered live listener has the same name. */
static bool first_of_name(const struct h2sess_emitter *e, const struct listener *l)
{
	struct list *pos;

	list_for_each(pos, &e->listeners) {
		struct listener *other = container_of(pos, struct listener, link);

		if (other->id < l->id && !atomic_load(&other->gone) &&
		    strcmp(other->name, l->name) == 0)
			return false;
	}
	return true;
}

/* The first-of-its-name listener with the lowest id over `after`, or NULL. */
static const struct listener *next_name(const struct h2sess_emitter *e, uint64_t after)
{
	const struct listener *best = NULL;
	struct list *pos;

	list_for_each(pos, &e->listeners) {
		struct listener *l = container_of(pos, struct listener, link);

		if (l->id <= after || atomic_load(&l->gone) || (best && l->id > best->id))
			continue;
		if (first_of_name(e, l))
			best = l;
	}
	return best;
}

size_t h2sess_event_names(const struct h2sess_emitter *e, const char **names, size_t n)
{
	const struct listener *l;
	size_t count = 0;

	for (l = next_name(e, 0); l; l = next_name(e, l->id)) {
		if (count < n)
			names[count] = l->name;
		count++;
	}
	return count;
}

int h2sess_emitter_new(struct h2sess_emitter **ret)
{
	struct h2sess_emitter *e = mem_calloc(1, sizeof(*e));

	if (!e)
		return H2SESS_ENOMEM;
	emitter_init(e, EMITTER_SERVER);
	e->owned = true;
	*ret = e;
	return 0;
}

void h2sess_emitter_freeze(struct h2sess_emitter *e)
{
	emitter_freeze(e);
}

void h2sess_emitter_free(struct h2sess_emitter *e)
{
	if (!e || !e->owned)
		return;
	if (e->depth) {
		e->dead = true;
		return;
	}
	emitter_done(e);
	mem_free(e);
}
