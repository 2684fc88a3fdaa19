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

static int cpufreq_open(const struct source_context *c, void **state)
{
	struct cpufreq *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	for (unsigned cpu = 0; cpu < c->cpus_cap && f->n < POLICIES_MAX; cpu++) {
		char path[96];
		int fd;

		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpufreq/policy%u/scaling_cur_freq", cpu);
		fd = root_open(c->root, path);
		if (fd >= 0)
			f->fd[f->n++] = fd;
		else if (cpu == 0)
			break; /* policy0 is on every machine that has any */
	}
	if (!f->n) {
		free(f);
		return -ENOENT;
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
