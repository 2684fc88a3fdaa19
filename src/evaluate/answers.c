// SPDX-License-Identifier: Apache-2.0
/* Rows of a table through the estimator, run by run: see answers.h. */
#include "evaluate/answers.h"

#include <math.h>
#include <stdlib.h>

#include "model/estimator.h"

void answers_release(struct answers *a)
{
	zone_foreach (z) {
		free(a->watts[z]);
		free(a->low[z]);
		free(a->high[z]);
	}
	*a = (struct answers){.watts = {NULL}};
}

static int answers_init(struct answers *a, const struct table *t, struct err *e)
{
	zone_foreach (z) {
		if (!t->y_w[z])
			continue;
		a->watts[z] = malloc((t->n_rows + 1) * sizeof(double));
		a->low[z] = malloc((t->n_rows + 1) * sizeof(double));
		a->high[z] = malloc((t->n_rows + 1) * sizeof(double));
		if (!a->watts[z] || !a->low[z] || !a->high[z])
			return err_nomem(e);
	}
	return 0;
}

static void keep(struct answers *a, size_t i, const struct table *t, const struct estimate *from)
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
			a->prior[z]++;
		else if (zone->provenance == PROVENANCE_DERIVED)
			a->derived[z]++;
		else
			a->trained[z]++;
	}
}

static int answer_run(const struct table *t, const struct table_run *run, const struct model_set *s,
		      const struct evaluate_options *o, struct answers *a, struct err *e)
{
	struct estimator_options options = {.set = s,
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

		table_row(t, i, &row);
		row.dt_s = run->window_s;
		estimator_row(p, &row, &estimate);
		keep(a, i, t, &estimate);
	}
	estimator_free(p);
	return 0;
}

int answers_compute(const struct table *t, const struct model_set *s,
		    const struct evaluate_options *o, struct answers *ret, struct err *e)
{
	struct answers a = {.watts = {NULL}};
	int r = answers_init(&a, t, e);

	for (size_t k = 0; r == 0 && k < t->n_runs; k++)
		r = answer_run(t, &t->runs[k], s, o, &a, e);
	if (r < 0) {
		answers_release(&a);
		return r;
	}
	*ret = a;
	return 0;
}
