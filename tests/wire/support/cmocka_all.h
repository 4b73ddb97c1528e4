/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka.h, with the headers that it wants before itself. */
#ifndef WIRE_CMOCKA_ALL_H
#define WIRE_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
