/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_CONTROL_FANOUT_JSON_H
#define H2SESS_CONTROL_FANOUT_JSON_H

#include "fanout.h"

#include <jansson.h>

/*
 * `changes` of a push.update: the sessions by what became of them. runs: the daemon knows `runs`.
 * NULL: out of memory.
 */
json_t *fanout_changes_json(const struct h2sess_fanout_session *sessions, size_t n, bool runs);

/*
 * Params of a push.update but `changes`, and an entry of the hello. over: nothing follows, so its
 * final state may be told. NULL: out of memory.
 */
json_t *fanout_state_json(const char *name, struct h2sess_fanout *fanout, bool drain, bool over);

#endif
