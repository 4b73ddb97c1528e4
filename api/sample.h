/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_SAMPLE_H
#define API_SAMPLE_H

#include <stdbool.h>

/*
 * Whether who is hashed is in a share (0 to 1) of all. The same in every process and version, and a
 * smaller share is a subset of a larger one.
 */
bool sample_has_session(const char *id, double share);
/* address: as text; one address is one peer, however it is written. */
bool sample_has_peer(const char *address, double share);

#endif
