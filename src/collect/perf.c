// SPDX-License-Identifier: Apache-2.0
/*
 * Hardware counters of every CPU, through perf events: system-wide, one group
 * per CPU led by cycles, scaled by enabled / running time where the kernel
 * multiplexes. A VM without a vPMU cannot open them, or opens them and counts
 * nothing: a counter that was never anything but 0 is absent, not zero.
 * (One that stops later shows in features/interval.c, which sees the load.)
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "collect/source.h"

#define OTHER_FILES 256 /* of the rest of the program */

static const uint64_t events[PERF_COUNTER_COUNT] = {
	[PERF_CYCLES] = PERF_COUNT_HW_CPU_CYCLES,
	[PERF_INSTRUCTIONS] = PERF_COUNT_HW_INSTRUCTIONS,
	[PERF_CACHE_REFERENCES] = PERF_COUNT_HW_CACHE_REFERENCES,
	[PERF_CACHE_MISSES] = PERF_COUNT_HW_CACHE_MISSES,
	[PERF_BRANCHES] = PERF_COUNT_HW_BRANCH_INSTRUCTIONS,
	[PERF_BRANCH_MISSES] = PERF_COUNT_HW_BRANCH_MISSES,
	[PERF_REF_CYCLES] = PERF_COUNT_HW_REF_CPU_CYCLES,
};

struct cpu_group {
	bool open;
	int fd[PERF_COUNTER_COUNT]; /* -1: not opened */
	size_t n;		    /* events in the group, in order of enum perf_counter */
};

struct perf {
	const struct kernel *kernel;
	unsigned cpus_cap;
	struct cpu_group *cpus;
};

static int open_event(const struct perf *p, enum perf_counter k, unsigned cpu, int leader)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = events[k],
		.read_format = PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED |
			       PERF_FORMAT_TOTAL_TIME_RUNNING,
		.exclude_hv = 0,
	};

	return p->kernel->perf_open(&attr, -1, (int)cpu, leader);
}

static void close_group(struct cpu_group *g)
{
	for (int k = 0; k < PERF_COUNTER_COUNT; k++) {
		if (g->open && g->fd[k] >= 0)
			close(g->fd[k]);
	}
	*g = (struct cpu_group){.open = false};
}

/* Open CPU's group: cycles first; the others join where they can. */
static int open_group(struct perf *p, unsigned cpu)
{
	struct cpu_group *g = &p->cpus[cpu];
	int leader = open_event(p, PERF_CYCLES, cpu, -1);

	if (leader < 0)
		return leader;
	*g = (struct cpu_group){.open = true, .n = 1};
	memset(g->fd, -1, sizeof(g->fd));
	g->fd[PERF_CYCLES] = leader;
	for (int k = PERF_CYCLES + 1; k < PERF_COUNTER_COUNT; k++) {
		g->fd[k] = open_event(p, (enum perf_counter)k, cpu, leader);
		if (g->fd[k] >= 0)
			g->n++;
		else
			g->fd[k] = -1;
	}
	return 0;
}

static void perf_close(void *state)
{
	struct perf *p = state;

	for (unsigned cpu = 0; p && p->cpus && cpu < p->cpus_cap; cpu++)
		close_group(&p->cpus[cpu]);
	if (p)
		free(p->cpus);
	free(p);
}

/* Whether counting works at all, without allocating: most machines we ask say no, every minute. */
static int try_counting(const struct source_context *c)
{
	const struct perf p = {.kernel = c->kernel};
	int fd = -ENODEV;

	/* CPUs that are offline say ENODEV. */
	for (unsigned cpu = 0; cpu < c->cpus_cap && fd == -ENODEV; cpu++)
		fd = open_event(&p, PERF_CYCLES, cpu, -1);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/*
 * Every counter is a descriptor, seven a CPU: a large machine has more CPUs than a process is given
 * descriptors for. Where we may not have more (vmwatts-pmu.conf gives them), there are no counters.
 */
static int make_room(unsigned possible)
{
	rlim_t online = (rlim_t)sysconf(_SC_NPROCESSORS_ONLN);
	rlim_t want = (rlim_t)possible * PERF_COUNTER_COUNT + OTHER_FILES;
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
		return 0;
	more = limit;
	more.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		limit = more;
	return limit.rlim_cur < online * PERF_COUNTER_COUNT + OTHER_FILES ? -EMFILE : 0;
}

static int perf_open(const struct source_context *c, void **state)
{
	struct perf *p;
	int r;

	if (!c->perf || !root_is_self(c->root))
		return -ENOENT;
	r = try_counting(c);
	if (r == 0)
		r = make_room(c->cpus_cap);
	if (r < 0)
		return r;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->kernel = c->kernel;
	p->cpus_cap = c->cpus_cap;
	p->cpus = calloc(c->cpus_cap, sizeof(*p->cpus));
	if (!p->cpus) {
		perf_close(p);
		return -ENOMEM;
	}
	*state = p;
	return 0;
}

/* Add one CPU's scaled counts; false when it cannot be read. */
static bool add_group(const struct perf *p, const struct cpu_group *g, double *sum, unsigned *seen)
{
	/* nr, time enabled, time running, then a value per event */
	uint64_t buf[3 + PERF_COUNTER_COUNT];
	ssize_t want = (ssize_t)((3 + g->n) * sizeof(buf[0]));
	double scale;
	size_t at = 3;

	if (p->kernel->perf_read(g->fd[PERF_CYCLES], buf, sizeof(buf)) != want || buf[0] != g->n)
		return false;
	/* Enabled but never scheduled onto the PMU: nothing is known of this CPU. */
	if (!buf[2])
		return buf[1] == 0;
	scale = (double)buf[1] / (double)buf[2];
	for (int k = 0; k < PERF_COUNTER_COUNT; k++) {
		if (g->fd[k] < 0)
			continue;
		sum[k] += (double)buf[at++] * scale;
		seen[k]++;
	}
	return true;
}

static int perf_read(void *state, struct sample *s)
{
	struct perf *p = state;
	double sum[PERF_COUNTER_COUNT] = {0};
	unsigned seen[PERF_COUNTER_COUNT] = {0}, cpus = 0; /* on so many of them */
	bool any = false;

	if (!sample_has(s, SOURCE_STAT))
		return -ENODATA; /* which CPUs are there is not known */
	for (unsigned cpu = 0; cpu < p->cpus_cap; cpu++) {
		struct cpu_group *g = &p->cpus[cpu];

		if (!s->online[cpu]) {
			close_group(g); /* its fds die with the CPU */
			continue;
		}
		if (!g->open && open_group(p, cpu) < 0)
			return -ENODATA; /* a sum that lacks a CPU is no sum */
		if (!add_group(p, g, sum, seen)) {
			close_group(g);
			return -EIO;
		}
		cpus++;
	}
	for (int k = 0; k < PERF_COUNTER_COUNT; k++) {
		s->perf[k] = seen[k] == cpus && sum[k] > 0 ? sum[k] : NAN;
		any |= !isnan(s->perf[k]);
	}
	return any ? 0 : -ENODATA;
}

const struct source_ops perf_source = {perf_open, perf_read, perf_close};
