/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COLLECT_IDENTITY_H
#define COLLECT_IDENTITY_H

/*
 * What machine this is, as far as its guest can tell: for choosing the prior,
 * for a bundle's applicability, and for the kepler_node_cpu_info metric.
 * Read once at start (and again when the set of CPUs changes).
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/root.h"

struct cpu_info { /* one logical CPU, as /proc/cpuinfo has it */
	unsigned processor;
	int physical_id, core_id; /* -1 where not said */
};

#define IDENTITY_CPUS_MAX 1024

struct identity {
	char vendor[16];		  /* "GenuineIntel", "AuthenticAMD"; "" unknown */
	char model_name[64];		  /* "AMD EPYC 7763 64-Core Processor" */
	unsigned family, model, stepping; /* CPUID, as cpuinfo prints them; 0 unknown */
	double nominal_mhz;		  /* "cpu MHz" of the first CPU; NaN unknown */
	char hypervisor[16]; /* "kvm", "vmware", "microsoft", "xen", "none", "unknown" */
	char dmi_vendor[64], dmi_product[64]; /* sys_vendor, product_name; "" unknown */
	unsigned tsc_khz; /* as the hypervisor's or the CPU's CPUID says; 0 unknown */
	unsigned siblings, socket_cores; /* of the first CPU's socket; 0 unknown */
	double clock_ratio; /* of the core clock, to what it was before; 0 or 1: not another one */
	unsigned n_cpus;    /* logical CPUs listed in cpuinfo */
	unsigned n_sockets, n_cores; /* distinct physical ids, (physical, core) pairs; >= 1 */
	unsigned n_isolated;	     /* CPUs both online and in /sys/devices/system/cpu/isolated */
	unsigned n_info;	     /* entries of cpus[] */
	struct cpu_info cpus[IDENTITY_CPUS_MAX];
};

/*
 * Read below `r`; CPUID is asked only where `r` is the machine itself. What
 * cannot be read stays unknown; only a missing /proc/cpuinfo is an error.
 */
int identity_read(struct identity *id, const struct root *r, struct err *e);

/*
 * In what this looks like another machine than `id`: the first CPU's vendor, model, family and
 * stepping, its socket's CPUs and cores, hypervisor, TSC frequency, and what DMI calls the
 * machine; "" where in nothing. Cheap, and allocates nothing. `other_cpus`: CPUs came or went,
 * and a socket counts those online alone, so its numbers say nothing.
 */
const char *identity_difference(const struct identity *id, const struct root *r, bool other_cpus);

#endif
