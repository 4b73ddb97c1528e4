/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_LOG_H
#define CONTROLD_LOG_H

/* Write one line to stderr. Loop thread only. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for lines that a client or a worker can cause: at most LOG_BURST a second. */
void log_limited(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
