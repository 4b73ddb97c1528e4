/* SPDX-License-Identifier: Apache-2.0 */
/* What a SELECTOR of rpc.md may hold, on either side of it. */
#ifndef API_SELECTOR_LIMITS_H
#define API_SELECTOR_LIMITS_H

#define SELECTOR_IDS_MAX 65536	 /* more than a server may hold of sessions by default */
#define SELECTOR_LABELS_MAX 32	 /* as many as a session can have */
#define SELECTOR_TEXT_MAX 1024	 /* octets of a string; a longer one is in no session */
#define SELECTOR_SECONDS_MAX 1e9 /* of minAge and idleFor */

/* Room for the origin of a URL of SELECTOR_TEXT_MAX octets, which IDNA may make longer. */
#define SELECTOR_ORIGIN_ROOM (SELECTOR_TEXT_MAX * 4)

#endif
