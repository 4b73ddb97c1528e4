/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of h2sess/errors.def under the names that <h2sess/h2sess.h> gives them, for the C
 * files of this folder, which cannot include that header. No header includes this one.
 */
#ifndef API_ERROR_VALUES_H
#define API_ERROR_VALUES_H

enum {
#define X(name, value, wire, http, text) H2SESS_##name = (value),
#include <h2sess/errors.def>
#undef X
};

#endif
