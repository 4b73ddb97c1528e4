/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds of values that a flag can have. Each function stores what value says in field, whose type
 * it names, and returns NULL, or the rule that the value breaks.
 */
#ifndef WORKER_OPTION_VALUES_H
#define WORKER_OPTION_VALUES_H

typedef const char *option_value_fn(void *field, const char *value);

option_value_fn value_string;	     /* char * */
option_value_fn value_strings;	     /* struct strings, one more */
option_value_fn value_address;	     /* char *, "ADDR:PORT" */
option_value_fn value_addresses;     /* struct strings, one more "ADDR:PORT" */
option_value_fn value_blocks;	     /* struct strings, one more address or CIDR */
option_value_fn value_socket_path;   /* char * */
option_value_fn value_name;	     /* char * */
option_value_fn value_labels;	     /* struct strings, one more "K=V" */
option_value_fn value_app;	     /* struct app_routes, one more */
option_value_fn value_threads;	     /* uint32_t */
option_value_fn value_seconds;	     /* uint32_t, milliseconds */
option_value_fn value_limit;	     /* struct h2sess_limits, "NAME=VALUE" */
option_value_fn value_tls_version;   /* int */
option_value_fn value_access_format; /* enum access_format */
option_value_fn value_log_format;    /* enum log_format */
option_value_fn value_true;	     /* bool; value is not used */

/* The limits of the library, with their defaults, for --help. */
void value_print_limits(void);

#endif
