/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HELPER_H
#define BASE_HELPER_H

/* Our other executables: beside our own, or in libexecdir; never by PATH. */

#include <stdbool.h>

/* Where `name` is, into path[PATH_MAX]; false where it is not. */
bool helper_find(const char *name, char *path);

#endif
