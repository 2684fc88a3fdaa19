/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIMULATED_H
#define SIMULATED_H

/* Simulated recordings for tests of training. */
#include "align/table.h"
#include "base/cleanup.h"

static inline double uniform(void)
{
	return (double)rand() / RAND_MAX;
}

/* A simulated table: runs of n rows, 1 s apart, u wandering in 0..8 vCPUs. */
static inline struct table *simulated(size_t runs, size_t n,
				      double (*watts)(double now, double before))
{
	struct table *t = calloc(1, sizeof(*t));
	double u = 2, before = 2;

	t->n_rows = runs * n;
	t->n_runs = t->n_groups = runs;
	t->runs = calloc(runs, sizeof(*t->runs));
	t->t_s = calloc(t->n_rows, sizeof(double));
	t->run = calloc(t->n_rows, sizeof(uint32_t));
	t->group = calloc(t->n_rows, sizeof(uint32_t));
	t->x[FEATURE_VCPUS] = calloc(t->n_rows, sizeof(double));
	t->x[FEATURE_CPU_UTILIZATION] = calloc(t->n_rows, sizeof(double));
	t->x[FEATURE_CPU_BUSY_VCPUS] = calloc(t->n_rows, sizeof(double));
	t->y_w[ZONE_PACKAGE] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++) {
		if (i % n == 0) {
			t->runs[i / n] = (struct table_run){.first = i,
							    .n = n,
							    .ordered = true,
							    .interval_s = 1,
							    .window_s = 1};
			snprintf(t->runs[i / n].name, sizeof(t->runs[0].name), "run%zu", i / n);
			before = u;
		}
		t->t_s[i] = 1000.0 * (double)(i / n) + (double)(i % n);
		t->run[i] = t->group[i] = (uint32_t)(i / n);
		t->x[FEATURE_VCPUS][i] = 8;
		t->x[FEATURE_CPU_BUSY_VCPUS][i] = u;
		t->x[FEATURE_CPU_UTILIZATION][i] = u / 8;
		t->y_w[ZONE_PACKAGE][i] = watts(u, before) * (1 + 0.02 * (uniform() - 0.5));
		before = u;
		u = fmin(fmax(u + 3 * (uniform() - 0.5), 0), 8);
	}
	return t;
}

static inline double curve(double u, double before)
{
	(void)before;
	return 1 + 5 * u - 0.25 * u * u;
}

static inline double lagging(double u, double before)
{
	return 1 + 2 * u + 2 * before;
}

#endif
