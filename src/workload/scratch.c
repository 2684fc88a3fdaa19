// SPDX-License-Identifier: Apache-2.0
/* A private folder that does not outlive its owner: see scratch.h. */
#include "workload/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PREFIX	 "vmwatts-workload-"
#define FDS_MOST 16

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type == FTW_DP)
		rmdir(path);
	else
		unlink(path);
	return 0;
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, FDS_MOST, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Open and lock a folder of our own user: its descriptor, or -1. */
static int lock_folder(const char *path)
{
	autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
	    flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	/* Removed by another's start between its making and its lock. */
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return -1;
	return steal_fd(&fd);
}

static void remove_abandoned(const char *directory)
{
	DIR *d = opendir(directory);
	const struct dirent *entry;
	char path[PATH_MAX];

	while (d && (entry = readdir(d))) {
		autofd int fd = -1;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >=
			    (int)sizeof(path))
			continue;
		fd = lock_folder(path);
		if (fd >= 0)
			remove_tree(path);
	}
	if (d)
		closedir(d);
}

int scratch_make(struct scratch *s, const char *directory, struct err *e)
{
	remove_abandoned(directory);
	s->fd = -1;
	for (int i = 0; i < 3 && s->fd < 0; i++) {
		if (snprintf(s->path, sizeof(s->path), "%s/" PREFIX "XXXXXX", directory) >=
		    (int)sizeof(s->path))
			return err_set(e, -ENAMETOOLONG, "--dir: path too long");
		if (!mkdtemp(s->path)) {
			s->path[0] = 0;
			return err_errno(e, "cannot make a folder in %s (--dir)", directory);
		}
		s->fd = lock_folder(s->path);
	}
	if (s->fd < 0) {
		scratch_remove(s);
		return err_set(e, -EIO, "cannot lock a folder in %s: give another --dir",
			       directory);
	}
	return 0;
}

void scratch_remove(struct scratch *s)
{
	if (s->path[0])
		remove_tree(s->path);
	s->path[0] = 0;
	cleanup_fd(&s->fd);
	s->fd = -1;
}
