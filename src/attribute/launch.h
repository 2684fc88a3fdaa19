/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTRIBUTE_LAUNCH_H
#define ATTRIBUTE_LAUNCH_H

/*
 * A command as a shell would run it: in our process group, so that the terminal
 * is its own too, Ctrl-C and Ctrl-Z reach it by themselves, and an interactive
 * command may take the terminal and give it back.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct launch {
	char *const *argv;	 /* argv[0] is found by PATH */
	int cgroup_fd;		 /* cgroup.procs of the cgroup it is to live in; -1: ours */
	const sigset_t *signals; /* its mask */
	/* Called in its process before it begins: 0, or -errno to give up. NULL: nothing to do. */
	int (*enter)(void *user);
	void *user; /* of enter */
};

enum launch_step { LAUNCH_OK, LAUNCH_FORK, LAUNCH_CGROUP, LAUNCH_ENTER, LAUNCH_EXEC };

struct launched {
	pid_t pid;
	enum launch_step failed; /* LAUNCH_OK, or at which step */
	int64_t begin_ns;	 /* CLOCK_MONOTONIC just before it became the command */
};

/*
 * Start it. On failure nothing runs, and it may be tried again without the
 * cgroup. Entering a cgroup takes the kernel up to 20 ms; that is before the begin.
 */
int launch(const struct launch *l, struct launched *ret, struct err *e);

#endif
