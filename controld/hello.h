/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_HELLO_H
#define CONTROLD_HELLO_H

#include "peer.h"

/* Answer the first message of a worker: make peer->worker, or refuse and close. */
void hello_take(struct peer *peer, const struct rpc_message *message);

#endif
