// SPDX-License-Identifier: Apache-2.0
/* Two samples into one interval's features: see interval.h. */
#include "features/interval.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define SHORT_NS   10000000  /* nothing can be said of less */
#define TICKS_NS   100000000 /* in less the CPUs may not have ticked often enough */
#define SUSPEND_NS 500000000
#define STEP_NS	   1000000000

static bool both_have(const struct sample *a, const struct sample *b, enum source s)
{
	return sample_has(a, s) && sample_has(b, s);
}

/* Growth of a counter per second; NaN when absent or when it went backwards. */
static double rate(uint64_t before, uint64_t now, double seconds)
{
	if (before == UINT64_MAX || now == UINT64_MAX || now < before)
		return NAN;
	return (double)(now - before) / seconds;
}

static double level(uint64_t v)
{
	return v == UINT64_MAX ? NAN : (double)v;
}

/* ---- CPU time ---- */

struct shares {
	double ticks[CPU_TIME_COUNT];
	double total;
};

/*
 * Ticks of each kind that passed. idle and iowait are estimates of the kernel
 * that may fall by a few ticks; the others only fall when counters were reset,
 * and then nothing is known: total stays 0.
 */
static struct shares passed(const struct cpu_times *before, const struct cpu_times *now)
{
	struct shares s = {.total = 0};

	for (int k = 0; k < CPU_TIME_COUNT; k++) {
		bool may_fall = k == CPU_TIME_IDLE || k == CPU_TIME_IOWAIT;

		if (now->ticks[k] < before->ticks[k] && !may_fall)
			return (struct shares){.total = 0};
		if (now->ticks[k] > before->ticks[k])
			s.ticks[k] = (double)(now->ticks[k] - before->ticks[k]);
		s.total += s.ticks[k];
	}
	return s;
}

static double busy_share(const struct shares *s)
{
	return 1 -
	       (s->ticks[CPU_TIME_IDLE] + s->ticks[CPU_TIME_IOWAIT] + s->ticks[CPU_TIME_STEAL]) /
		       s->total;
}

static unsigned common_cap(const struct sample *prev, const struct sample *cur)
{
	return prev->cpus_cap < cur->cpus_cap ? prev->cpus_cap : cur->cpus_cap;
}

/* The busiest CPU that was online at both ends; NaN when there is none. */
static double busiest(const struct sample *prev, const struct sample *cur)
{
	double best = NAN;

	for (unsigned i = 0; i < common_cap(prev, cur); i++) {
		struct shares s;

		if (!prev->online[i] || !cur->online[i])
			continue;
		s = passed(&prev->cpus[i], &cur->cpus[i]);
		if (s.total > 0)
			best = fmax(best, fmax(busy_share(&s), 0)); /* fmax(NaN, x) is x */
	}
	return best;
}

static bool same_cpus(const struct sample *prev, const struct sample *cur)
{
	for (unsigned i = 0; i < common_cap(prev, cur); i++) {
		if (prev->online[i] != cur->online[i])
			return false;
	}
	return prev->n_online == cur->n_online;
}

/*
 * All CPUs together. While CPUs come and go the kernel's sum loses or gains
 * their idle time at once, so then only those online at both ends are summed.
 */
static struct shares all_passed(const struct sample *prev, const struct sample *cur)
{
	struct shares sum = {.total = 0};

	if (same_cpus(prev, cur))
		return passed(&prev->cpu, &cur->cpu);
	for (unsigned i = 0; i < common_cap(prev, cur); i++) {
		struct shares s;

		if (!prev->online[i] || !cur->online[i])
			continue;
		s = passed(&prev->cpus[i], &cur->cpus[i]);
		for (int k = 0; k < CPU_TIME_COUNT; k++)
			sum.ticks[k] += s.ticks[k];
		sum.total += s.total;
	}
	return sum;
}

