/* SPDX-License-Identifier: Apache-2.0 */
/* "ADDRESS:PORT" as flags and configuration files have it: numeric, IPv6 in brackets. */
#ifndef WORKER_ADDRESS_H
#define WORKER_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_RULE "ADDRESS:PORT with a numeric address ([::1]:443, 0.0.0.0:0), port 0 to 65535"

bool address_parse(const char *text, struct sockaddr_storage *ret_address);

/* The address alone, without port and brackets, in ret (at least INET6_ADDRSTRLEN bytes). */
bool address_host(const char *text, char *ret, size_t size);

/* The port of a socket address of either family. */
uint16_t address_port(const struct sockaddr_storage *address);

#endif
