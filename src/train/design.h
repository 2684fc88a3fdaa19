/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_DESIGN_H
#define TRAIN_DESIGN_H

/*
 * A dataset as a model sees it: every row's inputs, made by the same stream
 * that serves online, and the folds for cross-validation.
 */

#include "align/table.h"
#include "base/err.h"
#include "features/input.h"

#define FOLDS_MAX 5

struct design {
	const struct table *table; /* borrowed */
	size_t n, p;		   /* rows, inputs */
	struct input inputs[INPUT_MAX];
	double *x;    /* n x p, row-major; NaN is missing */
	bool ordered; /* every run is a time series: history can be used */
	double interval_s, window_s;
	size_t n_folds;
	uint8_t *fold;	   /* by row: groups stay together; blocks in time with one group */
	uint8_t *tail;	   /* by row: 1 in the last fifth of time, else 0 */
	const char *folds; /* "group" or "time": what a fold is, for the card */
};

/* Inputs: every feature with values, and, for ordered tables, the history of the load signals. */
int design_new(const struct table *t, struct design **ret, struct err *e);
void design_free(struct design *d);

/* The index of that input, or -1. */
int design_find(const struct design *d, enum feature f, enum input_op op, double seconds);

/* How a feature's past is offered: multiples of the interval. */
#define N_LAGS 5
#define N_EMAS 3
extern const double lag_intervals[N_LAGS];
extern const double ema_intervals[N_EMAS];

/* The q quantile (0..1) of the finite values of input j; NaN when there is none. */
double design_quantile(const struct design *d, size_t j, double q);

/* Of the finite values of input j, all but half a percent at either end. */
struct range {
	double low, high;
};
struct range design_range(const struct design *d, size_t j);

/*
 * The same, and in either direction no narrower than a grain of its feature (feature_grain): what
 * varied by less than that in training says nothing about how far is far.
 */
struct range design_range_grained(const struct design *d, size_t j);

/* design_range_grained() of n rows, or of all where none of these has a value; values[n] is
 * scratch. */
struct range design_range_of_rows(const struct design *d, size_t j, const size_t *rows, size_t n,
				  double *values);

/* The q quantile of n values, which are sorted in place; linear interpolation. NaN when n = 0. */
double quantile_of(double *values, size_t n, double q);

#endif
