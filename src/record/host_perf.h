/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_PERF_H
#define RECORD_HOST_PERF_H

/*
 * Core cycles of QEMU's threads and of the whole host: a VM's share weighted by
 * them follows the clock it ran at, where a share of CPU time counts a second
 * at 1 GHz like one at 4. Unverified: no machine at hand counts perf events.
 */

#include <stdint.h>

#include "base/err.h"
#include "base/kernel.h"
#include "base/root.h"

struct host_perf; /* owned by host_perf_open's caller */

/* Counters of every CPU. -ENODEV with the remedy where the host counts none. */
int host_perf_open(const struct kernel *kernel, const struct root *root, struct host_perf **ret,
		   struct err *e);
void host_perf_close(struct host_perf *p); /* NULL is fine */

/* Cycles of all CPUs since the read before; NaN where a CPU cannot be read. */
double host_perf_all(struct host_perf *p);

/*
 * Cycles of all threads of a process since the read before. Those that are
 * there at the first read are opened, later ones are inherited; 0 at the first
 * read, NaN where it cannot be read.
 */
double host_perf_of(struct host_perf *p, int pid);

#endif
