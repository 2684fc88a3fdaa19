// SPDX-License-Identifier: Apache-2.0
/*
 * What a plan does to the counters: plan_counters PLAN SCALE DIRECTORY runs it
 * and prints, for its idle phases and for the phases with each class of load,
 * means weighted by time, one line each:
 *
 *	CLASS seconds cpu_utilization page_fault_rate memory_usage_percent
 *	disk_write_bytes_rate net_tx_bytes_rate expected_cpu_utilization
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "collect/collector.h"
#include "features/interval.h"
#include "workload/budget.h"
#include "workload/run.h"

#define CLASSES 5 /* enum load_class, and idle */
#define IDLE	4

static const char *const class_names[CLASSES] = {"cpu", "memory", "disk", "network", "idle"};
static const enum feature shown[] = {FEATURE_CPU_UTILIZATION, FEATURE_PAGE_FAULT_RATE,
				     FEATURE_MEMORY_USAGE_PERCENT, FEATURE_DISK_WRITE_BYTES_RATE,
				     FEATURE_NET_TX_BYTES_RATE};

#define N_SHOWN (sizeof(shown) / sizeof(shown[0]))

struct sums {
	double seconds, v[N_SHOWN], expected;
};

struct watch {
	const struct plan *plan;
	struct collector *collector;
	struct sample begin, end;
	unsigned cpus;
	struct sums sums[CLASSES];
};

/* Mean share of all CPUs that the phase's processor loads ask for. */
static double expected_utilization(const struct watch *w, const struct phase *p)
{
	double sum = 0;

	for (size_t k = 0; k < p->n_loads; k++) {
		const struct load *l = &p->loads[k];
		double part = l->workers ? (double)l->workers / w->cpus : 1;

		for (int i = 0; l->kind->class == CLASS_CPU && i < 100; i++)
			sum += part * phase_share(p, l, p->duration_s * i / 100, p->duration_s) /
			       100;
	}
	return fmin(sum, 1);
}

static void add(struct watch *w, const struct phase *p, const struct row *row)
{
	bool in[CLASSES] = {[IDLE] = p->n_loads == 0};

	for (size_t k = 0; k < p->n_loads; k++)
		in[p->loads[k].kind->class] = true;
	for (int c = 0; c < CLASSES; c++) {
		struct sums *s = &w->sums[c];

		if (!in[c])
			continue;
		s->seconds += row->dt_s;
		s->expected += row->dt_s * expected_utilization(w, p);
		for (size_t i = 0; i < N_SHOWN; i++)
			s->v[i] += row->dt_s * row->v[shown[i]];
	}
}

static void watch(void *context, const struct run_progress *p)
{
	struct watch *w = context;
	struct row row;

	if (p->moment == RUN_PHASE_BEGINS)
		collector_sample(w->collector, &w->begin);
	if (p->moment != RUN_PHASE_ENDS)
		return;
	collector_sample(w->collector, &w->end);
	if (interval_row(&w->begin, &w->end, &row) == INTERVAL_OK)
		add(w, &w->plan->phases[p->phase], &row);
}

static void print(const struct watch *w)
{
	for (int c = 0; c < CLASSES; c++) {
		const struct sums *s = &w->sums[c];

		if (!(s->seconds > 0))
			continue;
		printf("%s %.2f", class_names[c], s->seconds);
		for (size_t i = 0; i < N_SHOWN; i++)
			printf(" %.4g", s->v[i] / s->seconds);
		printf(" %.3f\n", s->expected / s->seconds);
	}
}

static int run(struct watch *w, double scale, const char *directory, struct err *e)
{
	struct scratch scratch = {.path = "", .fd = -1};
	struct run_options o = {
		.scale = scale, .progress = watch, .context = w, .scratch = scratch.path};
	int r = scratch_make(&scratch, directory, e);

	if (r == 0)
		r = run_plan(w->plan, &o, e);
	scratch_remove(&scratch);
	return r;
}

static int prepare(struct watch *w, struct err *e)
{
	struct collector_options o = {.kernel = &kernel_linux};
	struct budget have;
	int r = root_init(&o.root, NULL, e);

	if (r == 0)
		r = budget_read(&o.root, NULL, &have, e);
	if (r == 0)
		r = collector_new(&o, &w->collector, e);
	if (r == 0)
		r = sample_init(&w->begin, collector_cpus(w->collector), e);
	if (r == 0)
		r = sample_init(&w->end, collector_cpus(w->collector), e);
	w->cpus = have.cpus;
	return r;
}

int main(int argc, char **argv)
{
	static struct watch w;
	struct plan *plan = NULL;
	struct err e = ERR_INIT;
	sigset_t signals;
	double scale;
	int r;

	if (argc != 4 || parse_double(argv[2], &scale) < 0)
		return 2;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	r = plan_open(argv[1], &plan, &e);
	w.plan = plan;
	if (r == 0)
		r = prepare(&w, &e);
	if (r == 0)
		r = run(&w, scale, argv[3], &e);
	if (r == 0)
		print(&w);
	else
		fprintf(stderr, "%s\n", e.msg);
	collector_free(w.collector);
	sample_release(&w.begin);
	sample_release(&w.end);
	free(plan);
	return r < 0;
}
