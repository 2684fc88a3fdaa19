/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_RAPL_H
#define RECORD_HOST_RAPL_H

/* The host's own energy counters: see collect/rapl.h, which reads them. */

#include "collect/rapl.h"

/* Find and read all counters. -ENODEV and others with the remedy where the host has none. */
int rapl_open(struct rapl *r, const struct root *root, struct err *e);

#endif
