/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

/* Whole files: read into memory, and replaced so that a crash leaves the old or the new one. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Read PATH whole; *ret is NUL-terminated and owned by the caller. -EFBIG over
 * `max` bytes. With `only_owner_writes` a file that group or others may write
 * is refused with -EPERM.
 */
int file_read(const char *path, size_t max, bool only_owner_writes, char **ret, size_t *ret_len,
	      struct err *e);

/*
 * -EPERM where others than its owner may use a file that holds a secret. Root's
 * file that a group may read is fit for a member of it: so are secrets mounted
 * that an orchestrator keeps, and keys in Debian's /etc/ssl/private.
 */
int file_check_secret(const char *path, const struct stat *st, struct err *e);

/*
 * Write to a new file beside PATH, fsync, rename over PATH, fsync the directory.
 * Root's files go to the owner of their folder. -EINVAL where PATH is something
 * that is not a file, such as a device.
 */
int file_replace(const char *path, mode_t mode, const void *data, size_t len, struct err *e);

/* Whether NAME is that new file: PATH.new-PID, of a writer that is at work or was killed. */
bool file_is_temporary(const char *name);

/* The same for a path that a user names for output; a device, a pipe or a link is written to. */
int file_output(const char *path, mode_t mode, const void *data, size_t len, struct err *e);

/* mkdir -p: what is there stays as it is, parents that are made are 0755. */
int file_make_directories(const char *path, mode_t mode, struct err *e);

/* fsync the directory that holds PATH; failures are ignored where directories cannot be synced. */
void file_sync_directory(const char *path);

#endif
