/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_NOTIFY_H
#define CONTROLD_NOTIFY_H

/* sd_notify(3) by hand: nothing when there is no $NOTIFY_SOCKET. */
void notify_service_manager(const char *state);

#endif
