/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_CONTROL_FANOUT_ARGS_H
#define H2SESS_CONTROL_FANOUT_ARGS_H

#include "push_args.h"

#include <h2sess/h2sess.h>
#include <jansson.h>

/* What a push.start asks for. All zero: nothing read yet. */
struct fanout_args {
	struct h2sess_fanout_options options; /* points into the rest */
	struct h2sess_push push;
	char by[PUSH_BY_BUFFER];
	uint8_t data[H2SESS_GOAWAY_DATA_MAX];
	struct h2sess_selector *selector;
	const char *field; /* the member that is wrong; static, or of params */
	const char *rule;  /* static */
};

/*
 * Read params for the push of that name; strings are borrowed from them. Returns 0, or a negative
 * error and args->field. fanout_args_done() is due either way.
 */
int fanout_args_read(struct fanout_args *args, const json_t *params, const char *name);
void fanout_args_done(struct fanout_args *args);

#endif
