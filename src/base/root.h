/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ROOT_H
#define BASE_ROOT_H

/*
 * The one door to /proc and /sys. Every read of them goes through a root: a
 * prefix put before the absolute path, so that a captured tree, or a host's
 * tree mounted at /host, stands in for the machine we run on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct root {
	char prefix[512]; /* "" for the machine itself; no trailing slash */
	bool self;	  /* shows the machine we run on, under whatever prefix */
};

/* `prefix` NULL, "" or "/" is the machine itself. -ENOENT when not a directory. */
int root_init(struct root *r, const char *prefix, struct err *e);

/*
 * True when this root is the machine we run on, so that CPUID, clocks and perf
 * events apply: "/", or the host's /proc mounted elsewhere (by its boot_id).
 */
static inline bool root_is_self(const struct root *r)
{
	return r->self;
}

/* Open PATH (absolute, below the prefix) read-only, O_CLOEXEC. fd or -errno. */
int root_open(const struct root *r, const char *path);

/*
 * Read the whole of PATH into `buf`, NUL-terminated. Returns the length, or
 * -errno; -E2BIG when it does not fit in size - 1.
 */
ssize_t root_read(const struct root *r, const char *path, char *buf, size_t size);

/* As root_read with the last newline cut off; for one-line sysfs files. */
ssize_t root_read_line(const struct root *r, const char *path, char *buf, size_t size);

/*
 * Read an open /proc descriptor from its start into `buf`, NUL-terminated.
 * Returns the length or -errno; -E2BIG when it does not fit. One system call
 * for files the kernel hands over in one piece.
 */
ssize_t fd_read_again(int fd, char *buf, size_t size);

#endif
