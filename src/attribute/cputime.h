/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTRIBUTE_CPUTIME_H
#define ATTRIBUTE_CPUTIME_H

/*
 * How much CPU time a command and everything below it has used, while it runs
 * and once it is gone. Two ways:
 *
 *   cgroup  a cgroup (v2) of its own below ours: the kernel counts all that lives in it, to the
 *           microsecond, whoever adopts or reaps it. Needs a cgroup that we may write: root's,
 *           or one delegated to us.
 *   rusage  what we have reaped (getrusage) and what lives below us (/proc/PID/stat). We adopt
 *           orphans meanwhile. Misses what was never waited for: children of a parent that
 *           ignores SIGCHLD. Reads all of /proc each time: once a second, not more often.
 */

#include <stdint.h>

#include "attribute/processes.h"

enum cputime_method { CPUTIME_CGROUP, CPUTIME_RUSAGE };

/* "cgroup", "rusage". */
const char *cputime_name(enum cputime_method m);

struct cputime {
	enum cputime_method method;
	char folder[1024];	    /* cgroup: of its own, removed by cputime_close; "" else */
	int procs_fd, stat_fd;	    /* cgroup: -1 else */
	struct process_table table; /* rusage: read again and again */
	struct root root;
	int64_t base_ns, last_ns;
};

/* On failure nothing is left, and `e` says why this way is closed. */
int cputime_open(struct cputime *c, enum cputime_method m, struct err *e);

/* Since it was opened; never falls. */
int64_t cputime_ns(struct cputime *c);

/* What still lives in its cgroup goes on in ours. */
void cputime_close(struct cputime *c);

/* usage_usec of a cgroup's cpu.stat in nanoseconds; -1 where it is not said. */
int64_t cputime_parse_stat(const char *text);

#endif
