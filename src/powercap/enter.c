// SPDX-License-Identifier: Apache-2.0
/* Namespaces and mounts around one command: see enter.h. */
#include "powercap/enter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/powercap.h"

#define SYS_CLASS "/sys/class"

static int write_map(const char *path, const char *text)
{
	autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);

	return fd >= 0 && write(fd, text, len) == (ssize_t)len ? 0 : -errno;
}

/* Whoever we were is who we are, and nobody else exists. */
static int map_ourselves(uid_t uid, gid_t gid)
{
	char text[64];
	int r;

	snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	r = write_map("/proc/self/uid_map", text);
	if (r == 0)
		r = write_map("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	return r == 0 ? write_map("/proc/self/gid_map", text) : r;
}

static int leave_others(struct err *e)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWNS) == 0)
		return 0;
	if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return err_errno(e, "no mount namespace may be made here (user namespaces are "
				    "forbidden, and this is not root)");
	errno = -map_ourselves(uid, gid);
	return errno ? err_errno(e, "a user namespace may not be set up here") : 0;
}

static int bind_at(const char *from, const char *to, struct err *e)
{
	return mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0
		       ? err_errno(e, "cannot bind %s at %s", from, to)
		       : 0;
}

/* What was in /sys/class, from the directory `old`, into the tmpfs. */
static int bind_classes(int old, struct err *e)
{
	autofd int fd = openat(old, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!dir)
		return err_errno(e, SYS_CLASS);
	steal_fd(&fd);
	for (struct dirent *d; r == 0 && (d = readdir(dir));) {
		char from[PATH_MAX], to[PATH_MAX];

		if (d->d_name[0] == '.')
			continue;
		snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", old, d->d_name);
		snprintf(to, sizeof(to), SYS_CLASS "/%s", d->d_name);
		r = mkdir(to, 0755) < 0 ? err_errno(e, "%s", to) : bind_at(from, to, e);
	}
	closedir(dir);
	return r;
}

static int make_class(struct err *e)
{
	autofd int old = open(SYS_CLASS, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (old < 0)
		return err_errno(e, SYS_CLASS);
	if (mount("vmwatts", SYS_CLASS, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=64k,mode=755") < 0)
		return err_errno(e, "no tmpfs may be mounted at " SYS_CLASS);
	r = bind_classes(old, e);
	if (r == 0 && mkdir("/sys" POWERCAP_CLASS, 0755) < 0)
		r = err_errno(e, "/sys" POWERCAP_CLASS);
	return r;
}

int powercap_enter(const char *tree, struct err *e)
{
	char from[PATH_MAX];
	int r = leave_others(e);

	if (r < 0)
		return r;
	if (snprintf(from, sizeof(from), "%s" POWERCAP_CLASS, tree) >= (int)sizeof(from))
		return err_set(e, -ENAMETOOLONG, "%s: path too long", tree);
	/* What we mount must not come back to others. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_errno(e, "mounts cannot be kept apart");
	if (access("/sys" POWERCAP_CLASS, F_OK) < 0)
		r = make_class(e);
	return r == 0 ? bind_at(from, "/sys" POWERCAP_CLASS, e) : r;
}
