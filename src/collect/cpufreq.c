// SPDX-License-Identifier: Apache-2.0
/*
 * The frequency the kernel reports, mean over cpufreq policies. Most guests
 * have no cpufreq at all; then the feature is missing.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/parse.h"
#include "collect/source.h"

#define POLICIES_MAX 64 /* a sample of them on larger machines */

struct cpufreq {
	size_t n;
	int fd[POLICIES_MAX];
};

static void cpufreq_close(void *state)
{
	struct cpufreq *f = state;

	for (size_t i = 0; f && i < f->n; i++)
		close(f->fd[i]);
	free(f);
}

static int open_policy(const struct root *r, unsigned cpu)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpufreq/policy%u/scaling_cur_freq",
		 cpu);
	return root_open(r, path);
}

static int cpufreq_open(const struct source_context *c, void **state)
{
	/* policy0 is on every machine that has any. */
	int first = open_policy(c->root, 0);
	struct cpufreq *f;

	if (first < 0)
		return first;
	f = calloc(1, sizeof(*f));
	if (!f) {
		close(first);
		return -ENOMEM;
	}
	f->fd[f->n++] = first;
	for (unsigned cpu = 1; cpu < c->cpus_cap && f->n < POLICIES_MAX; cpu++) {
		int fd = open_policy(c->root, cpu);

		if (fd >= 0)
			f->fd[f->n++] = fd;
	}
	*state = f;
	return 0;
}

static int cpufreq_read(void *state, struct sample *s)
{
	struct cpufreq *f = state;
	double sum_khz = 0;
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		char buf[32];
		const char *p = buf;
		uint64_t khz;

		if (fd_read_again(f->fd[i], buf, sizeof(buf)) > 0 && scan_u64(&p, &khz) && khz) {
			sum_khz += (double)khz;
			n++;
		}
	}
	if (!n)
		return -ENODATA;
	s->frequency_mhz = sum_khz / (double)n / 1e3;
	return 0;
}

const struct source_ops cpufreq_source = {cpufreq_open, cpufreq_read, cpufreq_close};
