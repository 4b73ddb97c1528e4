/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: every part of it, once. */
#ifndef CONTROLD_CONTROLD_H
#define CONTROLD_CONTROLD_H

#include "audit.h"
#include "demand.h"
#include "events.h"
#include "history.h"
#include "http.h"
#include "keys.h"
#include "metrics.h"
#include "options.h"
#include "peer.h"
#include "policies.h"
#include "pushes.h"
#include "strangers.h"
#include "stream.h"
#include "tokens.h"
#include "worker.h"

struct controld {
	uv_loop_t *loop;
	struct options options;
	struct tokens tokens;
	struct list servers; /* struct http_server.link */
	struct peers peers;
	struct workers workers;
	struct events events;
	struct store *store;
	struct demand demand;
	struct streams streams;
	struct pushes pushes;
	struct keys keys;
	struct audit audit;
	struct policies policies;
	struct history history;
	struct metrics metrics;
	struct strangers strangers;
	bool ready;
	bool stopping;
};

#endif
