/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_LISTENER_H
#define CONTROLD_LISTENER_H

#include "options.h"

/* An open listening socket. All zero is none: release with listener_close(). */
struct listener {
	bool open;
	int fd;
	int lock_fd; /* of PATH.lock, -1: none; without a lock the path is not ours to remove */
	char *path;  /* as it is bound; NULL: TCP */
};

/*
 * name: what the service manager may call a descriptor for it: "api", "rpc" or "metrics". Returns 0,
 * or -1 with one line in why[OPTIONS_WHY_MAX].
 */
int listener_open(const struct listen_spec *spec, const char *name, struct listener *ret,
		  char *why);
void listener_close(struct listener *listener);

/* The address that a TCP listener has: text and port. */
void listener_address(const struct listener *listener, char *ret, size_t room, unsigned *ret_port);

/* Say which descriptors of the service manager fitted no listener: once all are open. */
void listener_report_unused(void);

#endif
