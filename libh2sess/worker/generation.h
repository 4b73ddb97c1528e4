/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One reading of the configuration at work: its options, its apps, its access log. A reload makes
 * the next one; this one ends when the last request and session that it has taken on are over.
 */
#ifndef WORKER_GENERATION_H
#define WORKER_GENERATION_H

#include "access_log.h"
#include "options.h"
#include "plugin.h"

#include <stdatomic.h>

/* An app and the events that are its own. */
struct served {
	struct plugin plugin;
	struct h2sess_emitter *emitter;
	bool hears_sessions;
};

struct generation {
	struct generation *older;
	struct options options;
	struct served *apps; /* as many as options.apps, in the same order */
	size_t n_apps;
	struct access_log *log; /* NULL: none is wanted */
	atomic_size_t users;	/* requests and sessions under way, and those that look */
	atomic_bool retired;
	bool ended; /* its apps are gone; what is left is a few bytes, which readers may look at */
};

/*
 * Start the apps of options, which are taken on success. Refusals are logged. Returns 0, or -1.
 */
int generation_new(struct options *options, struct h2sess_server *server, struct generation **ret);

/* End its apps and its log. Nobody uses them any more. Idempotent. */
void generation_end(struct generation *g);
void generation_free(struct generation *g);

/* Does an app of it listen to this event? */
bool generation_hears(const struct generation *g, const char *event);

#endif