static void stat_features(const struct sample *prev, const struct sample *cur, double seconds,
			  double *v)
{
	static const enum feature kinds[CPU_TIME_COUNT] = {
		[CPU_TIME_USER] = FEATURE_CPU_USER,	  [CPU_TIME_NICE] = FEATURE_CPU_NICE,
		[CPU_TIME_SYSTEM] = FEATURE_CPU_SYSTEM,	  [CPU_TIME_IDLE] = FEATURE_CPU_IDLE,
		[CPU_TIME_IOWAIT] = FEATURE_CPU_IOWAIT,	  [CPU_TIME_IRQ] = FEATURE_CPU_IRQ,
		[CPU_TIME_SOFTIRQ] = FEATURE_CPU_SOFTIRQ, [CPU_TIME_STEAL] = FEATURE_CPU_STEAL_TIME,
	};
	struct shares s = all_passed(prev, cur);
	double most = 2 * USER_HZ * seconds * cur->n_online;

	v[FEATURE_VCPUS] = cur->n_online;
	v[FEATURE_CONTEXT_SWITCH_RATE] =
		rate(prev->context_switches, cur->context_switches, seconds);
	v[FEATURE_IRQ_NET_RX_RATE] = rate(prev->softirq_net_rx, cur->softirq_net_rx, seconds);
	v[FEATURE_IRQ_NET_TX_RATE] = rate(prev->softirq_net_tx, cur->softirq_net_tx, seconds);
	v[FEATURE_IRQ_BLOCK_RATE] = rate(prev->softirq_block, cur->softirq_block, seconds);
	v[FEATURE_INTERRUPT_RATE] = rate(prev->interrupts, cur->interrupts, seconds);
	v[FEATURE_FORK_RATE] = rate(prev->forks, cur->forks, seconds);
	v[FEATURE_PROCS_RUNNING] = level(cur->procs_running);
	v[FEATURE_PROCS_BLOCKED] = level(cur->procs_blocked);
	/*
	 * Under one tick per CPU a share would be all or nothing; more CPU time
	 * than twice what can have passed is a counter that jumped.
	 */
	if (s.total < 1 || s.total < cur->n_online - 1 || s.total > most + 2 * cur->n_online)
		return;
	for (int k = 0; k < CPU_TIME_COUNT; k++)
		v[kinds[k]] = s.ticks[k] / s.total;
	v[FEATURE_CPU_UTILIZATION] = fmin(fmax(busy_share(&s), 0), 1);
	v[FEATURE_CPU_BUSY_VCPUS] = v[FEATURE_CPU_UTILIZATION] * cur->n_online;
	v[FEATURE_CPU_BUSY_MAX] = busiest(prev, cur);
}

/* ---- the other sources ---- */

static void memory_features(const struct sample *cur, double *v)
{
	double total = (double)cur->memory_total_kib, available = (double)cur->memory_available_kib;

	v[FEATURE_MEMORY_AVAILABLE_BYTES] = available * 1024;
	v[FEATURE_MEMORY_USAGE_PERCENT] = fmin(fmax(100 * (1 - available / total), 0), 100);
}

static void vmstat_features(const struct sample *prev, const struct sample *cur, double seconds,
			    double *v)
{
	v[FEATURE_PAGE_FAULT_RATE] = rate(prev->page_faults, cur->page_faults, seconds);
	v[FEATURE_MAJOR_FAULT_RATE] = rate(prev->major_faults, cur->major_faults, seconds);
	v[FEATURE_PAGE_IN_RATE] = rate(prev->paged_in_kib, cur->paged_in_kib, seconds);
	v[FEATURE_PAGE_OUT_RATE] = rate(prev->paged_out_kib, cur->paged_out_kib, seconds);
	v[FEATURE_SWAP_IN_RATE] = rate(prev->swapped_in, cur->swapped_in, seconds);
	v[FEATURE_SWAP_OUT_RATE] = rate(prev->swapped_out, cur->swapped_out, seconds);
}

static void load_features(const struct sample *cur, double *v)
{
	v[FEATURE_LOAD_AVERAGE_1M] = cur->load_1m;
	v[FEATURE_LOAD_AVERAGE_5M] = cur->load_5m;
	v[FEATURE_LOAD_AVERAGE_15M] = cur->load_15m;
	v[FEATURE_PROCESS_COUNT] = (double)cur->scheduling_entities;
}

/* Share of the time; NaN stays NaN (fmin would not keep it). */
static double stalled(uint64_t before_us, uint64_t now_us, double seconds)
{
	double share = rate(before_us, now_us, seconds) / 1e6;

	return share > 1 ? 1 : share;
}

static void pressure_features(const struct sample *prev, const struct sample *cur, double seconds,
			      double *v)
{
	v[FEATURE_PSI_CPU_SOME_RATIO] = stalled(prev->psi_cpu_us, cur->psi_cpu_us, seconds);
	v[FEATURE_PSI_MEMORY_SOME_RATIO] =
		stalled(prev->psi_memory_us, cur->psi_memory_us, seconds);
	v[FEATURE_PSI_IO_SOME_RATIO] = stalled(prev->psi_io_us, cur->psi_io_us, seconds);
}

