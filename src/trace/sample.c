// SPDX-License-Identifier: Apache-2.0
/* Samples as rows: see sample.h. One table says where each number lives. */
#include "trace/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

enum number { NUMBER_I64, NUMBER_U64, NUMBER_F64 };

struct column {
	const char *name;
	int source; /* enum source; -1: always there */
	enum number kind;
	size_t offset;
};

#define AT(field) offsetof(struct sample, field)
#define TICKS(name, time)                                                                          \
	{                                                                                          \
		"stat." name, SOURCE_STAT, NUMBER_U64, AT(cpu.ticks[time])                         \
	}
#define U64(name, s, f)                                                                            \
	{                                                                                          \
		name, SOURCE_##s, NUMBER_U64, AT(f)                                                \
	}
#define F64(name, s, f)                                                                            \
	{                                                                                          \
		name, SOURCE_##s, NUMBER_F64, AT(f)                                                \
	}
#define PERF(name, which)                                                                          \
	{                                                                                          \
		"perf." name, SOURCE_PERF, NUMBER_F64, AT(perf[which])                             \
	}

static const struct column columns[] = {
	{"mono_ns", -1, NUMBER_I64, AT(mono_ns)},
	{"boot_ns", -1, NUMBER_I64, AT(boot_ns)},
	TICKS("user", CPU_TIME_USER),
	TICKS("nice", CPU_TIME_NICE),
	TICKS("system", CPU_TIME_SYSTEM),
	TICKS("idle", CPU_TIME_IDLE),
	TICKS("iowait", CPU_TIME_IOWAIT),
	TICKS("irq", CPU_TIME_IRQ),
	TICKS("softirq", CPU_TIME_SOFTIRQ),
	TICKS("steal", CPU_TIME_STEAL),
	U64("stat.ctxt", STAT, context_switches),
	U64("stat.intr", STAT, interrupts),
	U64("stat.processes", STAT, forks),
	U64("stat.softirq_net_rx", STAT, softirq_net_rx),
	U64("stat.softirq_net_tx", STAT, softirq_net_tx),
	U64("stat.softirq_block", STAT, softirq_block),
	U64("stat.procs_running", STAT, procs_running),
	U64("stat.procs_blocked", STAT, procs_blocked),
	U64("meminfo.total_kib", MEMINFO, memory_total_kib),
	U64("meminfo.available_kib", MEMINFO, memory_available_kib),
	U64("vmstat.pgfault", VMSTAT, page_faults),
	U64("vmstat.pgmajfault", VMSTAT, major_faults),
	U64("vmstat.pgpgin", VMSTAT, paged_in_kib),
	U64("vmstat.pgpgout", VMSTAT, paged_out_kib),
	U64("vmstat.pswpin", VMSTAT, swapped_in),
	U64("vmstat.pswpout", VMSTAT, swapped_out),
	F64("loadavg.1m", LOADAVG, load_1m),
	F64("loadavg.5m", LOADAVG, load_5m),
	F64("loadavg.15m", LOADAVG, load_15m),
	U64("loadavg.entities", LOADAVG, scheduling_entities),
	U64("diskstats.read_bytes", DISKSTATS, disk_read_bytes),
	U64("diskstats.written_bytes", DISKSTATS, disk_written_bytes),
	U64("netdev.received_bytes", NETDEV, net_received_bytes),
	U64("netdev.sent_bytes", NETDEV, net_sent_bytes),
	U64("pressure.cpu_us", PRESSURE, psi_cpu_us),
	U64("pressure.memory_us", PRESSURE, psi_memory_us),
	U64("pressure.io_us", PRESSURE, psi_io_us),
	F64("cpufreq.mhz", CPUFREQ, frequency_mhz),
	F64("clock.core_mhz", CLOCK, core_clock_mhz),
	F64("clock.jitter", CLOCK, core_clock_jitter),
	PERF("cycles", PERF_CYCLES),
	PERF("instructions", PERF_INSTRUCTIONS),
	PERF("cache_references", PERF_CACHE_REFERENCES),
	PERF("cache_misses", PERF_CACHE_MISSES),
	PERF("branches", PERF_BRANCHES),
	PERF("branch_misses", PERF_BRANCH_MISSES),
	PERF("ref_cycles", PERF_REF_CYCLES),
};

