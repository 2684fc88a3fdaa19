/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKLOAD_BUDGET_H
#define WORKLOAD_BUDGET_H

/*
 * How much memory and disk a phase may ask for, and its sizes in bytes. A
 * phase never gets more than BUDGET_MEMORY_SHARE of the memory available to
 * programs (less where the cgroup we are in has less left), so that nothing
 * swaps, and leaves BUDGET_DISK_KEEP_SHARE or BUDGET_DISK_KEEP_BYTES of the disk
 * free, whichever is more.
 */

#include "base/root.h"
#include "workload/plan.h"

#define BUDGET_MEMORY_SHARE    0.8
#define BUDGET_DISK_KEEP_SHARE 0.1
#define BUDGET_DISK_KEEP_BYTES (UINT64_C(1) << 30)

struct budget {
	uint64_t memory_bytes; /* available */
	uint64_t cache_bytes;  /* last-level cache: what memory-cache maps; 0 not known */
	uint64_t disk_bytes, disk_total_bytes;
	bool disk_in_memory; /* a file system such as tmpfs */
	unsigned cpus;	     /* that we may run on */
};

/* What this machine has now; `directory` is where disk loads write (NULL: none will). */
int budget_read(const struct root *r, const char *directory, struct budget *ret, struct err *e);

/* Number of workers of a load, and the bytes that stress-ng is told for each of them. */
unsigned load_workers(const struct load *l, const struct budget *have);
uint64_t load_worker_bytes(const struct load *l, const struct budget *have);

/*
 * Whether the phase fits: 0, or -ENOMEM or -ENOSPC with a sentence that says
 * what was asked, what there is and what to do.
 */
int budget_check(const struct phase *p, const struct budget *have, struct err *e);

#endif
