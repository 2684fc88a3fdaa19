// SPDX-License-Identifier: Apache-2.0
/* inotify on the store: see watch.h. */
#include "bundle/watch.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"

#define EVENTS                                                                                     \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |    \
	 IN_ONLYDIR)

int watch_open(struct watch *w, struct err *e)
{
	*w = (struct watch){.wd = -1, .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
	return w->fd < 0 ? err_errno(e, "inotify") : 0;
}

void watch_close(struct watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = w->wd = -1;
}

bool watch_directory(struct watch *w, const char *directory)
{
	if (w->fd < 0 || (w->wd >= 0 && !strcmp(w->path, directory)))
		return false;
	if (w->wd >= 0)
		inotify_rm_watch(w->fd, w->wd);
	snprintf(w->path, sizeof(w->path), "%s", directory);
	w->wd = inotify_add_watch(w->fd, directory, EVENTS);
	return w->wd >= 0;
}

static bool matters(const char *name)
{
	return !strcmp(name, "..data") || (name[0] != '.' && !file_is_temporary(name));
}

bool watch_read(struct watch *w)
{
	alignas(struct inotify_event) char buf[4096];
	bool changed = false;
	ssize_t n;

	while ((n = read(w->fd, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + n;) {
			const struct inotify_event *event = (const void *)at;

			if (event->mask & IN_Q_OVERFLOW)
				changed = true;
			else if (event->wd != w->wd)
				; /* of a directory that is watched no more */
			else if (event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF))
				w->path[0] = 0;
			else if (event->len)
				changed |= matters(event->name);
			at += sizeof(*event) + event->len;
		}
	}
	return changed;
}
