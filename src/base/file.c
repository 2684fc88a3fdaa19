// SPDX-License-Identifier: Apache-2.0
/* Whole files: see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int read_all(int fd, char *buf, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, buf + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		got += (size_t)n;
	}
	return 0;
}

int file_read(const char *path, size_t max, bool only_owner_writes, char **ret, size_t *ret_len,
	      struct err *e)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	autofree char *buf = NULL;
	struct stat st;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s: not a regular file", path);
	if (only_owner_writes && (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_set(e, -EPERM, "%s: group or others may write it; chmod go-w it", path);
	if (st.st_size < 0 || (size_t)st.st_size > max)
		return err_set(e, -EFBIG, "%s: larger than %zu bytes", path, max);
	len = (size_t)st.st_size;
	buf = malloc(len + 1);
	if (!buf)
		return err_nomem(e);
	errno = -read_all(fd, buf, len);
	if (errno)
		return err_errno(e, "%s", path);
	buf[len] = 0;
	*ret = steal(buf);
	*ret_len = len;
	return 0;
}

int file_make_directories(const char *path, mode_t mode, struct err *e)
{
	char at[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(at))
		return err_set(e, -ENAMETOOLONG, "%s: path too long", path);
	memcpy(at, path, n + 1);
	for (size_t i = 1; i < n; i++) {
		if (at[i] != '/')
			continue;
		at[i] = 0;
		if (mkdir(at, 0755) < 0 && errno != EEXIST)
			return err_errno(e, "%s", at);
		at[i] = '/';
	}
	return mkdir(at, mode) < 0 && errno != EEXIST ? err_errno(e, "%s", path) : 0;
}

void file_sync_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	autofd int fd = -1;

	snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - path + 1) : 1,
		 slash ? path : ".");
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		fsync(fd);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/*
 * What root writes belongs to the owner of its folder: an agent that runs as its own user would not
 * see what an administrator put into its store. Nothing is given away: who owns a folder may
 * replace what is in it. Where root may not do it (no CAP_CHOWN) the file stays root's.
 */
static void hand_over(const char *path, int fd)
{
	char folder[PATH_MAX];
	struct stat st;

	if (geteuid() != 0)
		return;
	snprintf(folder, sizeof(folder), "%s", path);
	if (stat(dirname(folder), &st) == 0 && st.st_uid != 0 &&
	    fchown(fd, st.st_uid, st.st_gid) < 0)
		return;
}

int file_check_secret(const char *path, const struct stat *st, struct err *e)
{
	mode_t open = st->st_mode & (S_IRWXG | S_IRWXO);
	bool lent = open == S_IRGRP && st->st_uid == 0 && geteuid() != 0;

	if (open && !lent)
		return err_set(e, -EPERM, "%s: group or others may use it; chmod 600 it", path);
	return 0;
}

/* What is no file, a link to none included: a file in its place would be the end of it. */
static bool is_no_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

int file_output(const char *path, mode_t mode, const void *data, size_t len, struct err *e)
{
	autofd int fd = -1;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
		return file_replace(path, mode, data, len, e);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return err_errno(e, "%s", path);
	r = write_all(fd, data, len);
	errno = -r;
	return r < 0 ? err_errno(e, "%s", path) : 0;
}

bool file_is_temporary(const char *name)
{
	size_t digits = 0, n = strlen(name);
	static const char mark[] = ".new-";

	while (digits < n && strchr("0123456789", name[n - digits - 1]))
		digits++;
	n -= digits;
	return digits && n >= sizeof(mark) - 1 &&
	       !memcmp(name + n - (sizeof(mark) - 1), mark, sizeof(mark) - 1);
}

int file_replace(const char *path, mode_t mode, const void *data, size_t len, struct err *e)
{
	char temporary[PATH_MAX];
	autofd int fd = -1;
	int r;

	if (is_no_file(path))
		return err_set(e, -EINVAL, "%s: not a regular file; name one", path);
	if (snprintf(temporary, sizeof(temporary), "%s.new-%ld", path, (long)getpid()) >=
	    (int)sizeof(temporary))
		return err_set(e, -ENAMETOOLONG, "%s: path too long", path);
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return err_errno(e, "%s", path); /* the name that the caller knows */
	r = write_all(fd, data, len);
	if (r == 0)
		hand_over(path, fd);
	if (r == 0 && (fsync(fd) < 0 || rename(temporary, path) < 0))
		r = -errno;
	if (r < 0) {
		errno = -r;
		r = err_errno(e, "%s", path);
		unlink(temporary);
		return r;
	}
	file_sync_directory(path);
	return 0;
}
