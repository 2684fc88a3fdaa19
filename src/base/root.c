// SPDX-License-Identifier: Apache-2.0
/* Re-rootable reads of /proc and /sys: see root.h. */
#include "base/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/* The kernel draws it anew at every boot. */
static bool same_boot(const struct root *r)
{
	static const char boot_id[] = "/proc/sys/kernel/random/boot_id";
	const struct root here = {.prefix = ""};
	char ours[64], theirs[64];

	return root_read_line(&here, boot_id, ours, sizeof(ours)) > 0 &&
	       root_read_line(r, boot_id, theirs, sizeof(theirs)) > 0 && !strcmp(ours, theirs);
}

int root_init(struct root *r, const char *prefix, struct err *e)
{
	struct stat st;
	size_t n = prefix ? strlen(prefix) : 0;

	*r = (struct root){.prefix = ""};
	while (n && prefix[n - 1] == '/')
		n--;
	if (n >= sizeof(r->prefix) - 1)
		return err_set(e, -ENAMETOOLONG, "--root: path too long");
	if (n && (stat(prefix, &st) < 0 || !S_ISDIR(st.st_mode)))
		return err_set(e, -ENOENT, "--root %s: not a directory", prefix);
	if (n)
		memcpy(r->prefix, prefix, n);
	r->prefix[n] = 0;
	r->self = n == 0 || same_boot(r);
	return 0;
}

int root_open(const struct root *r, const char *path)
{
	char full[1024];
	int fd;

	if (snprintf(full, sizeof(full), "%s%s", r->prefix, path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

ssize_t fd_read_again(int fd, char *buf, size_t size)
{
	size_t got = 0;

	for (;;) {
		ssize_t n = pread(fd, buf + got, size - 1 - got, (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		got += (size_t)n;
		if (n == 0)
			break;
		if (got >= size - 1)
			return -E2BIG;
		/* The kernel fills a page before it hands one over; records
		 * are far shorter than half a page, so less than half a page
		 * is all there is, and the read that would say so is saved. */
		if (got < 2048 && got + 2048 < size && buf[got - 1] == '\n')
			break;
	}
	buf[got] = 0;
	return (ssize_t)got;
}

ssize_t root_read(const struct root *r, const char *path, char *buf, size_t size)
{
	autofd int fd = root_open(r, path);

	return fd < 0 ? fd : fd_read_again(fd, buf, size);
}

ssize_t root_read_line(const struct root *r, const char *path, char *buf, size_t size)
{
	ssize_t n = root_read(r, path, buf, size);

	if (n < 0)
		return n;
	while (n && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		buf[--n] = 0;
	return n;
}
