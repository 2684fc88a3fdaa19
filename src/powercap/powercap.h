/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POWERCAP_POWERCAP_H
#define POWERCAP_POWERCAP_H

/*
 * Showing the tree (tree.h) at a path, in one of two ways, until SIGTERM,
 * SIGINT or SIGHUP. The page need not be there yet, may be replaced, and its
 * writer may come and go: the tree stands, and what it shows never falls.
 *
 * powercap_fuse   a file system: a counter is worked out at the instant at
 *                 which it is read, and nothing runs between reads. Unmounted
 *                 at the end.
 * powercap_files  plain files, for where FUSE is not allowed: each counter is
 *                 written 20 times a second and renamed into place, so that a
 *                 reader always finds a whole one. What it finds is up to
 *                 50 ms old: at 20 W steps of one joule. The files stay at the
 *                 end, so that no reader misses one, and the next start goes on
 *                 from what they say.
 */

#include <stdbool.h>

#include "base/err.h"

#define POWERCAP_FILES_HZ 20

struct powercap_options {
	const char *path;    /* where the tree is to be; made where missing */
	const char *page;    /* the counter page */
	bool hwmon;	     /* with the hwmon tree */
	bool allow_other;    /* FUSE: others than this user may read */
	void (*ready)(void); /* called once the tree can be read; NULL: nobody waits */
};

int powercap_fuse(const struct powercap_options *o, struct err *e);
int powercap_files(const struct powercap_options *o, struct err *e);

#endif
