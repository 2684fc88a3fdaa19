/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_FLAT_H
#define RETRAIN_FLAT_H

/*
 * A YAML or JSON document as paths and words: {a: {b: [1, 2]}} gives "a.b" 1
 * and "a.b" 2. For our configuration and our history.
 */

#include "config/events.h"

#define FLAT_PATH 256

/* Called at each scalar, whose event is the current one. 0, or ERR_CONFIG to stop. */
typedef int flat_take(struct events *ev, const char *path, void *arg);

/* ERR_CONFIG with NAME:LINE:COLUMN for what is no document, or nested more than 8 deep. */
int flat_read(const char *text, size_t len, const char *name, flat_take *take, void *arg,
	      struct err *e);

#endif
