/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKLOAD_RUN_H
#define WORKLOAD_RUN_H

/*
 * Running a plan: phase after phase, each with its stress-ngs, paced every
 * RUN_PERIOD_S where stress-ng does not pace itself: all workers of a load
 * then work and rest together.
 *
 * The label file tells a recorder which phase it sees: before each phase its
 * name and a newline, written to a new file and renamed over it; empty at the
 * end and after a failure.
 */

#include <sys/types.h>

#include "workload/plan.h"
#include "workload/scratch.h"

#define RUN_PERIOD_S 0.1

enum run_moment { RUN_PHASE_BEGINS, RUN_GOES_ON, RUN_PHASE_ENDS };

struct run_progress {
	enum run_moment moment;
	size_t phase; /* index into the plan */
	double done;  /* of the whole plan, 0..1 */
};

struct run_options {
	double scale;		/* durations are multiplied by it; bursts keep their rhythm */
	const char *label_file; /* NULL: none */
	const char *scratch;	/* a folder of ours */
	/* Process groups that run now are noted here, PLAN_LOADS_MAX of them (0: none), for
	 * whoever must clean up after us; may be NULL. */
	pid_t *groups;
	/* PHASE_BEGINS before its loads start, PHASE_ENDS before they are stopped; may be NULL. */
	void (*progress)(void *context, const struct run_progress *p);
	void *context;
};

/* Refuse what any phase may not have, before anything starts. `directory`: of disk phases. */
int run_check(const struct plan *p, const char *directory, struct err *e);

/*
 * Run it whole. The caller has blocked SIGINT, SIGTERM, SIGHUP and SIGCHLD: one
 * of the first three ends it with -EINTR. Whatever the end, nothing it started
 * runs on, and the label file is empty.
 */
int run_plan(const struct plan *p, const struct run_options *o, struct err *e);

/* Replace the label by `name` ("": none); NULL file: nothing. -EINVAL: FILE is a device, a pipe. */
int label_write(const char *file, const char *name, struct err *e);

#endif
