// SPDX-License-Identifier: Apache-2.0
/* Keeper and worker: see guard.h. */
#include "workload/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload/stressor.h"

static void kill_all(const struct guard *g)
{
	for (size_t i = 0; i < PLAN_LOADS_MAX; i++) {
		if (g->groups[i] > 0)
			stressor_kill_group(g->groups[i]);
		g->groups[i] = 0;
	}
}

/* Until the worker has ended; signals that would end us end it. */
static void keep(struct guard *g, pid_t worker, const sigset_t *signals)
{
	int status = 0, number;

	for (;;) {
		if (waitpid(worker, &status, WNOHANG) == worker)
			break;
		number = sigwaitinfo(signals, NULL);
		if (number > 0 && number != SIGCHLD)
			kill(worker, SIGTERM);
	}
	g->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	kill_all(g);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int guard_split(struct guard *g, struct err *e)
{
	size_t size = PLAN_LOADS_MAX * sizeof(*g->groups);
	pid_t keeper = getpid(), worker;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	g->status = -1;
	g->groups = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->groups == MAP_FAILED)
		return err_nomem(e);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(NULL); /* or what is buffered comes out twice */
	worker = fork();
	if (worker < 0)
		return err_errno(e, "cannot start a process");
	if (worker > 0) {
		keep(g, worker, &signals);
		return 0;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != keeper)
		return err_set(e, -EINTR, "stopped before it began");
	return 1;
}
