/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEATURES_CATALOGUE_H
#define FEATURES_CATALOGUE_H

#include <stdbool.h>

/*
 * The catalogue: every counter-derived number that a model may see, under the
 * column name and unit of docs/formats/recordings.md. Online samples and
 * CSV files both end as a `struct row` of these.
 *
 * X(id, column, unit, source, tier, use, meaning)
 *   source  the collector it comes from ("stat", "perf", ...)
 *   tier    the lowest tier whose guests have it
 *   use     RATE    mean over the interval; averaged over a window
 *           LEVEL   state at the sample; the last one in a window counts
 *           SLOW    a LEVEL that says more about the machine's history than
 *                   about power now (load averages, memory level, process
 *                   counts): transfers badly, so used only where left-out
 *                   rows show that it helps
 *           DERIVED computed from other columns where those are present
 */
#define FEATURE_CATALOGUE(X)                                                                       \
	X(VCPUS, "vcpus", "count", "stat", OS, SLOW, "logical CPUs online")                        \
	X(CPU_UTILIZATION, "cpu_utilization", "ratio", "stat", OS, RATE,                           \
	  "share of CPU time that is neither idle, iowait nor steal")                              \
	X(CPU_USER, "cpu_user", "ratio", "stat", OS, RATE, "share of CPU time in user mode")       \
	X(CPU_NICE, "cpu_nice", "ratio", "stat", OS, RATE, "share of CPU time in niced user mode") \
	X(CPU_SYSTEM, "cpu_system", "ratio", "stat", OS, RATE, "share of CPU time in the kernel")  \
	X(CPU_IOWAIT, "cpu_iowait", "ratio", "stat", OS, RATE,                                     \
	  "share of CPU time idle while I/O is pending")                                           \
	X(CPU_IRQ, "cpu_irq", "ratio", "stat", OS, RATE, "share of CPU time in hard interrupts")   \
	X(CPU_SOFTIRQ, "cpu_softirq", "ratio", "stat", OS, RATE,                                   \
	  "share of CPU time in soft interrupts")                                                  \
	X(CPU_STEAL_TIME, "cpu_steal_time", "ratio", "stat", OS, RATE,                             \
	  "share of CPU time the hypervisor gave to others")                                       \
	X(CPU_IDLE, "cpu_idle", "ratio", "stat", OS, RATE, "share of CPU time idle")               \
	X(CPU_BUSY_VCPUS, "cpu_busy_vcpus", "vCPUs", "stat", OS, RATE,                             \
	  "busy CPU-seconds per second")                                                           \
	X(CPU_FREQUENCY_MHZ, "cpu_frequency_mhz", "MHz", "cpufreq", OS, RATE,                      \
	  "mean frequency the kernel reports over CPUs")                                           \
	X(CONTEXT_SWITCH_RATE, "context_switch_rate", "1/s", "stat", OS, RATE, "context switches") \
	X(INTERRUPT_RATE, "interrupt_rate", "1/s", "stat", OS, RATE, "interrupts serviced")        \
	X(IRQ_NET_RX_RATE, "irq_net_rx_rate", "1/s", "stat", OS, RATE,                             \
	  "soft interrupts for received packets")                                                  \
	X(IRQ_NET_TX_RATE, "irq_net_tx_rate", "1/s", "stat", OS, RATE,                             \
	  "soft interrupts for sent packets")                                                      \
	X(IRQ_BLOCK_RATE, "irq_block_rate", "1/s", "stat", OS, RATE,                               \
	  "soft interrupts of block devices")                                                      \
	X(FORK_RATE, "fork_rate", "1/s", "stat", OS, RATE, "processes and threads created")        \
	X(PROCS_RUNNING, "procs_running", "count", "stat", OS, SLOW, "runnable threads")           \
	X(PROCS_BLOCKED, "procs_blocked", "count", "stat", OS, SLOW, "threads waiting for I/O")    \
	X(PROCESS_COUNT, "process_count", "count", "loadavg", OS, SLOW,                            \
	  "scheduling entities, the total in /proc/loadavg")                                       \
	X(LOAD_AVERAGE_1M, "load_average_1m", "1", "loadavg", OS, SLOW, "load average, 1 min")     \
	X(LOAD_AVERAGE_5M, "load_average_5m", "1", "loadavg", OS, SLOW, "load average, 5 min")     \
	X(LOAD_AVERAGE_15M, "load_average_15m", "1", "loadavg", OS, SLOW, "load average, 15 min")  \
	X(MEMORY_USAGE_PERCENT, "memory_usage_percent", "percent", "meminfo", OS, SLOW,            \
	  "memory in use, 100 x (1 - available / total)")                                          \
	X(MEMORY_AVAILABLE_BYTES, "memory_available_bytes", "B", "meminfo", OS, SLOW,              \
	  "memory available to programs")                                                          \
	X(PAGE_FAULT_RATE, "page_fault_rate", "1/s", "vmstat", OS, RATE, "page faults")            \
	X(MAJOR_FAULT_RATE, "major_fault_rate", "1/s", "vmstat", OS, RATE,                         \
	  "page faults that needed I/O")                                                           \
	X(PAGE_IN_RATE, "page_in_rate", "KiB/s", "vmstat", OS, RATE, "paged in from disk")         \
	X(PAGE_OUT_RATE, "page_out_rate", "KiB/s", "vmstat", OS, RATE, "paged out to disk")        \
	X(SWAP_IN_RATE, "swap_in_rate", "pages/s", "vmstat", OS, RATE, "pages swapped in")         \
	X(SWAP_OUT_RATE, "swap_out_rate", "pages/s", "vmstat", OS, RATE, "pages swapped out")      \
	X(DISK_READ_BYTES_RATE, "disk_read_bytes_rate", "B/s", "diskstats", OS, RATE,              \
	  "read from disks")                                                                       \
	X(DISK_WRITE_BYTES_RATE, "disk_write_bytes_rate", "B/s", "diskstats", OS, RATE,            \
	  "written to disks")                                                                      \
	X(NET_RX_BYTES_RATE, "net_rx_bytes_rate", "B/s", "netdev", OS, RATE, "network received")   \
	X(NET_TX_BYTES_RATE, "net_tx_bytes_rate", "B/s", "netdev", OS, RATE, "network sent")       \
	X(CYCLES_RATE, "cycles_rate", "1/s", "perf", PMU, RATE, "core cycles, all CPUs")           \
	X(INSTRUCTIONS_RATE, "instructions_rate", "1/s", "perf", PMU, RATE,                        \
	  "instructions, all CPUs")                                                                \
	X(CACHE_REFERENCES_RATE, "cache_references_rate", "1/s", "perf", PMU, RATE,                \
	  "last-level cache references")                                                           \
	X(CACHE_MISSES_RATE, "cache_misses_rate", "1/s", "perf", PMU, RATE,                        \
	  "last-level cache misses")                                                               \
	X(BRANCHES_RATE, "branches_rate", "1/s", "perf", PMU, RATE, "branches")                    \
	X(BRANCH_MISSES_RATE, "branch_misses_rate", "1/s", "perf", PMU, RATE,                      \
	  "mispredicted branches")                                                                 \
	X(INSTRUCTIONS_PER_CYCLE, "instructions_per_cycle", "ratio", "perf", PMU, DERIVED,         \
	  "instructions_rate / cycles_rate")                                                       \
	X(CACHE_MISS_RATIO, "cache_miss_ratio", "ratio", "perf", PMU, DERIVED,                     \
	  "cache_misses_rate / cache_references_rate")                                             \
	X(BRANCH_MISS_RATIO, "branch_miss_ratio", "ratio", "perf", PMU, DERIVED,                   \
	  "branch_misses_rate / branches_rate")                                                    \
	X(REF_CYCLES_RATE, "ref_cycles_rate", "1/s", "perf", PMU, RATE,                            \
	  "cycles at reference frequency")                                                         \
	X(CORE_CLOCK_MHZ, "core_clock_mhz", "MHz", "clock", CLOCK, RATE,                           \
	  "real clock of a busy CPU, from a timed chain of dependent operations")                  \
	X(CORE_CLOCK_JITTER, "core_clock_jitter", "ratio", "clock", CLOCK, RATE,                   \
	  "spread of the timed chain's repeats")                                                   \
	X(PSI_CPU_SOME_RATIO, "psi_cpu_some_ratio", "ratio", "pressure", OS, RATE,                 \
	  "share of time some task waited for a CPU")                                              \
	X(PSI_MEMORY_SOME_RATIO, "psi_memory_some_ratio", "ratio", "pressure", OS, RATE,           \
	  "share of time some task waited for memory")                                             \
	X(PSI_IO_SOME_RATIO, "psi_io_some_ratio", "ratio", "pressure", OS, RATE,                   \
	  "share of time some task waited for I/O")                                                \
	X(CPU_BUSY_MAX, "cpu_busy_max", "ratio", "stat", OS, RATE, "the busiest CPU's share")

