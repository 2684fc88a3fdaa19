/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_SHARE_H
#define RECORD_HOST_SHARE_H

/*
 * How much of a host's energy belongs to one process, by Kepler's formula:
 *
 *   vm = node x usage ratio x (CPU time of the process / CPU time of all processes)
 *   usage ratio = 1 - (idle + iowait) / all CPU time      (steal counts as active)
 *
 * Times are growths between two snapshots of /proc, in clock ticks. A process
 * that is new in the second snapshot counts with all its time; one that ended
 * between them is not seen.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/root.h"

struct share_process {
	int pid;
	uint64_t start_ticks; /* tells a process from a later one with its pid */
	uint64_t cpu_ticks;   /* user and system */
};

struct share_snapshot {
	struct share_process *items; /* owned; by pid */
	size_t n, cap;
	uint64_t total_ticks, idle_ticks; /* of all CPUs; idle has iowait */
};

/* Read /proc anew into `s`, whose memory is used again. */
int share_read(const struct root *root, struct share_snapshot *s, struct err *e);
void share_release(struct share_snapshot *s);

/* A line of /proc/PID/stat, and the first of /proc/stat. False for what is none. */
bool share_process_parse(const char *text, struct share_process *ret);
bool share_cpu_parse(const char *text, uint64_t *ret_total, uint64_t *ret_idle);

/* What lies between two snapshots. */
double share_usage_ratio(const struct share_snapshot *before, const struct share_snapshot *now);
uint64_t share_ticks_of_all(const struct share_snapshot *before, const struct share_snapshot *now);
uint64_t share_ticks_of(const struct share_snapshot *before, const struct share_snapshot *now,
			int pid);

/* The formula; `part` and `all` in one unit. 0 where nobody ran. */
double share_energy_j(double node_j, double usage_ratio, double part, double all);

#endif
