/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_LINT_H
#define H2SESS_LINT_H

#include <h2sess/h2sess.h>
#include <openssl/x509.h>

/* The session that a push is for, as far as lint looks at it. All borrowed. */
struct lint_subject {
	bool any; /* no session: rules that need one are skipped */
	bool encrypted;
	const char *const *origin_set; /* serialised origins */
	size_t n_origin_set;
	X509 *certificate;	      /* the session's own; NULL: unknown */
	const char *stream_authority; /* of the stream that an ALTSVC goes out on; NULL: unknown */
};

/* The rules that a push breaks: a bit mask of h2sess_lint_rule. Any thread. */
uint32_t lint_push(const struct h2sess_push *push, const struct lint_subject *subject);

/* The error of the first ERROR rule in the mask, in the order of lint.def; 0: warnings at most. */
int lint_first_error(uint32_t rules);
/* ... and its value there, or -1. */
int lint_first_error_rule(uint32_t rules);

#endif
