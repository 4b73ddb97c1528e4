/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_POLICY_WORKERS_H
#define CONTROLD_POLICY_WORKERS_H

#include "policies.h"

/* Tell every worker that can and does not have this revision; all of them that it is gone. */
void policy_put_everywhere(struct policies *policies, struct policy *policy);
void policy_remove_everywhere(struct policies *policies, const char *name);

/* May a session have a value of it? By what workers reported, and where they have not yet. */
bool policy_may_be_out(const struct policy *policy);
json_t *policy_counts_json(const struct policy *policy);
json_t *policy_workers_json(const struct policy *policy);
void policy_reports_done(struct policy *policy);

#endif