#define N_COLUMNS array_size(columns)
#define CPUS_MAX  4096

static const char *const cpu_times[CPU_TIME_COUNT] = {
	[CPU_TIME_USER] = "user",	[CPU_TIME_NICE] = "nice",     [CPU_TIME_SYSTEM] = "system",
	[CPU_TIME_IDLE] = "idle",	[CPU_TIME_IOWAIT] = "iowait", [CPU_TIME_IRQ] = "irq",
	[CPU_TIME_SOFTIRQ] = "softirq", [CPU_TIME_STEAL] = "steal",
};

size_t sample_columns(unsigned cpus)
{
	return N_COLUMNS + (size_t)cpus * CPU_TIME_COUNT;
}

unsigned sample_cpus(const struct sample *s)
{
	unsigned cpus = 0;

	for (unsigned i = 0; i < s->cpus_cap; i++) {
		if (s->online[i])
			cpus = i + 1;
	}
	return cpus;
}

char **sample_column_names(unsigned cpus)
{
	size_t n = sample_columns(cpus);
	char **names = calloc(n + 1, sizeof(*names));

	for (size_t i = 0; names && i < n; i++) {
		char buf[64];
		size_t k = i - N_COLUMNS;

		if (i < N_COLUMNS)
			snprintf(buf, sizeof(buf), "%s", columns[i].name);
		else
			snprintf(buf, sizeof(buf), "cpu%zu.%s", k / CPU_TIME_COUNT,
				 cpu_times[k % CPU_TIME_COUNT]);
		names[i] = strdup(buf);
		if (!names[i]) {
			sample_column_names_free(names, cpus);
			return NULL;
		}
	}
	return names;
}

void sample_column_names_free(char **names, unsigned cpus)
{
	for (size_t i = 0; names && i < sample_columns(cpus); i++)
		free(names[i]);
	free(names);
}

static double number_of(const struct sample *s, const struct column *c)
{
	const void *at = (const char *)s + c->offset;

	if (c->source >= 0 && !sample_has(s, (enum source)c->source))
		return NAN;
	switch (c->kind) {
	case NUMBER_I64:
		return (double)*(const int64_t *)at;
	case NUMBER_U64:
		return *(const uint64_t *)at == UINT64_MAX ? NAN : (double)*(const uint64_t *)at;
	case NUMBER_F64:
		break;
	}
	return *(const double *)at;
}

void sample_to_values(const struct sample *s, unsigned cpus, double *values)
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		values[i] = number_of(s, &columns[i]);
	values += N_COLUMNS;
	for (unsigned c = 0; c < cpus; c++) {
		bool there = sample_has(s, SOURCE_STAT) && c < s->cpus_cap && s->online[c];

		for (size_t t = 0; t < CPU_TIME_COUNT; t++)
			*values++ = there ? (double)s->cpus[c].ticks[t] : NAN;
	}
}

struct sample_map {
	int at[N_COLUMNS]; /* -1: no such column */
	unsigned cpus;
	int *cpu_at; /* owned; [cpus][CPU_TIME_COUNT], -1: no such column */
};

/* "cpu12.idle" -> 12 and CPU_TIME_IDLE. */
static bool cpu_column(const char *name, unsigned *ret_cpu, size_t *ret_time)
{
	const char *p = name + 3;
	uint64_t cpu;

	if (strncmp(name, "cpu", 3) || *p < '0' || *p > '9' || !scan_u64(&p, &cpu) || *p != '.' ||
	    cpu >= CPUS_MAX)
		return false;
	for (size_t t = 0; t < CPU_TIME_COUNT; t++) {
		if (!strcmp(p + 1, cpu_times[t])) {
			*ret_cpu = (unsigned)cpu;
			*ret_time = t;
			return true;
		}
	}
	return false;
}

