/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATIC_TYPES_H
#define STATIC_TYPES_H

#include <stdbool.h>

/* The media type of a file's name, by its extension; application/octet-stream without one. */
const char *type_of(const char *path);

/* What follows the last dot of a file's name, or NULL. */
const char *type_extension(const char *path);

/* Files of this type are small already: nobody keeps NAME.gz beside them. */
bool type_is_compressed(const char *type);

#endif
