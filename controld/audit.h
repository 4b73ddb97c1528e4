/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_AUDIT_H
#define CONTROLD_AUDIT_H

#include "list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_MAX 10000		    /* entries kept; the oldest goes first */
#define AUDIT_BYTES_MAX (16u << 20) /* octets of them; as above */
#define AUDIT_BODY_MAX 4096 /* octets of a body that is kept; of a longer one its length is */

struct controld;
struct request;

/* Who asked for what, and what came of it. */
struct audit {
	struct controld *controld;
	struct list list; /* oldest first */
	size_t count;
	size_t bytes;
	uint64_t seq; /* of the last entry */
};

void audit_init(struct audit *audit, struct controld *controld);
void audit_done(struct audit *audit);
int audit_load(struct audit *audit, char *why);

/* Does this request belong into it? Its route and who asks are known then. */
bool audit_wants(const struct request *request);

/*
 * Write down the request with the status that it is about to be answered with. fn is called on the
 * loop when that is on disk, or with why it is not; it may be NULL. Returns -1 when it cannot even
 * be tried: fn is not called.
 */
int audit_write(struct request *request, void (*fn)(struct request *request, const char *error));

#endif
