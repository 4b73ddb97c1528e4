/* SPDX-License-Identifier: Apache-2.0 */
/* The values of h2sess/errors.def that the daemon itself sends to workers. */
#ifndef CONTROLD_API_ERROR_H
#define CONTROLD_API_ERROR_H

enum api_error {
#define X(name, value, wire, http, text) API_##name = (value),
#include <h2sess/errors.def>
#undef X
};

#endif
