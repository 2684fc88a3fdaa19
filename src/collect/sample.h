/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COLLECT_SAMPLE_H
#define COLLECT_SAMPLE_H

/*
 * A sample: the kernel's raw counters at one instant. It holds no PIDs, no
 * process names and no command lines; nothing in it identifies a person.
 * Counters are the kernel's own, cumulative since boot; levels are as read.
 * A source that could not be read leaves its bit in `have` clear and its
 * fields undefined.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum source {
	SOURCE_STAT,	  /* /proc/stat */
	SOURCE_MEMINFO,	  /* /proc/meminfo */
	SOURCE_VMSTAT,	  /* /proc/vmstat */
	SOURCE_LOADAVG,	  /* /proc/loadavg */
	SOURCE_DISKSTATS, /* /proc/diskstats */
	SOURCE_NETDEV,	  /* /proc/net/dev */
	SOURCE_PRESSURE,  /* /proc/pressure/{cpu,memory,io} */
	SOURCE_CPUFREQ,	  /* /sys/devices/system/cpu/cpufreq/policyN/scaling_cur_freq */
	SOURCE_CLOCK,	  /* the timed chain of dependent operations */
	SOURCE_PERF,	  /* perf events */
	SOURCE_COUNT,
};

/* As the `source` column of the catalogue: "stat", "netdev", "perf", ... */
const char *source_name(enum source s);

/* USER_HZ ticks (1/100 s), in the order of /proc/stat. user holds guest time. */
enum cpu_time {
	CPU_TIME_USER,
	CPU_TIME_NICE,
	CPU_TIME_SYSTEM,
	CPU_TIME_IDLE,
	CPU_TIME_IOWAIT,
	CPU_TIME_IRQ,
	CPU_TIME_SOFTIRQ,
	CPU_TIME_STEAL,
	CPU_TIME_COUNT,
};

#define USER_HZ 100

struct cpu_times {
	uint64_t ticks[CPU_TIME_COUNT];
};

enum perf_counter {
	PERF_CYCLES,
	PERF_INSTRUCTIONS,
	PERF_CACHE_REFERENCES,
	PERF_CACHE_MISSES,
	PERF_BRANCHES,
	PERF_BRANCH_MISSES,
	PERF_REF_CYCLES,
	PERF_COUNTER_COUNT,
};

struct sample {
	int64_t mono_ns; /* CLOCK_MONOTONIC */
	int64_t boot_ns; /* CLOCK_BOOTTIME; grows against mono_ns by suspended time */
	int64_t real_ns; /* CLOCK_REALTIME */
	uint32_t have;	 /* bit (1 << enum source): read whole at this instant */

	/* stat */
	struct cpu_times cpu;	/* all CPUs together */
	struct cpu_times *cpus; /* by CPU number; cpus_cap entries, owned */
	uint8_t *online;	/* by CPU number: has a line in /proc/stat, owned */
	unsigned cpus_cap;	/* lines of CPUs beyond it are counted, not stored */
	unsigned n_online;	/* lines "cpuN" */
	uint64_t context_switches, interrupts, forks;
	uint64_t softirq_net_rx, softirq_net_tx, softirq_block;
	uint64_t procs_running, procs_blocked;

	/* meminfo, KiB */
	uint64_t memory_total_kib, memory_available_kib;

	/* vmstat */
	uint64_t page_faults, major_faults;   /* events */
	uint64_t paged_in_kib, paged_out_kib; /* KiB */
	uint64_t swapped_in, swapped_out;     /* pages */

	/* loadavg */
	double load_1m, load_5m, load_15m;
	uint64_t scheduling_entities;

	/* diskstats: whole disks only; netdev: every interface */
	uint64_t disk_read_bytes, disk_written_bytes;
	uint64_t net_received_bytes, net_sent_bytes;

	/* pressure: stall totals in us; UINT64_MAX where that file is absent */
	uint64_t psi_cpu_us, psi_memory_us, psi_io_us;

	double frequency_mhz;			  /* cpufreq */
	double core_clock_mhz, core_clock_jitter; /* clock; NaN when preempted */

	/* perf: summed over CPUs, scaled for multiplexing; NaN where that event is absent */
	double perf[PERF_COUNTER_COUNT];
};

/* Room for CPUs 0..cpus_cap-1. -ENOMEM. */
int sample_init(struct sample *s, unsigned cpus_cap, struct err *e);
void sample_release(struct sample *s);

static inline bool sample_has(const struct sample *s, enum source source)
{
	return s->have & (1u << source);
}

#endif
