// SPDX-License-Identifier: Apache-2.0
/* Watts and whose they are, interval by interval: see top_model.h. */
#include "cli/top_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attribute/shares.h"
#include "base/cleanup.h"

#define TICK_NS (1000000000 / USER_HZ)

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

static const struct zone_estimate *package_of(const struct top *t)
{
	return &live_estimate(t->live)->zone[ZONE_PACKAGE];
}

double top_active_w(const struct top *t)
{
	return package_of(t)->valid ? package_of(t)->active_w : 0;
}

double top_idle_w(const struct top *t)
{
	return package_of(t)->valid ? package_of(t)->idle_w : 0;
}

/* ---- order ---- */

static int descending(double a, double b)
{
	return (a < b) - (a > b);
}

/* Equal ones keep a place of their own, so that nothing dances. */
static int by_identity(const struct top_consumer *a, const struct top_consumer *b)
{
	int r = strcmp(a->cgroup, b->cgroup);

	return a->pid != b->pid ? (a->pid > b->pid) - (a->pid < b->pid) : r;
}

static int by_watts(const void *x, const void *y)
{
	const struct top_consumer *a = x, *b = y;
	int r = descending(a->share, b->share);

	r = r ? r : descending(a->joules, b->joules);
	return r ? r : by_identity(a, b);
}

static int by_joules(const void *x, const void *y)
{
	const struct top_consumer *a = x, *b = y;
	int r = descending(a->joules, b->joules);

	return r ? r : by_identity(a, b);
}

static int by_pid(const void *x, const void *y)
{
	const struct top_consumer *a = x, *b = y;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

static int by_cgroup(const void *x, const void *y)
{
	return strcmp(((const struct top_consumer *)x)->cgroup,
		      ((const struct top_consumer *)y)->cgroup);
}

static void sort(struct top_consumer *c, size_t n, int (*by)(const void *, const void *))
{
	if (n)
		qsort(c, n, sizeof(*c), by);
}

void top_resort(struct top *t)
{
	int (*by)(const void *, const void *) = t->sort == TOP_BY_WATTS ? by_watts : by_joules;

	sort(t->processes, t->n_processes, by);
	sort(t->cgroups, t->n_cgroups, by);
}

/* ---- one interval ---- */

/* Joules go on with the same process; a PID that came back begins at 0. */
static double joules_before(const struct top *t, const struct process *p)
{
	const struct top_consumer key = {.pid = p->pid};
	const struct top_consumer *old =
		t->n_processes ? bsearch(&key, t->processes, t->n_processes, sizeof(key), by_pid)
			       : NULL;

	return old && old->start == p->start_ticks ? old->joules : 0;
}

static int fill_processes(struct top *t, double dt_s, struct err *e)
{
	const struct process_table *now = &t->tables[t->current];
	autofree double *shares = calloc(now->n + 1, sizeof(*shares));
	struct top_consumer *fresh = calloc(now->n + 1, sizeof(*fresh));

	if (!shares || !fresh ||
	    process_shares(&t->tables[t->current ^ 1], now, t->since_ticks, t->busy_s, shares,
			   &t->unattributed) < 0) {
		free(fresh);
		return err_nomem(e);
	}
	sort(t->processes, t->n_processes, by_pid);
	for (size_t i = 0; i < now->n; i++) {
		const struct process *p = &now->items[i];

		fresh[i] = (struct top_consumer){.pid = p->pid,
						 .start = p->start_ticks,
						 .name = p->name,
						 .cgroup = p->cgroup,
						 .share = shares[i],
						 .joules = joules_before(t, p) +
							   shares[i] * top_active_w(t) * dt_s};
	}
	free(t->processes);
	t->processes = fresh;
	t->n_processes = now->n;
	return 0;
}

/* Those of a cgroup stay when its processes have ended. */
static double cgroup_joules_before(const struct top *t, const struct top_consumer *c)
{
	const struct top_consumer *old =
		t->n_cgroups ? bsearch(c, t->cgroups, t->n_cgroups, sizeof(*c), by_cgroup) : NULL;

	return old ? old->joules : 0;
}

/* A cgroup is the sum of the processes that live in it. */
static int fill_cgroups(struct top *t, double dt_s, struct err *e)
{
	struct top_consumer *all = calloc(t->n_processes + 1, sizeof(*all));
	size_t n = 0;

	if (!all)
		return err_nomem(e);
	memcpy(all, t->processes, t->n_processes * sizeof(*all));
	sort(all, t->n_processes, by_cgroup);
	for (size_t i = 0; i < t->n_processes; i++) {
		if (n && !strcmp(all[n - 1].cgroup, all[i].cgroup)) {
			all[n - 1].share += all[i].share;
			continue;
		}
		all[n] = all[i];
		all[n].pid = 0;
		all[n++].name = "";
	}
	sort(t->cgroups, t->n_cgroups, by_cgroup);
	for (size_t i = 0; i < n; i++)
		all[i].joules =
			cgroup_joules_before(t, &all[i]) + all[i].share * top_active_w(t) * dt_s;
	free(t->cgroups);
	t->cgroups = all;
	t->n_cgroups = n;
	return 0;
}

static void remember(struct top *t, double dt_s)
{
	bool full = t->n_history == TOP_HISTORY;
	size_t at = full ? TOP_HISTORY - 1 : t->n_history++;

	each_zone(z)
	{
		const struct zone_estimate *zone = &live_estimate(t->live)->zone[z];

		if (full)
			memmove(t->history_w[z], t->history_w[z] + 1,
				(TOP_HISTORY - 1) * sizeof(t->history_w[z][0]));
		t->history_w[z][at] = zone->valid ? zone_watts(zone) : NAN;
		t->joules[z] += zone->valid ? zone_watts(zone) * dt_s : 0;
	}
	t->elapsed_s += dt_s;
}

static int read_table(struct top *t, unsigned to, struct err *e)
{
	return process_table_read(&t->tables[to], live_root(t->live), true, &t->tables[to ^ 1], e);
}

int top_open(struct top *t, const struct live_options *o, struct err *e)
{
	int r;

	*t = (struct top){.unattributed = 1};
	r = live_open(o, &t->live, e);
	if (r == 0)
		r = read_table(t, 0, e);
	if (r == 0)
		t->since_ticks = (uint64_t)(live_boot_ns(t->live) / TICK_NS);
	return r;
}

void top_close(struct top *t)
{
	live_close(t->live);
	free(t->processes);
	free(t->cgroups);
	process_table_release(&t->tables[0]);
	process_table_release(&t->tables[1]);
}

int top_step(struct top *t, struct err *e)
{
	const struct row *row;
	int r;

	if (!live_tick(t->live, 0))
		return 0;
	row = live_row(t->live);
	t->busy_s = row->v[FEATURE_CPU_BUSY_VCPUS] * row->dt_s;
	r = read_table(t, t->current ^ 1, e);
	if (r < 0)
		return r;
	t->current ^= 1;
	r = fill_processes(t, row->dt_s, e);
	if (r == 0)
		r = fill_cgroups(t, row->dt_s, e);
	if (r < 0)
		return r;
	remember(t, row->dt_s);
	t->since_ticks = (uint64_t)(live_boot_ns(t->live) / TICK_NS);
	top_resort(t);
	return 1;
}
