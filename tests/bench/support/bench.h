/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of tests/bench share. They measure and end: each failure is one line and exit
 * status 1. */
#ifndef BENCH_H
#define BENCH_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

/* Print "PROGRAM: what: errno's text" and exit. */
_Noreturn void die(const char *what);
/* As many descriptors as the kernel lets this process have. */
void raise_descriptor_limit(void);
/* Microseconds of CLOCK_MONOTONIC, which node's process.hrtime() reads, too. */
uint64_t now_us(void);

/* Print "told N P50 P99 MAX" of n times, which are put in order. None is a failure. */
void tell_latencies(uint32_t *us, size_t n);

/* Contexts as a lean HTTP/2 server or client has them: ALPN h2, buffers released while idle. */
SSL_CTX *tls_server(const char *cert_file, const char *key_file);
SSL_CTX *tls_client(void);

/* A non-blocking listening socket on 127.0.0.1; its port is printed on stdout as "port N". */
int listen_and_say(void);
/* The next connection, non-blocking and without Nagle's delay; -1: none is waiting. */
int accept_one(int listening);
/* Connect from an address of 127.0.0.0/8 that the index chooses: ports do not run short. */
int connect_from(unsigned index, uint16_t port);

#endif
