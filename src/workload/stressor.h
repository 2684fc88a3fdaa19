/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKLOAD_STRESSOR_H
#define WORKLOAD_STRESSOR_H

/*
 * One stress-ng: started in a process group of its own, told by the kernel to
 * die with us (PR_SET_PDEATHSIG), paused and resumed as a group, ended with
 * SIGTERM and then SIGKILL.
 */

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "workload/budget.h"

struct stressor {
	pid_t pid; /* also its process group; 0: none */
	const struct load *load;
	bool paces_itself; /* its load is constant and stress-ng's own matter */
	bool paused;
};

struct stressor_options {
	const char *program; /* path of stress-ng */
	const char *scratch; /* where it may write; its talk goes to SCRATCH/talk */
	const struct budget *have;
	double seconds; /* it gives up by itself after these and a few more */
};

/* The path of stress-ng on PATH; -ENOENT with a sentence that names the package. */
int stressor_find(char ret[PATH_MAX], struct err *e);

int stressor_start(struct stressor *s, const struct load *l, const struct stressor_options *o,
		   struct err *e);

/* Pause or resume all of it. */
void stressor_pause(struct stressor *s, bool pause);

/* Whether it has ended by itself. */
bool stressor_has_left(struct stressor *s);

/* End it and wait until nothing of its group is left; NULL-like stressors are fine. */
void stressor_stop(struct stressor *s);

/* Kill a whole group at once and reap what is ours of it. */
void stressor_kill_group(pid_t group);

/* The last line stress-ng said, without its prefix; "it said nothing" where there is none. */
void stressor_last_words(const char *scratch, char *ret, size_t size);

#endif
