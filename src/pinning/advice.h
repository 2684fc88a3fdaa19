/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PINNING_ADVICE_H
#define PINNING_ADVICE_H

/*
 * Which vCPU should run where: whole SMT cores, each VM within one NUMA node,
 * the first cores left to the system. Largest VMs first, each into the node
 * with the least room that suffices. The vCPUs of a VM take the threads of
 * its cores in order, so that siblings of the guest are siblings of the host.
 */

#include "pinning/host.h"

#define ADVICE_VCPUS_MAX 512

struct advice_vm {
	const struct host_vm *vm;
	unsigned node;
	struct cpus cpus;		/* its whole cores; empty: it did not fit */
	unsigned cpu[ADVICE_VCPUS_MAX]; /* of each vCPU */
	char problem[240];		/* "" or why it did not fit and what to do */
};

struct advice {
	struct cpus system, used, free;
	struct advice_vm *vms; /* in the host's order; owned */
	size_t n_vms;
	bool fits; /* every VM does */
};

/*
 * `reserve`: CPUs left to the system, rounded up to whole cores; 0: one core, or a 16th
 * of the CPUs where that is more. The host must outlive the advice.
 * -ENOSPC where nothing is left for VMs, -ENODATA without a VM.
 */
int advice_make(const struct host *h, unsigned reserve, struct advice *ret, struct err *e);
void advice_release(struct advice *a);

#endif
