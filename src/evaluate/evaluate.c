// SPDX-License-Identifier: Apache-2.0
/* How good a model set is on a dataset: see evaluate.h. */
#include "evaluate/evaluate.h"

#include <stdlib.h>

static int score_runs(const struct table *t, const struct answers *a, enum zone z,
		      struct zone_report *ret, struct err *e)
{
	ret->by_run = calloc(t->n_runs, sizeof(*ret->by_run));
	if (!ret->by_run)
		return err_nomem(e);
	for (size_t k = 0; k < t->n_runs; k++) {
		size_t at = t->runs[k].first;
		struct metrics_input in = {t->runs[k].n, t->y_w[z] + at, a->watts[z] + at,
					   a->low[z] + at, a->high[z] + at};

		metrics_compute(&in, &ret->by_run[k]);
	}
	return 0;
}

static int score_zone(const struct table *t, const struct answers *a, const struct answers *prior,
		      enum zone z, struct zone_report *ret, struct err *e)
{
	struct metrics_input in = {t->n_rows, t->y_w[z], a->watts[z], a->low[z], a->high[z]};
	int r;

	metrics_compute(&in, &ret->all);
	ret->valid = ret->all.rows > 0;
	if (!ret->valid)
		return 0;
	r = score_runs(t, a, z, ret, e);
	for (int k = 0; r == 0 && k < WINDOW_COUNT; k++)
		r = windows_compute(t, t->y_w[z], a->watts[z], windows_s[k], &ret->window[k], e);
	if (r == 0)
		r = baselines_compute(t, z, prior->watts[z], ret->baseline, e);
	if (r == 0)
		r = noise_compute(t, z, &ret->noise, e);
	return r;
}

int evaluate(const struct table *t, const struct model_set *s, const struct evaluate_options *o,
	     struct report *ret, struct err *e)
{
	struct report report = {.table = t, .set = s};
	struct answers prior = {.watts = {NULL}};
	bool any = false;
	int r = answers_compute(t, s, o, &report.answers, e);

	if (r == 0)
		r = answers_compute(t, NULL, o, &prior, e);
	zone_foreach (z) {
		if (r == 0 && t->y_w[z])
			r = score_zone(t, &report.answers, &prior, z, &report.zone[z], e);
		any |= report.zone[z].valid;
	}
	answers_release(&prior);
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
	answers_release(&r->answers);
	zone_foreach (z)
		free(r->zone[z].by_run);
}
