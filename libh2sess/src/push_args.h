/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_PUSH_ARGS_H
#define H2SESS_PUSH_ARGS_H

#include "push_book.h"

#include <h2sess/h2sess.h>
#include <jansson.h>

#define PUSH_BY_MAX 255 /* bytes of the name of who asked */
#define PUSH_BY_BUFFER (PUSH_BY_MAX + 1 + PUSH_NAME_MAX + 1)

/* The members that Node does not have: names, flags, times. On an error ret_field is static. */
int push_args_check(const json_t *params, const char **ret_field);
/* Of these the name alone; the flags and times alone. */
int push_args_name(const json_t *params, const char **ret_field);
int push_args_flags(const json_t *params, const char **ret_field);
enum h2sess_receipt push_args_receipt(const json_t *params);
/* Who asked and by which push, as the session object shows it; see SESSION_JSON_BY_SEPARATOR. */
void push_args_by(char buf[PUSH_BY_BUFFER], const json_t *params, const char *name);

/*
 * Fill push from the params of session.altsvc, or session.origin, as far as the library does not
 * check by itself. push borrows from params; push->origins is to be freed with mem_free().
 */
int push_args_altsvc(const json_t *params, struct h2sess_push *push, const char **ret_field);
int push_args_origin(const json_t *params, struct h2sess_push *push, const char **ret_field);

/* The member that an error of h2sess_session_push() speaks of, or NULL. Static. */
const char *push_args_field(const struct h2sess_push *push, int error);
/* The lint rule that an error stands for, or NULL. Static. */
const char *push_args_rule(int error);
/* The warnings among the rules that h2sess_lint() found. */
json_t *push_args_warnings(uint32_t rules);
/*
 * Sessions by rule: the warnings with how many, into an array; the errors, into an object. Returns
 * whether there was memory.
 */
bool push_args_lint_counts(const uint64_t counts[H2SESS_FANOUT_RULES], json_t *warnings,
			   json_t *refused);

#endif
