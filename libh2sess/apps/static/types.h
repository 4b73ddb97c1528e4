/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATIC_TYPES_H
#define STATIC_TYPES_H

/* The media type of a file's name, by its extension; application/octet-stream without one. */
const char *type_of(const char *path);

#endif
