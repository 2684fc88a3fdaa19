/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKLOAD_SCRATCH_H
#define WORKLOAD_SCRATCH_H

/*
 * A private folder below --dir for whatever a run writes. Its owner holds a
 * lock on it for as long as it lives, so that a folder without one is known to
 * be left behind (kill -9 of everything, a crash) and is removed at the next start.
 */

#include <limits.h>

#include "base/err.h"

struct scratch {
	char path[PATH_MAX]; /* "": there is none */
	int fd;		     /* locked; -1 */
};

/* Remove our user's abandoned folders in `directory`, then make a new one. */
int scratch_make(struct scratch *s, const char *directory, struct err *e);

/* Remove it with all it holds; again, or when another process did it already, is fine. */
void scratch_remove(struct scratch *s);

#endif
