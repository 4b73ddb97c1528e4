/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_EMITTER_H
#define H2SESS_EMITTER_H

#include "list.h"

#include <h2sess/h2sess.h>

/* The rows of events.def, in order; EVENT_CUSTOM is a name of the host's own. */
enum event_id {
#define X(name, wire, emitters, control, text) EVENT_##name,
#include <h2sess/events.def>
#undef X
	EVENT_CUSTOM,
	EVENT_NONE,
};

/* Which object an emitter belongs to: which names it knows. */
enum emitter_scope { EMITTER_SERVER = 1, EMITTER_SESSION = 2, EMITTER_STREAM = 4 };

struct h2sess_emitter {
	struct list
		listeners; /* struct listener.link, in firing order; NULL links until the first */
	/*
	 * Whom events go on to. Node registers that forwarding before the host can register
	 * anything, so it stands between the prepended listeners and the others.
	 */
	struct h2sess_emitter *forward;
	/* The host has emitted `error` and nobody listened; NULL: nothing happens. */
	void (*unheard_error)(struct h2sess_emitter *e);
	uint32_t forwarded; /* bits of the events that do */
	uint32_t wanted; /* bit (1 << event_id): somebody may listen; never clears while emitting */
	uint32_t in_front; /* the same of those that were prepended */
	uint16_t count;
	uint8_t scope; /* enum emitter_scope */
	uint8_t depth; /* emits under way; 255 and more stick at the recursion limit */
	bool frozen;   /* a server's once it runs: shared by threads */
	bool swept;    /* a listener was taken away during an emit */
	bool dead;     /* to be freed when the emit under way ends */
	bool owned;    /* made by h2sess_emitter_new() */
};

#define EMITTER_DEPTH_MAX 200 /* emits within emits of one emitter */

void emitter_init(struct h2sess_emitter *e, enum emitter_scope scope);
void emitter_done(struct h2sess_emitter *e);
void emitter_freeze(struct h2sess_emitter *e);

enum event_id event_by_name(const char *name);
const char *event_name(enum event_id id);

/* True when nobody listens, here or where it forwards to: the cheap test before an event is made.
 */
static inline bool emitter_deaf(const struct h2sess_emitter *e, enum event_id id)
{
	uint32_t bit = 1u << id;

	return !(e->wanted & bit) && !(e->forwarded & bit && e->forward->wanted & bit);
}

/* Emit ev, whose name is that of id. Returns whether anybody listened. */
bool emitter_emit(struct h2sess_emitter *e, enum event_id id, const struct h2sess_event *ev);

#endif
