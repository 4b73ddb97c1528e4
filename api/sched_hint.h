/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_API_SCHED_HINT_H
#define H2SESS_API_SCHED_HINT_H

/*
 * Tell the kernel that this thread does little at a time and wants it done soon: when it wakes up, it
 * need not wait until a busy thread has used up its slice (one that sends to 10,000 sessions, say).
 * Its share of the processor stays what it was. Where the kernel does not know of it (before Linux
 * 6.12), or forbids it, nothing changes.
 */
void sched_hint_soon(void);

#endif
