/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_WATCH_H
#define BUNDLE_WATCH_H

/*
 * Noticing that the store has changed, by inotify: a bundle or signature
 * written or moved in, `current` replaced, a ConfigMap's ..data swapped. Our
 * own ledger and half-written files (names with a dot before or ".new-") are
 * passed over.
 */

#include <stdbool.h>

#include "base/err.h"

struct watch {
	int fd; /* of inotify, to poll; -1: none */
	int wd; /* -1: the directory is not there */
	char path[512];
};

/* -errno: nothing is watched, and everything else works. */
int watch_open(struct watch *w, struct err *e);
void watch_close(struct watch *w);

/*
 * Watch DIRECTORY from now on; cheap to call again. True when it is watched
 * anew: what happened in it before was not seen.
 */
bool watch_directory(struct watch *w, const char *directory);

/* Read what happened; whether the store may have changed. */
bool watch_read(struct watch *w);

#endif
