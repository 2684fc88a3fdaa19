// SPDX-License-Identifier: Apache-2.0
/* How far physics reaches: see reach.h. */
#include "train/reach.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define CLEARLY 0.97

static const struct physics_reach reaches[] = {PHYSICS_REACH_INIT, {1.5, 2}, {1.25, 2}, {1, 2},
					       {1, 1.5},	   {1, 1.2}};
static const double tops[] = {0.6, 0.8};

/* Cycles where they are counted: busy time may miss who burns them. -1: no signal of load. */
static int load_input(const struct pool *p)
{
	static const enum feature loads[] = {FEATURE_CYCLES_RATE, FEATURE_CPU_BUSY_VCPUS,
					     FEATURE_CPU_UTILIZATION};

	for (size_t k = 0; k < array_size(loads); k++) {
		int j = design_find(p->d, loads[k], INPUT_NOW, 0);

		if (j >= 0 && feature_info(loads[k])->tier <= p->tier)
			return j;
	}
	return -1;
}

static double load_of(const struct pool *p, size_t row, int input)
{
	return p->x[row * p->d->p + (size_t)input];
}

static int top_folds(const struct pool *p, const size_t *rows, size_t n, int input,
		     struct shift_folds *ret, struct err *e)
{
	autofree double *load = calloc(n + 1, sizeof(*load));

	if (!load)
		return err_nomem(e);
	for (size_t k = 0; k < array_size(tops); k++) {
		uint8_t *out = calloc(p->d->n + 1, 1);
		double cut;

		if (!out)
			return err_nomem(e);
		ret->folds[ret->n++] = (struct shift_fold){FOLD_D, out};
		for (size_t i = 0; i < n; i++)
			load[i] = load_of(p, rows[i], input);
		cut = quantile_of(load, n, tops[k]);
		for (size_t i = 0; i < n; i++)
			out[rows[i]] = load_of(p, rows[i], input) > cut;
	}
	return 0;
}

/* Mean error of physics, relative where there is load; infinite where nothing was asked. */
static double error_of(const struct scores *s)
{
	double sum = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct scored *r = &s->rows[i];

		sum += score_weight(s, r->y) * fabs(r->w[EXPERT_P] - r->y);
	}
	return s->n ? sum / (double)s->n : INFINITY;
}

int reach_choose(const struct pool *p, const size_t *rows, size_t n, const struct score_options *o,
		 struct physics_reach *ret, struct err *e)
{
	struct score_options physics = *o;
	struct shift_folds folds = {.n = 0};
	int input = load_input(p), r = 0;
	double least = INFINITY;

	*ret = reaches[0];
	if (input < 0)
		return 0;
	physics.types = 1u << FOLD_D;
	physics.experts.only = 1u << EXPERT_P;
	r = top_folds(p, rows, n, input, &folds, e);
	for (size_t k = 0; r == 0 && k < array_size(reaches); k++) {
		struct scores s;
		double error;

		physics.experts.reach = reaches[k];
		r = scores_run(p, rows, n, &folds, &physics, &s, e);
		if (r < 0)
			break;
		error = error_of(&s);
		scores_release(&s);
		if (!(error < CLEARLY * least))
			continue;
		least = error;
		*ret = reaches[k];
	}
	shift_folds_release(&folds);
	return r;
}