/* Counters that stand still while CPUs work are gone (a migration took the vPMU): missing. */
static void perf_features(const struct sample *prev, const struct sample *cur, double seconds,
			  double *v)
{
	static const enum feature rates[PERF_COUNTER_COUNT] = {
		[PERF_CYCLES] = FEATURE_CYCLES_RATE,
		[PERF_INSTRUCTIONS] = FEATURE_INSTRUCTIONS_RATE,
		[PERF_CACHE_REFERENCES] = FEATURE_CACHE_REFERENCES_RATE,
		[PERF_CACHE_MISSES] = FEATURE_CACHE_MISSES_RATE,
		[PERF_BRANCHES] = FEATURE_BRANCHES_RATE,
		[PERF_BRANCH_MISSES] = FEATURE_BRANCH_MISSES_RATE,
		[PERF_REF_CYCLES] = FEATURE_REF_CYCLES_RATE,
	};

	if (!(cur->perf[PERF_CYCLES] > prev->perf[PERF_CYCLES]) && v[FEATURE_CPU_UTILIZATION] > 0)
		return;
	for (int k = 0; k < PERF_COUNTER_COUNT; k++) {
		double grown = cur->perf[k] - prev->perf[k];

		/* Scaling by enabled / running may undo a little of an earlier estimate. */
		v[rates[k]] = grown >= 0 ? grown / seconds : NAN;
	}
}

static unsigned events_between(const struct sample *prev, const struct sample *cur)
{
	int64_t awake_ns = cur->mono_ns - prev->mono_ns;
	int64_t all_ns = cur->boot_ns - prev->boot_ns;
	int64_t wall_ns = cur->real_ns - prev->real_ns;
	unsigned events = 0;

	if (all_ns - awake_ns > SUSPEND_NS)
		events |= INTERVAL_SUSPEND;
	if (llabs(wall_ns - all_ns) > STEP_NS)
		events |= INTERVAL_STEP;
	if (both_have(prev, cur, SOURCE_STAT) && !same_cpus(prev, cur))
		events |= INTERVAL_HOTPLUG;
	return events;
}

unsigned interval_row(const struct sample *prev, const struct sample *cur, struct row *ret)
{
	int64_t awake_ns = cur->mono_ns - prev->mono_ns;
	/* cppcheck-suppress ctuuninitvar ; the address of an array, not what is in it */
	double seconds = (double)awake_ns / 1e9, *v = ret->v;

	row_clear(ret);
	ret->t_s = (double)cur->real_ns / 1e9;
	if (awake_ns < SHORT_NS)
		return INTERVAL_SHORT;
	ret->dt_s = seconds;
	if (both_have(prev, cur, SOURCE_STAT)) {
		stat_features(prev, cur, seconds, v);
		if (awake_ns < TICKS_NS && isnan(v[FEATURE_CPU_UTILIZATION])) {
			row_clear(ret);
			return INTERVAL_SHORT;
		}
	}
	if (sample_has(cur, SOURCE_MEMINFO))
		memory_features(cur, v);
	if (both_have(prev, cur, SOURCE_VMSTAT))
		vmstat_features(prev, cur, seconds, v);
	if (sample_has(cur, SOURCE_LOADAVG))
		load_features(cur, v);
	if (both_have(prev, cur, SOURCE_DISKSTATS)) {
		v[FEATURE_DISK_READ_BYTES_RATE] =
			rate(prev->disk_read_bytes, cur->disk_read_bytes, seconds);
		v[FEATURE_DISK_WRITE_BYTES_RATE] =
			rate(prev->disk_written_bytes, cur->disk_written_bytes, seconds);
	}
	if (both_have(prev, cur, SOURCE_NETDEV)) {
		v[FEATURE_NET_RX_BYTES_RATE] =
			rate(prev->net_received_bytes, cur->net_received_bytes, seconds);
		v[FEATURE_NET_TX_BYTES_RATE] =
			rate(prev->net_sent_bytes, cur->net_sent_bytes, seconds);
	}
	if (both_have(prev, cur, SOURCE_PRESSURE))
		pressure_features(prev, cur, seconds, v);
	if (sample_has(cur, SOURCE_CPUFREQ))
		v[FEATURE_CPU_FREQUENCY_MHZ] = cur->frequency_mhz;
	if (sample_has(cur, SOURCE_CLOCK)) {
		v[FEATURE_CORE_CLOCK_MHZ] = cur->core_clock_mhz;
		v[FEATURE_CORE_CLOCK_JITTER] = cur->core_clock_jitter;
	}
	if (both_have(prev, cur, SOURCE_PERF))
		perf_features(prev, cur, seconds, v);
	row_complete(ret);
	return events_between(prev, cur);
}
