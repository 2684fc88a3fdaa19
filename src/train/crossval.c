// SPDX-License-Identifier: Apache-2.0
/* Cross-validation of one candidate: see crossval.h. */
#include "train/crossval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define ROWS_MIN    10
#define MAX_FACTOR  2.0	 /* no estimate above this many times the largest label */
#define LABEL_FLOOR 0.05 /* of the largest label, for relative weights */

static const double physics_powers[] = {0, 0.5, 1};
static const double physics_ridges[] = {1e-3, 1e-2, 1e-1};
static const double linear_powers[] = {0};
static const double linear_ridges[] = {1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1};

struct grid {
	const double *powers, *ridges;
	size_t n_powers, n_ridges;
};

static struct grid grid_of(enum family f)
{
	if (f == FAMILY_LINEAR)
		return (struct grid){linear_powers, linear_ridges, array_size(linear_powers),
				     array_size(linear_ridges)};
	return (struct grid){physics_powers, physics_ridges, array_size(physics_powers),
			     array_size(physics_ridges)};
}

/* What one run works on: rows that count, and their folds crossed with the tail. */
struct work {
	const struct candidate *c;
	const double *y;
	struct crossval *v;
	size_t n_folds;
	uint8_t *fold;	/* 2 x fold + tail */
	double *weight; /* 0: the row does not count */
	double *predicted_w, *coefficients;
	double y_max;
};

void crossval_release(struct crossval *v)
{
	free(v->predicted_w);
	free(v->coefficients);
	*v = (struct crossval){0};
}

static bool counts(const struct work *k, size_t i)
{
	return k->c->present[i] && isfinite(k->y[i]);
}

static void weigh(struct work *k, double power)
{
	double floor_w = fmax(LABEL_FLOOR * k->y_max, 1e-3);

	for (size_t i = 0; i < k->c->design->n; i++)
		k->weight[i] = counts(k, i) ? pow(fmax(k->y[i], floor_w), -power) : 0;
}

static double predict(const struct work *k, size_t i)
{
	const struct candidate *c = k->c;
	double w = 0;

	for (size_t j = 0; j < c->q; j++)
		w += k->coefficients[j] * c->b[i * c->q + j];
	return fmin(fmax(w, k->v->floor_w), k->v->max_w);
}

/* Fit without the masked folds and predict their rows; false when nothing was left to fit. */
static bool predict_without(struct work *k, const struct gram *g, uint64_t mask, double ridge)
{
	struct err ignored = ERR_INIT;

	if (gram_solve(g, mask, ridge, k->coefficients, &ignored) < 0)
		return false;
	for (size_t i = 0; i < k->c->design->n; i++) {
		if (counts(k, i) && (mask >> k->fold[i] & 1))
			k->predicted_w[i] = predict(k, i);
	}
	return true;
}

struct sums {
	double error_w, label_w;
	size_t rows;
};

static struct sums sum_errors(const struct work *k)
{
	struct sums s = {0};

	for (size_t i = 0; i < k->c->design->n; i++) {
		if (!counts(k, i) || isnan(k->predicted_w[i]))
			continue;
		s.error_w += fabs(k->predicted_w[i] - k->y[i]);
		s.label_w += fabs(k->y[i]);
		s.rows++;
	}
	return s;
}

static double wmape(struct sums s)
{
	return s.rows ? s.error_w / fmax(s.label_w, 1e-9) : INFINITY;
}

static void forget(struct work *k)
{
	for (size_t i = 0; i < k->c->design->n; i++)
		k->predicted_w[i] = NAN;
}

/* Both views with one setting; keeps it when it is the best so far. */
static int try_setting(struct work *k, const struct gram *g, double power, double ridge,
		       struct err *e)
{
	struct crossval *v = k->v;
	uint64_t tail = 0;
	double tail_wmape, score;
	struct sums s;

