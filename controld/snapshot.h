/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_SNAPSHOT_H
#define CONTROLD_SNAPSHOT_H

#include "stream.h"

#define SNAPSHOT_PAGE 50      /* sessions asked for at once */
#define SNAPSHOT_CALL_MS 5000 /* for one page */

/* Begin one for this stream; NULL: out of memory. */
struct snapshot *snapshot_new(struct stream *stream);

/* Begin one that writes nothing: what it sees is what events.facts knows from then on. NULL: all is
 * known, or no memory. */
struct snapshot *snapshot_new_learning(struct stream *stream);
void snapshot_free(struct snapshot *snapshot); /* takes NULL; a call under way goes on without it */

/* Write more into stream->out, or ask for it. Returns false when all of it was written. */
bool snapshot_fill(struct snapshot *snapshot);

/* Has the snapshot shown what this event tells? */
bool snapshot_covers(const struct snapshot *snapshot, const struct event *event);

#endif
