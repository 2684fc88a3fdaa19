/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COLLECT_COLLECTOR_H
#define COLLECT_COLLECTOR_H

/*
 * The collector reads every source into a sample. Descriptors stay open and
 * buffers are allocated at start; a steady tick allocates nothing.
 *
 * A source that fails leaves its bit clear and is counted; it is opened anew
 * 30 s later. A source this machine does not have (no PSI, no cpufreq, no
 * vPMU, no permission) is counted once, and looked for again every 60 s, so
 * the feature tier follows a migration or a changed sysctl.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/kernel.h"
#include "base/root.h"
#include "collect/sample.h"

struct collector; /* owned by collector_new's caller */

struct collector_options {
	struct root root;
	const struct kernel *kernel; /* &kernel_linux, or a test's */
	bool perf;		     /* try perf events */
	bool clock_probe;  /* run the core-clock probe (only below the machine's own root) */
	unsigned cpus_cap; /* 0: as many as the machine can have, at most 4096 */
};

struct collector_stats {
	uint64_t errors[SOURCE_COUNT];
	int64_t duration_ns[SOURCE_COUNT]; /* of the last read */
	bool absent[SOURCE_COUNT];
};

int collector_new(const struct collector_options *o, struct collector **ret, struct err *e);
void collector_free(struct collector *c);

/* The room that samples for this collector need: sample_init(s, collector_cpus(c), e). */
unsigned collector_cpus(const struct collector *c);

void collector_sample(struct collector *c, struct sample *ret);

const struct collector_stats *collector_stats(const struct collector *c);

#endif