	for (size_t f = 1; f < k->n_folds; f += 2)
		tail |= (uint64_t)1 << f;
	forget(k);
	predict_without(k, g, tail, ridge);
	tail_wmape = wmape(sum_errors(k));
	forget(k);
	for (size_t f = 0; f < k->n_folds; f += 2)
		predict_without(k, g, (uint64_t)3 << f, ridge);
	s = sum_errors(k);
	score = isfinite(tail_wmape) ? (wmape(s) + tail_wmape) / 2 : wmape(s);
	if (!(score < v->score))
		return 0;
	v->score = score;
	v->wmape = wmape(s);
	v->tail_wmape = tail_wmape;
	v->mae_w = s.error_w / (double)s.rows;
	v->rows = s.rows;
	v->weight_power = power;
	v->ridge = ridge;
	memcpy(v->predicted_w, k->predicted_w, k->c->design->n * sizeof(double));
	return gram_solve(g, 0, ridge, v->coefficients, e);
}

static int search(struct work *k, struct err *e)
{
	const struct candidate *c = k->c;
	const struct columns columns = {c->design->n, c->q, c->b, c->free, c->penalty};
	struct grid grid = grid_of(c->kind.family);

	for (size_t p = 0; p < grid.n_powers; p++) {
		struct gram *g;
		int r;

		weigh(k, grid.powers[p]);
		r = gram_new(&columns, k->y, k->weight, k->fold, k->n_folds, &g, e);
		if (r < 0)
			return r;
		for (size_t i = 0; r == 0 && i < grid.n_ridges; i++)
			r = try_setting(k, g, grid.powers[p], grid.ridges[i], e);
		gram_free(g);
		if (r < 0)
			return r;
	}
	return isfinite(k->v->score) ? 0 : err_set(e, -ERR_DATA, CROSSVAL_NO_FOLD);
}

/* How many rows count, and the range of their labels. */
static int measure(struct work *k, struct err *e)
{
	double y_min = INFINITY;
	size_t rows = 0;

	k->y_max = 0;
	for (size_t i = 0; i < k->c->design->n; i++) {
		if (!counts(k, i))
			continue;
		y_min = fmin(y_min, k->y[i]);
		k->y_max = fmax(k->y_max, k->y[i]);
		rows++;
	}
	if (rows < ROWS_MIN)
		return err_set(e, -ERR_DATA,
			       "%zu rows have both a label and its features; %d are needed", rows,
			       ROWS_MIN);
	k->v->max_w = fmax(MAX_FACTOR * k->y_max, 1e-3);
	k->v->floor_w =
		k->c->kind.family == FAMILY_PHYSICS ? fmax(0.5 * y_min, 0) + 0.001 * k->y_max : 0;
	return 0;
}

int crossval_run(const struct candidate *c, const double *y, struct crossval *ret, struct err *e)
{
	const struct design *d = c->design;
	autofree uint8_t *fold = calloc(d->n + 1, 1);
	autofree double *weight = calloc(d->n + 1, sizeof(double));
	autofree double *predicted_w = calloc(d->n + 1, sizeof(double));
	autofree double *coefficients = calloc(c->q + 1, sizeof(double));
	struct crossval v = {.score = INFINITY};
	struct work k = {.c = c,
			 .y = y,
			 .v = &v,
			 .n_folds = 2 * d->n_folds,
			 .fold = fold,
			 .weight = weight,
			 .predicted_w = predicted_w,
			 .coefficients = coefficients};
	int r;

	if (c->kind.family == FAMILY_MLP)
		return crossval_mlp(c, y, ret, e);
	v.predicted_w = calloc(d->n + 1, sizeof(double));
	v.coefficients = calloc(c->q + 1, sizeof(double));
	if (!fold || !weight || !predicted_w || !coefficients || !v.predicted_w ||
	    !v.coefficients) {
		crossval_release(&v);
		return err_nomem(e);
	}
	for (size_t i = 0; i < d->n; i++)
		fold[i] = (uint8_t)(2 * d->fold[i] + d->tail[i]);
	r = measure(&k, e);
	if (r == 0)
		r = search(&k, e);
	if (r < 0) {
		crossval_release(&v);
		return r;
	}
	*ret = v;
	return 0;
}
