/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PINNING_HOST_H
#define PINNING_HOST_H

/*
 * A virtualisation host as /proc and /sys show it: which CPUs there are and
 * how they belong together, what the kernel keeps free, where the threads of
 * each QEMU process may run, and who else ran there. A captured tree does as
 * well as the machine itself.
 */

#include <stddef.h>

#include "pinning/cpus.h"

#define HOST_NODES_MAX	64
#define HOST_OTHERS_MAX 10

enum host_thread_kind { HOST_THREAD_VCPU, HOST_THREAD_IO, HOST_THREAD_OTHER };

struct host_thread {
	unsigned tid, vcpu; /* vcpu: of HOST_THREAD_VCPU */
	char name[32];	    /* "CPU 0/KVM", "CPU 1/TCG", "IO iothread0", ... */
	enum host_thread_kind kind;
	struct cpus allowed; /* its affinity, which holds what its cgroup allows */
};

struct host_vm {
	unsigned pid, n_vcpus; /* vCPUs whose threads are named; 0: none is */
	char name[64];	       /* of -name; "qemu-PID" where there is none */
	bool has_cpuset;       /* its cgroup limits it */
	struct cpus cpuset;
	struct host_thread *threads; /* owned */
	size_t n_threads;
};

/* A process that is no VM, and where it ran last. */
struct host_other {
	unsigned pid, cpu;
	char name[32];
	uint64_t cpu_ticks;
};

struct host {
	struct cpus online, isolated, nohz_full, rcu_nocbs;
	struct cpus siblings[CPUS_MAX]; /* of each CPU's core, with itself */
	struct cpus nodes[HOST_NODES_MAX];
	unsigned n_nodes;    /* 1 + the highest */
	struct host_vm *vms; /* owned */
	size_t n_vms;
	struct cpus vcpu_cpus; /* where some vCPU may run */
	/* Outside the VMs, last seen on vcpu_cpus, most CPU time first; kernel threads left out. */
	struct host_other others[HOST_OTHERS_MAX];
	size_t n_others;
};

/* -ENOENT without /proc or without a list of CPUs online. To be freed with host_free. */
int host_read(const struct root *r, struct host **ret, struct err *e);
void host_free(struct host *h);

/* What stands in the way of steady measurements, one sentence a line; nothing when nothing does. */
void host_findings(const struct host *h, struct text *t);

#endif
