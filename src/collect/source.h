/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COLLECT_SOURCE_H
#define COLLECT_SOURCE_H

/*
 * What the registry in collector.c holds: one row per source. To add one,
 * write its file, add its row, its enum source and its features (see
 * CONTRIBUTING.md).
 */

#include "base/kernel.h"
#include "base/root.h"
#include "collect/sample.h"

/* What every source is given at open. */
struct source_context {
	const struct root *root;
	const struct kernel *kernel;
	unsigned cpus_cap;
	bool perf, clock_probe;
};

struct source_ops {
	/* Allocate *state and open descriptors. -ENOENT and the like: absent on this machine. */
	int (*open)(const struct source_context *c, void **state);
	/* Fill the source's fields. 0, or -errno; -ENODATA: nothing to say now, no error. */
	int (*read)(void *state, struct sample *s);
	void (*close)(void *state); /* NULL is fine */
};

extern const struct source_ops stat_source, meminfo_source, vmstat_source, loadavg_source,
	diskstats_source, netdev_source, pressure_source, cpufreq_source, clock_source, perf_source;

#endif