static int map_cpus(struct sample_map *m, const struct trace_stream *s, struct err *e)
{
	unsigned cpu;
	size_t t;

	for (size_t i = 0; i < s->n_columns; i++) {
		if (cpu_column(s->columns[i], &cpu, &t) && cpu >= m->cpus)
			m->cpus = cpu + 1;
	}
	m->cpu_at = malloc(((size_t)m->cpus * CPU_TIME_COUNT + 1) * sizeof(*m->cpu_at));
	if (!m->cpu_at)
		return err_nomem(e);
	for (size_t i = 0; i < (size_t)m->cpus * CPU_TIME_COUNT; i++)
		m->cpu_at[i] = -1;
	for (size_t i = 0; i < s->n_columns; i++) {
		if (cpu_column(s->columns[i], &cpu, &t))
			m->cpu_at[(size_t)cpu * CPU_TIME_COUNT + t] = (int)i;
	}
	return 0;
}

int sample_map_new(const struct trace_stream *s, struct sample_map **ret, struct err *e)
{
	struct sample_map *m = calloc(1, sizeof(*m));
	int r = m ? map_cpus(m, s, e) : err_nomem(e);

	if (r < 0) {
		sample_map_free(m);
		return r;
	}
	for (size_t i = 0; i < N_COLUMNS; i++)
		m->at[i] = trace_column(s, columns[i].name);
	for (size_t i = 0; i < N_COLUMNS; i++) {
		if (columns[i].source != SOURCE_STAT || m->at[i] >= 0)
			continue;
		sample_map_free(m);
		return err_set(e, -ERR_DATA,
			       "the recording of %s has no column %s: nothing tells "
			       "its load",
			       s->vm, columns[i].name);
	}
	*ret = m;
	return 0;
}

void sample_map_free(struct sample_map *m)
{
	if (!m)
		return;
	free(m->cpu_at);
	free(m);
}

unsigned sample_map_cpus(const struct sample_map *m)
{
	return m->cpus;
}

/* A counter from a file: what no counter can be is 0. */
static uint64_t counter(double v)
{
	return v >= 0 && v < 0x1p63 ? (uint64_t)v : 0;
}

static void put_number(struct sample *s, const struct column *c, double v)
{
	void *at = (char *)s + c->offset;

	switch (c->kind) {
	case NUMBER_I64:
		*(int64_t *)at = (int64_t)counter(v);
		break;
	case NUMBER_U64:
		*(uint64_t *)at = isnan(v) ? UINT64_MAX : counter(v);
		break;
	case NUMBER_F64:
		*(double *)at = isfinite(v) ? v : NAN;
		break;
	}
}

/* A source was read when any of its numbers is there: kernels lack some of them. */
static uint32_t sources_read(const double *values, const struct sample_map *m)
{
	uint32_t have = 0;

	for (size_t i = 0; i < N_COLUMNS; i++) {
		if (columns[i].source >= 0 && m->at[i] >= 0 && isfinite(values[m->at[i]]))
			have |= 1u << columns[i].source;
	}
	return have;
}

void sample_from_values(const struct sample_map *m, int64_t real_ns, const double *values,
			struct sample *ret)
{
	ret->real_ns = real_ns;
	for (size_t i = 0; i < N_COLUMNS; i++)
		put_number(ret, &columns[i], m->at[i] < 0 ? NAN : values[m->at[i]]);
	ret->have = sources_read(values, m);
	ret->n_online = 0;
	for (unsigned c = 0; c < ret->cpus_cap; c++) {
		const int *at = c < m->cpus ? m->cpu_at + (size_t)c * CPU_TIME_COUNT : NULL;

		ret->online[c] =
			at && at[CPU_TIME_IDLE] >= 0 && isfinite(values[at[CPU_TIME_IDLE]]);
		ret->n_online += ret->online[c];
		for (size_t t = 0; t < CPU_TIME_COUNT; t++)
			ret->cpus[c].ticks[t] = at && at[t] >= 0 ? counter(values[at[t]]) : 0;
	}
}
