/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_PUSH_ORDER_H
#define CONTROLD_PUSH_ORDER_H

#include "waiters.h"

#define DEADLINE_MAX (7 * 86400.0) /* seconds */
#define PACE_MAX 1e6		   /* sessions a second */

/* What a request asks for, checked as far as that is the daemon's. */
struct order {
	enum push_kind kind;
	bool many;
	struct wait wait;
	double deadline;   /* seconds; 0: none */
	double per_second; /* 0: no pace */
	bool lint;
	bool receipt_written;
	bool dry_run;
	bool stop_accepting;
};

/* Returns 0, or -1 and the problem. */
int order_read(const struct request *request, enum push_kind kind, bool many, struct order *ret,
	       struct problem *ret_problem);

/* The words of push.start for it, JSON, to be freed; NULL: out of memory. */
char *order_request(const struct request *request, const struct order *order);

/* `wait` and `timeout` of a GET; wait->seconds is 0 when none is asked for. */
int order_read_wait(const struct request *request, struct wait *ret, struct problem *ret_problem);

#endif