enum feature {
#define X(id, column, unit, source, tier, use, meaning) FEATURE_##id,
	FEATURE_CATALOGUE(X)
#undef X
		FEATURE_COUNT
};

/* What a guest can see, worst first. Every tier has all features of those below. */
enum tier { TIER_OS, TIER_CLOCK, TIER_PMU, TIER_HOST, TIER_COUNT };

enum feature_use {
	FEATURE_USE_RATE,
	FEATURE_USE_LEVEL,
	FEATURE_USE_SLOW,
	FEATURE_USE_DERIVED,
};

struct feature_info {
	const char *name, *unit, *source, *meaning;
	enum tier tier;
	enum feature_use use;
};

#define feature_foreach(f)                                                                         \
	for (enum feature f = (enum feature)0; f < FEATURE_COUNT; f = (enum feature)(f + 1))

const struct feature_info *feature_info(enum feature f);

/* Whether it grows with the machine: twice the vCPUs under the same load have twice of it. */
bool feature_is_extensive(enum feature f);

/*
 * How much of it, more or less, is nothing to speak of: about a hundredth of one CPU's work. 0:
 * every difference counts. An agent's own scrapes are 20 kB/s and a few interrupts.
 */
double feature_grain(enum feature f);

/* The feature of that column name, or -1. */
int feature_find(const char *name);

/* The catalogue's name nearest to `word`, or NULL: for "did you mean". */
const char *feature_nearest(const char *word);

const char *tier_name(enum tier t);

/* One interval's features. NaN is missing; missing never becomes 0. */
struct row {
	double t_s;  /* end of the interval, seconds since the epoch */
	double dt_s; /* its length; NaN when not known */
	double v[FEATURE_COUNT];
};

/*
 * Why a finite value cannot be this feature's: "is not a share of 0 to 1", "is negative"; or NULL.
 */
const char *feature_refuses(enum feature f, double value);

/* A row with every feature missing. */
void row_clear(struct row *r);

/*
 * Fill what follows from columns that are present, where it is missing itself:
 * cpu_busy_vcpus and cpu_utilization from each other and vcpus, and the three
 * perf ratios. A ratio whose denominator is 0 stays missing.
 */
void row_complete(struct row *r);

/* The three perf ratios only: of means, whose own rows were completed. */
void row_complete_ratios(struct row *r);

/* The highest tier whose features this row holds: never TIER_HOST, which is energy, no feature. */
enum tier row_tier(const struct row *r);

#endif
