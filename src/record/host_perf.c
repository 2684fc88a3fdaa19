// SPDX-License-Identifier: Apache-2.0
/* Core cycles by process and of the host: see host_perf.h. */
#include "record/host_perf.h"

#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"

/* The counters of one process, or (pid -1) of the CPUs. */
struct perf_set {
	int pid;
	int *fds; /* owned */
	size_t n, cap;
	double before;
};

struct host_perf {
	const struct kernel *kernel;
	const struct root *root;
	struct perf_set all;
	struct perf_set *processes; /* owned */
	size_t n;
};

static void close_set(struct perf_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		close(s->fds[i]);
	free(s->fds);
	*s = (struct perf_set){0};
}

/* Add one counter: a thread wherever it runs, or a CPU whoever runs there. */
static int open_one(const struct host_perf *p, struct perf_set *s, int tid, int cpu)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_HW_CPU_CYCLES,
				       .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED |
						      PERF_FORMAT_TOTAL_TIME_RUNNING,
				       .inherit = tid >= 0};
	int fd;

	if (s->n == s->cap) {
		int *grown = reallocarray(s->fds, s->cap * 2 + 16, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		s->fds = grown;
		s->cap = s->cap * 2 + 16;
	}
	fd = p->kernel->perf_open(&attr, tid, cpu, -1);
	if (fd >= 0)
		s->fds[s->n++] = fd;
	return fd < 0 ? fd : 0;
}

/* The sum of a set's counters, each scaled by the time it was on the PMU. */
static double read_set(const struct host_perf *p, const struct perf_set *s)
{
	double sum = 0;

	for (size_t i = 0; i < s->n; i++) {
		uint64_t v[3]; /* count, time enabled, time running */

		if (p->kernel->perf_read(s->fds[i], v, sizeof(v)) != (ssize_t)sizeof(v))
			return NAN;
		if (v[2])
			sum += (double)v[0] * ((double)v[1] / (double)v[2]);
	}
	return sum;
}

static double growth(const struct host_perf *p, struct perf_set *s)
{
	double now = read_set(p, s), before = s->before;

	s->before = now;
	return now >= before ? now - before : NAN;
}

static int open_cpus(struct host_perf *p)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int r = 0;

	for (int cpu = 0; r == 0 && cpu < cpus; cpu++) {
		r = open_one(p, &p->all, -1, cpu);
		if (r == -ENODEV) /* it is offline */
			r = 0;
	}
	return r == 0 && !p->all.n ? -ENODEV : r;
}

int host_perf_open(const struct kernel *kernel, const struct root *root, struct host_perf **ret,
		   struct err *e)
{
	struct host_perf *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_nomem(e);
	*p = (struct host_perf){.kernel = kernel, .root = root, .all.pid = -1};
	r = open_cpus(p);
	if (r < 0) {
		host_perf_close(p);
		return err_set(e, r,
			       "--weight perf: this host's cycles cannot be counted (%s); run as "
			       "root on bare metal, or use --weight time",
			       strerror(-r));
	}
	p->all.before = read_set(p, &p->all);
	*ret = p;
	return 0;
}

void host_perf_close(struct host_perf *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		close_set(&p->processes[i]);
	close_set(&p->all);
	free(p->processes);
	free(p);
}

double host_perf_all(struct host_perf *p)
{
	return growth(p, &p->all);
}

static int open_threads(struct host_perf *p, struct perf_set *s)
{
	char path[640];
	int r = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/proc/%d/task", p->root->prefix, s->pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	for (struct dirent *d; r == 0 && (d = readdir(dir));) {
		uint64_t tid;

		if (parse_u64(d->d_name, &tid) < 0 || tid > INT32_MAX)
			continue;
		r = open_one(p, s, (int)tid, -1);
		if (r == -ESRCH) /* it ended meanwhile */
			r = 0;
	}
	closedir(dir);
	return r;
}

static struct perf_set *add_process(struct host_perf *p, int pid)
{
	struct perf_set *grown = reallocarray(p->processes, p->n + 1, sizeof(*grown));
	struct perf_set *s;

	if (!grown)
		return NULL;
	p->processes = grown;
	s = &grown[p->n];
	*s = (struct perf_set){.pid = pid};
	if (open_threads(p, s) < 0) {
		close_set(s);
		return NULL;
	}
	p->n++;
	s->before = read_set(p, s);
	return s;
}

double host_perf_of(struct host_perf *p, int pid)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->processes[i].pid == pid)
			return growth(p, &p->processes[i]);
	}
	return add_process(p, pid) ? 0 : NAN;
}
