/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TOP_MODEL_H
#define CLI_TOP_MODEL_H

/*
 * What `vmwatts top` shows, apart from how: watts of the VM, and whose they are,
 * once per interval. Nothing of it leaves this process but on its screen.
 */

#include "agent/live.h"
#include "attribute/processes.h"

#define TOP_HISTORY 120

enum top_sort { TOP_BY_WATTS, TOP_BY_JOULES };

/* A process or a cgroup. */
struct top_consumer {
	int pid;	  /* 0: a cgroup */
	uint64_t start;	  /* ticks: with the pid it names a process */
	const char *name; /* of the process; bytes as the kernel has them */
	const char *cgroup;
	double share;  /* of the VM's active watts in the last interval */
	double joules; /* of the package zone, since top began */
};

struct top {
	struct live *live;
	struct process_table tables[2];
	unsigned current; /* the table read last */
	uint64_t since_ticks;
	struct top_consumer *processes, *cgroups; /* owned; sorted */
	size_t n_processes, n_cgroups;
	double unattributed; /* share of active watts */
	double busy_s;
	double joules[ZONE_RAPL_COUNT];			/* active and idle, since top began */
	double history_w[ZONE_RAPL_COUNT][TOP_HISTORY]; /* NaN: not estimated */
	size_t n_history;				/* the oldest is at 0 */
	double elapsed_s;
	enum top_sort sort;
};

int top_open(struct top *t, const struct live_options *o, struct err *e);
void top_close(struct top *t);

/* One more interval. 1; 0 where it is too early for one; or -errno. */
int top_step(struct top *t, struct err *e);

/* Sort anew by t->sort. */
void top_resort(struct top *t);

/* Watts of the package zone; 0 where it cannot be said. */
double top_active_w(const struct top *t);
double top_idle_w(const struct top *t);

#endif
