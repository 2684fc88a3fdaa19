/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTRIBUTE_PROCESSES_H
#define ATTRIBUTE_PROCESSES_H

/*
 * The processes of this machine at one instant, with the CPU time that each has
 * used. Names are as the kernel has them: any bytes a process chose to be called.
 * A PID may come back as another process: pid and start together name one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/root.h"

#define PROCESS_NAME   64
#define PROCESS_CGROUP 256

struct process {
	int pid, parent;
	uint64_t start_ticks;  /* since boot, in USER_HZ */
	uint64_t ticks;	       /* user and system time of all its threads, in USER_HZ */
	uint64_t reaped_ticks; /* of children that it waited for, and of theirs */
	char name[PROCESS_NAME];
	char cgroup[PROCESS_CGROUP]; /* "" where not asked for, or not readable; cut where longer */
};

struct process_table {
	struct process *items; /* owned; by pid, ascending */
	size_t n, cap;
	size_t hidden; /* listed, but not readable for us */
};

/*
 * Read all processes below `root` into `t`, whose memory is used again. With
 * `before` their cgroups too: those that did not run since then keep the name
 * they had. Processes that end meanwhile are left out.
 */
int process_table_read(struct process_table *t, const struct root *root, bool cgroups,
		       const struct process_table *before, struct err *e);

void process_table_release(struct process_table *t);

/* The process of that pid, or NULL. */
const struct process *process_find(const struct process_table *t, int pid);

/* The text of /proc/PID/stat; false, and *ret undefined, where it is none. */
bool process_parse_stat(const char *text, struct process *ret);

/* The cgroup v2 of /proc/PID/cgroup. False where there is none. */
bool process_parse_cgroup(const char *text, char ret[PROCESS_CGROUP]);

#endif
