/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKLOAD_GUARD_H
#define WORKLOAD_GUARD_H

/*
 * Nothing a run started may outlive it, even after kill -9. Two processes
 * watch each other: the keeper (the one the user started) and the worker (its
 * child, which runs the plan).
 *
 *   keeper killed   the kernel sends the worker SIGTERM; it ends as on Ctrl-C
 *   worker killed   the kernel kills each stress-ng; the keeper, to whom
 *                   their children fall, kills their process groups
 *   both killed     the kernel kills each stress-ng, whose workers notice; the
 *                   folder is removed by the next run
 */

#include <sys/types.h>

#include "base/err.h"
#include "workload/plan.h"

struct guard {
	pid_t *groups; /* shared by both: process groups of PLAN_LOADS_MAX stress-ngs */
	int status;    /* for the keeper: the worker's exit status, -1: it was killed */
};

/*
 * Block the signals that run_plan wants blocked and split in two: 1 for the
 * worker, which goes on; 0 for the keeper, once the worker has ended and
 * nothing of it is left; or -errno.
 */
int guard_split(struct guard *g, struct err *e);

#endif
