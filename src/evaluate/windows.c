// SPDX-License-Identifier: Apache-2.0
/* Averages over windows, and their error: see windows.h. */
#include "evaluate/windows.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define GAP_INTERVALS 3	   /* a longer step ends a block */
#define ROUNDING      1e-6 /* of the window */
#define JITTER	      0.1  /* of the interval: what a recorded time may be off */
#define FILLED	      0.5  /* share of the window that a block must cover */

const double windows_s[WINDOW_COUNT] = {1, 5, 15, 60};

/* Blocks done so far: their means, and the seconds they cover. */
struct blocks {
	double *truth_w, *estimate_w;
	size_t n;
	double covered_s;
};

/* The block being filled. */
struct open_block {
	double truth_w, estimate_w; /* sums */
	double n;
	double start_s; /* when its first row's interval began */
};

static void close_block(struct blocks *b, struct open_block *open, double interval_s,
			double window_s)
{
	double covered_s = open->n * interval_s;

	if (open->n > 0 && covered_s >= FILLED * window_s * (1 - ROUNDING)) {
		b->truth_w[b->n] = open->truth_w / open->n;
		b->estimate_w[b->n] = open->estimate_w / open->n;
		b->n++;
		b->covered_s += covered_s;
	}
	*open = (struct open_block){.start_s = NAN};
}

static void cut_run(const struct table *t, const struct table_run *run, const double *truth_w,
		    const double *estimate_w, double window_s, struct blocks *b)
{
	struct open_block open = {.start_s = NAN};
	double slack_s = JITTER * run->interval_s;

	for (size_t i = run->first; i < run->first + run->n; i++) {
		double step_s = i > run->first ? t->t_s[i] - t->t_s[i - 1] : NAN;

		if (!(step_s > 0 && step_s <= GAP_INTERVALS * run->interval_s) ||
		    t->t_s[i] - open.start_s > window_s + slack_s)
			close_block(b, &open, run->interval_s, window_s);
		if (isnan(open.start_s))
			open.start_s = t->t_s[i] - run->interval_s;
		if (isnan(truth_w[i]) || isnan(estimate_w[i]))
			continue;
		open.truth_w += truth_w[i];
		open.estimate_w += estimate_w[i];
		open.n++;
	}
	close_block(b, &open, run->interval_s, window_s);
}

int windows_compute(const struct table *t, const double *truth_w, const double *estimate_w,
		    double window_s, struct window_metrics *ret, struct err *e)
{
	autofree double *truth = malloc((t->n_rows + 1) * sizeof(double));
	autofree double *estimate = malloc((t->n_rows + 1) * sizeof(double));
	struct blocks b = {truth, estimate, 0, 0};
	struct metrics_input in;

	if (!truth || !estimate)
		return err_nomem(e);
	for (size_t k = 0; k < t->n_runs; k++) {
		const struct table_run *run = &t->runs[k];

		if (run->ordered && run->interval_s > 0 &&
		    run->interval_s <= window_s * (1 + ROUNDING))
			cut_run(t, run, truth_w, estimate_w, window_s, &b);
	}
	*ret = (struct window_metrics){.window_s = window_s, .mean_s = NAN};
	in = (struct metrics_input){.n = b.n, .truth_w = truth, .estimate_w = estimate};
	metrics_compute(&in, &ret->blocks);
	if (b.n)
		ret->mean_s = b.covered_s / (double)b.n;
	return 0;
}
