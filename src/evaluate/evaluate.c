// SPDX-License-Identifier: Apache-2.0
/* How good a model set is on a dataset: see evaluate.h. */
#include "evaluate/evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "model/estimator.h"

/* What came out for every row; columns only for zones with labels. */
struct answers {
	double *watts[ZONE_COUNT], *low[ZONE_COUNT], *high[ZONE_COUNT];
};

static void answers_release(struct answers *a)
{
	zone_foreach (z) {
		free(a->watts[z]);
		free(a->low[z]);
		free(a->high[z]);
	}
}

static int answers_init(struct answers *a, const struct table *t, struct err *e)
{
	zone_foreach (z) {
		if (!t->y_w[z])
			continue;
		a->watts[z] = malloc(t->n_rows * sizeof(double));
		a->low[z] = malloc(t->n_rows * sizeof(double));
		a->high[z] = malloc(t->n_rows * sizeof(double));
		if (!a->watts[z] || !a->low[z] || !a->high[z])
			return err_nomem(e);
	}
	return 0;
}

static void keep(struct answers *a, size_t i, const struct table *t, const struct estimate *from,
		 struct report *ret)
{
	zone_foreach (z) {
		const struct zone_estimate *zone = &from->zone[z];

		if (!t->y_w[z])
			continue;
		a->watts[z][i] = zone->valid ? zone_watts(zone) : NAN;
		a->low[z][i] = zone->valid ? zone->low_w : NAN;
		a->high[z][i] = zone->valid ? zone->high_w : NAN;
		if (!zone->valid || isnan(t->y_w[z][i]))
			continue;
		if (zone->provenance == PROVENANCE_PRIOR)
			ret->zone[z].prior++;
		else
			ret->zone[z].trained++;
	}
}

static int estimate_run(const struct report *report, const struct table_run *run,
			const struct evaluate_options *o, struct answers *a, struct report *ret,
			struct err *e)
{
	struct estimator_options options = {.set = report->set,
					    .prior = o->prior,
					    .step_s = run->interval_s,
					    .stateless = o->stateless || !run->ordered};
	struct estimator *p;
	int r = estimator_new(&options, &p, e);

	if (r < 0)
		return r;
	for (size_t i = run->first; i < run->first + run->n; i++) {
		struct estimate estimate;
		struct row row;

		table_row(report->table, i, &row);
		row.dt_s = run->window_s;
		estimator_row(p, &row, &estimate);
		keep(a, i, report->table, &estimate, ret);
	}
	estimator_free(p);
	return 0;
}

static int score_zone(const struct table *t, const struct answers *a, enum zone z,
		      struct zone_report *ret, struct err *e)
{
	struct metrics_input in = {t->n_rows, t->y_w[z], a->watts[z], a->low[z], a->high[z]};

	metrics_compute(&in, &ret->all);
	ret->valid = ret->all.rows > 0;
	ret->by_run = calloc(t->n_runs, sizeof(*ret->by_run));
	if (!ret->by_run)
		return err_nomem(e);
	for (size_t k = 0; k < t->n_runs; k++) {
		size_t at = t->runs[k].first;

		in = (struct metrics_input){t->runs[k].n, t->y_w[z] + at, a->watts[z] + at,
					    a->low[z] + at, a->high[z] + at};
		metrics_compute(&in, &ret->by_run[k]);
	}
	return 0;
}

int evaluate(const struct table *t, const struct model_set *s, const struct evaluate_options *o,
	     struct report *ret, struct err *e)
{
	struct report report = {.table = t, .set = s};
	struct answers a = {.watts = {NULL}};
	bool any = false;
	int r = answers_init(&a, t, e);

	for (size_t k = 0; r == 0 && k < t->n_runs; k++)
		r = estimate_run(&report, &t->runs[k], o, &a, &report, e);
	zone_foreach (z) {
		if (r == 0 && t->y_w[z])
			r = score_zone(t, &a, z, &report.zone[z], e);
		any |= report.zone[z].valid;
	}
	answers_release(&a);
	if (r == 0 && !any)
		r = err_set(e, -ERR_DATA,
			    "no row of the dataset has both a label and the features to answer it");
	if (r < 0) {
		report_release(&report);
		return r;
	}
	*ret = report;
	return 0;
}

void report_release(struct report *r)
{
	zone_foreach (z)
		free(r->zone[z].by_run);
}
